"""A time zone as calendar files carry it, so that a program without zone files shows the right hour.

Source: RFC 5545, section 3.6.5. Onsets are written in the clock before the change (``TZOFFSETFROM``), which libraries get wrong.
Where a zone's changes follow one rule in the years ahead it is written as a rule without end: series have none either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

from openmeet.recurrence.wall_time import LAST_YEAR, zone

# So many years in a row must follow a rule before it is believed to go on.
_BELIEVED_YEARS = 8
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class _Onset:
    """A change of the clocks: when, by the clock before it, and the offsets before and behind it."""

    at: datetime
    before: timedelta
    behind: timedelta
    name: str
    is_daylight: bool


def vtimezone(zone_name: str, first_year: int, last_year: int) -> list[str]:
    """Unfolded lines of a VTIMEZONE that is right from ``first_year`` on; beyond ``last_year`` where a rule goes on."""
    return list(_lines(zone_name, first_year, min(max(last_year, first_year) + _BELIEVED_YEARS, LAST_YEAR)))


@cache
def _lines(zone_name: str, first_year: int, last_year: int) -> tuple[str, ...]:
    start = datetime(first_year, 1, 1, tzinfo=UTC)
    onsets = list(_onsets(zone_name, start, datetime(last_year + 1, 1, 1, tzinfo=UTC)))
    local = start.astimezone(zone(zone_name))
    offset = local.utcoffset() or timedelta(0)
    first = _Onset(
        local.replace(tzinfo=None), offset, offset, local.tzname() or zone_name, is_daylight=bool(local.dst())
    )
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone_name}", *_observance(first, [])]
    groups: dict[tuple[timedelta, timedelta, bool], list[_Onset]] = {}
    for onset in onsets:
        groups.setdefault((onset.before, onset.behind, onset.is_daylight), []).append(onset)
    for group in groups.values():
        lines += _group(group, last_year)
    return (*lines, "END:VTIMEZONE")


def _group(group: Sequence[_Onset], last_year: int) -> Iterator[str]:
    """Onsets of one kind: a rule for those that follow one up to the end, single dates for the others."""
    tail = list(group)
    rule = None
    while len(tail) >= _BELIEVED_YEARS and tail[-1].at.year == last_year:
        rule = _rule(tail)
        if rule is not None:
            break
        tail = tail[1:]
    if rule is None:
        yield from _observance(group[0], group[1:])
        return
    single = group[: len(group) - len(tail)]
    if single:
        yield from _observance(single[0], single[1:])
    yield from _observance(tail[0], [], rule)


def _rule(onsets: Sequence[_Onset]) -> str | None:
    """The yearly rule that all of them follow, one a year without a gap."""
    first = onsets[0].at
    is_yearly = [onset.at.year for onset in onsets] == list(range(first.year, first.year + len(onsets)))
    same = {(onset.at.month, onset.at.weekday(), onset.at.time()) for onset in onsets}
    if not is_yearly or len(same) != 1:
        return None
    day = _DAYS[first.weekday()]
    if all((onset.at + timedelta(days=7)).month != onset.at.month for onset in onsets):
        return f"FREQ=YEARLY;BYMONTH={first.month};BYDAY=-1{day}"
    weeks = {(onset.at.day - 1) // 7 + 1 for onset in onsets}
    if len(weeks) == 1:
        return f"FREQ=YEARLY;BYMONTH={first.month};BYDAY={weeks.pop()}{day}"
    return None


def _observance(onset: _Onset, others: Sequence[_Onset], rule: str | None = None) -> list[str]:
    kind = "DAYLIGHT" if onset.is_daylight else "STANDARD"
    lines = [f"BEGIN:{kind}", f"DTSTART:{onset.at:%Y%m%dT%H%M%S}"]
    if rule is not None:
        lines.append(f"RRULE:{rule}")
    if others:
        lines.append("RDATE:" + ",".join(f"{other.at:%Y%m%dT%H%M%S}" for other in others))
    lines += [f"TZOFFSETFROM:{_offset(onset.before)}", f"TZOFFSETTO:{_offset(onset.behind)}"]
    return [*lines, f"TZNAME:{onset.name}", f"END:{kind}"]


def _onsets(zone_name: str, start: datetime, end: datetime) -> Iterator[_Onset]:
    """Changes of the clocks between two moments, found by halving: zone files are not asked for theirs."""
    step = timedelta(days=1)
    here = zone(zone_name)
    at = start
    while at < end:
        behind = min(at + 7 * step, end)
        if _state(at, here) != _state(behind, here):
            low, high = at, behind
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if _state(middle, here) == _state(low, here) else (low, middle)
            before, local = low.astimezone(here), high.astimezone(here)
            offset = before.utcoffset() or timedelta(0)
            yield _Onset(
                (high + offset).replace(tzinfo=None),
                offset,
                local.utcoffset() or timedelta(0),
                local.tzname() or zone_name,
                is_daylight=bool(local.dst()),
            )
            at = high
        else:
            at = behind


def _state(at: datetime, here: tzinfo) -> tuple[timedelta | None, timedelta | None]:
    local = at.astimezone(here)
    return local.utcoffset(), local.dst()


def _offset(offset: timedelta) -> str:
    seconds = round(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours:02}{minutes:02}" + (f"{seconds:02}" if seconds else "")
