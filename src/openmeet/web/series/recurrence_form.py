"""Recurrence part of a form: presets derived from the start, a custom rule, an end, and the dates that are skipped. Pure
functions.

Skipped dates are days and not times. This keeps them skipped if the start moves to another hour.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, Why
from openmeet.domain.events.all_day import at_midnight
from openmeet.domain.events.model import Details
from openmeet.domain.series.dates import length_in
from openmeet.domain.series.model import Timing
from openmeet.domain.series.preview import RuleSummary
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import countries, formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, speaking
from openmeet.recurrence.describe import describe, last_day
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import DAYS, Rule, Weekday, parse_rule, until_date
from openmeet.recurrence.structured import plain_choices
from openmeet.recurrence.wall_time import is_zone, parse_local
from openmeet.web.series.dates_ahead import DateAhead, DatesAhead, dates_ahead

# Names of the field with the skipped days, and of the buttons next to a date.
SKIPPED_FIELD: Final = "skipped"
SKIP: Final = "skip"
PUT_BACK: Final = "put_back"

# Fields in the form of a series: its first start, and the start of the edited date when the form was opened. The number
# of dates of its rule counts from the first.
FIRST_START: Final = "first_start"
OPENED_START: Final = "opened_start"

# Two years of a weekly series. Any further input is ignored.
MAX_SKIPPED: Final = 100

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LENGTH: Final = len("2026-12-24,")


CUSTOM = "custom"

LABELS = {
    "repeats": lazy("Repeats"),
    "custom_every": lazy("Every"),
    "ends_on": lazy("Last day"),
    "ends_after": lazy("Number of dates"),
}
FIELDS = (
    "repeats",
    "custom_every",
    "custom_unit",
    "custom_monthly",
    "ends_how",
    "ends_on",
    "ends_after",
    SKIPPED_FIELD,
    *(f"custom_day_{day}" for day in DAYS),
)

UNITS = (("DAILY", lazy("days")), ("WEEKLY", lazy("weeks")), ("MONTHLY", lazy("months")), ("YEARLY", lazy("years")))

# Presets that are offered before a start is chosen. The start later fills in the day.
_BEFORE_A_START = (
    ("FREQ=WEEKLY", lazy("Every week")),
    ("FREQ=WEEKLY;INTERVAL=2", lazy("Every two weeks")),
    ("FREQ=MONTHLY", lazy("Every month, on that day")),
    ("FREQ=DAILY", lazy("Every day")),
    ("FREQ=YEARLY", lazy("Every year")),
)


def _weekdays(zone: str) -> tuple[tuple[str, str], ...]:
    """The codes and names of the weekdays, in the order of calendars in this time zone."""
    first = formatting.first_weekday(zone)
    return tuple((DAYS[number % 7], formatting.weekday(number % 7)) for number in range(first, first + 7))


@dataclass(frozen=True, slots=True)
class RecurrenceFormState:
    """The state of the form. ``meaning``, ``sentence``, ``dates`` and ``notes`` are those of ``DatesAhead``, and empty
    while there is no rule. ``skipped`` is the value of the field with skipped dates. ``clashes``: for each of ``dates``,
    the title of an event of the viewer at the same time, or empty; empty if nobody looked for such events.
    """

    options: list[tuple[str, str | LazyText, str]]
    chosen: str
    weekdays: tuple[tuple[str, str], ...]
    meaning: RuleSummary | None = None
    sentence: str = ""
    dates: list[DateAhead] = field(default_factory=list)
    notes: list[Why] = field(default_factory=list)
    skipped: str = ""
    clashes: Sequence[str] = ()
    units: tuple[tuple[str, LazyText], ...] = UNITS
    template: str = "series/repeats.html"


def submitted_rule(form: Mapping[str, str], start: datetime) -> Rule | None:
    """The rule that the form requests, or None for a single event. Raises InvalidForm."""
    repeats = form.get("repeats", "")
    if not repeats:
        return None
    try:
        rule = _custom(form, start) if repeats == CUSTOM else parse_rule(repeats)
        match form.get("ends_how", "never"):
            case "on":
                rule = replace(rule, count=None, until=until_date(_parse_day(form.get("ends_on", ""))))
            case "after":
                rule = replace(rule, until=None, count=_parse_number(form.get("ends_after", ""), "ends_after", 10_000))
            case _:
                rule = replace(rule, until=None, count=None)
        # Always uses the same parser, so that forms and files accept the same rules.
        return parse_rule(str(rule))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None


def submitted_timing(form: Mapping[str, str], details: Details) -> Timing | None:
    """The timing of a series with this first date, or None for a single event. Raises InvalidForm.

    It does not check whether the rule has any dates, because that takes longer (``recurrence_preview.timing_of``).
    """
    start = datetime.fromisoformat(details.starts_local)
    rule = submitted_rule(form, start)
    if rule is None:
        return None
    try:
        left_out = skipped_starts(form, start)
        new_pattern = pattern(start, details.time_zone, rule, left_out=left_out, is_all_day=details.is_all_day)
        return Timing(new_pattern, length_in(details))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None


def localized_form_state(
    language: str, form: Mapping[str, str], now: Instant, *, may_skip: bool
) -> RecurrenceFormState:
    """``form_state`` for a worker process, which does not know the language of the request."""
    with speaking(language):
        return form_state(form, now, may_skip=may_skip)


def form_state(
    form: Mapping[str, str], now: Instant, *, may_skip: bool = False, message: Why = ""
) -> RecurrenceFormState:
    """The state for the current input, whether it is valid or not. Errors are reported with the other fields of the
    form. Dates can be skipped if ``may_skip``, which is for new series.

    ``message`` is shown instead of the dates, which take long to compute (``recurrence_preview.form_state``).
    """
    start, zone = _submitted_start(form), form.get("time_zone", "")
    repeats = form.get("repeats", "")
    skipped = format_skipped_days(skipped_days(form)) if may_skip else ""
    if start is None or not is_zone(zone):
        return RecurrenceFormState(
            [*_once_option(), *((value, words, "") for value, words in _BEFORE_A_START), _custom_option()],
            repeats,
            _weekdays(zone),
            skipped=skipped,
        )
    plain = [(str(rule), _rule_label(start, zone, rule), "") for rule in plain_choices(start)]
    repeats = _with_day(repeats, start)
    values = {value for value, _, _ in plain}
    if repeats and repeats != CUSTOM and repeats not in values:
        plain += _other_option(start, zone, repeats)
    state = RecurrenceFormState([*_once_option(), *plain, _custom_option()], repeats, _weekdays(zone), skipped=skipped)
    if message:
        return replace(state, notes=[message])
    preview = _dates_preview({**form, "repeats": repeats}, start, zone, now, may_skip=may_skip)
    if preview is None:
        return state
    return replace(state, meaning=preview.meaning, sentence=preview.sentence, dates=preview.dates, notes=preview.notes)


def values_of(current_pattern: Pattern) -> dict[str, str]:
    """The form's values for an existing series."""
    rule = current_pattern.rule
    if rule is None:
        return {"repeats": "", "ends_how": "never"}
    values = {
        "repeats": _with_day(str(replace(rule, count=None, until=None)), current_pattern.start),
        "ends_how": "never",
    }
    if rule.count is not None:
        values |= {"ends_how": "after", "ends_after": str(rule.count)}
    if rule.until is not None:
        values |= {"ends_how": "on", "ends_on": last_day(rule.until, current_pattern).isoformat()}
    return values


