"""The plan of an edit before it is applied: which dates change, which do not, and which RSVPs are kept. Pure.

The host sees the plan's numbers and confirms; ``apply_edits.apply_plan`` then does exactly that. Past dates do not
change. Overridden fields are kept. A date that has no position in the new rule is kept as an exception if it has RSVPs
or overrides, and is deleted otherwise. So no RSVP is lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.errors import Refused
from openmeet.domain.events.content import Content
from openmeet.domain.events.edits import details_in, differing, own_fields
from openmeet.domain.events.model import Details, Event
from openmeet.domain.series.dates import apply_series_details, details_of, original_of, original_text
from openmeet.domain.series.model import EditScope, Series, StoredOccurrence, Timing
from openmeet.domain.series.reasons import SeriesReason
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.rule import Until, Weekday
from openmeet.recurrence.split import remap, split
from openmeet.recurrence.wall_time import instant_of, local_of

# New dates later than the last stored one by more than this are not considered as positions.
_AHEAD = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class OccurrenceChange:
    """A stored date after the edit: its new name, details and overridden fields."""

    event: Event
    original_date: str
    details: Details
    overridden: tuple[str, ...]
    rsvp_count: int

    @property
    def says_something_new(self) -> bool:
        return self.details != details_in(self.event)


@dataclass(frozen=True, slots=True)
class EditPlan:
    """The plan of an edit.

    ``content`` and ``timing`` belong to the series that the changed dates are in afterwards. ``before``: for
    ``FOLLOWING``, the timing of the earlier part, which ends where the new series begins. ``stranded``: dates kept as
    exceptions although the rule no longer has them. ``vanishing``: dates that are deleted because they have neither
    RSVPs nor overrides.
    """

    scope: EditScope
    content: Content
    timing: Timing
    before: Timing | None
    changes: tuple[OccurrenceChange, ...]
    stranded: tuple[StoredOccurrence, ...]
    vanishing: tuple[Event, ...]

    @property
    def answers_kept(self) -> int:
        return sum(change.rsvp_count for change in self.changes) + sum(
            stored_date.rsvp_count for stored_date in self.stranded
        )

    @property
    def single_changes_kept(self) -> int:
        return sum(bool(change.overridden) for change in self.changes)

    @property
    def dates_changed(self) -> tuple[OccurrenceChange, ...]:
        return tuple(change for change in self.changes if change.says_something_new)


def plan_one(series: Series, stored_date: StoredOccurrence, details: Details) -> EditPlan:
    """Plan an edit of this date only. It becomes an exception in the fields that differ."""
    event = stored_date.event
    assert event.position_in_series is not None  # noqa: S101  # a date of a series
    original = event.position_in_series.original_date
    usual = details_of(series.content, series.timing, original_of(original))
    change = OccurrenceChange(event, original, details, own_fields(event, details, usual), stored_date.rsvp_count)
    return EditPlan(EditScope.THIS, series.content, series.timing, None, (change,), (), ())


def joined(plans: Sequence[EditPlan]) -> EditPlan:
    """Several plans of ``plan_one`` for different dates of a series, as one action."""
    return replace(plans[0], changes=tuple(change for plan in plans for change in plan.changes))


def plan_all(
    series: Series,
    content: Content,
    timing: Timing,
    stored: Sequence[StoredOccurrence],
    now: Instant,
    *,
    drop_single_changes: bool = False,
) -> EditPlan:
    """Plan an edit of the whole series. ``stored``: its stored dates, including past ones.

    Raises RuleRefused for a rule without dates.
    """
    expansion.check_occurs(timing.pattern)
    dates = _plan_dates(series, content, timing, _coming(stored, now), now, drop=drop_single_changes)
    return EditPlan(EditScope.ALL, content, timing, None, dates.changes, dates.stranded, dates.vanishing)


def plan_following(
    series: Series,
    at: str,
    content: Content,
    timing: Timing | None,
    stored: Sequence[StoredOccurrence],
    now: Instant,
    *,
    drop_single_changes: bool = False,
) -> EditPlan:
    """Plan an edit from the date named ``at`` on, where a new series starts.

    If ``timing`` is None, the days stay the same. A new timing keeps the remaining number of dates of a COUNT, unless
    it has its own end. Raises Refused (``NoSuchDate``, ``FirstDate``) and RuleRefused.
    """
    before, new_pattern = split(series.timing.pattern, original_of(at))
    if timing is None:
        timing = Timing(new_pattern, series.timing.length)
    elif timing.pattern == series.timing.pattern:
        timing = replace(timing, pattern=new_pattern)
    expansion.check_occurs(timing.pattern)
    following = [stored_date for stored_date in stored if stored_date.original_date >= at]
    before_timing = Timing(before, series.timing.length)
    dates = _plan_dates(series, content, timing, _coming(following, now), now, drop=drop_single_changes)
    return EditPlan(EditScope.FOLLOWING, content, timing, before_timing, dates.changes, dates.stranded, dates.vanishing)


def moved(timing: Timing, original: datetime, starts: datetime, length: timedelta | None) -> Timing:
    """The timing after the date ``original`` is moved to ``starts`` and all others are moved with it.

    A change of the time moves all dates by the same amount. A change of the day also moves the weekdays of a weekly
    rule; it is refused for other rules, because "the second Tuesday, but a day later" can mean several things.
    """
    pattern = timing.pattern
    shift = starts - original
    if not shift:
        return Timing(pattern, length)
    rule = pattern.rule
    days = (starts.date() - original.date()).days
    if rule is not None and (rule.by_hour or rule.by_minute or rule.by_second):
        raise Refused(SeriesReason.SEVERAL_TIMES_A_DAY, name="EditTheRule")
    if rule is not None and days:
        if rule.freq != "WEEKLY" and (
            rule.by_day or rule.by_month_day or rule.by_week or rule.by_year_day or rule.by_month
        ):
            raise Refused(
                SeriesReason.ONLY_WEEKLY_MOVES,
                name="EditTheRule",
            )
        by_day = tuple(sorted(Weekday((day.day + days) % 7) for day in rule.by_day))
        # With a rule for every second week, Saturday and Sunday must stay in one week when they become Sunday and
        # Monday, so the week starts a day later as well. The same holds for a single weekday that is not the first
        # date's, because weeks count from that date's week.
        is_of_one_day = not {day.day for day in rule.by_day} - {pattern.start.weekday()}
        first = rule.week_start if rule.interval == 1 or is_of_one_day else (rule.week_start + days) % 7
        rule = replace(rule, by_day=by_day, week_start=first)
    if rule is not None and rule.until is not None:
        rule = replace(rule, until=_shift_end(rule.until, shift, days, pattern.zone_or_utc))
    return Timing(
        Pattern(
            pattern.start + shift,
            pattern.zone_name,
            rule,
            tuple(at + shift for at in pattern.left_out),
            tuple(at + shift for at in pattern.added),
            is_all_day=pattern.is_all_day,
        ),
        length,
    )


def in_zone(pattern: Pattern, zone_name: str) -> Pattern:
    """The pattern with the same wall-clock times in another time zone, and the same number of dates."""
    rule = pattern.rule
    if rule is not None and rule.until is not None and rule.until.is_utc:
        wall = local_of(instant_of(rule.until.at, "UTC"), pattern.zone_or_utc).replace(tzinfo=None)
        at = local_of(instant_of(wall, zone_name), "UTC").replace(tzinfo=None)
        rule = replace(rule, until=replace(rule.until, at=at))
    return replace(pattern, zone_name=zone_name, rule=rule)


def _shift_end(until: Until, shift: timedelta, days: int, zone: str) -> Until:
    """The end that allows the same number of dates if each starts ``shift`` later, which is ``days`` later on the
    calendar.
    """
    if until.is_date:
        return replace(until, at=until.at + timedelta(days=days))
    if not until.is_utc:
        return replace(until, at=until.at + shift)
    wall = local_of(instant_of(until.at, "UTC"), zone).replace(tzinfo=None)
    return replace(until, at=local_of(instant_of(wall + shift, zone), "UTC").replace(tzinfo=None))


@dataclass(frozen=True, slots=True)
class _DatesPlan:
    """What becomes of the coming dates, as in ``EditPlan``."""

    changes: tuple[OccurrenceChange, ...]
    stranded: tuple[StoredOccurrence, ...]
    vanishing: tuple[Event, ...]


def _plan_dates(
    series: Series,
    content: Content,
    timing: Timing,
    coming: Sequence[StoredOccurrence],
    now: Instant,
    *,
    drop: bool,
) -> _DatesPlan:
    """Plan the coming dates of a series that gets this content and timing. ``drop``: changes of single dates are lost."""
    positions = _new_positions(series.timing.pattern, timing.pattern, coming, now)
    changes, stranded, vanishing = [], [], []
    for stored_date in coming:
        event = stored_date.event
        assert event.position_in_series is not None  # noqa: S101  # stored dates have one
        position = positions[original_of(event.position_in_series.original_date)]
        overridden = () if drop else event.position_in_series.overridden
        if position is None:
            if stored_date.rsvp_count or overridden:
                stranded.append(stored_date)
            else:
                vanishing.append(event)
            continue
        usual = details_of(content, timing, position)
        details = apply_series_details(details_in(event), usual, overridden)
        still = differing(details, usual)
        changes.append(OccurrenceChange(event, original_text(position), details, still, stored_date.rsvp_count))
    return _DatesPlan(tuple(changes), tuple(stranded), tuple(vanishing))


def _new_positions(
    old: Pattern, new: Pattern, coming: Iterable[StoredOccurrence], now: Instant
) -> dict[datetime, datetime | None]:
    """The position of each stored date in the new pattern, or None."""
    names = [original_of(stored_date.original_date) for stored_date in coming]
    if old == new or not names:
        return {name: name for name in names}
    first, last = min(names), max(names)
    window = Instant(min(now, new.instant_of(first - _AHEAD))), new.instant_of(last + _AHEAD)
    dates = [one.original for one in expansion.between(new, *window)]
    # Only future positions count, because nobody's date is moved into the past.
    ahead = [date for date in dates if new.instant_of(date) > now]
    return remap(names, ahead, apart={name for name in names if not expansion.is_date_of(old, name)})


def _coming(stored: Iterable[StoredOccurrence], now: Instant) -> list[StoredOccurrence]:
    return [
        stored_date for stored_date in stored if not stored_date.event.is_gone and not stored_date.event.is_over(now)
    ]
