"""Preview of a rule in a form: the rule as a sentence with its end, and its next dates, including skipped ones, with the
names of public holidays. Pure functions.

It is computed in a worker process, because only worker processes load the package ``holidays``: on first use, because
that takes most of a second and 20 MB. Only holidays of a whole country are named, not those of states or regions.
"""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from groundwork.clock import Instant
from groundwork.errors import Why
from groundwork.i18n.catalogue import base_of
from openmeet.domain.series.model import Timing
from openmeet.domain.series.preview import RuleSummary, summary_of
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import current, gettext, ngettext
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import date_in_words, describe
from openmeet.recurrence.pattern import Pattern
from openmeet.recurrence.wall_time import instant_of, local_of

# Half a year of a weekly series. Somebody who plans one in autumn sees which dates fall on the holidays at the end of
# the year.
PREVIEWED: Final = 26
# A form cannot request more dates than this. If a rule has more, the sentence names only the last one.
_MAX_COUNTED: Final = 10_000
# Outside these years a list of holidays is a guess, because governments move them.
_YEARS_AHEAD: Final = 5


@dataclass(frozen=True, slots=True)
class DateAhead:
    """A date in the preview. ``day`` is the value of its buttons. ``place`` is its number among the dates that take
    place; None if it is skipped.

    ``holiday`` has the names of the public holidays on that day.
    """

    words: str
    day: str
    place: int | None
    may_skip: bool
    holiday: str

    @property
    def is_skipped(self) -> bool:
        return self.place is None


@dataclass(frozen=True, slots=True)
class DatesAhead:
    """The preview. ``notes`` are messages about dates that do not exist, and about a start that does not match the
    rule.
    """

    meaning: RuleSummary
    sentence: str
    dates: list[DateAhead]
    notes: list[Why]


def dates_ahead(timing: Timing, country: str | None, now: Instant, *, may_skip: bool) -> DatesAhead:
    """The preview of a timing. Holidays of ``country`` are named; None means no holidays. Raises RuleRefused."""
    meaning = summary_of(timing, now, PREVIEWED)
    pattern = timing.pattern
    taking_place = [(one.original, one.starts) for one in meaning.dates]
    skipped = [(at, at) for at in _skipped(pattern, meaning, now)]
    days = [starts.date() for _, starts in (*taking_place, *skipped)]
    today = local_of(now, pattern.zone_or_utc).date()
    holidays = holiday_names(country, days, today, current().tag) if country else {}
    shown = [
        DateAhead(
            _words(starts, today, is_all_day=pattern.is_all_day),
            original.date().isoformat(),
            place,
            may_skip and original != pattern.start,
            holidays.get(starts.date(), ""),
        )
        for original, starts, place in sorted(
            [
                *((original, starts, place) for place, (original, starts) in enumerate(taking_place)),
                *((original, starts, None) for original, starts in skipped),
            ],
            key=lambda one: one[0],
        )
    ]
    notes: list[Why] = [*_of_skipped_hours(meaning), *_of_silent_months(meaning), *_of_start(meaning)]
    return DatesAhead(meaning, _rule_sentence(pattern, meaning), shown, notes)


def _skipped(pattern: Pattern, meaning: RuleSummary, now: Instant) -> list[datetime]:
    """The skipped dates within the range that is shown."""
    zone = pattern.zone_or_utc
    # There may be more skipped dates after the last date shown. They are not shown.
    last = meaning.dates[-1].original if len(meaning.dates) == PREVIEWED else None
    return [
        at
        for at in pattern.left_out
        if at not in meaning.idle and (last is None or at < last) and instant_of(at, zone) >= now
    ]


def _rule_sentence(pattern: Pattern, meaning: RuleSummary) -> str:
    """``Every second Thursday at 19:00, 10 dates, the last on 4 March 2027``. Skipped dates are not counted."""
    assert pattern.rule is not None  # noqa: S101  # forms have rules only
    endless = replace(pattern.rule, count=None, until=None)
    repeats = describe(replace(pattern, rule=endless, left_out=()))
    if endless == pattern.rule:
        return gettext("%(repeats)s, with no end", repeats=repeats)
    if meaning.last is None:
        return meaning.sentence
    zone = pattern.zone_or_utc
    first, end = instant_of(pattern.start, zone), Instant(meaning.last.at + 1)
    number = len(expansion.between(pattern, first, end, limit=_MAX_COUNTED + 1))
    last = date_in_words(meaning.last.original.date())
    if number > _MAX_COUNTED:
        return gettext("%(repeats)s, the last on %(day)s", repeats=repeats, day=last)
    return ngettext(
        "%(repeats)s, %(number)s date, on %(day)s",
        "%(repeats)s, %(number)s dates, the last on %(day)s",
        number,
        repeats=repeats,
        day=last,
    )


def _words(starts: datetime, today: date, *, is_all_day: bool) -> str:
    day = formatting.short_day(starts, today)
    return day if is_all_day else formatting.day_and_time(day, starts)


def _of_skipped_hours(meaning: RuleSummary) -> Iterator[str]:
    first = next((one for one in meaning.skipped_hours if one.instead_of is not None), None)
    if first is None or first.instead_of is None:
        return
    when = {
        "day": formatting.short_date(first.starts),
        "skipped": formatting.clock(first.instead_of),
        "begins": formatting.clock(first.starts),
    }
    if len(meaning.skipped_hours) > 1:
        yield gettext(
            "On %(day)s there’s no %(skipped)s, because the clocks go forward: it begins at %(begins)s. Later "
            "years are the same.",
            **when,
        )
    else:
        yield gettext(
            "On %(day)s there’s no %(skipped)s, because the clocks go forward: it begins at %(begins)s.", **when
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
            day=formatting.short_date(better),
        )


def holiday_names(country: str, days: Iterable[date], today: date, language: str) -> Mapping[date, str]:
    """The names of the given days that are public holidays, in the language if the package supports it.

    ``country``: two letters (ISO 3166-1). A country that the package does not support has no holidays.
    """
    holidays = importlib.import_module("holidays")
    wanted = {day for day in days if today.year - 1 <= day.year <= today.year + _YEARS_AHEAD}
    if not wanted or country not in holidays.list_supported_countries(include_aliases=False):
        return {}
    known = holidays.country_holidays(country).supported_languages
    wished, base = language.replace("-", "_"), base_of(language)
    # Without a language, the package uses the country's own.
    spoken = next((one for one in (wished, base, f"{base}_GB", f"{base}_US", "en_GB", "en_US") if one in known), None)
    years = sorted({day.year for day in wanted})
    names: Mapping[date, str] = holidays.country_holidays(country, years=years, language=spoken)
    return {day: names[day].replace("; ", ", ") for day in wanted if day in names}
