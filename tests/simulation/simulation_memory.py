"""The people of the simulation and what they remember, which is one side of the comparison at the end.

They remember their answers in the order of the clock, the names they gave, the fields they wrote that OpenMeet does not
know, and when they consented to publishing. This module depends on no program.
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
    """A person's relation to OpenMeet."""

    EMAIL = "signed up by e-mail"
    CONNECTED = "signed in with an account made elsewhere"
    STRANGER = "never came here"


@dataclass
class Person:
    """One person. ``consents``: (instant, yes or no) in order. Before the first, nobody has consented."""

    name: str
    sort: Sort
    caller: "Caller | None" = None
    application: "Application | None" = None
    consents: list[tuple[int, bool]] = field(default_factory=list)
    # The current handle of their account, and whether it has moved to another PDS.
    handle: str = ""
    has_moved: bool = False
    # Whether an older copy of their repository was imported.
    has_turned_back: bool = False

    @property
    def agrees(self) -> bool:
        return bool(self.consents) and self.consents[-1][1]

    def agreed_at(self, instant: int) -> bool:
        """Whether they consented at this moment."""
        said = [yes for at, yes in self.consents if at <= instant]
        return bool(said) and said[-1]


@dataclass(frozen=True)
class Said:
    """An answer to an event, given as its id or its record's URI. ``word``: its status. None for a deletion whose
    effect cannot be predicted: it depends on which answers OpenMeet had sent by then.
    """

    person: str
    about: str
    word: str | None
    is_news: bool = True


@dataclass
class Memory:
    """The actions of people, as far as they must be visible in the end."""

    # In the order of the clock.
    answers: list[Said] = field(default_factory=list)
    # Event record's URI -> the theme that another application wrote there last.
    themes: dict[str, str] = field(default_factory=dict)
    # Event's id -> the name and description that its host last gave it on OpenMeet.
    given: dict[str, dict[str, str]] = field(default_factory=dict)
    # Event record's URI -> the OpenMeet events that had this record, in order. Nearly all have one.
    ids: dict[str, list[str]] = field(default_factory=dict)
    # (host, blocked user) of every block so far, and the events that were ever handed over.
    blocked: set[tuple[str, str]] = field(default_factory=set)
    handed_over: set[str] = field(default_factory=set)
    # (group, user) of everybody who was ever banned from a group.
    banned: set[tuple[str, str]] = field(default_factory=set)
    # The same of everybody who ever left a group or was removed from it.
    left: set[tuple[str, str]] = field(default_factory=set)
    # People on OpenMeet who are the same person as somebody who signed up by e-mail, by name.
    joined: dict[str, str] = field(default_factory=dict)
    # People who deleted their account on OpenMeet: name -> former user id.
    erased: dict[str, str] = field(default_factory=dict)
    # Records that were restored with an older copy of a repository. They count as written by their owner, even if
    # OpenMeet wrote them first.
    restored: set[str] = field(default_factory=set)
    # The versions that such a copy contained, with the rev of its commit. They are not announced.
    brought: list[Change] = field(default_factory=list)
    # (repository, rev, event's record) of answers that a copy changed with that commit. The changes are not announced.
    unannounced: list[tuple[str, str, str]] = field(default_factory=list)
    # (repository, event) for which a copy contained several answers.
    several: set[tuple[str, str]] = field(default_factory=set)

    def id_of(self, about: str) -> str:
        """The event's id, given that id or the URI of its record."""
        return self.ids.get(about, [about])[-1]

    def join(self, other: str, person: str) -> None:
        """Two people turn out to be one. It is uncertain which of their earlier answers counts."""
        self.joined[other] = person
        about = {said.about: None for said in self.answers if said.person == other}
        self.answers += [Said(person, one, None) for one in about]

    def name_of(self, said: Said) -> str:
        """The person who gave an answer, under one name."""
        return self.joined.get(said.person, said.person)

    def rename_user(self, before: str, after: str) -> None:
        """The user that OpenMeet had for a DID was merged into another one."""
        pairs = {tuple(after if one == before else one for one in pair) for pair in self.blocked}
        self.blocked = {(host, other) for host, other in pairs if host != other}
        self.banned = {(group, after if user == before else user) for group, user in self.banned}
        self.left = {(group, after if user == before else user) for group, user in self.left}

    def turn_back(self, person: str, before: Held, after: Held) -> None:
        """A person's repository is restored to an older state. Every answer in it counts as given again, and no other
        answer counts any more.
        """
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
