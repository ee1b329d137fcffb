"""Calendar file attached to an e-mail about an event: its entry, and cancelled entries for its former UIDs.

Sources: RFC 5545, sections 3.8.4.4 (RECURRENCE-ID) and 3.8.7.4 (SEQUENCE); RFC 5546, section 3.2.1, which allows a
published entry to be cancelled (STATUS). Cancelled entries and their replacements are therefore in one file, which a
calendar program imports as a whole.
"""

from collections.abc import Sequence
from dataclasses import replace

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from groundwork.mail.contract import CalendarFile
from openmeet.domain.attendance import history
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.calendar_entries import IN_CALENDAR
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceStatus
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events.event_access import private_details_for
from openmeet.domain.events.model import Event
from openmeet.domain.icalendar.write import CANCEL, PUBLISH, WrittenEvent, vevent_of, write_calendar
from openmeet.domain.notifications.event_kinds import Rejection
from openmeet.domain.notifications.queries import Notification
from openmeet.domain.page_paths import event_path
from openmeet.domain.search.my_event_lists import events_by_ids
from openmeet.domain.series import calendar_uids
from openmeet.domain.series.calendar_uids import CalendarIdentity, OriginalStart, RetiredUid
from openmeet.domain.users.model import UserId
from openmeet.emails.render import EmailContext
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import local_of, zone_names


async def file_of(
    reader: Reader,
    site: EmailContext,
    event: Event,
    user_id: UserId,
    *,
    is_tentative: bool = False,
    also: Sequence[Event] = (),
) -> CalendarFile | None:
    """The calendar file for somebody who has the event in their calendar, limited to the details that they may see.
    None if the event has no date.

    Includes their other dates of the same series if those dates had other UIDs before. ``is_tentative``: their place is
    not confirmed. ``also``: further dates that take place and that they attend.
    """
    others = await calendar_uids.moved_with(reader, event.id, user_id, IN_CALENDAR)
    events = await events_by_ids(reader, others)
    seen = await seen_by(reader, list(events.values()), user_id)
    about = [event, *(events[one] for one in others if one in seen)]
    about += [one for one in also if one.id not in {included.id for included in about}]
    entries = await _entries(reader, site, about, user_id)
    if not entries:
        return None
    if is_tentative:
        entries[0] = replace(entries[0], is_tentative=True)
    is_cancelled = entries[0].is_cancelled and not also
    if is_cancelled:
        # A file with METHOD:CANCEL must not contain entries that take place (RFC 5546, section 3.2.5).
        entries = [entry for entry in entries if entry.is_cancelled]
    entries += await _former_entries(reader, site, about)
    method = CANCEL if is_cancelled else PUBLISH
    return CalendarFile(write_calendar(entries, name=site.site_name, method=method), method)


async def cancellation_of(
    reader: Reader, site: EmailContext, event: Event, own_rsvp: Attendance, *, is_shut_out: bool = False
) -> CalendarFile | None:
    """The calendar file that removes an event from the calendar of somebody who no longer attends. None if the event
    has no date.

    ``is_shut_out``: they may no longer see the event, so the file has only its name and time.
    """
    entries = await _entries(reader, site, [event], own_rsvp.user_id)
    ended = [replace(entry, is_cancelled=True, is_tentative=False) for entry in entries]
    if is_shut_out:
        ended = [name_and_time_only(entry) for entry in ended]
    if ended:
        ended += await _former_entries(reader, site, [event])
    return CalendarFile(write_calendar(ended, name=site.site_name, method=CANCEL), CANCEL) if ended else None


async def file_of_dates(
    reader: Reader, site: EmailContext, attended: Sequence[Event], ended: Sequence[Event], user_id: UserId
) -> CalendarFile | None:
    """The dates of a series that this person attends, and cancellations of the dates that they no longer attend."""
    entries = await _entries(reader, site, attended, user_id)
    method = PUBLISH if entries else CANCEL
    ends = await _entries(reader, site, ended, user_id)
    entries += [replace(entry, is_cancelled=True, is_tentative=False) for entry in ends]
    entries += await _former_entries(reader, site, ended)
    return CalendarFile(write_calendar(entries, name=site.site_name, method=method), method) if entries else None


