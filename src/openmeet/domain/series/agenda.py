"""Dates of a series within a period, both stored and computed ones, as one viewer may see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from groundwork.clock import DAY, HOUR, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden, Gone, InvalidInput, NotFound, Refused
from openmeet.domain.attendance import history
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import NO_COUNTS, Attendance, RsvpCounts
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.event_access import seen as seen_events
from openmeet.domain.events.group_of_event import may_make_events
from openmeet.domain.events.model import Details, Event, EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import rules as group_rules
from openmeet.domain.groups.queries import role_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.series import date_queries, queries, visibility
from openmeet.domain.series.dates import checked_name, details_of, end_of_range, original_of, original_text
from openmeet.domain.series.model import OPENED_AHEAD, Series, SeriesSlug, SeriesStatus
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import UserId
from openmeet.recurrence import expansion
from openmeet.recurrence.rule_dates import END
from openmeet.recurrence.wall_time import instant_of, local_of

# No date of a series is earlier or later. Python's calendar has a first and a last year, so dates must not be computed
# outside of these.
_EARLIEST, _LATEST = Instant(0), instant_of(END, "UTC")

# Maximum number of dates that can be cancelled, reinstated or removed at once.
MAX_IN_RANGE = 500

# More dates than eight days can have, even with several dates a day.
_MAX_BACK = 1_000


@dataclass(frozen=True, slots=True)
class AgendaOccurrence:
    """One date. ``event`` is None if it is only computed; stored dates have ``counts`` and ``rsvp``.
    ``has_missed_offer``: see ``AnswerBarInput``.
    """

    original_date: str
    details: Details
    event: Event | None = None
    counts: RsvpCounts = NO_COUNTS
    rsvp: Attendance | None = None
    has_missed_offer: bool = False

    @property
    def is_cancelled(self) -> bool:
        return self.event is not None and self.event.is_cancelled

    @property
    def differs_in(self) -> tuple[str, ...]:
        position = self.event.position_in_series if self.event else None
        return position.overridden if position else ()

    def opens_at(self, now: Instant) -> Instant | None:
        """The time at which a date that is too far ahead gets a page. None if it has one or gets one when opened."""
        return opens_at(self.details.starts_at, now) if self.event is None else None

    def is_over(self, now: Instant) -> bool:
        if self.event is not None:
            return self.event.is_over(now)
        return (self.details.ends_at or self.details.starts_at) <= now


def opens_at(starts_at: Instant, now: Instant) -> Instant | None:
    """The time from which a computed date can be opened. None if it can be opened now."""
    opens = Instant(starts_at - OPENED_AHEAD)
    return opens if opens > now else None


async def visible(reader: Reader, slug: SeriesSlug, viewer: UserId | None) -> Series:
    """Return the series if this person can see it. Raises NotFound, both for series that do not exist and for hidden
    ones, and Gone.
    """
    return await require_visible(reader, await queries.by_slug(reader, slug), viewer)


async def find_for_host(reader: Reader, slug: SeriesSlug, viewer: UserId) -> Series:
    """Like ``actions.lock_managed``, but without the lock, for display.

    Raises NotFound, Gone, Forbidden, Refused (a copy).
    """
    series = await visible(reader, slug, viewer)
    await require_host(reader, series, viewer)
    return series


async def require_visible(reader: Reader, series: Series | None, viewer: UserId | None) -> Series:
    """Return the series if this person can see it.

    Raises NotFound, both for series that do not exist and for hidden ones. Raises Gone (410) for a deleted series that
    was public or belongs to the viewer.
    """
    if series is None or not await visibility.may_see(reader, series, viewer):
        raise NotFound(SeriesReason.NO_SUCH_SERIES)
    if series.deleted_at is None:
        return series
    if series.visibility is not Visibility.PUBLIC and viewer != series.owner_id:
        raise NotFound(SeriesReason.NO_SUCH_SERIES)
    raise Gone(SeriesReason.REMOVED_ELSEWHERE if series.is_read_only else SeriesReason.DELETED)


async def editable(reader: Reader, slug: SeriesSlug, viewer: UserId) -> Series:
    """Return the series if this person may change it. Raises the errors of ``visible`` and ``require_editable``."""
    series = await visible(reader, slug, viewer)
    await require_editable(reader, series, viewer)
    return series


async def require_editable(reader: Reader, series: Series, viewer: UserId) -> None:
    """Raise Forbidden unless this person may edit the series, and Refused (``ReadOnly``) for a copy from the network."""
    await require_host(reader, series, viewer)
    if not await may_edit(reader, series, viewer):
        raise Forbidden(SeriesReason.NOT_IN_ITS_GROUP)


async def require_host(reader: Reader, series: Series, viewer: UserId) -> None:
    """Raise Forbidden unless this person hosts the series, and Refused (``ReadOnly``) for a copy.

    A host may cancel and transfer the series and manage people, but not necessarily edit it (``require_editable``).
    """
    if not await may_host(reader, series, viewer):
        raise Forbidden(SeriesReason.HOST_ONLY)
    if series.is_read_only:
        raise Refused(SeriesReason.KEPT_ELSEWHERE, name="ReadOnly")


async def may_edit(reader: Reader, series: Series, viewer: UserId | None) -> bool:
    """Whether this person may change content and dates.

    True for the host if they may still create events in the series' group, and for people who may edit others' events
    in that group.
    """
    if viewer is not None and viewer == series.owner_id:
        return await may_make_events(reader, series.group, viewer)
    role = await role_in(reader, None if series.group is None else series.group.id, viewer)
    return group_rules.may(role, GroupPermission.EDIT_ANY_EVENT)


async def may_host(reader: Reader, series: Series, viewer: UserId | None) -> bool:
    """Whether this person manages the series: its host, or somebody who may edit others' events in its group."""
    return (viewer is not None and viewer == series.owner_id) or await may_edit(reader, series, viewer)


