"""Secrets and those whom they are for.

A secret is one word that stands nowhere else (``Zqtitlezq``). Ana hosts. The guest goes to her public event and was invited to the
private one; the member is in her groups, without any right; the former member was, answered there, and was removed. Whom she blocks is in her groups, too, and was invited to what she hosts (``withholding``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from openmeet.domain.users.model import Caller


class Viewer(StrEnum):
    """Who looks."""

    NOBODY = "nobody"
    STRANGER = "stranger"
    MEMBER = "member"
    FORMER = "former"
    GUEST = "guest"
    BLOCKED = "blocked"
    HOST = "host"


NOBODY, STRANGER, MEMBER, FORMER, GUEST, BLOCKED, HOST = Viewer
EVERYBODY = frozenset(Viewer)
# A slug that nothing has.
ABSENT = "nothing-has-this-slug"


@dataclass
class Planted:
    """What was planted for whom, the viewers' tokens, and what stands for the parameters of addresses."""

    for_whom: dict[str, frozenset[Viewer]] = field(default_factory=dict)
    # How what is no word is recognised.
    marks: dict[str, str] = field(default_factory=dict)
    tokens: dict[Viewer, tuple[str, str]] = field(default_factory=dict)  # of a browser, of a program
    callers: dict[Viewer, Caller] = field(default_factory=dict)
    # By the first word of an address: the values of its parameters, one set for each thing that is there.
    addresses: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    # Whoever has these addresses sees what is behind them, so that only those walk there who were told.
    told: dict[str, frozenset[Viewer]] = field(default_factory=dict)
    # Slugs of what does not exist for strangers.
    hidden: set[str] = field(default_factory=set)
    # The secret address of one's own calendar.
    feeds: dict[Viewer, str] = field(default_factory=dict)
    # And those of the calendars of groups, of who is in them and of who was.
    group_feeds: dict[Viewer, list[str]] = field(default_factory=dict)

    def secret(self, name: str, *for_whom: Viewer, host: bool = True) -> str:
        """A new marked word; it is for the host, too, unless that is said otherwise."""
        assert name.isalpha()
        assert name not in self.for_whom
        self.for_whom[name] = frozenset((HOST, *for_whom) if host else for_whom)
        return f"Zq{name}zq"

    def secret_number(self, name: str, number: str, *for_whom: Viewer) -> str:
        """The same of what can be a number only: one with so many digits that it stands nowhere by chance."""
        assert len(number) >= 8
        self.secret(name, *for_whom)
        self.marks[name] = number
        return number

    def found_in(self, text: str) -> set[str]:
        """Which secrets stand in a text, however it writes capitals."""
        folded = text.casefold()
        # Some two hundred names are looked for in every answer, and most answers have no beginning of one.
        names = self.for_whom if "zq" in folded else self.marks
        return {name for name in names if self.marks.get(name, f"zq{name}zq") in folded}

    def meant_for(self, viewer: Viewer) -> set[str]:
        return {name for name, whom in self.for_whom.items() if viewer in whom}

    def known_to(self, viewer: Viewer, first_word: str) -> Iterator[dict[str, str]]:
        """The parameters with which this viewer walks."""
        if first_word == "calendar" and viewer in self.feeds:
            yield {"token": self.feeds[viewer]}
        if first_word == "group-calendars":
            yield from ({"token": token} for token in self.group_feeds.get(viewer, []))
        for values in self.addresses.get(first_word, []):
            if viewer in self.told.get(values.get("slug", ""), EVERYBODY):
                yield values
