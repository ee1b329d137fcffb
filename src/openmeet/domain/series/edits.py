"""Turn a host's edit (changed fields, scope) into a plan. Pure.

If an edit of one date applies to others, only the edited fields are copied. Fields that the date had overridden before
remain its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.domain.events.content import NAMES
from openmeet.domain.events.model import Details
from openmeet.domain.series.dates import details_of, length_in, original_of
from openmeet.domain.series.model import OPENED_AHEAD, OPENED_AHEAD_YEARS, EditScope, Series, StoredOccurrence, Timing
from openmeet.domain.series.plan import EditPlan, in_zone, moved, plan_all, plan_following, plan_one
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.validation import TOO_FAR_AHEAD
from openmeet.recurrence import expansion
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.pattern import pattern as checked
from openmeet.recurrence.rule import Rule
from openmeet.recurrence.split import carry_over_exclusions, split
from openmeet.recurrence.wall_time import instant_of


@dataclass(frozen=True, slots=True)
class NewRule:
    """A new rule, or with ``keeps_rule`` only new dates. For ``left_out`` and ``added``, None keeps the present dates."""

    rule: Rule | None
    left_out: tuple[datetime, ...] | None = None
    added: tuple[datetime, ...] | None = None
    keeps_rule: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of a series at one of its dates.

    ``date``: the name of the edited date. ``details``: its details after the edit; None if unchanged.
    """

    scope: EditScope
    date: str | None = None
    details: Details | None = None
    changed: frozenset[str] = frozenset()
    rewritten: NewRule | None = None
    drop_single_changes: bool = False


def plan_of(series: Series, edit: Edit, stored: Sequence[StoredOccurrence], now: Instant) -> EditPlan:
    """Make the plan of an edit.

    Raises InvalidInput (``TooFarAhead``), Refused (``NoSuchDate``, ``FirstDate``, ``EditTheRule``), RuleRefused.
    """
    if edit.details is not None and "starts_local" in edit.changed and edit.details.starts_at > now + OPENED_AHEAD:
        raise InvalidInput(
            "startsLocal", SeriesReason.MOVED_TOO_FAR_AHEAD, name=TOO_FAR_AHEAD, years=OPENED_AHEAD_YEARS
        )
    if edit.scope is EditScope.THIS:
        return _plan_this(series, edit, stored)
    content = series.content
    if edit.details is not None:
        details = edit.details.content
        content = replace(content, **{name: getattr(details, name) for name in NAMES if name in edit.changed})
    whole = without_deleted_dates(series, stored, now)
    if edit.scope is EditScope.ALL:
        timing = _timing(whole.timing, edit)
        if timing == whole.timing:
            whole, timing = series, series.timing
        return plan_all(whole, content, timing, stored, now, drop_single_changes=edit.drop_single_changes)
    series = whole
    at = _named(edit)
    earlier, new_pattern = split(series.timing.pattern, original_of(at))
    following = Timing(new_pattern, series.timing.length)
    if edit.rewritten is not None:
        edit = replace(edit, rewritten=_without_dates_of(earlier, edit.rewritten))
    after = _timing(following, edit)
    return plan_following(
        series,
        at,
        content,
        None if after == following else after,
        stored,
        now,
        drop_single_changes=edit.drop_single_changes,
    )


def series_details_at(series: Series, date: str) -> Details:
    """Details of a date according to the series, without overrides."""
    return details_of(series.content, series.timing, original_of(date))


def _plan_this(series: Series, edit: Edit, stored: Sequence[StoredOccurrence]) -> EditPlan:
    date = _named(edit)
    stored_date = next((one for one in stored if one.original_date == date), None)
    if stored_date is None or stored_date.event.is_gone:
        raise InvalidInput("originalDate", SeriesReason.NO_SUCH_DATE_OF_SERIES, name="NoSuchDate")
    if edit.rewritten is not None:
        raise InvalidInput("scope", SeriesReason.RULE_OF_ALL_DATES)
    return plan_one(series, stored_date, edit.details or series_details_at(series, date))


