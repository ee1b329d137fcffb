"""Wall-clock time in a time zone, and the instant that it means.

People say "18:00 in Berlin" and mean the wall-clock time; the instant is derived from it. A time inside a DST gap is
read with the offset before the gap (02:30 becomes 03:30; RFC 5545, section 3.3.5); an ambiguous time is the first of
the two. Both are ``fold=0`` (PEP 495). A zone is an IANA name, or a fixed offset such as ``+02:00``, which some records
have.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from groundwork.clock import Instant, from_datetime, to_datetime
from groundwork.errors import InvalidInput
from openmeet.recurrence.errors import RecurrenceReason

# ISO 8601 and Python allow offsets of less than a day.
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")

# Names in the zone files that are not places: their meaning differs between machines, or they have none.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})

# Years outside this range are typing errors, both here and in the records of other apps.
FIRST_YEAR = 1900
LAST_YEAR = 2200


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name known here. Cached, because the standard library scans the zone files on each call, which takes
    10 ms.
    """
    return frozenset(available_timezones() - _NO_PLACES)


def is_zone(name: str) -> bool:
    """Whether the zone is known."""
    return name in zone_names() or _OFFSET.fullmatch(name) is not None


# Bounded, because the names come from untrusted input.
@lru_cache(maxsize=4_096)
def zone(name: str) -> tzinfo:
    """The zone of a name that ``is_zone`` accepts; UTC for any other name.

    Zone files differ between machines. An event that was stored with a zone that this machine lacks must not break the
    pages that list it.
    """
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset, name)
    return ZoneInfo(name) if name in zone_names() else UTC


def parse_local(text: str, field: str) -> datetime:
    """Parse a wall-clock time ``YYYY-MM-DDTHH:MM[:SS]``. Raises InvalidInput for ``field``."""
    if not _LOCAL.fullmatch(text):
        raise InvalidInput(field, RecurrenceReason.MALFORMED_LOCAL)
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(field, RecurrenceReason.NO_SUCH_TIME) from None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise InvalidInput(field, RecurrenceReason.YEAR_OUT_OF_RANGE, first=str(FIRST_YEAR), last=str(LAST_YEAR))
    return local


def instant_of(local: datetime, zone_name: str) -> Instant:
    """The instant of a naive wall-clock time in a zone."""
    return from_datetime(local.replace(tzinfo=zone(zone_name), fold=0))


def midnight(day: date, zone_name: str) -> Instant:
    """The instant at which a day begins in a zone. If a clock change skips midnight, the first moment that exists."""
    return instant_of(datetime.combine(day, time()), zone_name)


def instead_of(local: datetime, zone_name: str) -> datetime | None:
    """If a time is inside a DST gap, the time that clocks show instead; None for a time that exists."""
    read = local_of(instant_of(local, zone_name), zone_name).replace(tzinfo=None)
    return None if read == local else read


def local_of(instant: Instant, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, as an aware datetime."""
    return to_datetime(instant).astimezone(zone(zone_name))