async def _entries(reader: Reader, site: EmailContext, events: Sequence[Event], user_id: UserId) -> list[WrittenEvent]:
    """Entries with the same SEQUENCE as in every other calendar file. If the event ever left the person's calendar, its
    entry is stamped with the time of their latest RSVP.

    The entry with the higher SEQUENCE takes precedence, then the one with the later DTSTAMP (RFC 5546, section 2.1.5).
    So a "no" replaces the entry before it, and a new "yes" replaces the "no". A later edit by the host
    replaces both, for everybody.
    """
    own_rsvps = await attendance_queries.of_user(reader, user_id, [one.id for one in events])
    identities = await calendar_uids.identities(reader, [one.id for one in events])
    endings = await history.count_changes_out_of(reader, [one.id for one in own_rsvps.values()], IN_CALENDAR)
    entries = []
    for event in events:
        own_rsvp = own_rsvps.get(event.id)
        entry = await _calendar_entry(reader, site, event, own_rsvp, identities[event.id], user_id)
        if entry is not None and own_rsvp is not None and endings.get(own_rsvp.id):
            # Add one second per change, because stamps have whole seconds and two RSVPs can fall into the same one.
            turns = 2 * endings[own_rsvp.id] - (own_rsvp.status not in IN_CALENDAR)
            stamped_at = Instant(max(entry.stamped_at, own_rsvp.answered_at) + turns * SECOND)
            entry = replace(entry, stamped_at=stamped_at)
        if entry is not None:
            entries.append(entry)
    return entries


async def _calendar_entry(
    reader: Reader,
    site: EmailContext,
    event: Event,
    own_rsvp: Attendance | None,
    identity: CalendarIdentity,
    user_id: UserId,
) -> WrittenEvent | None:
    seen = await private_details_for(
        reader, event, user_id, is_going=own_rsvp is not None and own_rsvp.status in SEATED_STATUSES
    )
    url = "" if event.is_gone else f"{site.public_url}{event_path(event.slug)}"
    return vevent_of(event, identity, host=site.host, url=url, place=seen.place)


async def _former_entries(reader: Reader, site: EmailContext, events: Sequence[Event]) -> list[WrittenEvent]:
    """Cancelled entries for the former identities of these events."""
    by_id = {one.id: one for one in events}
    return [_ended_entry(site, by_id[one.event_id], one) for one in await calendar_uids.of_dates(reader, list(by_id))]


def _ended_entry(site: EmailContext, event: Event, former: RetiredUid) -> WrittenEvent:
    """A cancelled entry for a former identity, with a SEQUENCE above every earlier one."""
    original = former.original
    if original is None:
        zone = event.time_zone if event.time_zone in zone_names() else "UTC"
        starts = local_of(event.starts_at or former.left_at, zone).replace(tzinfo=None, microsecond=0)
        original = OriginalStart(starts, zone, is_all_day=event.is_all_day)
    return WrittenEvent(
        uid=f"{former.series_id or event.id}@{site.host}",
        pattern=Pattern(original.at, original.zone_name, is_all_day=original.is_all_day),
        length=None,
        summary=event.title,
        stamped_at=former.left_at,
        changes=former.original,
        is_cancelled=True,
        sequence=former.sequence,
    )


def newest_removal(news: Sequence[Notification], event: Event, own_rsvp: Attendance | None) -> Rejection | None:
    """The newest removal among these notifications; None if there is none or the person is no longer removed. A pure
    function.
    """
    if own_rsvp is None or own_rsvp.status is not AttendanceStatus.REJECTED or event.is_gone or event.is_hidden:
        return None
    removals = [one.payload for one in news if isinstance(one.payload, Rejection) and one.payload.title]
    return removals[-1] if removals else None


def as_last_known(event: Event, rejection: Rejection) -> Event:
    """The event with the name and time that the removed person last knew. A pure function."""
    last_known = replace(event, content=replace(event.content, title=rejection.title), ends_at=None)
    starts = rejection.starts
    if starts is None:
        return replace(last_known, starts_at=None)
    return replace(last_known, starts_at=starts.at, time_zone=starts.time_zone, is_all_day=starts.is_day)


def name_and_time_only(entry: WrittenEvent) -> WrittenEvent:
    """A calendar entry with name and time only. A pure function."""
    # Lists the fields to keep, so that a field added later is left out by default.
    return WrittenEvent(
        uid=entry.uid,
        pattern=entry.pattern,
        length=entry.length,
        summary=entry.summary,
        stamped_at=entry.stamped_at,
        changes=entry.changes,
        is_cancelled=entry.is_cancelled,
        is_tentative=entry.is_tentative,
        sequence=entry.sequence,
    )
