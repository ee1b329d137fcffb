"""The expected final state, computed independently and only from the set of messages: no order, no database, no shared
code.

The canonical view is a function of the newest version of each record by rev: which events exist, with which title, and
which answer of each author to each event counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

EVENT = "community.lexicon.calendar.event"
RSVP = "community.lexicon.calendar.rsvp"

TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Change:
    """One record of one author at one rev. ``value`` is None if it was deleted."""

    did: str
    collection: str
    rkey: str
    rev: str
    value: dict | None

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"


@dataclass(frozen=True)
class View:
    """Titles by event URI, and the status of the answer that counts by (author, event URI)."""

    events: dict[str, str]
    answers: dict[tuple[str, str], str]


def canonical_view(changes: Iterable[Change]) -> View:
    """The final state that these changes must lead to in any order and with any repetition."""
    newest: dict[str, Change] = {}
    for change in changes:
        if change.uri not in newest or change.rev > newest[change.uri].rev:
            newest[change.uri] = change
    living = [change for change in newest.values() if change.value is not None]
    events = {change.uri: change.value["name"] for change in living if change.collection == EVENT}
    best: dict[tuple[str, str], tuple[tuple, str]] = {}
    for change in living:
        if change.collection != RSVP:
            continue
        about = change.value["subject"]["uri"]
        if about not in events:
            continue
        rank = (change.value.get("createdAt", ""), _time_in(change.rkey), change.rkey)
        key = (change.did, about)
        if key not in best or rank > best[key][0]:
            best[key] = (rank, change.value["status"].rpartition("#")[2])
    return View(events, {key: word for key, (_, word) in best.items()})


def moment_of(rev: str) -> int:
    """When the commit with this rev was made, in microseconds."""
    return _time_in(rev)


def expect(holds: object, what: str) -> None:
    """Raise AssertionError with the message unless the condition holds. All checks of a simulation use this."""
    if not holds:
        raise AssertionError(what)


def _time_in(rkey: str) -> int:
    """The time in a record key in microseconds, if it is a TID of our time; otherwise 0."""
    if len(rkey) != 13 or any(c not in TID_ALPHABET for c in rkey):
        return 0
    number = 0
    for c in rkey:
        number = number * 32 + TID_ALPHABET.index(c)
    moment = number >> 10
    return moment if 1_640_995_200_000_000 <= moment < 7_289_654_400_000_000 else 0
