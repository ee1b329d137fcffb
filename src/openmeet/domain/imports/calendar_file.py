"""Parse a calendar file into events: one per UID, with its recurrence rule and overrides. Pure, bounded work."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from groundwork.clock import Instant
from groundwork.errors import Refused
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import MAX_REASON
from openmeet.domain.events.place_text import coordinate_of, point_text, read_place
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.values import MAX_DESCRIPTION, MAX_PLACE_PART, MAX_TITLE, Mode
from openmeet.domain.events.vocabulary import joined
from openmeet.domain.icalendar.call_links import NO_PLACE
from openmeet.domain.icalendar.instances import masters, newest_of, original_in_series
from openmeet.domain.icalendar.model import ReadEvent
from openmeet.domain.icalendar.properties import topics_in
from openmeet.domain.icalendar.read import read_calendars
from openmeet.domain.imports.event_times import with_end
from openmeet.domain.imports.model import MAX_EVENTS, ImportedEvent, OccurrenceOverride, ParsedImport, start_label
from openmeet.domain.series.model import Timing
from openmeet.domain.series.plan import moved
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.formatting import day, number
from openmeet.i18n.markdown import one_line
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, format_dates
from openmeet.recurrence.split import split
from openmeet.recurrence.wall_time import instant_of, local_of

# Limits: overridden dates per series, "this and following" changes per series, warnings per file.
MAX_CHANGES = 1_000
MAX_RANGES = 50
MAX_WARNINGS = 100
# Events that are named although they were left out.
MAX_LEFT_OUT = 10


# What remains of brackets around a removed URL.
_EMPTY_BRACKETS = re.compile(r"\(\s*\)")
# ``Town library (Main Street 1, Berlin, Germany)``, as Meetup writes it.
_NAME_AND_ADDRESS = re.compile(r"([^()]+) \(([^(),]+,[^()]+)\)")
# Maximum number and length of removed lines to show in a warning.
_SHOWN_LINES = 8
_SHOWN_LINE = 100


def parse_calendar(
    data: bytes,
    zone: str,
    *,
    is_chosen: bool = False,
    call_hosts: Sequence[str] = (),
    arrived_at: Instant | None = None,
) -> ParsedImport:
    """Return the events of a file. ``zone`` applies to times without a zone. Raises InvalidInput and TooLarge.

    ``is_chosen``: the user chose ``zone`` after the preview. It then also replaces unknown zones, even if the file
    gives an offset for them. ``call_hosts``: see ``own_hosts`` of ``call_links.call_of``. If there are too many events,
    those before ``arrived_at`` are left out first. None: all count as future ones.
    """
    calendars = read_calendars(data, call_hosts)
    events = [
        _in_zone(event, zone)
        if is_chosen and (event.unknown_zone or event.is_floating)
        else _in_local_time(event, calendar.zone_name or zone)
        for calendar in calendars
        for event in calendar.events
    ]
    by_uid: dict[str, list[ReadEvent]] = {}
    for event in events:
        by_uid.setdefault(event.uid, []).append(event)
    main_events = masters(events)
    warnings = [
        *_left_out([sentence for calendar in calendars for sentence in calendar.left_out]),
        *(warning for calendar in calendars for warning in calendar.warnings),
    ]
    if others := sum(len(calendar.others) for calendar in calendars):
        warnings.append(
            ngettext(
                "%(number)s entry isn’t an event, such as a task or a note, and was left out.",
                "%(number)s entries aren’t events, such as tasks or notes, and were left out.",
                others,
            )
        )
    if len(main_events) > MAX_EVENTS:
        warnings.insert(
            0,
            gettext(
                "The file has %(count)s events. Up to %(most)s can be imported at once. Past events are "
                "left out first. Split the file to import the rest.",
                count=number(len(main_events)),
                most=number(MAX_EVENTS),
            ),
        )
    return ParsedImport(
        next((calendar.name for calendar in calendars if calendar.name), ""),
        tuple(_found(master, by_uid[master.uid], zone) for master in _most_useful(main_events, arrived_at)),
        tuple(warnings[:MAX_WARNINGS]),
    )


def _most_useful(events: Sequence[ReadEvent], arrived_at: Instant | None) -> Sequence[ReadEvent]:
    """At most ``MAX_EVENTS``, in the order of the file: first those that still take place, then the newest past ones.

    The export of an old calendar starts with its oldest events.
    """

    def rank(index: int) -> tuple[bool, int]:
        last = _last_start(events[index])
        if last is None or arrived_at is None or last >= arrived_at:
            return (False, index)
        return (True, -last)

    return [events[index] for index in sorted(sorted(range(len(events)), key=rank)[:MAX_EVENTS])]


def _last_start(event: ReadEvent) -> Instant | None:
    """When the last date starts; None if the rule has no end date. Cheap, because it is asked of every event."""
    pattern = event.pattern
    if pattern.rule is None:
        return pattern.instant_of(max((pattern.start, *pattern.added)))
    return None if pattern.rule.until is None else instant_of(pattern.rule.until.at, "UTC")


def _left_out(sentences: Sequence[str]) -> Iterable[str]:
    """The first events that were left out, and how many there are if there are more."""
    if len(sentences) > MAX_LEFT_OUT:
        yield gettext(
            "%(count)s events were left out. These are the first %(most)s:",
            count=number(len(sentences)),
            most=number(MAX_LEFT_OUT),
        )
    yield from sentences[:MAX_LEFT_OUT]


def _in_zone(event: ReadEvent, zone: str) -> ReadEvent:
    """Move the event to another zone without changing its wall-clock times."""
    return replace(event, pattern=replace(event.pattern, zone_name=zone))


def _in_local_time(event: ReadEvent, zone: str) -> ReadEvent:
    """Show an event in UTC at the same instant in another zone: Google, Meetup and others write single events in UTC.

    Recurring events stay in UTC, because their dates would move when the clocks change. ``_changes`` converts overrides.
    """
    pattern = event.pattern
    return event if pattern.rule or pattern.added or event.overrides else _from_utc(event, zone)


def _from_utc(event: ReadEvent, zone: str) -> ReadEvent:
    """Convert the start of an event from UTC to another zone. Events in other zones are unchanged.

    So is an event that starts or ends in the second of two equal hours, because a wall-clock time means the first.
    """
    pattern = event.pattern
    if pattern.zone_name != "UTC" or pattern.is_all_day:
        return event
    starts_at = instant_of(pattern.start, "UTC")
    ends_at = Instant(starts_at + (event.length or timedelta()) // timedelta(microseconds=1))
    starts, ends = (local_of(one, zone).replace(tzinfo=None, fold=0) for one in (starts_at, ends_at))
    if (instant_of(starts, zone), instant_of(ends, zone)) != (starts_at, ends_at):
        return event
    return replace(event, pattern=replace(pattern, start=starts, zone_name=zone))


def _found(master: ReadEvent, group: Sequence[ReadEvent], zone: str) -> ImportedEvent:
    pattern = master.pattern
    repeats = bool(pattern.rule or pattern.added) and master.overrides is None
    length = master.length
    changes, findings = _changes(master, group, zone) if repeats else ((), ())
    imported = ImportedEvent(
        uid=master.uid,
        typed=submission_of(master, zone),
        when=_when(pattern, repeats=repeats),
        rule="" if pattern.rule is None or not repeats else str(pattern.rule),
        left_out=format_dates(pattern.left_out, is_all_day=pattern.is_all_day) if repeats else "",
        added=format_dates(pattern.added, is_all_day=pattern.is_all_day) if repeats else "",
        minutes=None if length is None else round(length / timedelta(minutes=1)),
        is_cancelled=master.is_cancelled,
        reason=_reason(master),
        changes=changes,
        warnings=(*_warnings_about_zones(group, zone), *findings, *_about_call(group), *master.warnings),
        named_status=master.named_status,
        has_guessed_zone=any(event.unknown_zone or event.is_floating for event in group),
    )
    return with_end(imported, pattern if repeats else None)


def _about_call(group: Sequence[ReadEvent]) -> Iterable[str]:
    """Warn that only attendees see the call URLs, and which lines were removed from the text. Each is mentioned once."""
    links = dict.fromkeys(event.call_url for event in group if event.call_url)
    cut = list(dict.fromkeys(line for event in group for line in event.call_lines))
    for link in links:
        yield gettext("Only people who are going see the link to the call: %(link)s", link=link)
    if cut:
        shown = " · ".join(line[:_SHOWN_LINE] for line in cut[:_SHOWN_LINES])
        if len(cut) <= _SHOWN_LINES:
            yield gettext("Also removed from the text: %(lines)s", lines=shown)
        else:
            yield ngettext(
                "Also removed from the text: %(lines)s and %(number)s more line",
                "Also removed from the text: %(lines)s and %(number)s more lines",
                len(cut) - _SHOWN_LINES,
                lines=shown,
            )


def _warnings_about_zones(group: Sequence[ReadEvent], zone: str) -> Iterable[str]:
    """Warn about each unknown zone once, and say which zone is used instead."""
    unknown = {event.unknown_zone: event.pattern.zone_name or zone for event in group if event.unknown_zone}
    for name, taken in unknown.items():
        yield gettext(
            "We don’t know its time zone “%(zone)s”, so we read its times as %(taken)s time. Choose another if "
            "that’s wrong.",
            zone=name,
            taken=taken.replace("_", " "),
        )


def _changes(
    master: ReadEvent, group: Sequence[ReadEvent], zone: str
) -> tuple[tuple[OccurrenceOverride, ...], tuple[str, ...]]:
    """Return the overrides in order of their dates, and warnings. If the file has no master event, a date is an
    override only if it differs from the others.

    In a file, RECURRENCE-ID is the date's start in the original series (RFC 5545, section 3.8.4.4). In the result,
    dates after a "this and following" change are identified by their new time. An override in UTC is shown in the zone
    of its series, because the program did not mean another place. Whole days have no zone in a file.
    """
    is_stray = all(event.overrides is not None for event in group)
    usual = submission_of(master, zone)
    newest_by_date = {original_in_series(master.pattern, event): event for event in newest_of(group)}
    overrides: list[OccurrenceOverride] = []
    findings: list[str] = []
    shift, current = timedelta(0), master.pattern
    ranges = 0
    for original, in_file in sorted(newest_by_date.items()):
        event = _in_zone_of_series(in_file, master.pattern.zone_name or zone)
        assert event.overrides is not None  # noqa: S101  # chosen by it
        name = original + shift
        submission = submission_of(event, zone)
        if is_stray and not event.is_cancelled and _is_usual(master, usual, event, submission, original):
            continue
        # "This and following" has no meaning without a series.
        and_following = event.overrides.and_following and not is_stray
        ranges += and_following
        if len(overrides) == MAX_CHANGES or ranges > MAX_RANGES:
            findings.append(
                gettext(
                    "Too many of its dates differ. From %(day)s on, its dates follow the series.",
                    day=day(name),
                )
            )
            break
        overrides.append(
            OccurrenceOverride(
                name.isoformat(timespec="seconds"),
                submission,
                event.is_cancelled,
                and_following,
                _reason(event),
                event.named_status,
            )
        )
        remaining = rest_of(current, name) if and_following else None
        if remaining is None:
            continue
        starts = _start_in(master.pattern, event, zone)
        continuation = continued(remaining, name, starts, event.length)
        if continuation is None or event.pattern.is_all_day is not master.pattern.is_all_day:
            current = remaining
            findings.append(
                gettext(
                    "From %(day)s on, it takes place at a different time. We moved only that date. Change the rule after "
                    "the import.",
                    day=day(name),
                )
            )
            continue
        shift, current = starts - original, continuation.pattern
    return tuple(overrides), tuple(findings)


def _in_zone_of_series(event: ReadEvent, zone: str) -> ReadEvent:
    return _in_zone(event, zone) if event.pattern.is_all_day else _from_utc(event, zone)


def _start_in(series: Pattern, event: ReadEvent, zone: str) -> datetime:
    """The start of an override as wall-clock time in the zone of its series."""
    starts = event.pattern.start
    own, theirs = event.pattern.zone_name or zone, series.zone_name or zone
    if own == theirs or series.is_all_day or event.pattern.is_all_day:
        return starts
    return local_of(instant_of(starts, own), theirs).replace(tzinfo=None, fold=0)


def _is_usual(
    master: ReadEvent, usual: Submission, event: ReadEvent, submission: Submission, original: datetime
) -> bool:
    return (
        event.named_status is None
        and event.pattern.start == original
        and event.length == master.length
        and replace(submission, starts="", ends="") == replace(usual, starts="", ends="")
    )


def _reason(event: ReadEvent) -> str:
    return event.comment[:MAX_REASON] if event.is_cancelled else ""


def submission_of(event: ReadEvent, zone: str) -> Submission:
    """Convert an event to what its form would submit."""
    pattern = event.pattern
    starts, length = pattern.start, event.length
    ends = ""
    if pattern.is_all_day:
        # The form has the last day; the file has the day after it.
        last = starts + max(length or timedelta(days=1), timedelta(days=1)) - timedelta(days=1)
        ends = last.isoformat(timespec="minutes")
    elif length is not None:
        # The length is the elapsed time, and the clocks may change before the end.
        zone_name = pattern.zone_name or zone
        ends_at = Instant(instant_of(starts, zone_name) + length // timedelta(microseconds=1))
        ends = local_of(ends_at, zone_name).replace(tzinfo=None).isoformat(timespec="minutes")
    categories, tags = topics_in(event.categories)
    return Submission(
        title=one_line(event.summary)[:MAX_TITLE],
        starts=starts.isoformat(timespec="minutes"),
        ends=ends,
        time_zone=pattern.zone_name or zone,
        description=event.description[:MAX_DESCRIPTION],
        point=_point(event),
        all_day="yes" if pattern.is_all_day else "",
        categories=",".join(categories),
        tags=joined(tags),
        **_place(event),
    )


def _place(event: ReadEvent) -> dict[str, str]:
    """Return the mode and the place: structured, or parsed from the lines that other programs write."""
    # A call URL in LOCATION is a way to join, not a place.
    text = event.location.replace(event.call_url, " ") if event.call_url else event.location
    place = one_line(_EMPTY_BRACKETS.sub(" ", text)).strip(" ,;|-–")
    is_link = is_web_address(place)
    link = event.call_url or (place if is_link else "")
    venue = event.venue
    is_nowhere = is_link or not place or place.lower() in NO_PLACE
    is_online = bool(link) or place.lower() in NO_PLACE
    has_place = venue is not None or not is_nowhere
    usual = (Mode.HYBRID if has_place else Mode.ONLINE) if is_online else Mode.IN_PERSON
    fields = {"mode": (event.mode or usual).value, "online_url": link}
    if venue is not None:
        parts = {name: getattr(venue, name) for name in ("street", "postal_code", "locality", "region", "country")}
        return fields | {"venue_name": venue.name} | parts
    if is_nowhere:
        return fields
    return fields | _place_parts(_EMPTY_BRACKETS.sub(" ", text) if "\n" in text else place)


def _place_parts(text: str) -> dict[str, str]:
    """The parts of a place in one or several lines, as in the field of the event form. The worker process has no list
    of towns, so a town is recognised by its position and its postal code.
    """
    named = _NAME_AND_ADDRESS.fullmatch(text.strip())
    venue = read_place(f"{named[1]}, {named[2]}" if named else text, None).venue
    name, street = venue.name, venue.street
    if len(name) > MAX_PLACE_PART and not street:
        name, street = name[:MAX_PLACE_PART], name[MAX_PLACE_PART:]
    parts = {"venue_name": name, "street": street}
    parts |= {part: getattr(venue, part) for part in ("postal_code", "locality", "region", "country")}
    return {part: value[:MAX_PLACE_PART] for part, value in parts.items()}


def _point(event: ReadEvent) -> str:
    if event.coordinates is None:
        return ""
    north, east = event.coordinates
    return point_text(coordinate_of(north, 90) or "", coordinate_of(east, 180) or "")


def _when(pattern: Pattern, *, repeats: bool) -> str:
    return describe(pattern) if repeats else start_label(pattern.start, is_all_day=pattern.is_all_day)


# Number of dates to compare: two years of a weekly series.
_DATES_COMPARED = 104


def rest_of(pattern: Pattern, at: datetime) -> Pattern | None:
    """The pattern from the date ``at`` on. The whole pattern if ``at`` is its first date; None if there is no such
    date.
    """
    try:
        return split(pattern, at)[1]
    except Refused as refused:
        return pattern if refused.name == "FirstDate" else None


def continued(remaining: Pattern, at: datetime, starts: datetime, length: timedelta | None) -> Timing | None:
    """Move the date ``at`` to ``starts``, and shift the rest of the series with it.

    None if no rule can express the shifted dates; then they stay where they are.
    """
    try:
        timing = moved(Timing(remaining, length), at, starts, length)
        expansion.check_occurs(timing.pattern)
    except (Refused, RuleRefused):
        return None
    is_exact = _names(timing.pattern) == [name + (starts - at) for name in _names(remaining)]
    return timing if is_exact else None


def _names(pattern: Pattern) -> list[datetime]:
    begin = instant_of(min((pattern.start, *pattern.added)), pattern.zone_or_utc)
    return [one.original for one in expansion.following(pattern, Instant(begin - 1), _DATES_COMPARED)]
