"""When and where an event takes place, as text: with time of day and time zone, or as days for all-day events. Pure."""

from dataclasses import replace
from datetime import date, datetime

from groundwork.clock import Instant
from openmeet.domain.events import all_day
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.values import Mode, Venue
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.countries import known_code
from openmeet.recurrence import wall_time

TO_BE_ANNOUNCED = lazy("Date to be announced")
ON_THE_MAP = lazy("A point on the map")
ANNOUNCED_LATER = lazy("Place to be announced")
NEVER_ANNOUNCED = lazy("No place given")


def zone_shown(event: Event | Details) -> str:
    """The time zone in which the times of an event are shown: its own. For online events whose zone nobody named, it is
    that of the reader, if it is known.
    """
    is_zoneless = isinstance(event, Event) and not event.has_zone and not event.is_all_day
    return (is_zoneless and event.content.mode is Mode.ONLINE and formatting.reader_zone()) or event.time_zone


def local_time(event: Event | Details, at: Instant) -> datetime:
    """The wall-clock time of an instant in the time zone in which the times of the event are shown."""
    return wall_time.local_of(at, zone_shown(event))


def days_of(event: Event | Details) -> tuple[date, date] | None:
    """First and last day of an all-day event; None for all others."""
    if not event.is_all_day or event.starts_at is None:
        return None
    first = all_day.first_day(event.starts_at, zone_shown(event))
    return first, first if event.ends_at is None else all_day.last_day(event.ends_at, zone_shown(event))


def span_label(event: Event | Details, now: Instant | None = None) -> str:
    """``Saturday 4 July 2026, 18:00–20:00``; ``Saturday 4 July 2026 – Sunday 5 July 2026``. Without the time zone. With
    ``now``, the year is left out if it is obvious.
    """
    if event.starts_at is None:
        return str(TO_BE_ANNOUNCED)
    today = today_of(event, now)
    days = days_of(event)
    if days is not None:
        return formatting.days(*days, today)
    starts = local_time(event, event.starts_at)
    ends = None if event.ends_at is None else local_time(event, event.ends_at)
    return formatting.span(starts, ends, today)


def start_label(event: Event | Details, now: Instant | None = None) -> str:
    """The start with its time zone: ``Saturday 4 July 2026, 18:00 Berlin time``. For all-day events, only the days. With
    ``now``, the year is left out if it is obvious.
    """
    if event.starts_at is None:
        return str(TO_BE_ANNOUNCED)
    today = today_of(event, now)
    days = days_of(event)
    if days is not None:
        return formatting.days(*days, today)
    starts = local_time(event, event.starts_at)
    return f"{formatting.span(starts, None, today)} {formatting.zone_label(starts, zone_shown(event))}"


def short_start_label(event: Event | Details, now: Instant | None = None) -> str:
    """``Tue 24 Nov, 19:00``; for all-day events only the day. With ``now``, the year is added where it is unclear."""
    if event.starts_at is None:
        return str(TO_BE_ANNOUNCED)
    starts = local_time(event, event.starts_at)
    day = formatting.short_day(starts, today_of(event, now))
    return day if event.is_all_day else formatting.day_and_time(day, starts)


def zone_label(event: Event | Details) -> str:
    """The time zone to show after a time of day; empty for all-day events."""
    if event.starts_at is None or event.is_all_day:
        return ""
    return formatting.zone_label(local_time(event, event.starts_at), zone_shown(event))


def time_for_reader(event: Event | Details, zone: str | None) -> str:
    """The start on the clock of a reader in this time zone: ``13:00``, or ``Sun 00:00`` on another day. Empty if their
    clock shows the same, for all-day events, and without a zone.
    """
    if event.starts_at is None or event.is_all_day or not zone:
        return ""
    there, here = (wall_time.local_of(event.starts_at, one) for one in (zone_shown(event), zone))
    if there.replace(tzinfo=None) == here.replace(tzinfo=None):
        return ""
    clock = formatting.time_of_day(here)
    return clock if there.date() == here.date() else f"{formatting.weekday_in_short(here)} {clock}"


