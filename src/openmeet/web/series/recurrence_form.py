"""The recurrence part of a form: presets that follow from the start, a custom rule, and an end. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, Why
from openmeet.domain.events.all_day import at_midnight
from openmeet.domain.events.model import Details
from openmeet.domain.series.dates import length_in
from openmeet.domain.series.model import Timing
from openmeet.domain.series.preview import RuleSummary, summary_of
from openmeet.domain.series.reasons import SeriesReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, speaking
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import DAYS, Rule, Weekday, parse_rule, until_date
from openmeet.recurrence.structured import plain_choices
from openmeet.recurrence.wall_time import is_zone, parse_local

CUSTOM = "custom"
PREVIEWED = 5

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
    *(f"custom_day_{day}" for day in DAYS),
)

UNITS = (("DAILY", lazy("days")), ("WEEKLY", lazy("weeks")), ("MONTHLY", lazy("months")), ("YEARLY", lazy("years")))

# Presets before a start is chosen; the start fills in what they leave open.
_BEFORE_A_START = (
    ("FREQ=WEEKLY", lazy("Every week")),
    ("FREQ=WEEKLY;INTERVAL=2", lazy("Every two weeks")),
    ("FREQ=MONTHLY", lazy("Every month, on that day")),
    ("FREQ=DAILY", lazy("Every day")),
    ("FREQ=YEARLY", lazy("Every year")),
)


def _weekdays() -> tuple[tuple[str, str], ...]:
    return tuple((day, formatting.weekday(number)) for number, day in enumerate(DAYS))


@dataclass(frozen=True, slots=True)
class RecurrenceFormState:
    """The form's state. ``notes``: messages about dates that do not exist and a start that is not in the rule."""

    options: list[tuple[str, str | LazyText, str]]
    chosen: str
    meaning: RuleSummary | None
    dates: list[str]
    notes: list[Why]
    units: tuple[tuple[str, LazyText], ...] = UNITS
    weekdays: tuple[tuple[str, str], ...] = field(default_factory=_weekdays)
    template: str = "series/repeats.html"


def rule_typed(typed: Mapping[str, str], start: datetime) -> Rule | None:
    """The rule that the form requests; None for a single event. Raises InvalidForm."""
    wish = typed.get("repeats", "")
    if not wish:
        return None
    try:
        rule = _custom(typed, start) if wish == CUSTOM else parse_rule(wish)
        match typed.get("ends_how", "never"):
            case "on":
                rule = replace(rule, count=None, until=until_date(_day(typed.get("ends_on", ""))))
            case "after":
                rule = replace(rule, until=None, count=_number(typed.get("ends_after", ""), "ends_after", 10_000))
            case _:
                rule = replace(rule, until=None, count=None)
        # Through the one parser, so that forms and files accept the same rules.
        return parse_rule(str(rule))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None


def timing_typed(typed: Mapping[str, str], details: Details) -> Timing | None:
    """The timing of a series with this first date; None for a single event. Raises InvalidForm.

    Whether it has any dates takes longer to compute (``recurrence_preview.timing_of``).
    """
    start = datetime.fromisoformat(details.starts_local)
    rule = rule_typed(typed, start)
    if rule is None:
        return None
    try:
        return Timing(pattern(start, details.time_zone, rule, is_all_day=details.is_all_day), length_in(details))
    except RuleRefused as wrong:
        raise InvalidForm({"repeats": wrong.why}) from None


def asked_in(language: str, typed: Mapping[str, str], now: Instant) -> RecurrenceFormState:
    """``asked``, in a worker process, which does not know the language of the request."""
    with speaking(language):
        return asked(typed, now)


def asked(typed: Mapping[str, str], now: Instant, *, instead: Why = "") -> RecurrenceFormState:
    """The state for current input, valid or not: errors are reported elsewhere.

    ``instead``: text in place of the dates, which take long to compute (``recurrence_preview.asked``).
    """
    start, zone = _start(typed), typed.get("time_zone", "")
    chosen = typed.get("repeats", "")
    if start is None or not is_zone(zone):
        return RecurrenceFormState(
            [*_once(), *((value, words, "") for value, words in _BEFORE_A_START), _own()], chosen, None, [], []
        )
    plain = [(str(rule), _rule_label(start, zone, rule), "") for rule in plain_choices(start)]
    chosen = _spelt_out(chosen, start)
    values = {value for value, _, _ in plain}
    if chosen and chosen != CUSTOM and chosen not in values:
        plain += _kept(start, zone, chosen)
    if instead:
        return RecurrenceFormState([*_once(), *plain, _own()], chosen, None, [], [instead])
    meaning, dates, notes = _meaning({**typed, "repeats": chosen}, start, zone, now)
    return RecurrenceFormState([*_once(), *plain, _own()], chosen, meaning, dates, notes)


def values_of(known: Pattern) -> dict[str, str]:
    """The form's values for an existing series."""
    rule = known.rule
    if rule is None:
        return {"repeats": "", "ends_how": "never"}
    values = {"repeats": _spelt_out(str(replace(rule, count=None, until=None)), known.start), "ends_how": "never"}
    if rule.count is not None:
        values |= {"ends_how": "after", "ends_after": str(rule.count)}
    if rule.until is not None:
        values |= {"ends_how": "on", "ends_on": rule.until.at.date().isoformat()}
    return values


def is_changed(typed: Mapping[str, str], known: Pattern) -> bool:
    """Whether the form has another rule than when it was opened."""
    before = values_of(known)
    typed = {**typed, "repeats": _spelt_out(typed.get("repeats", before["repeats"]), known.start)}
    names = ["repeats", "ends_how", *({"on": ["ends_on"], "after": ["ends_after"]}.get(typed.get("ends_how", ""), []))]
    return any(typed.get(name, before.get(name, "")) != before.get(name, "") for name in names)


