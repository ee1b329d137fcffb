"""Time zones of calendar files: the zone that a TZID means, and VTIMEZONE for programs without zone data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from openmeet.domain.icalendar.components import Component
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence.wall_time import LAST_YEAR, is_zone, zone, zone_names

# Number of consecutive years that must follow a rule before the rule is assumed to continue.
_BELIEVED_YEARS = 8
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class _Onset:
    """A clock change: its time by the clock before the change, and the offsets before and after it."""

    at: datetime
    before: timedelta
    behind: timedelta
    name: str
    is_daylight: bool


def vtimezone(zone_name: str, first_year: int, last_year: int) -> list[str]:
    """Unfolded lines of a VTIMEZONE that is valid from ``first_year`` to ``last_year``, and longer if a rule continues."""
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
    """Lines for the clock changes of one kind: one rule for the last changes if they follow a rule, and single dates
    for the others.
    """
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
    """The yearly rule that all of these clock changes follow; None unless there is exactly one each year."""
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
    """Clock changes between two instants, found by bisection, because this module does not read zone files."""
    step = timedelta(days=1)
    time_zone = zone(zone_name)
    at = start
    while at < end:
        step_end = min(at + 7 * step, end)
        if _state(at, time_zone) != _state(step_end, time_zone):
            low, high = at, step_end
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if _state(middle, time_zone) == _state(low, time_zone) else (low, middle)
            before, local = low.astimezone(time_zone), high.astimezone(time_zone)
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
            at = step_end


def _state(at: datetime, time_zone: tzinfo) -> tuple[timedelta | None, timedelta | None]:
    local = at.astimezone(time_zone)
    return local.utcoffset(), local.dst()


def _offset(offset: timedelta) -> str:
    seconds = round(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours:02}{minutes:02}" + (f"{seconds:02}" if seconds else "")


_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})(?:[0-9]{2})?")


def zones_of(calendar: Component, warnings: list[str]) -> tuple[dict[str, str], set[str]]:
    """Map each TZID of a calendar's VTIMEZONEs to a zone; also return the TZIDs whose zone is a guess.

    An unknown zone gets the offset of its standard time.
    """
    zones: dict[str, str] = {}
    guessed: set[str] = set()
    for component in calendar.inside:
        if component.name != "VTIMEZONE":
            continue
        tzid = bare_zone(component.text_value("TZID") or "")
        zone_name = known_zone(tzid) or known_zone(component.text_value("X-LIC-LOCATION") or "")
        if zone_name is None:
            offsets = _offsets(component)
            if not offsets:
                warnings.append(gettext("The time zone “%(zone)s” doesn’t give an offset.", zone=tzid[:60]))
                guessed.add(tzid)
                continue
            zone_name = offsets[0]
            if len(set(offsets)) > 1:
                guessed.add(tzid)
                warnings.append(
                    gettext(
                        "The time zone “%(zone)s” is unknown and has summer time. We read its times with the offset "
                        "%(offset)s.",
                        zone=tzid[:60],
                        offset=zone_name,
                    )
                )
        zones[tzid] = zone_name
    return zones, guessed


def known_zone(name: str) -> str | None:
    """The IANA zone that a TZID means: the TZID may be the IANA name, a Windows name, or have a prefix such as
    ``/mozilla.org/…/``.
    """
    bare = bare_zone(name)
    if bare in zone_names():
        return bare
    if bare in WINDOWS_TO_OLSON:
        return WINDOWS_TO_OLSON[bare]
    parts = bare.strip("/").split("/")
    for length in (3, 2):
        tail = "/".join(parts[-length:])
        if len(parts) > length and tail in zone_names():
            return tail
    return None


def zone_for(tzid: str, zones: Mapping[str, str]) -> str | None:
    """The zone for a property's TZID: the file's own definition or, without one, a known name."""
    bare = bare_zone(tzid)
    return zones.get(bare) or known_zone(bare)


def _offsets(component: Component) -> Sequence[str]:
    """Offsets of a VTIMEZONE, standard time first, as fixed zones such as ``+08:00``."""
    offsets: dict[str, list[str]] = {"STANDARD": [], "DAYLIGHT": []}
    for part in component.inside:
        match = _OFFSET.fullmatch((part.value("TZOFFSETTO") or "").strip())
        if match and part.name in offsets:
            name = f"{match[1]}{match[2]}:{match[3]}"
            if is_zone(name):
                offsets[part.name].append(name)
    return [*offsets["STANDARD"][-1:], *offsets["DAYLIGHT"][-1:]]


def bare_zone(text: str) -> str:
    """A TZID without the quotes and spaces that some programs put around it."""
    return text.strip().strip('"').strip()