async def between(
    reader: Reader, series: Series, viewer: UserId | None, start: Instant, end: Instant, *, limit: int
) -> list[AgendaOccurrence]:
    """The first ``limit`` dates that begin in ``[start, end)``, in order, without deleted and hidden ones.

    A paused or cancelled series has only its stored dates.
    """
    events = await date_queries.stored_between(reader, series.id, start, end, limit)
    rsvps = await attendance_queries.of_user(reader, viewer, [event.id for event in events]) if viewer else {}
    seen = await _seen(reader, events, viewer, rsvps)
    counts = await attendance_queries.counts(reader, [event.id for event in seen])
    missed = await history.missed_offers(reader, list(rsvps.values()))
    lines = [
        AgendaOccurrence(
            event.position_in_series.original_date,
            details_in(event),
            event,
            counts[event.id],
            rsvp := rsvps.get(event.id),
            rsvp is not None and rsvp.id in missed,
        )
        for event in seen
        if event.position_in_series is not None
    ]
    first, last = max(start, _EARLIEST), min(end, _LATEST)
    if series.status is SeriesStatus.ACTIVE and first < last:
        # Names are wall-clock times, which differ from UTC by less than two days.
        since = local_of(first, series.zone_name).replace(tzinfo=None) - timedelta(days=2)
        stored_names = await date_queries.stored_names(reader, series.id, since=original_text(since))
        computed = expansion.between(series.timing.pattern, first, last, limit=limit + len(stored_names))
        lines += [
            AgendaOccurrence(original_text(one.original), details_of(series.content, series.timing, one.original))
            for one in computed
            if original_text(one.original) not in stored_names
        ]
    return sorted(lines, key=lambda line: (line.details.starts_at, line.original_date))[:limit]