def without_deleted_dates(series: Series, stored: Sequence[StoredOccurrence], now: Instant) -> Series:
    """Exclude dates that were deleted on their own. Otherwise they would be created again under another name or in
    another series. A date that was moved to an earlier day can be over although the rule still has it ahead.
    """
    pattern = series.timing.pattern
    gone = [
        (original_of(stored_date.original_date), stored_date.event)
        for stored_date in stored
        if stored_date.event.is_gone and stored_date.original_date != stored_date.event.id
    ]
    ahead = {at for at, event in gone if not event.is_over(now) or instant_of(at, series.zone_name) > now}
    left_out = tuple(sorted({*pattern.left_out, *(at for at in ahead if expansion.is_date_of(pattern, at))}))
    return replace(series, timing=replace(series.timing, pattern=replace(pattern, left_out=left_out)))


def _without_dates_of(earlier: Pattern, rewritten: NewRule) -> NewRule:
    """Without the single dates that stay in the earlier part of a series. A client may have sent all that it has read."""
    added, left_out = rewritten.added, rewritten.left_out
    before = {earlier.start, *earlier.added}
    return replace(
        rewritten,
        added=None if added is None else tuple(at for at in added if at not in before),
        left_out=None if left_out is None else tuple(at for at in left_out if at not in earlier.left_out),
    )


def _timing(timing: Timing, edit: Edit) -> Timing:
    """The timing of the dates that the edit affects."""
    if edit.details is not None and edit.changed & {"starts_local", "ends_at", "time_zone", "is_all_day"}:
        details = edit.details
        length = length_in(details) if edit.changed & {"ends_at", "is_all_day"} else timing.length
        if "time_zone" in edit.changed:
            timing = replace(timing, pattern=in_zone(timing.pattern, details.time_zone))
        if "starts_local" in edit.changed:
            timing = moved(timing, original_of(_named(edit)), datetime.fromisoformat(details.starts_local), length)
        else:
            timing = replace(timing, length=length)
        if "is_all_day" in edit.changed:
            timing = replace(timing, pattern=_of_days(timing.pattern, is_all_day=details.is_all_day))
    if edit.rewritten is None:
        return timing
    pattern = timing.pattern
    rewritten = edit.rewritten
    rule = pattern.rule if rewritten.keeps_rule else rewritten.rule
    made = Pattern(
        pattern.start,
        pattern.zone_name,
        rule,
        pattern.left_out if rewritten.left_out is None else rewritten.left_out,
        pattern.added if rewritten.added is None else rewritten.added,
        is_all_day=pattern.is_all_day,
    )
    if pattern.rule == rule:
        return replace(timing, pattern=made)
    made = _with_start_on_first_date(made)
    if rewritten.left_out is None:
        made = checked(
            made.start,
            made.zone_name,
            made.rule,
            left_out=carry_over_exclusions(pattern, made),
            added=made.added,
            is_all_day=made.is_all_day,
        )
    return replace(timing, pattern=made)


def _of_days(pattern: Pattern, *, is_all_day: bool) -> Pattern:
    """The pattern with whole days, or with times of day again."""
    return checked(
        pattern.start,
        pattern.zone_name,
        pattern.rule,
        left_out=pattern.left_out,
        added=pattern.added,
        is_all_day=is_all_day,
    )


def _with_start_on_first_date(pattern: Pattern) -> Pattern:
    """Move the start to the first date of the rule.

    A pattern's start always counts as a date, but after a change of the rule nobody chose the old start.
    """
    expansion.check_entered(pattern)
    first = expansion.first_by_rule(pattern)
    return pattern if first is None else replace(pattern, start=first)


def _named(edit: Edit) -> str:
    if edit.date is None:
        raise InvalidInput("originalDate", SeriesReason.DATE_NEEDED)
    return edit.date
