"""Parse an iCalendar file, one component at a time, so that one bad event does not affect the others.

Sources: RFC 5545, 7986 (NAME, COLOR …), 6868; the dialects of Google, Outlook and Apple. The ``icalendar`` library
parses properties and escapes. This module decides what times mean and which rules are accepted.
"""

import hashlib
import re
import warnings
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from icalendar import Event
from icalendar.error import GloballyUniqueTZIDGuessed
from icalendar.prop import vBroken, vDDDLists

from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.values import Mode
from openmeet.domain.icalendar.call_links import OWN_PROPERTIES, call_of
from openmeet.domain.icalendar.components import Component, read_components
from openmeet.domain.icalendar.html_text import is_html, markdown_of
from openmeet.domain.icalendar.model import OverriddenDate, ReadCalendar, ReadEvent
from openmeet.domain.icalendar.properties import place_in
from openmeet.domain.icalendar.time_zones import bare_zone, known_zone, zone_for, zones_of
from openmeet.domain.icalendar.write import DAY_ZONE, MODE, STATUS_PROPERTY
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.formatting import day, number
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence.errors import RuleErrorCode, RuleRefused
from openmeet.recurrence.expansion import check_occurs
from openmeet.recurrence.pattern import MAX_DATES, Pattern, parse_date, pattern
from openmeet.recurrence.rule import Rule, parse_rule
from openmeet.recurrence.wall_time import instant_of, is_zone

MAX_TEXT = 20_000
MAX_LENGTH = timedelta(days=366)
# Maximum warnings per event, and maximum dates read from one property. The exact limit of distinct dates is checked
# later by ``pattern``.
MAX_EVENT_WARNINGS = 20
MAX_WARNING_LENGTH = 500
# Enough to recognise a title.
_MAX_TITLE = 80
_MAX_VALUES = 10 * MAX_DATES

_GEO_URI = re.compile(r"geo:(-?[0-9.]+),(-?[0-9.]+)")
_IMAGE = re.compile(r"<img(?=[\s/>])", re.IGNORECASE)
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class _Skipped(Exception):  # not named as an error, because skipping an event is not an error
    """An event is skipped. The argument is a sentence that says why."""


def read_calendars(data: bytes, call_hosts: Collection[str] = ()) -> list[ReadCalendar]:
    """Return every calendar in a file. ``call_hosts``: see ``own_hosts`` of ``call_links.call_of``.

    Raises TooLarge, and InvalidInput for a file that is not a calendar.
    """
    components, repairs = read_components(data)
    with warnings.catch_warnings():
        # The library warns about its guess at a zone, which is not used.
        warnings.simplefilter("ignore", GloballyUniqueTZIDGuessed)
        calendars = [_calendar(component, call_hosts) for component in components]
    calendars[0].warnings[:0] = repairs
    return calendars


def _calendar(component: Component, call_hosts: Collection[str]) -> ReadCalendar:
    calendar = ReadCalendar(
        name=_text(component, "X-WR-CALNAME") or _text(component, "NAME"),
        description=_text(component, "X-WR-CALDESC") or _text(component, "DESCRIPTION"),
        color=_text(component, "X-APPLE-CALENDAR-COLOR") or _text(component, "COLOR"),
        method=(_text(component, "METHOD") or "").upper() or None,
    )
    calendar.zone_name = known_zone(_text(component, "X-WR-TIMEZONE") or _text(component, "TIMEZONE-ID") or "")
    calendar.zones, calendar.guessed_zones = zones_of(component, calendar.warnings)
    for inside in component.inside:
        if inside.name == "VEVENT":
            try:
                calendar.events.append(_event(inside, calendar, call_hosts))
            except _Skipped as skipped:
                calendar.left_out.append(_shortened(_left_out_sentence(inside, str(skipped))))
        elif inside.name != "VTIMEZONE":
            calendar.others.append((inside.number, inside.name))
    return calendar


def _left_out_sentence(component: Component, problem: str) -> str:
    """The event by its title, otherwise by its date, and why it was left out."""
    if title := (_text(component, "SUMMARY") or "")[:_MAX_TITLE]:
        return gettext("“%(title)s” was left out. %(problem)s", title=title, problem=problem)
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        try:
            moment = parse_date((component.value(name) or "").strip(), "UTC")
        except RuleRefused:
            continue
        return gettext("An event on %(day)s was left out. %(problem)s", day=day(moment), problem=problem)
    return gettext("An event without a title was left out. %(problem)s", problem=problem)


def _unreadable(name: str | None, problem: str) -> str:
    if name == "RRULE":
        return gettext("We can’t read how it repeats, so only its first date is here.")
    if name:
        return gettext("%(property)s can’t be read: %(problem)s.", property=name, problem=problem)
    return gettext("A line can’t be read: %(problem)s.", problem=problem)