def clock_label(event: Event | Details) -> str:
    """For use under a day's heading: ``18:00–20:00``, ``18:00 – Sun 5 July``, ``All day``, ``Until Sun 5 July``."""
    if event.starts_at is None:
        return gettext("To be announced")
    days = days_of(event)
    if days is not None:
        return gettext("All day") if days[0] == days[1] else gettext("Until %(day)s", day=formatting.short_day(days[1]))
    starts = local_time(event, event.starts_at)
    if event.ends_at is None:
        return formatting.time_of_day(starts)
    ends = local_time(event, event.ends_at)
    if ends.date() == starts.date():
        return formatting.hours(starts, ends)
    return f"{formatting.time_of_day(starts)} – {formatting.short_day(ends)}"


def today_of(event: Event | Details, now: Instant | None) -> date | None:
    """Today's date where the event takes place."""
    return None if now is None else local_time(event, now).date()


def join_from_label(event: Event, private: PrivateDetails) -> str:
    """When the join link will be shown, for people who still have to wait; empty for everyone else."""
    if private.join_from is None:
        return ""
    local = local_time(event, private.join_from)
    return f"{formatting.span(local, None)} {formatting.zone_label(local, zone_shown(event))}"


def removal_day(event: Event, now: Instant) -> str:
    """The day on which the event will be removed, such as ``Thursday 3 December``. Empty if it stays."""
    if event.removes_at is None:
        return ""
    at = Instant(max(event.removes_at, now))
    return formatting.day(local_time(event, at), local_time(event, now).date())


def removal_notice(event: Event, now: Instant) -> str:
    """That the page of the event will be removed, and when, for hosts and everybody who answered. Empty if it stays."""
    day = removal_day(event, now)
    return gettext("This event’s page and chat will be removed on %(day)s.", day=day) if day else ""


def place_label(event: Event, *, is_over: bool = False) -> str:
    """The place in one line. ``is_over``: nobody will announce it any more."""
    return venue_label(event.content.mode, event.place, is_over=is_over)


def venue_label(mode: Mode, place: Venue, *, is_over: bool = False) -> str:
    """The same for this venue."""
    spot = ", ".join(part for part in (place.name, place.locality) if part)
    if not spot and place.lines and not place.is_country_alone:
        spot = place.lines[0]
    elif not spot and place.latitude:
        spot = str(ON_THE_MAP)
    match mode:
        case Mode.ONLINE:
            return gettext("Online")
        case Mode.HYBRID:
            return gettext("%(place)s and online", place=spot) if spot else gettext("In person and online")
        case Mode.IN_PERSON:
            return spot or str(NEVER_ANNOUNCED if is_over else ANNOUNCED_LATER)


def place_lines(mode: Mode, place: Venue, *, hides_place: bool, zone: str = "", is_over: bool = False) -> list[str]:
    """The lines of the place, as far as ``place`` has it. ``hides_place``: other people can see more. ``zone`` is the
    time zone of the reader: the country is left out if it is theirs. ``is_over``: see ``place_label``.
    """
    if mode is Mode.ONLINE:
        return [gettext("Online")]
    lines = list(lines_without_own_country(place, zone))
    if not lines:
        label = ON_THE_MAP if place.latitude else NEVER_ANNOUNCED if is_over else ANNOUNCED_LATER
        lines = list(place.lines) if hides_place else []
        lines.insert(0, gettext("The place is shown to people who are going") if hides_place else str(label))
    return [*lines, gettext("and online")] if mode is Mode.HYBRID else lines


def lines_without_own_country(place: Venue, zone: str) -> tuple[str, ...]:
    """The lines of the place for a reader in this time zone: the country is left out if it is theirs. Without a place,
    the country alone is of no use.
    """
    if place.is_country_alone:
        return ()
    is_at_home = bool(zone and place.country) and known_code(place.country) == formatting.country_of_zone(zone)
    return replace(place, country="").lines if is_at_home else place.lines


def line_without_own_country(place: str, zone: str) -> str:
    """A place that is stored as one line, for a reader in this time zone. ``place`` may be in any language."""
    others, _, country = place.rpartition(", ")
    is_at_home = bool(zone and others) and known_code(country) == formatting.country_of_zone(zone)
    return others if is_at_home else place
