"""A series as a feed and as a calendar file: one event with its rule, plus one event for each date that differs or is
cancelled.

Subscriptions survive a split: an edit of "this and following" creates a new series, and the older file includes it
under the new series' own UID. People who subscribe to both get each date once. Join links are never included, because
subscriptions can be old. The output is deterministic, so the ETag of an unchanged file stays the same.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from groundwork.clock import Instant
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import ZONE, details_in, differing
from openmeet.domain.events.model import Event, EventId
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
from openmeet.domain.series.feed_queries import WholeSeries
from openmeet.domain.series.model import Series, SeriesStatus
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Until
from openmeet.recurrence.split import behind
from openmeet.recurrence.wall_time import instant_of, local_of
from openmeet.web.events.feeds import KEPT_AFTER_END, Feed


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
