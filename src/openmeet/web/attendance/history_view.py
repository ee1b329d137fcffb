"""The history of an RSVP in words: the time, the old and new status, and who changed it and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openmeet.domain.attendance.lists import STATUS_LABELS
from openmeet.domain.attendance.model import ChangeChannel, HistoryEntry
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.recurrence import wall_time
from openmeet.web.attendance.forms import MODE_LABELS

_CHANNELS: Mapping[ChangeChannel, LazyText] = {
    ChangeChannel.PAGE: lazy("on the page"),
    ChangeChannel.API: lazy("by an app"),
    ChangeChannel.MAIL: lazy("by a link in an e-mail"),
    ChangeChannel.NETWORK: lazy("in another app"),
    ChangeChannel.HOST: lazy("as host"),
    ChangeChannel.GROUP: lazy("automatically, because they left the event’s group"),
    ChangeChannel.CLOCK: lazy("automatically, because a place became free or an offer ended"),
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
    """The changes, with times in the event's time zone. ``names`` has the names of the people who made the changes."""
    lines = []
    for one in changes:
        local = wall_time.local_of(one.changed_at, zone)
        actor = (
            ""
            if one.actor_id is None
            else gettext("you")
            if one.actor_id == viewer
            else names.get(one.actor_id) or gettext("somebody")
        )
        by = f"{actor}, {_CHANNELS[one.through]}" if actor else _CHANNELS[one.through]
        lines.append(
            HistoryLine(formatting.day_and_time(formatting.short_day(local), local), _change_text(one), str(by))
        )
    return lines


def _change_text(entry: HistoryEntry) -> str:
    words = gettext("a place is held") if entry.is_offered else str(STATUS_LABELS[entry.after])
    if entry.before is not None and (entry.before is not entry.after or entry.is_offered):
        words = f"{STATUS_LABELS[entry.before]} → {words}"
    more = [ngettext("%(number)s person", "%(number)s people", entry.party)] if entry.party > 1 else []
    more += [str(MODE_LABELS[entry.mode]).lower()] if entry.mode else []
    return f"{words} ({', '.join(more)})" if more else words