async def occurrence_of(reader: Reader, event: Event, viewer: UserId | None) -> AgendaOccurrence:
    """A stored date, or an event that was one. The caller has checked that the viewer may see it."""
    rsvp = (await attendance_queries.of_user(reader, viewer, [event.id])).get(event.id) if viewer else None
    counts = await attendance_queries.counts(reader, [event.id])
    name = event.position_in_series.original_date if event.position_in_series else event.starts_local
    has_missed_offer = await history.has_missed_offer(reader, rsvp)
    return AgendaOccurrence(name, details_in(event), event, counts[event.id], rsvp, has_missed_offer)


async def names_between(reader: Reader, series: Series, first: str, last: str) -> list[str]:
    """Names of the dates in a range, both ends included. Moved dates count by their original start.

    Leaves out deleted dates, and past ones that were never stored. ``first`` and ``last`` are names of dates, or days,
    which are included completely. Raises NotFound for anything else, and InvalidInput (``toDate``) if the range ends
    before it begins or has more than ``MAX_IN_RANGE`` dates.
    """
    first, last = checked_name(first), end_of_range(last)
    if first > last:
        raise InvalidInput("toDate", SeriesReason.LAST_DATE_BEFORE_FIRST)
    start, end = (instant_of(original_of(name), series.zone_name) for name in (first, last))
    # One more of each kind than the maximum shows that the range is too long.
    stored_names = await date_queries.names_in_range(reader, series.id, first, last, limit=MAX_IN_RANGE + 1)
    begin = Instant(max(start, reader.now))
    # Deleted dates do not count, so fetch that many more.
    most = MAX_IN_RANGE + 1 + sum(stored_names.values())
    computed = expansion.between(series.timing.pattern, begin, Instant(end + 1), limit=most)
    names = {original_text(one.original) for one in computed} | {name for name in stored_names if first <= name <= last}
    remaining_names = sorted(name for name in names if not stored_names.get(name, False))
    if len(remaining_names) > MAX_IN_RANGE:
        raise InvalidInput("toDate", SeriesReason.RANGE_TOO_LONG, most=MAX_IN_RANGE)
    return remaining_names


async def coming(reader: Reader, series: Series, viewer: UserId | None, *, limit: int) -> list[AgendaOccurrence]:
    """The next dates, including those in progress."""
    length = series.timing.length
    under_way = HOUR if length is None else length // timedelta(microseconds=1)
    end = Instant(reader.now + 100 * 366 * DAY)
    # Fetch a few more, because single dates may be shorter than the others and be over already.
    lines = await between(reader, series, viewer, Instant(reader.now - under_way), end, limit=limit + 10)
    return [line for line in lines if not line.is_over(reader.now)][:limit]


async def before(reader: Reader, series: Series, viewer: UserId | None, at: Instant) -> AgendaOccurrence | None:
    """The last date that begins before an instant. Searches close to it first and at most a few years back."""
    for days in (8, 40, 400, 4 * 366):
        lines = await between(reader, series, viewer, Instant(at - days * DAY), at, limit=_MAX_BACK)
        if lines:
            return lines[-1]
    return None


async def past(reader: Reader, series: Series, viewer: UserId | None, *, limit: int) -> list[AgendaOccurrence]:
    """The most recent stored past dates, latest first."""
    events = await date_queries.stored_before(reader, series.id, reader.now, limit)
    rsvps = await attendance_queries.of_user(reader, viewer, [event.id for event in events]) if viewer else {}
    counts = await attendance_queries.counts(reader, [event.id for event in events])
    return [
        AgendaOccurrence(
            event.position_in_series.original_date, details_in(event), event, counts[event.id], rsvps.get(event.id)
        )
        for event in await _seen(reader, events, viewer, rsvps)
        if event.position_in_series is not None and event.is_over(reader.now)
    ]


async def _seen(
    reader: Reader, events: Sequence[Event], viewer: UserId | None, rsvps: Mapping[EventId, Attendance]
) -> list[Event]:
    invited = {event_id for event_id, rsvp in rsvps.items() if rsvp_gives_access(rsvp)}
    return await seen_events(reader, events, viewer, invited)