def _text(component: Component, name: str) -> str | None:
    text = component.text_value(name)
    return None if text is None else _clean(text, one_line=True)


def _event(component: Component, calendar: ReadCalendar, call_hosts: Collection[str]) -> ReadEvent:
    try:
        event = Event.from_ical(component.text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise _Skipped(gettext("It isn’t a valid calendar entry (%(error)s).", error=error)) from None
    if not isinstance(event, Event):
        raise _Skipped(gettext("The entry isn’t an event."))
    findings = [_unreadable(name, str(problem)) for name, problem in event.errors[:MAX_EVENT_WARNINGS]]
    start, zone_name, is_floating, is_all_day = _start(event, calendar)
    rule = _rule(event, findings)
    made = _pattern(event, start, zone_name, rule, calendar, findings, is_all_day=is_all_day)
    summary = _clean(str(_first(event, "SUMMARY") or ""), one_line=True)
    description, html = _description(event)
    location = _clean(str(_first(event, "LOCATION") or ""))
    url = _clean(str(_first(event, "URL") or ""), one_line=True)
    call = call_of(_own_calls(event), _conferences(event), location, url, description, call_hosts)
    if call is not None:
        description = call.text
    uid = _clean(str(_first(event, "UID") or ""), one_line=True)
    status = str(_first(event, "STATUS") or "").upper()
    if len(description) > MAX_TEXT:
        findings.append(gettext("The description was cut after %(most)s characters.", most=number(MAX_TEXT)))
    findings += _left_out(event, html)
    return ReadEvent(
        number=component.number,
        uid=uid or _derived_uid(component),
        has_own_uid=bool(uid),
        pattern=made,
        is_floating=is_floating,
        unknown_zone=_unknown_zone(event, calendar),
        length=_length(event, made, calendar, findings),
        overrides=_override(event, zone_name, calendar),
        summary=summary[:MAX_TEXT],
        description=description[:MAX_TEXT],
        location=location[:MAX_TEXT],
        venue=place_in(component),
        mode=_mode(event),
        coordinates=_coordinates(event),
        url=url[:MAX_TEXT],
        call_url="" if call is None else call.address,
        call_lines=() if call is None else call.cut,
        is_cancelled=status == "CANCELLED",
        is_tentative=status == "TENTATIVE",
        named_status=_named_status(event),
        comment=_clean(str(_first(event, "COMMENT") or ""))[:MAX_TEXT],
        sequence=_sequence(event),
        categories=_categories(event),
        warnings=tuple(map(_shortened, findings)),
    )


def _shortened(finding: str) -> str:
    """Shorten a warning, because it may quote a long line of the file."""
    return finding if len(finding) <= MAX_WARNING_LENGTH else f"{finding[: MAX_WARNING_LENGTH - 1]}…"


def _description(event: Event) -> tuple[str, str]:
    """Return the description as Markdown, and the HTML it came from, if any.

    The first of these that is not empty: text/html of RFC 9073 (6.5), the HTML that DESCRIPTION refers to, DESCRIPTION
    itself (Google and Nextcloud put HTML into it), and Outlook's X-ALT-DESC.
    """
    plain = _first(event, "DESCRIPTION")
    styled = next((one for one in _all(event, "STYLED-DESCRIPTION") if _is_html_type(one)), None)
    alternate = str(plain.params.get("ALTREP", "")) if hasattr(plain, "params") else ""
    head, _, encoded = alternate.partition(",")
    data = unquote(encoded) if head.lower().startswith("data:text/html") and "base64" not in head.lower() else ""
    text = _clean(str(plain or ""))
    last = next((one for one in _all(event, "X-ALT-DESC") if _is_html_type(one)), None) if not text else None
    for html in (str(styled or ""), data, text if is_html(text) else "", str(last or "")):
        markdown = _clean(markdown_of(html)) if html.strip() else ""
        if markdown:
            return markdown, html
    return text, ""


def _is_html_type(value: Any) -> bool:
    return hasattr(value, "params") and str(value.params.get("FMTTYPE", "")).lower() == "text/html"


def _own_calls(event: Event) -> list[str]:
    return [str(value).strip() for name in OWN_PROPERTIES for value in _all(event, name)]


def _conferences(event: Event) -> list[tuple[str, str]]:
    """FEATURE and URL of each CONFERENCE."""
    return [
        (str(value.params.get("FEATURE", "")) if hasattr(value, "params") else "", str(value).strip())
        for value in _all(event, "CONFERENCE")
    ]


def _left_out(event: Event, html: str) -> list[str]:
    """Parts of the event that are not imported: pictures, files, attendees."""
    notes = []
    if pictures := len(_IMAGE.findall(html)):
        notes.append(
            ngettext(
                "%(number)s picture in its text was left out.",
                "%(number)s pictures in its text were left out.",
                pictures,
            )
        )
    if files := len(_all(event, "ATTACH")):
        notes.append(ngettext("%(number)s attachment was left out.", "%(number)s attachments were left out.", files))
    if guests := len(_all(event, "ATTENDEE")):
        notes.append(
            ngettext(
                "%(number)s guest on its list was left out.", "%(number)s guests on its list were left out.", guests
            )
        )
    return notes


def _first(event: Event, name: str) -> Any:
    values = _all(event, name)
    return values[0] if values else None


def _all(event: Event, name: str) -> list[Any]:
    """Return the valid values of a property. Invalid ones are reported as errors by other code."""
    value = event.get(name)
    values = [] if value is None else value if isinstance(value, list) else [value]
    return [one for one in values if not isinstance(one, vBroken)]


def _raw(value: Any) -> str:
    return bytes(value.to_ical()).decode()


def _start(event: Event, calendar: ReadCalendar) -> tuple[datetime, str | None, bool, bool]:
    """Return the start: wall-clock time, zone, whether the zone is floating, and whether it is an all-day event."""
    value = _first(event, "DTSTART")
    if value is None:
        has_any = bool(event.get("DTSTART"))
        raise _Skipped(
            gettext("We can’t read when it starts.") if has_any else gettext("It doesn’t say when it starts.")
        )
    raw = _raw(value)
    is_all_day = "T" not in raw
    zone_name, is_floating = _zone(value, calendar)
    own = str(_first(event, DAY_ZONE) or "").strip()
    if is_all_day and is_zone(own):
        zone_name = own
    try:
        return parse_date(raw, zone_name), zone_name, is_floating, is_all_day
    except RuleRefused as refused:
        raise _Skipped(explain(refused.why)) from None


def _unknown_zone(event: Event, calendar: ReadCalendar) -> str:
    """The TZID of the start if it is unknown. Empty for known zones, for starts without a TZID and for all-day events."""
    value = _first(event, "DTSTART")
    tzid = bare_zone(str(value.params.get("TZID") or ""))
    if not tzid or "T" not in _raw(value):
        return ""
    return tzid[:60] if zone_for(tzid, calendar.zones) is None or tzid in calendar.guessed_zones else ""


def _zone(value: Any, calendar: ReadCalendar) -> tuple[str | None, bool]:
    raw, tzid = _raw(value), value.params.get("TZID")
    if raw.endswith("Z"):
        return "UTC", False
    if tzid is None:
        return calendar.zone_name, "T" in raw
    zone = zone_for(str(tzid), calendar.zones)
    if zone is None:
        return calendar.zone_name, "T" in raw
    return zone, False


def _rule(event: Event, findings: list[str]) -> Rule | None:
    rules = _all(event, "RRULE")
    if not rules:
        return None
    if len(rules) > 1:
        findings.append(gettext("The event has several recurrence rules. The first one is used."))
    try:
        return parse_rule(_raw(rules[0]))
    except RuleRefused as refused:
        findings.append(_rule_left_out(refused))
        return None


def _rule_left_out(refused: RuleRefused) -> str:
    return gettext(
        "We can’t read how it repeats: %(problem)s Only its first date is here.",
        problem=explain(refused.why),
    )


def _pattern(
    event: Event,
    start: datetime,
    zone_name: str | None,
    rule: Rule | None,
    calendar: ReadCalendar,
    findings: list[str],
    *,
    is_all_day: bool,
) -> Pattern:
    left_out = _dates(event, "EXDATE", start, zone_name, calendar, findings)
    added = _dates(event, "RDATE", start, zone_name, calendar, findings)
    try:
        made = pattern(start, zone_name, rule, left_out=left_out, added=added, is_all_day=is_all_day)
        check_occurs(made)
    except RuleRefused as refused:
        findings.append(_rule_left_out(refused))
        return pattern(start, zone_name, is_all_day=is_all_day)
    return made


def _dates(
    event: Event, name: str, start: datetime, zone_name: str | None, calendar: ReadCalendar, findings: list[str]
) -> list[datetime]:
    """Values of EXDATE or RDATE as wall-clock times in the event's zone. A value without a time means the start of that
    day.
    """
    dates = []
    for value in _all(event, name):
        if not isinstance(value, vDDDLists):
            continue  # already reported as an error
        own, _ = _zone(value, calendar) if value.params.get("TZID") else (zone_name, False)
        for piece in _raw(value).split(","):
            text = piece.partition("/")[0]  # only the start of a period counts
            try:
                at = parse_date(text, own)
            except RuleRefused as refused:
                if refused.code is RuleErrorCode.BAD_DATE and len(findings) < MAX_EVENT_WARNINGS:
                    findings.append(f"{name}: {explain(refused.why)}")
                continue
            if "T" not in text:
                at = at.replace(hour=start.hour, minute=start.minute, second=start.second)
            elif own != zone_name:
                at = parse_date(_utc_text(at, own), zone_name)
            dates.append(at)
            if len(dates) > _MAX_VALUES:
                return dates
    return dates


def _utc_text(local: datetime, zone_name: str | None) -> str:
    moment = instant_of(local, zone_name or "UTC")
    return (datetime(1970, 1, 1) + timedelta(microseconds=moment)).strftime("%Y%m%dT%H%M%SZ")  # noqa: DTZ001


def _override(event: Event, zone_name: str | None, calendar: ReadCalendar) -> OverriddenDate | None:
    value = _first(event, "RECURRENCE-ID")
    if value is None or not hasattr(value, "params"):
        return None
    own, _ = _zone(value, calendar)
    try:
        original = parse_date(_raw(value), own)
    except RuleRefused:
        raise _Skipped(gettext("We can’t read which date of its series it changes.")) from None
    if own != zone_name and "T" in _raw(value):
        original = parse_date(_utc_text(original, own), zone_name)
    and_following = str(value.params.get("RANGE", "")).upper() == "THISANDFUTURE"
    return OverriddenDate(original, and_following=and_following, is_day="T" not in _raw(value))


def _length(event: Event, made: Pattern, calendar: ReadCalendar, findings: list[str]) -> timedelta | None:
    end, duration = _first(event, "DTEND"), _first(event, "DURATION")
    length: timedelta | None = None
    if end is not None and hasattr(end, "params"):
        raw = _raw(end)
        own, _ = _zone(end, calendar) if "T" in raw else (made.zone_name, False)
        try:
            until = parse_date(raw, own)
        except RuleRefused as refused:
            findings.append(f"DTEND: {explain(refused.why)}")
        else:
            if made.is_all_day or "T" not in raw:
                length = until - made.start
            else:
                span = instant_of(until, own or "UTC") - instant_of(made.start, made.zone_or_utc)
                length = timedelta(microseconds=span)
    elif duration is not None and isinstance(getattr(duration, "dt", None), timedelta):
        length = duration.dt
    if length is not None and not timedelta(0) <= length <= MAX_LENGTH:
        findings.append(gettext("The end was left out: it’s before the start or more than a year after it."))
        length = None
    if length is None and made.is_all_day:
        return timedelta(days=1)
    return length


def _coordinates(event: Event) -> tuple[float, float] | None:
    geo = _first(event, "GEO")
    if geo is not None and hasattr(geo, "latitude"):
        coordinates = (float(geo.latitude), float(geo.longitude))
    else:
        match = _GEO_URI.match(str(_first(event, "X-APPLE-STRUCTURED-LOCATION") or ""))
        if match is None:
            return None
        try:
            coordinates = (float(match[1]), float(match[2]))
        except ValueError:
            return None
    return coordinates if -90 <= coordinates[0] <= 90 and -180 <= coordinates[1] <= 180 else None


def _mode(event: Event) -> Mode | None:
    written = str(_first(event, MODE) or "").strip()
    return Mode(written) if written in set(Mode) else None


def _named_status(event: Event) -> EventStatus | None:
    written = str(_first(event, STATUS_PROPERTY) or "").strip()
    return (
        EventStatus(written)
        if written in {EventStatus.PLANNED, EventStatus.RESCHEDULED, EventStatus.POSTPONED}
        else None
    )


def _sequence(event: Event) -> int:
    value = _first(event, "SEQUENCE")
    return max(0, int(value)) if isinstance(value, int) else 0


def _categories(event: Event) -> tuple[str, ...]:
    names = [str(name) for value in _all(event, "CATEGORIES") for name in getattr(value, "cats", [])]
    return tuple(dict.fromkeys(_clean(name, one_line=True)[:100] for name in names if name.strip()))[:20]


def _clean(text: str, *, one_line: bool = False) -> str:
    """Remove control characters. Escaped line breaks in a title become spaces."""
    text = _UNFIT.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return " ".join(text.split()) if one_line else text.strip()


def _derived_uid(component: Component) -> str:
    """Derive a UID from the content, so that importing the file again makes no duplicates."""
    parts = sorted(
        line for line in component.lines if not line.upper().startswith(("DTSTAMP", "LAST-MODIFIED", "CREATED"))
    )
    return "derived-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
