"""What pages about RSVPs share: requests to join with decision buttons, the history of an RSVP, changes since yesterday,
and regular attendees, in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import activity, history, host_list, rsvp_details
from openmeet.domain.attendance.activity import PastAttendance, RecentChanges
from openmeet.domain.attendance.model import (
    AttendanceId,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    HistoryEntry,
    PendingFor,
)
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_list_texts import status_words
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.paging import page_of
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext
from openmeet.recurrence.wall_time import local_of, midnight
from openmeet.web.site.faces import Avatar, avatar_of, portraits_of
from openmeet.web.site.reader_zone import reader_zone_or

# More rows would push everything else off the page. A link leads to the full list.
MAX_JOIN_REQUESTS: Final = 4

# Changes of an RSVP on one page. There can be many more, because each version of a record can be one.
HISTORY_PAGE_SIZE: Final = 50

# Flash messages for a saved reply (keys of ``site.flash_messages.FLASH_MESSAGES``).
FLASH_AFTER_REPLY: Mapping[AttendanceStatus, str] = {
    AttendanceStatus.ATTENDING: "going",
    AttendanceStatus.ATTENDED: "going",
    AttendanceStatus.WAITLISTED: "waitlisted",
    AttendanceStatus.INTERESTED: "interested",
    AttendanceStatus.DECLINED: "declined",
    AttendanceStatus.PENDING: "asked_host",
}

# Within a sentence. Other languages do not always use a small letter there.
_MODES: Mapping[AttendanceMode, LazyText] = {
    AttendanceMode.IN_PERSON: lazy("in person"),
    AttendanceMode.ONLINE: lazy("online"),
}

_CHANNELS: Mapping[ChangeChannel, LazyText] = {
    ChangeChannel.PAGE: lazy("on this site"),
    ChangeChannel.API: lazy("by an app"),
    ChangeChannel.MAIL: lazy("by a link in an e-mail"),
    ChangeChannel.NETWORK: lazy("in another app"),
    ChangeChannel.HOST: lazy("as host"),
    ChangeChannel.GROUP: lazy("automatically, because they left the event’s group or were banned from it"),
    ChangeChannel.CLOCK: lazy("automatically, because a place became free or an offer ended"),
}
# Nobody made these changes one by one: an offer was withdrawn after a host lowered the limit, or a moderator blocked
# the person, which the words must not reveal.
_CHANNELS_WITHOUT_ACTOR = {**_CHANNELS, ChangeChannel.HOST: lazy("by a host or by this site")}


@dataclass(frozen=True, slots=True)
class JoinRequestRow:
    """A request to join. ``responses`` has the answers to the host's questions. ``title`` is the event's title, for lists
    of several events. ``past`` says how often the person came to the viewer's latest events.
    """

    attendance_id: AttendanceId
    user_id: UserId
    slug: str
    title: str
    name: str
    face: Avatar
    party: int
    responses: str = ""
    past: str = ""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change, in words."""

    changed_at: Instant
    is_by_record: bool
    when: str
    what: str
    by: str


@dataclass(frozen=True, slots=True)
class HistorySection:
    """The changes of an RSVP that one page shows, oldest first. ``older`` and ``newest`` are links to the pages with the
    others, empty if there are none.
    """

    lines: list[HistoryLine]
    older: str = ""
    newest: str = ""


async def oldest_join_requests(
    reader: Reader,
    events: Sequence[Event],
    viewer: UserId,
    event_registration: EventRegistration | None = None,
    *,
    limit: int = MAX_JOIN_REQUESTS,
) -> list[JoinRequestRow]:
    """The oldest requests to join these events. ``event_registration`` is given only for a single event. Then the
    responses to its questions are shown, too.
    """
    requests = await host_list.join_requests(reader, [one.id for one in events], limit)
    names = await shown_names(reader, [one.user_id for _, one in requests])
    past = await past_words_of(reader, viewer, [one.user_id for _, one in requests])
    portraits = await portraits_of(reader, viewer, [one.user_id for _, one in requests])
    by_id: dict[EventId, Event] = {one.id: one for one in events}
    response_texts: dict[AttendanceId, str] = {}
    if event_registration is not None and requests:
        ids = [one.attendance_id for _, one in requests]
        details = await rsvp_details.details_for_hosts(reader, event_registration, ids)
        response_texts = {
            rsvp_id: " · ".join(response.text for response in details_of_rsvp.responses)
            for rsvp_id, details_of_rsvp in details.items()
        }
    return [
        JoinRequestRow(
            attendance_id=entry.attendance_id,
            user_id=entry.user_id,
            slug=by_id[event_id].slug,
            title=by_id[event_id].title,
            name=names[entry.user_id],
            face=avatar_of(entry.user_id, names[entry.user_id], portraits),
            party=entry.party,
            responses=response_texts.get(entry.attendance_id, ""),
            past=past[entry.user_id],
        )
        for event_id, entry in requests
    ]


