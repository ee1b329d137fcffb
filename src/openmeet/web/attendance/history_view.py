"""The history of an RSVP in words: when, from what to what, by whom and through what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openmeet.domain.attendance.model import HistoryEntry, Through
from openmeet.domain.attendance.status_words import STATUS_WORDS
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.recurrence import wall_time
from openmeet.web.attendance.forms import MODE_WORDS

_THROUGH: Mapping[Through, str] = {
    Through.PAGE: "on the page",
    Through.API: "by an app",
    Through.MAIL: "by a link in a mail",
    Through.NETWORK: "by a record in their repository",
    Through.HOST: "as host",
    Through.GROUP: "by itself, as they are not in the group of the event any more",
    Through.CLOCK: "by itself, as a place became free or an offer ended",
}


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change, in words."""

    when: str
    what: str
    by: str


def lines_of(
    changes: Sequence[HistoryEntry], names: Mapping[UserId, str], viewer: UserId | None, zone: str
) -> list[HistoryLine]:
    """The changes in the event's time zone; ``names`` has the actors."""
    found = []
    for one in changes:
        local = wall_time.local_of(one.changed_at, zone)
        who = "" if one.actor_id is None else "you" if one.actor_id == viewer else names.get(one.actor_id, "somebody")
        by = f"{who}, {_THROUGH[one.through]}" if who else _THROUGH[one.through]
        found.append(HistoryLine(f"{formatting.short_day(local)}, {formatting.clock(local)}", _what(one), by))
    return found


def _what(one: HistoryEntry) -> str:
    words = "a place is held" if one.is_offered else STATUS_WORDS[one.after]
    if one.before is not None and (one.before is not one.after or one.is_offered):
        words = f"{STATUS_WORDS[one.before]} → {words}"
    more = [f"{one.party} people"] if one.party > 1 else []
    more += [MODE_WORDS[one.mode].lower()] if one.mode else []
    return f"{words} ({', '.join(more)})" if more else words