def is_changed(form: Mapping[str, str], current_pattern: Pattern) -> bool:
    """Whether the rule in the form differs from the rule with which the form was opened."""
    before = values_of(current_pattern)
    form = {**form, "repeats": _with_day(form.get("repeats", before["repeats"]), current_pattern.start)}
    names = ["repeats", "ends_how", *({"on": ["ends_on"], "after": ["ends_after"]}.get(form.get("ends_how", ""), []))]
    return any(form.get(name, before.get(name, "")) != before.get(name, "") for name in names)


def description(form: Mapping[str, str]) -> str:
    """The rule in the form in words, with its end. Empty if it cannot be parsed."""
    if not form.get("repeats"):
        return gettext("Doesn’t repeat")
    start = _submitted_start(form)
    if start is None:
        return ""
    try:
        # All-day, so that the sentence has no time and needs no time zone.
        return describe(Pattern(start, "UTC", submitted_rule(form, start), is_all_day=True))
    except InvalidInput:
        return ""


def skipped_days(form: Mapping[str, str]) -> tuple[date, ...]:
    """The skipped days, in order, after the effect of the button that was pressed. Text that is not a day is ignored."""
    days = {
        day
        for text in form.get(SKIPPED_FIELD, "")[: MAX_SKIPPED * _LENGTH].split(",")
        if (day := _parse_skipped_day(text))
    }
    if (more := _parse_skipped_day(form.get(SKIP, ""))) and len(days) < MAX_SKIPPED:
        days.add(more)
    days.discard(_parse_skipped_day(form.get(PUT_BACK, "")) or date.min)
    return tuple(sorted(days))


def format_skipped_days(days: tuple[date, ...]) -> str:
    """The field's value for these days."""
    return ",".join(day.isoformat() for day in days)


def is_preview_pressed(form: Mapping[str, str]) -> bool:
    """Whether a button was pressed that only shows the form again with its dates: the preview button, or one next to a
    date.
    """
    return any(form.get(name) for name in ("preview", SKIP, PUT_BACK))