async def history_section(
    reader: Reader, rsvp: tuple[AttendanceId, UserId], viewer: UserId, zone: str, *, path: str, cursor: str
) -> HistorySection:
    """The latest changes of an RSVP, or those before ``cursor``, with times by the reader's clock, or in ``zone`` if the
    reader has chosen none. ``rsvp`` is its id and whose it is, ``path`` the page that shows them. Raises InvalidInput
    (``cursor``).
    """
    attendance_id, attendee = rsvp
    asked = page_of(str(HISTORY_PAGE_SIZE), cursor)
    found = await history.of_rsvp(reader, attendance_id, asked, newest_first=True)
    changes, older = asked.cut(found, lambda one: one.position)
    names = await shown_names(reader, [one.actor_id for one in changes if one.actor_id])
    # Entries have only what the RSVP was pending for before, so the next one says what it was pending for afterwards.
    pending_for = [one.before_pending_for for one in changes[:-1]]
    if changes:
        pending_for.insert(0, await history.pending_for_after(reader, changes[0]))
    lines = [
        _history_line(one, after, names, attendee, viewer, reader_zone_or(zone))
        for one, after in zip(changes, pending_for, strict=True)
    ]
    return HistorySection(
        lines[::-1],
        older=f"{path}?{urlencode({'before': older})}#history" if older else "",
        newest=f"{path}#history" if cursor else "",
    )


def _history_line(
    entry: HistoryEntry,
    pending_for: PendingFor | None,
    names: Mapping[UserId, str],
    attendee: UserId,
    viewer: UserId,
    zone: str,
) -> HistoryLine:
    local = local_of(entry.changed_at, zone)
    if entry.actor_id is None:
        by = str(_CHANNELS_WITHOUT_ACTOR[entry.through])
    elif entry.actor_id == attendee and entry.through is not ChangeChannel.HOST:
        # The page is about them, so their name would be repeated in each line.
        by = str(_CHANNELS[entry.through])
    else:
        actor = gettext("you") if entry.actor_id == viewer else names.get(entry.actor_id) or gettext("somebody")
        by = f"{actor}, {_CHANNELS[entry.through]}"
    return HistoryLine(
        entry.changed_at,
        entry.through is ChangeChannel.NETWORK,
        formatting.day_and_time(formatting.short_day(local), local),
        _change_text(entry, pending_for),
        by,
    )


def _change_text(entry: HistoryEntry, pending_for: PendingFor | None) -> str:
    """The change in words. ``pending_for`` is what the RSVP was pending for afterwards."""
    words = gettext("a place is held") if entry.is_offered else status_words(entry.after, pending_for)
    is_other = (entry.before, entry.before_pending_for) != (entry.after, pending_for)
    if entry.before is not None and (is_other or entry.is_offered):
        words = f"{status_words(entry.before, entry.before_pending_for)} → {words}"
    more = [ngettext("%(number)s person", "%(number)s people", entry.party)] if entry.party > 1 else []
    more += [str(_MODES[entry.mode])] if entry.mode else []
    return f"{words} ({', '.join(more)})" if more else words


async def changes_since_yesterday(reader: Reader, event_ids: Sequence[EventId], zone: str) -> RecentChanges:
    """Changes at these events since the start of yesterday in this time zone."""
    yesterday = local_of(reader.now, zone).date() - timedelta(days=1)
    return await activity.recent_changes(reader, event_ids, midnight(yesterday, zone))


def change_labels(changes: RecentChanges, pending: int) -> list[str]:
    """``3 new answers``, ``1 can’t come``, ``2 wait for approval``. Empty if nothing happened and nobody is waiting."""
    parts = []
    if changes.answered:
        parts.append(ngettext("%(number)s new answer", "%(number)s new answers", changes.answered))
    if changes.cannot_come:
        parts.append(ngettext("%(number)s can’t come", "%(number)s can’t come", changes.cannot_come))
    if pending:
        parts.append(ngettext("%(number)s waits for approval", "%(number)s wait for approval", pending))
    return parts


async def past_words_of(reader: Reader, host: UserId, people: Sequence[UserId]) -> dict[UserId, str]:
    """How often each of these people came to the latest events of this host, in words, or that they are new."""
    past = await activity.past_attendance(reader, host, people=people)
    new = await activity.new_to_host(reader, host, people)
    return {
        one: gettext("New to your events") if one in new else past_attendance_words(past.get(one)) for one in people
    }


def past_attendance_words(past: PastAttendance | None) -> str:
    """``Came to 4 of your last 5 events`` if attendees were checked in at all of those events. Otherwise a sentence
    about their RSVPs. Empty if there is nothing good to say: they never said yes, or never came.

    An RSVP does not prove that somebody came.
    """
    if past is None:
        return ""
    if past.had_check_in:
        if not past.came:
            return ""
        return ngettext(
            "Came to your last event", "Came to %(came)s of your last %(number)s events", past.events, came=past.came
        )
    return ngettext(
        "Said yes to your last event",
        "Said yes to %(yes)s of your last %(number)s events",
        past.events,
        yes=past.said_yes,
    )


def is_over_or_cancelled(event: Event, now: Instant) -> bool:
    """Whether nobody is going any more."""
    return event.is_cancelled or event.is_over(now)