def _once() -> list[tuple[str, str, str]]:
    return [("", gettext("Doesn’t repeat"), "")]


def _own() -> tuple[str, str, str]:
    return (CUSTOM, gettext("Custom …"), "")


def _spelt_out(text: str, start: datetime) -> str:
    """A preset that left its day to the start, with that day filled in; anything else unchanged."""
    return dict(zip((value for value, _ in _BEFORE_A_START), _same(start), strict=True)).get(text, text)


def _same(start: datetime) -> list[str]:
    """The presets from before a start was known, with it filled in; in order."""
    weekday = (Weekday(start.weekday()),)
    rules = (
        Rule("WEEKLY", by_day=weekday),
        Rule("WEEKLY", interval=2, by_day=weekday),
        Rule("MONTHLY", by_month_day=(start.day,)),
        Rule("DAILY"),
        Rule("YEARLY"),
    )
    return [str(rule) for rule in rules]


def _kept(start: datetime, zone: str, text: str) -> list[tuple[str, str, str]]:
    """A rule of another start, or from another client, stays an option."""
    try:
        return [(text, _rule_label(start, zone, parse_rule(text)), "")]
    except InvalidInput:
        return []


def _rule_label(start: datetime, zone: str, rule: Rule) -> str:
    # All-day dates show no time.
    return describe(Pattern(start, zone, replace(rule, count=None, until=None), is_all_day=True))


def _meaning(
    typed: Mapping[str, str], start: datetime, zone: str, now: Instant
) -> tuple[RuleSummary | None, list[str], list[Why]]:
    try:
        rule = rule_typed(typed, start)
        if rule is None:
            return None, [], []
        meaning = summary_of(Timing(pattern(start, zone, rule, is_all_day=_is_of_days(typed)), None), now, PREVIEWED)
    except InvalidInput:
        return None, [], []
    dates = [f"{formatting.short_day(one.starts)} {one.starts.year}" for one in meaning.dates]
    if not _is_of_days(typed):
        dates = [formatting.day_and_time(day, one.starts) for day, one in zip(dates, meaning.dates, strict=True)]
    return meaning, dates, [*_of_skipped_hours(meaning), *_of_silent_months(meaning), *_of_start(meaning)]


def _of_skipped_hours(meaning: RuleSummary) -> Iterator[str]:
    first = next((one for one in meaning.skipped_hours if one.instead_of is not None), None)
    if first is None or first.instead_of is None:
        return
    when = {
        "day": f"{formatting.short_day(first.starts)} {first.starts.year}",
        "skipped": formatting.clock(first.instead_of),
        "begins": formatting.clock(first.starts),
    }
    if len(meaning.skipped_hours) > 1:
        yield gettext(
            "On %(day)s there is no %(skipped)s, because the clocks go forward: it begins at %(begins)s. Later years are the same.",
            **when,
        )
    else:
        yield gettext(
            "On %(day)s there is no %(skipped)s, because the clocks go forward: it begins at %(begins)s.", **when
        )


def _of_silent_months(meaning: RuleSummary) -> Iterator[str]:
    if meaning.silent:
        months = ", ".join(f"{formatting.month_name(month)} {month.year}" for month in meaning.silent[:3])
        if len(meaning.silent) > 3:
            yield gettext(
                "That day doesn’t exist in %(months)s and other months, so there’s no date then.", months=months
            )
        else:
            yield gettext("That day doesn’t exist in %(months)s, so there’s no date then.", months=months)


def _of_start(meaning: RuleSummary) -> Iterator[str]:
    better = meaning.better_start
    if meaning.start_fits:
        return
    if better is None:
        yield gettext("The start doesn’t fit the rule. It still counts as a date.")
    else:
        yield gettext(
            "The start doesn’t fit the rule. It still counts as a date. If you don’t want that, "
            "choose %(day)s as the start.",
            day=f"{formatting.short_day(better)} {better.year}",
        )


def _custom(typed: Mapping[str, str], start: datetime) -> Rule:
    unit = typed.get("custom_unit", "WEEKLY")
    if unit not in dict(UNITS):
        raise InvalidForm({"repeats": SeriesReason.UNIT_NEEDED})
    every = _number(typed.get("custom_every", "") or "1", "custom_every", 1_000)
    rule = Rule(unit, interval=every)
    if unit == "WEEKLY":
        days = tuple(Weekday(number) for number, day in enumerate(DAYS) if typed.get(f"custom_day_{day}"))
        return replace(rule, by_day=days or (Weekday(start.weekday()),))
    if unit == "MONTHLY":
        match typed.get("custom_monthly", "day"):
            case "nth":
                return replace(rule, by_day=(Weekday(start.weekday(), (start.day - 1) // 7 + 1),))
            case "last":
                return replace(rule, by_day=(Weekday(start.weekday(), -1),))
            case _:
                return replace(rule, by_month_day=(start.day,))
    return rule


def _number(text: str, field: str, most: int) -> int:
    if not (text.strip().isascii() and text.strip().isdigit()) or not 1 <= int(text.strip()[:9]) <= most:
        raise InvalidForm({field: SeriesReason.NUMBER_OUT_OF_RANGE(most=most)})
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidForm({"ends_on": SeriesReason.LAST_DAY_NEEDED}) from None


def _is_of_days(typed: Mapping[str, str]) -> bool:
    return bool(typed.get("all_day"))


def _start(typed: Mapping[str, str]) -> datetime | None:
    starts = typed.get("starts", "")
    try:
        return parse_local(at_midnight(starts) if _is_of_days(typed) else starts, "starts")
    except InvalidInput:
        return None
