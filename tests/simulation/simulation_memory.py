"""Who the people of the simulation are, and what they remember: one side of what is compared in the end.

What they remember are the words they said in the order of the clock, what they called things, the fields they wrote that are
none of our business, when they agreed to publish and when not. Nothing here knows a program.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tests.simulation.announced import Held
from tests.simulation.oracle import EVENT, RSVP, Change

if TYPE_CHECKING:
    from openmeet.domain.users.model import Caller
    from tests.simulation.simulation_people import Application


class Sort(StrEnum):
    """How somebody stands to OpenMeet."""

    EMAIL = "signed up by e-mail"
    CONNECTED = "signed in with an account made elsewhere"
    STRANGER = "never came here"


@dataclass
class Person:
    """One of them. ``consents``: (instant, yes or no) in order; nobody has agreed before the first."""

    name: str
    sort: Sort
    caller: "Caller | None" = None
    application: "Application | None" = None
    consents: list[tuple[int, bool]] = field(default_factory=list)
    # What their account is called now; and whether it has moved to another PDS.
    handle: str = ""
    has_moved: bool = False
    # Whether an older copy of their repository was brought in.
    has_turned_back: bool = False

    @property
    def agrees(self) -> bool:
        return bool(self.consents) and self.consents[-1][1]

    def agreed_at(self, instant: int) -> bool:
        """Whether they agreed at this moment."""
        said = [yes for at, yes in self.consents if at <= instant]
        return bool(said) and said[-1]


@dataclass(frozen=True)
class Said:
    """An answer: about an event's id or its record's uri. ``word`` is None where nothing can be said afterwards: a
    deletion meets what was answered here meanwhile, and which of them counts depends on what had been sent."""

    person: str
    about: str
    word: str | None
    is_news: bool = True


@dataclass
class Memory:
    """What people did, as far as it must be seen in the end."""

    # In the order of the clock.
    answers: list[Said] = field(default_factory=list)
    # Event record's uri -> the theme that another application wrote there last.
    themes: dict[str, str] = field(default_factory=dict)
    # Event's id -> what its host called it and how they described it here, last.
    given: dict[str, dict[str, str]] = field(default_factory=dict)
    # Event record's uri -> the events here that it was the record of, in their order; all but few have one.
    ids: dict[str, list[str]] = field(default_factory=dict)
    # What came back with an older copy of a repository: its owner's word, whoever had written it first.
    restored: set[str] = field(default_factory=set)
    # The versions that it brought, as of its commit: nobody announces them.
    brought: list[Change] = field(default_factory=list)
    # (repository, rev, event's record) of answers that a copy changed by that commit: nobody announces what it did.
    unannounced: list[tuple[str, str, str]] = field(default_factory=list)
    # (repository, event) of which a copy brought several answers.
    several: set[tuple[str, str]] = field(default_factory=set)

    def id_of(self, about: str) -> str:
        """The event's id, by its id or by its record's uri."""
        return self.ids.get(about, [about])[-1]

    def turn_back(self, person: str, before: Held, after: Held) -> None:
        """Somebody's repository is what it was once: everything in it is said anew, and nothing else is said any more."""
        changed = {
            f"at://{before.did}/{path}": (before.records.get(path), after.records.get(path))
            for path in before.records.keys() | after.records.keys()
            if before.records.get(path) != after.records.get(path)
        }
        for uri, (old, new) in sorted(changed.items()):
            if new is not None:
                self.restored.add(uri)
                _, _, _, collection, rkey = uri.split("/")
                self.brought.append(Change(after.did, collection, rkey, after.rev, new))
            if uri.split("/")[3] == RSVP:
                about = [one["subject"]["uri"] for one in (old, new) if one is not None]
                self.answers += [Said(person, one, None) for one in about]
                self.unannounced += [(after.did, after.rev, one) for one in about]
            else:
                self._keep_theme(uri, new)
        brought = [value["subject"]["uri"] for path, value in after.records.items() if path.startswith(f"{RSVP}/")]
        self.several |= {(after.did, uri) for uri in brought if brought.count(uri) > 1}

    def _keep_theme(self, uri: str, record: Mapping[str, Any] | None) -> None:
        if record is not None and "theme" in record:
            self.themes[uri] = record["theme"]
        else:
            self.themes.pop(uri, None)


def event_record(name: str, **more: Any) -> dict[str, Any]:
    return {
        "$type": EVENT,
        "name": name,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "startsAt": "2037-06-01T12:00:00.000Z",
        **more,
    }


def rsvp_record(uri: str, cid: str, word: str, created_at: str) -> dict[str, Any]:
    return {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": cid},
        "status": f"{RSVP}#{word}",
        "createdAt": created_at,
    }