def skipped_starts(form: Mapping[str, str], start: datetime) -> list[datetime]:
    """The skipped dates of a series with this start. The start itself cannot be skipped. The host has to choose another
    start instead.
    """
    days = (datetime.combine(day, start.time()) for day in skipped_days(form))
    return [at for at in days if at > start]


def _parse_skipped_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _once_option() -> list[tuple[str, str, str]]:
    return [("", gettext("Doesn’t repeat"), "")]


def _custom_option() -> tuple[str, str, str]:
    return (CUSTOM, gettext("Custom…"), "")


def _with_day(text: str, start: datetime) -> str:
    """A preset without a day, with the day of the start filled in. Any other rule is returned unchanged."""
    return dict(zip((value for value, _ in _BEFORE_A_START), _presets_with_day(start), strict=True)).get(text, text)


def _presets_with_day(start: datetime) -> list[str]:
    """The presets of ``_BEFORE_A_START``, in the same order, with the day of the start filled in."""
    weekday = (Weekday(start.weekday()),)
    rules = (
        Rule("WEEKLY", by_day=weekday),
        Rule("WEEKLY", interval=2, by_day=weekday),
        Rule("MONTHLY", by_month_day=(start.day,)),
        Rule("DAILY"),
        Rule("YEARLY"),
    )
    return [str(rule) for rule in rules]


def _other_option(start: datetime, zone: str, text: str) -> list[tuple[str, str, str]]:
    """Option for a rule that is not a preset, because it was made for another start or by another client."""
    try:
        return [(text, _rule_label(start, zone, parse_rule(text)), "")]
    except InvalidInput:
        return []


def _rule_label(start: datetime, zone: str, rule: Rule) -> str:
    # All-day, so that the label has no time.
    return describe(Pattern(start, zone, replace(rule, count=None, until=None), is_all_day=True))


def _dates_preview(
    form: Mapping[str, str], start: datetime, zone: str, now: Instant, *, may_skip: bool
) -> DatesAhead | None:
    try:
        rule = submitted_rule(form, start)
        if rule is None:
            return None
        skipped = skipped_starts(form, start) if may_skip else []
        new_pattern = pattern(start, zone, rule, left_out=skipped, is_all_day=_is_of_days(form))
        return dates_ahead(Timing(new_pattern, None), _country(form, zone), now, may_skip=may_skip)
    except InvalidInput:
        return None


def _country(form: Mapping[str, str], zone: str) -> str | None:
    """The country whose holidays are marked: the country of the place, or else of the time zone."""
    return countries.known_code(form.get("country", "")) or formatting.country_of_zone(zone)


def _custom(form: Mapping[str, str], start: datetime) -> Rule:
    unit = form.get("custom_unit", "WEEKLY")
    if unit not in dict(UNITS):
        raise InvalidForm({"repeats": SeriesReason.UNIT_NEEDED})
    every = _parse_number(form.get("custom_every", "") or "1", "custom_every", 1_000)
    rule = Rule(unit, interval=every)
    if unit == "WEEKLY":
        days = tuple(Weekday(number) for number, day in enumerate(DAYS) if form.get(f"custom_day_{day}"))
        return replace(rule, by_day=days or (Weekday(start.weekday()),))
    if unit == "MONTHLY":
        match form.get("custom_monthly", "day"):
            case "nth":
                return replace(rule, by_day=(Weekday(start.weekday(), (start.day - 1) // 7 + 1),))
            case "last":
                return replace(rule, by_day=(Weekday(start.weekday(), -1),))
            case _:
                return replace(rule, by_month_day=(start.day,))
    return rule


def _parse_number(text: str, field: str, most: int) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and 1 <= int(digits) <= most):
        raise InvalidForm({field: GeneralReason.NUMBER_OUT_OF_RANGE(most=most)})
    return int(digits)


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidForm({"ends_on": SeriesReason.LAST_DAY_NEEDED}) from None


def _is_of_days(form: Mapping[str, str]) -> bool:
    return bool(form.get("all_day"))


def _submitted_start(form: Mapping[str, str]) -> datetime | None:
    """The start of the rule: the start of the event; in the form of an existing series, the start of the series, moved by
    as much as the edited date.
    """
    starts = _moment(form, "starts")
    first, opened = _moment(form, FIRST_START), _moment(form, OPENED_START)
    return starts if starts is None or first is None or opened is None else first + (starts - opened)


def _moment(form: Mapping[str, str], name: str) -> datetime | None:
    text = form.get(name, "")
    try:
        return parse_local(at_midnight(text) if _is_of_days(form) else text, name)
    except InvalidInput:
        return None
