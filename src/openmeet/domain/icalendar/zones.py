"""Which time zone a calendar file means by a TZID: an IANA name, a Windows name, or nothing but its own offsets.

Source: RFC 5545, section 3.2.19 and 3.6.5; the mapping of Windows names is Unicode CLDR's, as ``icalendar`` brings it.
"""

import re
from collections.abc import Mapping, Sequence

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from openmeet.domain.icalendar.components import Component
from openmeet.recurrence.wall_time import is_zone, zone_names

_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})(?:[0-9]{2})?")


def zones_of(calendar: Component, warnings: list[str]) -> tuple[dict[str, str], set[str]]:
    """TZID -> zone, for every VTIMEZONE of a calendar, and those that are only guessed.

    One that is no known place gets the offset of its standard time.
    """
    found: dict[str, str] = {}
    guessed: set[str] = set()
    for component in calendar.inside:
        if component.name != "VTIMEZONE":
            continue
        tzid = bare_zone(component.text_value("TZID") or "")
        known = known_zone(tzid) or known_zone(component.text_value("X-LIC-LOCATION") or "")
        if known is None:
            offsets = _offsets(component)
            if not offsets:
                warnings.append(f"The time zone {tzid[:60]!r} says no offset.")
                guessed.add(tzid)
                continue
            known = offsets[0]
            if len(set(offsets)) > 1:
                guessed.add(tzid)
                warnings.append(
                    f"The time zone {tzid[:60]!r} is no known place and changes its clocks; its times are read with {known}."
                )
        found[tzid] = known
    return found, guessed


def known_zone(name: str) -> str | None:
    """The IANA name behind a TZID as programs write it: itself, Windows' own, or with a prefix such as ``/mozilla.org/…/``."""
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
    """The zone for a TZID of a property: the file's own definition first, else a known name."""
    bare = bare_zone(tzid)
    return zones.get(bare) or known_zone(bare)


def _offsets(component: Component) -> Sequence[str]:
    """Offsets of a VTIMEZONE, standard time first, as fixed zones ``+08:00``."""
    found: dict[str, list[str]] = {"STANDARD": [], "DAYLIGHT": []}
    for part in component.inside:
        match = _OFFSET.fullmatch((part.value("TZOFFSETTO") or "").strip())
        if match and part.name in found:
            name = f"{match[1]}{match[2]}:{match[3]}"
            if is_zone(name):
                found[part.name].append(name)
    return [*found["STANDARD"][-1:], *found["DAYLIGHT"][-1:]]


def bare_zone(text: str) -> str:
    """A TZID without the quotes and spaces that some programs write around it."""
    return text.strip().strip('"').strip()
