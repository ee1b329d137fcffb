"""Summary of an event's attendees for pages and lists: the numbers, the free places, and the first people (faces), if
the viewer may see the names.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from groundwork.clock import SECOND, Instant
from groundwork.database.recorded_reads import note_unrecorded
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.answer_bar import AnswerBarInput
from openmeet.domain.attendance.model import SEATED_STATUSES, AttendanceStatus, RsvpCounts
from openmeet.domain.attendance.queries import IS_GUEST, IS_HIDDEN
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.users.model import UserId

# With this many people, nobody notices a count that is a few seconds old.
CACHED_FROM: Final = 500
CACHE_SECONDS: Final = 5

# About 300 bytes each; few events have very many RSVPs.
_MAX_CACHED: Final = 1_000

# Event ids are unique among all tenants of a process.
_cache: OrderedDict[EventId, tuple[Instant, RsvpCounts]] = OrderedDict()

# Pages have room for this many faces.
MAX_FACES: Final = 3
_SEATED: Final = ", ".join(f"'{one.value}'" for one in sorted(SEATED_STATUSES))

# One index lookup per face, so the cost of a list does not depend on how many people go to its events. People who were
# checked in come first.
_FACE: Final = f"""(
    select a.user_id from attendances a
     where a.event_id = e.id and a.status = '{{status}}' and a.is_private = 0 and not {IS_GUEST} and not {IS_HIDDEN}
     order by a.answered_at, a.id limit 1 offset {{place}})"""
_FACES_OF: Final = [
    (f"{status}_{place}", _FACE.format(status=status, place=place))
    for status in (AttendanceStatus.ATTENDED, AttendanceStatus.ATTENDING)
    for place in range(MAX_FACES)
]
_FACES: Final = ", ".join(f"{face} as {name}" for name, face in _FACES_OF)


async def counts_shown(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, RsvpCounts]:
    """``queries.counts``, up to ``CACHE_SECONDS`` old for events with at least ``CACHED_FROM`` people."""
    now = reader.now
    counts_by_event = {
        event_id: cached[1]
        for event_id in event_ids
        if (cached := _cache.get(event_id)) and cached[0] <= now < _until(cached[0])
    }
    if counts_by_event:
        # A response with a cached count must not be kept (``recorded_reads``).
        note_unrecorded()
    read = await queries.counts(reader, [event_id for event_id in event_ids if event_id not in counts_by_event])
    for event_id, counts in read.items():
        if counts.going + counts.interested + counts.waitlisted + counts.pending_people >= CACHED_FROM:
            _cache[event_id] = (now, counts)
            _cache.move_to_end(event_id)
    while len(_cache) > _MAX_CACHED:
        _cache.popitem(last=False)
    counts_by_event |= read
    return {event_id: counts_by_event[event_id] for event_id in event_ids}


def places_left(event: Event, counts: RsvpCounts) -> int | None:
    """The number of free places; None without a limit in total."""
    return None if event.content.capacity is None else max(0, event.content.capacity - counts.seats)


def sees_attendee_names(registration_settings: RegistrationSettings, *, is_going: bool) -> bool:
    """Whether attendees' names are shown to somebody who does not host the event."""
    match registration_settings.list_audience:
        case ListAudience.EVERYONE:
            return True
        case ListAudience.ATTENDEES:
            return is_going
        case ListAudience.HOSTS:
            return False
        case _:
            assert_never(registration_settings.list_audience)


def sees_attendee_names_sql(event: str, viewer: str) -> str:
    """``sees_attendee_names`` as an SQL condition about an event (its alias) and a viewer (a column or parameter)."""
    return f"""case coalesce((select s.list_audience from registration_settings s where s.subject_id = {event}.id),
                             (select s.list_audience from registration_settings s where s.subject_id = {event}.series_id),
                             'everyone')
               when 'everyone' then 1
               when 'attendees' then case when exists (select 1 from attendances v where v.event_id = {event}.id
                 and v.user_id = {viewer} and v.status in ({_SEATED})) then 1 else 0 end
               else 0 end = 1"""


async def faces_of(reader: Reader, bar_inputs: Sequence[AnswerBarInput]) -> Mapping[EventId, Sequence[UserId]]:
    """Return the first people who are going or were checked in, for all these events in one query. Returns nobody if the
    host hides the attendee list from the viewer.
    """
    shown = [
        bar_input.event.id
        for bar_input in bar_inputs
        if bar_input.is_hosting
        or sees_attendee_names(
            bar_input.registration_settings, is_going=bar_input.rsvp is not None and bar_input.rsvp.is_seated
        )
    ]
    if not shown:
        return {}
    rows = await reader.fetch(
        f"select e.id, {_FACES} from events e where e.id in :ids order by e.id", ids=sorted(shown)
    )
    return {
        EventId(row["id"]): [UserId(row[name]) for name, _ in _FACES_OF if row[name] is not None][:MAX_FACES]
        for row in rows
    }


def _until(read_at: Instant) -> Instant:
    return Instant(read_at + CACHE_SECONDS * SECOND)
