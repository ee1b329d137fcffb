"""Show how the importer reads a calendar file (``openmeet calendar inspect``)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from groundwork.clock import SystemClock
from groundwork.errors import InvalidInput, TooLarge
from openmeet.domain.icalendar.instances import masters
from openmeet.domain.icalendar.model import ReadCalendar, ReadEvent
from openmeet.domain.icalendar.read import read_calendars
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence.describe import describe
from openmeet.recurrence.expansion import Occurrence, following
from openmeet.recurrence.wall_time import local_of
from programs.command_line import print_json, say

NEXT_DATES = 3


def inspect(file: Path, *, as_json: bool) -> None:
    """Show each event as the importer reads it, its next dates, and warnings. Exits with 1 if it is not a calendar."""
    try:
        calendars = read_calendars(file.read_bytes())
    except (InvalidInput, TooLarge) as refused:
        if as_json:
            print_json({"file": str(file), "refused": explain(refused.why)})
        else:
            say(f"{file}: {explain(refused.why)}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        print_json({"file": str(file), "calendars": [_calendar(calendar) for calendar in calendars]})
        return
    for calendar in calendars:
        for line in lines_of(calendar):
            say(line)


def lines_of(calendar: ReadCalendar) -> Iterator[str]:
    """The lines that describe a calendar in the terminal."""
    about = [calendar.zone_name or "no time zone of its own", f"{len(calendar.events)} events"]
    if calendar.method:
        about.append(calendar.method)
    yield f"{calendar.name or 'A calendar without a name'} ({', '.join(about)})"
    yield from (f"  WARNING {warning}" for warning in (*calendar.left_out, *calendar.warnings))
    for event in calendar.events:
        yield f"{event.number:5}  {event.summary or '(no title)'}{_state_label(event)}"
        yield f"       {_time_label(event)}"
        if event.location:
            yield f"       {' '.join(event.location.split())}"
        if event.overrides is None and (event.pattern.rule or event.pattern.added):
            yield f"       next {', '.join(_short(event, one) for one in _next_occurrences(event)) or 'none, it is over'}"
        yield from (f"       WARNING {warning}" for warning in event.warnings)
    for stray in _strays(calendar):
        yield f"       {stray.summary or '(no title)'}: {stray.warnings[0]}"
        yield f"       {_time_label(stray)}"
    for number, name in calendar.others:
        yield f"{number:5}  {name} is not an event and was skipped"


def _strays(calendar: ReadCalendar) -> list[ReadEvent]:
    """Series that the file contains only as single dates, in the form in which they are imported."""
    whole = {event.uid for event in calendar.events if event.overrides is None}
    return [one for one in masters(calendar.events) if one.uid not in whole and one.overrides is None]


def _state_label(event: ReadEvent) -> str:
    words = []
    if event.is_cancelled:
        words.append("cancelled")
    if event.is_tentative:
        words.append("not certain")
    if not event.has_own_uid:
        words.append("without UID")
    return f" ({', '.join(words)})" if words else ""


def _time_label(event: ReadEvent) -> str:
    zone = event.pattern.zone_name or "UTC"
    words = describe(event.pattern)
    if event.overrides is not None:
        to = " and all later dates" if event.overrides.and_following else ""
        words = f"{words}, instead of {event.overrides.original:%Y-%m-%d %H:%M}{to}"
    length = "" if event.length is None else f", {_length_label(event)}"
    guessed = ""
    if event.unknown_zone:
        guessed = f", because the file's zone {event.unknown_zone} is unknown"
    elif event.is_floating:
        guessed = ", because no zone is given"
    return f"{words} ({zone}{guessed}){length}"


def _length_label(event: ReadEvent) -> str:
    assert event.length is not None  # noqa: S101  # asked where there is one
    if event.pattern.is_all_day:
        return f"{event.length.days} day{'' if event.length.days == 1 else 's'}"
    minutes = round(event.length.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def _next_occurrences(event: ReadEvent) -> list[Occurrence]:
    return following(event.pattern, SystemClock().now(), NEXT_DATES)


def _short(event: ReadEvent, occurrence: Occurrence) -> str:
    local = local_of(occurrence.at, event.pattern.zone_name or "UTC")
    return local.date().isoformat() if event.pattern.is_all_day else f"{local:%Y-%m-%d %H:%M}"


def _calendar(calendar: ReadCalendar) -> dict[str, Any]:
    return {
        "name": calendar.name,
        "timeZone": calendar.zone_name,
        "description": calendar.description,
        "color": calendar.color,
        "method": calendar.method,
        "zones": calendar.zones,
        "events": [_event(event) for event in calendar.events],
        # Series that the file contains only as single dates, in the form in which they are imported.
        "gathered": [_event(event) for event in _strays(calendar)],
        "leftOut": [{"component": number, "kind": kind} for number, kind in calendar.others],
        "warnings": [*calendar.left_out, *calendar.warnings],
    }


def _event(event: ReadEvent) -> dict[str, Any]:
    event_pattern = event.pattern
    return {
        "component": event.number,
        "uid": event.uid,
        "hasOwnUid": event.has_own_uid,
        "starts": event_pattern.start.date().isoformat()
        if event_pattern.is_all_day
        else event_pattern.start.isoformat(),
        "minutes": None if event.length is None else round(event.length.total_seconds() / 60),
        "timeZone": event_pattern.zone_name,
        "isFloating": event.is_floating,
        "isAllDay": event_pattern.is_all_day,
        "rule": None if event_pattern.rule is None else str(event_pattern.rule),
        "sentence": describe(event_pattern),
        "leftOut": [at.isoformat() for at in event_pattern.left_out],
        "added": [at.isoformat() for at in event_pattern.added],
        "overrides": None
        if event.overrides is None
        else {"original": event.overrides.original.isoformat(), "andFollowing": event.overrides.and_following},
        "summary": event.summary,
        "description": event.description,
        "location": event.location,
        "place": event.venue,
        "mode": event.mode,
        "coordinates": event.coordinates,
        "url": event.url,
        "isCancelled": event.is_cancelled,
        "isTentative": event.is_tentative,
        "comment": event.comment,
        "sequence": event.sequence,
        "categories": event.categories,
        "next": [_short(event, at) for at in _next_occurrences(event)] if event.overrides is None else [],
        "warnings": event.warnings,
    }
