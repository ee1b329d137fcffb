"""Wall-clock time in a zone, and the instant that it means.

People say "18:00 in Berlin" and mean that; the instant follows. A time inside a DST gap is read with the offset before
the gap (02:30 becomes 03:30; RFC 5545, section 3.3.5); an ambiguous time is the first of the two. Both are ``fold=0``
(PEP 495). A zone is an IANA name, or a fixed offset ``+02:00`` as some records have.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from groundwork.clock import Instant, from_datetime, to_datetime
from groundwork.errors import InvalidInput
from openmeet.recurrence.reasons import RecurrenceReason

# The widest offset that ISO 8601 and Python allow is below a day.
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")

# Names in the zone files that are no place: their meaning differs from machine to machine, or there is none.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})

# Years outside this range are typing errors, here as in the records of other apps.
FIRST_YEAR = 1900
LAST_YEAR = 2200


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name known here. Cached, because the standard library scans the zone files each time: 10 ms."""
    return frozenset(available_timezones() - _NO_PLACES)


def is_zone(name: str) -> bool:
    """Whether the zone is known."""
    return name in zone_names() or _OFFSET.fullmatch(name) is not None


# Bounded, because strangers choose the names.
@lru_cache(maxsize=4_096)
def zone(name: str) -> tzinfo:
    """The zone of a name that ``is_zone`` accepts; UTC for any other.

    Zone files differ between machines: an event stored with a zone of another machine must not break pages that list
    it.
    """
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset, name)
    return ZoneInfo(name) if name in zone_names() else UTC


def parse_local(text: str, field: str) -> datetime:
    """A wall-clock time ``YYYY-MM-DDTHH:MM[:SS]``; InvalidInput names ``field``."""
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


def instead_of(local: datetime, zone_name: str) -> datetime | None:
    """The time that clocks show instead of one inside a DST gap; None for a time that exists."""
    read = local_of(instant_of(local, zone_name), zone_name).replace(tzinfo=None)
    return None if read == local else read


def local_of(instant: Instant, zone_name: str) -> datetime:
    """The wall-clock time of an instant in a zone, as an aware datetime."""
    return to_datetime(instant).astimezone(zone(zone_name))
