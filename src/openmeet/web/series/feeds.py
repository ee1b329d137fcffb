"""A series as a feed and as a calendar file: one event with its rule, plus one event for each date that differs or is
cancelled.

Subscriptions survive a split: an edit of "this and following" creates a new series, and the older file includes it
under the new series' own UID. People who subscribe to both get each date once. Join links are never included, because
subscriptions can be old. The output is deterministic, so the ETag of an unchanged file stays the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from groundwork.clock import DAY, Instant, to_datetime
from groundwork.database.transaction import Reader
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import ZONE, details_in, differing
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.values import NOWHERE, Mode, Venue, Visibility, public_place
from openmeet.domain.icalendar.properties import category_values
from openmeet.domain.icalendar.write import (
    NAMED_STATUSES,
    TENTATIVE_STATUSES,
    FeedAddress,
    WrittenEvent,
    geo_of,
    location_of,
    write_calendar,
)
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series.calendar_uids import CalendarIdentity, OriginalStart
from openmeet.domain.series.dates import details_of, original_of
from openmeet.domain.series.existing_events import length_of
from openmeet.domain.series.model import Series, SeriesStatus
from openmeet.domain.series.queries import COLUMNS, series_of
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Until
from openmeet.recurrence.split import behind
from openmeet.recurrence.wall_time import instant_of, local_of
from openmeet.web.events.feeds import KEPT_AFTER_END, Feed


@dataclass(frozen=True, slots=True)
class WholeSeries:
    """A series with its stored dates. ``stored`` has the dates whose start, or whose start according to the rule, is
    after ``begins``. ``seen`` are those that the reader may see.
    """

    series: Series
    stored: Sequence[Event]
    seen: frozenset[EventId]
    begins: Instant

    @classmethod
    def of(cls, series: Series, dates: Sequence[tuple[Event, bool]], begins: Instant) -> "WholeSeries":
        """Build it from dates, each with a flag whether the reader may see it."""
        return cls(series, [one for one, _ in dates], frozenset(one.id for one, is_seen in dates if is_seen), begins)

    @property
    def shown(self) -> list[Event]:
        """The dates that the reader may see."""
        return [event for event in self.stored if event.id in self.seen]


def calendar_of(
    parts: Sequence[tuple[Series, Sequence[Event]]],
    seen: Collection[EventId],
    identities: Mapping[EventId, CalendarIdentity],
    now: Instant,
    public_url: str,
) -> bytes:
    """The file of the first series and of the series split off it. Pass all stored dates; deleted and hidden ones are
    needed to exclude them from the rule.

    ``seen`` are the dates that the reader may see, and ``identities`` those of these dates from ``calendar_uids``.
    """
    events = [
        entry
        for series, stored in parts
        for entry in calendar_entries(series, stored, identities, now, public_url, seen=seen)
    ]
    page = f"{public_url}{series_path(parts[0][0].slug)}"
    return write_calendar(events, name=parts[0][0].content.title, feed=FeedAddress(page, f"{page}.ics"))


def calendar_entries(
    series: Series,
    stored: Sequence[Event],
    identities: Mapping[EventId, CalendarIdentity],
    now: Instant,
    public_url: str,
    *,
    seen: Collection[EventId],
    begins: Instant | None = None,
) -> list[WrittenEvent]:
    """The series with its rule and its revision as SEQUENCE, and each date that differs or is cancelled. Hidden dates
    reveal nothing.

    ``seen`` are the dates that the reader may see. ``stored`` must contain every other stored date too, including past
    ones, because the rule would show them otherwise. With ``begins``, the file
    omits everything before that instant, including dates of the rule, and ``stored`` must be complete from then on.
    """
    listed = [event for event in stored if not event.is_gone and event.id in seen]
    excluded = {_original_start(event) for event in stored if event.is_gone or event.id not in seen}
    earliest = now - KEPT_AFTER_END if begins is None else begins
    shown = [event for event in listed if event.starts_at is not None and event.starts_at > earliest]
    shown_starts = {_original_start(event) for event in shown}
    pattern = series.timing.pattern
    if begins is not None:
        first = expansion.following(replace(pattern, left_out=()), begins, 1)
        if not first and not shown_starts:
            return []
        # If the rule has no dates left, only dates that were moved to a later time remain.
        pattern = behind(pattern, first[0].original if first else min(shown_starts))
        excluded |= {_original_start(event) for event in listed}
    if series.status is not SeriesStatus.ACTIVE:
        if not shown_starts:
            return []
        pattern = _stored_only(pattern, shown_starts, now)
    is_cancelled = series.status is SeriesStatus.CANCELLED and all(event.is_cancelled for event in shown)
    head = _series_entry(
        series, _with_overrides(pattern, shown_starts, excluded - shown_starts), public_url, is_cancelled=is_cancelled
    )
    exceptions = [
        _exception(series, event, head, identities[event.id].sequence, public_url)
        for event in shown
        if event.is_cancelled or event.status in NAMED_STATUSES or _differs(series, event)
    ]
    return [head, *exceptions]


def _with_overrides(pattern: Pattern, shown_starts: set[datetime], excluded: set[datetime]) -> Pattern:
    """The pattern without the excluded dates. It includes all shown dates, even those that are no longer in the rule,
    because calendar programs do not show an override without a date to override.
    """
    outside_rule = {start for start in shown_starts if not expansion.is_date_of(pattern, start)}
    return replace(
        pattern,
        left_out=tuple(sorted({*pattern.left_out, *excluded} - shown_starts)),
        added=tuple(sorted({*pattern.added, *outside_rule})),
    )


def _series_entry(series: Series, pattern: Pattern, public_url: str, *, is_cancelled: bool) -> WrittenEvent:
    """The entry with the rule. Past and reinstated dates are not cancelled along with the series, and cancelled dates
    have their own component.
    """
    content = series.content
    return WrittenEvent(
        uid=f"{series.id}@{urlsplit(public_url).hostname}",
        pattern=pattern,
        length=series.timing.length,
        summary=content.title,
        stamped_at=series.updated_at,
        description=content.description,
        location=location_of(content.mode, _public_venue(content)),
        venue=_public_venue(content),
        mode=content.mode,
        coordinates=geo_of(_public_venue(content)),
        url=f"{public_url}{series_path(series.slug)}",
        is_cancelled=is_cancelled,
        comment=series.status_reason if series.status is SeriesStatus.CANCELLED else "",
        sequence=series.revision,
        categories=category_values(content.categories, content.tags),
    )


def entries_of(
    whole: WholeSeries, identities: Mapping[EventId, CalendarIdentity], now: Instant, public_url: str
) -> list[WrittenEvent]:
    """``calendar_entries`` for a file with several series. Empty if all dates ended long ago or are hidden from the
    reader.
    """
    events = calendar_entries(
        whole.series, whole.stored, identities, now, public_url, seen=whole.seen, begins=whole.begins
    )
    if len(events) != 1 or expansion.following(events[0].pattern, Instant(now - KEPT_AFTER_END), 1):
        return events
    return []


def _stored_only(pattern: Pattern, names: set[datetime], now: Instant) -> Pattern:
    """A pattern that matches only the stored dates, for a series that creates no further ones."""
    first, *others = sorted(names)
    last = max(names)
    if pattern.start > last:
        # All stored dates are before the start of the rule, so write them without the rule.
        return replace(pattern, start=first, rule=None, left_out=(), added=tuple(others))
    whole = replace(pattern, left_out=(), added=())
    by_rule = [name for name in names if expansion.is_date_of(whole, name)]
    rule = pattern.rule if by_rule else None
    if rule is not None:
        rule = replace(rule, count=None, until=Until(max(by_rule), is_date=pattern.is_all_day))
    end = Instant(instant_of(last, pattern.zone_or_utc) + 1)
    computed = {one.original for one in expansion.between(pattern, now, end)} - names
    return replace(
        pattern,
        rule=rule,
        left_out=tuple(sorted({*pattern.left_out, *computed})),
        added=tuple(at for at in pattern.added if at <= last),
    )


def feed_of(series: Series, public_url: str, kind: str, since: Instant) -> Feed:
    """The feed as ``kind``: ``atom`` or ``json``. ``since`` is the time of the last change of the series or of a series
    split off it.
    """
    address = f"{public_url}{series_path(series.slug)}"
    return Feed(series.content.title, f"urn:uuid:{series.id}", address, f"{address}.{kind}", since)


def may_be_read(series: Series, *, is_host: bool) -> bool:
    """Whether a caller may read the feed of a series. Only the host may read that of a private series, because calendar
    programs have no session.
    """
    return is_host or series.visibility is not Visibility.PRIVATE


def _exception(series: Series, event: Event, head: WrittenEvent, number: int, public_url: str) -> WrittenEvent:
    details, pattern = details_in(event), series.timing.pattern
    starts = local_of(details.starts_at, series.zone_name).replace(tzinfo=None)
    return WrittenEvent(
        uid=head.uid,
        pattern=Pattern(starts, pattern.zone_name, is_all_day=details.is_all_day),
        length=length_of(event),
        summary=details.content.title,
        stamped_at=event.updated_at,
        # As in the entry of the series, even if its zone is an offset.
        changes=OriginalStart(_original_start(event), pattern.zone_name, is_all_day=pattern.is_all_day),
        description=details.content.description,
        location=location_of(details.content.mode, _public_venue(details.content)),
        venue=_public_venue(details.content),
        mode=details.content.mode,
        coordinates=geo_of(_public_venue(details.content)),
        url=f"{public_url}{event_path(event.slug)}",
        is_cancelled=event.is_cancelled,
        is_tentative=event.status in TENTATIVE_STATUSES,
        named_status=event.status if event.status in NAMED_STATUSES else None,
        comment=event.status_reason if event.is_cancelled else "",
        sequence=number,
        categories=category_values(details.content.categories, details.content.tags),
    )


def _differs(series: Series, event: Event) -> bool:
    """Whether the entry of the series does not describe the date. Files give all times in the zone of the series."""
    usual = details_of(series.content, series.timing, _original_start(event))
    return differing(details_in(event), usual) not in {(), (ZONE,)}


def _original_start(event: Event) -> datetime:
    assert event.position_in_series is not None  # noqa: S101  # a date of a series
    return original_of(event.position_in_series.original_date)


def _public_venue(content: Content) -> Venue:
    """The public part of the place."""
    return NOWHERE if content.mode is Mode.ONLINE else public_place(content.venue, content.place_audience)


# Limits per file. If they are exceeded, past dates are left out first, and then whole series.
MAX_SERIES: Final = 200
MAX_DATES: Final = 5_000
# A date that has started is shown for one more day even if past dates are left out.
_RECENT: Final = DAY
# Tolerance between a date's name, which is a local time, and its actual start.
_MARGIN: Final = timedelta(days=2)

# Given a table name, the SQL condition for events that the reader may see.
Seen = Callable[[str], str]


async def listable_series(
    reader: Reader, column: Literal["group_id", "user_id"], owner: str, seen: Seen, values: Mapping[str, object]
) -> list[Series]:
    """Series that were not deleted. Those with a coming visible date are first, then the newest."""
    rows = await reader.fetch(
        f"select {COLUMNS} from event_series where event_series.{column} = :owner and deleted_at is null"
        " order by case when exists (select 1 from events e where e.series_id = event_series.id and e.over_at > :now "
        f"and {seen('e')}) then 0 else 1 end, created_at desc, id desc limit :most",
        **values,
        owner=owner,
        now=reader.now,
        most=MAX_SERIES,
    )
    return [series_of(row) for row in rows]


async def with_stored_dates(
    reader: Reader, series: Sequence[Series], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[WholeSeries]:
    """The series that fit into the file, with their dates from ``since`` onward, or only recent and coming ones if
    those do not fit. Runs three statements at most.
    """
    recent = Instant(reader.now - _RECENT)
    counts = await _date_counts(reader, series, since, recent)
    remaining = MAX_DATES
    included = [one for one in series if (remaining := remaining - counts.get(one.id, (0, 0))[1]) >= 0]
    begins: dict[str, Instant] = {}
    remaining = MAX_DATES - sum(counts.get(one.id, (0, 0))[1] for one in included)
    for one in included:
        whole, coming = counts.get(one.id, (0, 0))
        begins[one.id] = since if whole - coming <= remaining else recent
        remaining -= whole - coming if begins[one.id] == since else 0
    dates: dict[str, list[tuple[Event, bool]]] = {one.id: [] for one in included}
    for begin in sorted(set(begins.values())):
        some = [series_id for series_id, at in begins.items() if at == begin]
        for event, is_seen in await _stored_dates(reader, some, begin, seen, values):
            assert event.position_in_series is not None  # noqa: S101  # asked for dates of series
            dates[event.position_in_series.series_id].append((event, is_seen))
    return [WholeSeries.of(one, dates[one.id], begins[one.id]) for one in included]


async def _date_counts(
    reader: Reader, series: Sequence[Series], since: Instant, recent: Instant
) -> dict[str, tuple[int, int]]:
    """The number of dates of each series, with and without past dates."""
    if not series:
        return {}
    rows = await reader.fetch(
        f"select e.series_id, count(*) as n, sum(case when {_starts_since('recent')} then 1 else 0 end) as coming "
        f"from events e where e.series_id in :ids and {_starts_since('since')} group by e.series_id "
        "order by e.series_id",
        ids=[one.id for one in series],
        **_bounds("since", since),
        **_bounds("recent", recent),
    )
    return {row["series_id"]: (int(row["n"]), int(row["coming"])) for row in rows}


async def _stored_dates(
    reader: Reader, series_ids: Sequence[str], since: Instant, seen: Seen, values: Mapping[str, object]
) -> list[tuple[Event, bool]]:
    """All stored dates after ``since``, ordered by series and start, each with a flag whether the reader may see it."""
    rows = await reader.fetch(
        f"select {columns_of('e')}, case when {seen('e')} then 1 else 0 end as is_seen from events e"
        f" where e.series_id in :ids and {_starts_since('since')} order by e.series_id, e.starts_at, e.id",
        **values,
        ids=list(series_ids),
        **_bounds("since", since),
    )
    return [(event_of(row), bool(row["is_seen"])) for row in rows]


def _starts_since(name: str) -> str:
    """SQL condition: the date starts after this instant, or its name is not before that day."""
    return f"(e.starts_at > :{name} or e.original_date >= :{name}_day)"


def _bounds(name: str, since: Instant) -> dict[str, object]:
    return {name: since, f"{name}_day": (to_datetime(since) - _MARGIN).date().isoformat()}
