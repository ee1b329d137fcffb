"""Recurrence pattern: start, rule, exclusions and additions, all of them wall-clock times in one time zone.

``expansion`` computes the occurrences. A pattern is a value: equal patterns share their cached results.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from groundwork.clock import Instant
from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.rule import Rule
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, instant_of, is_zone, zone

MAX_DATES = 1_000

_BASIC = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")
_EXTENDED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?)?")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A recurrence pattern. ``start`` is a naive wall-clock time in ``zone_name`` (None: floating, the same everywhere;
    read as UTC).

    ``left_out`` and ``added`` are also naive, sorted and without duplicates. The start is always a date, whether the
    rule selects it or not. Without a rule, the dates are the start and the added ones.
    """

    start: datetime
    zone_name: str | None
    rule: Rule | None = None
    left_out: tuple[datetime, ...] = ()
    added: tuple[datetime, ...] = ()
    is_all_day: bool = False

    @property
    def zone_or_utc(self) -> str:
        """The zone in which dates are computed."""
        return self.zone_name or "UTC"

    def instant_of(self, local: datetime) -> Instant:
        """The instant of a naive wall-clock time in the zone of the pattern."""
        return instant_of(local, self.zone_or_utc)


def pattern(
    start: datetime,
    zone_name: str | None,
    rule: Rule | None = None,
    *,
    left_out: Iterable[datetime] = (),
    added: Iterable[datetime] = (),
    is_all_day: bool = False,
) -> Pattern:
    """Return a checked pattern. Raises RuleRefused (unknown zone, a rule with times for whole days, too many dates)."""
    if zone_name is not None and not is_zone(zone_name):
        raise RuleRefused(RuleErrorCode.UNKNOWN_ZONE, "zone", RecurrenceReason.UNKNOWN_ZONE, zone=zone_name[:60])
    if is_all_day:
        if rule is not None and (rule.by_hour or rule.by_minute or rule.by_second):
            raise RuleRefused(RuleErrorCode.TIME_OF_ALL_DAY, "BYHOUR", RecurrenceReason.HOURS_OF_ALL_DAY)
        start, left_out, added = _day(start), map(_day, left_out), map(_day, added)
    dates = tuple(sorted(set(left_out))), tuple(sorted(set(added)))
    if any(len(some) > MAX_DATES for some in dates):
        raise RuleRefused(RuleErrorCode.TOO_MANY_DATES, "", RecurrenceReason.TOO_MANY_EXTRA_DATES, most=MAX_DATES)
    return Pattern(start.replace(microsecond=0, tzinfo=None, fold=0), zone_name, rule, *dates, is_all_day=is_all_day)


def _day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0)


def parse_date(text: str, zone_name: str | None) -> datetime:
    """Parse one value of EXDATE, RDATE or DTSTART, in basic or extended form, into a naive wall-clock time. A value
    that ends in Z is an instant.

    Raises RuleRefused.
    """
    form = _BASIC if _BASIC.fullmatch(text) else _EXTENDED
    try:
        if form.fullmatch(text) is None:
            raise ValueError(text)  # noqa: TRY301  # one sentence for both
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RuleRefused(RuleErrorCode.BAD_DATE, "date", RecurrenceReason.MALFORMED_DATE, text=text[:40]) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise RuleRefused(
            RuleErrorCode.BAD_DATE,
            "date",
            RecurrenceReason.YEAR_OUT_OF_RANGE,
            first=str(FIRST_YEAR),
            last=str(LAST_YEAR),
        )
    if moment.tzinfo is not None:
        # If an hour occurs twice, only the first one is a date here (``wall_time``).
        return moment.astimezone(zone(zone_name) if zone_name else UTC).replace(tzinfo=None, fold=0)
    return moment


def parse_dates(text: str, zone_name: str | None) -> list[datetime]:
    """Parse stored values: one property value of RFC 5545, separated by commas. An empty text has no values."""
    return [parse_date(piece.strip(), zone_name) for piece in text.split(",") if piece.strip()]


def format_dates(dates: Sequence[datetime], *, is_all_day: bool = False) -> str:
    """The inverse of ``parse_dates``: ``20261224T180000,20261231T180000`` in the series' time zone, or dates without a
    time.
    """
    return ",".join(at.strftime("%Y%m%d" if is_all_day else "%Y%m%dT%H%M%S") for at in dates)
