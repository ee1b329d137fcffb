"""Convert a legacy event: its details, and its schedule to a pattern (rule, time zone, exceptions). Pure.

Every field is made to fit, and anything that does not fit is reported. Legacy rules are objects with the lower-case
names of RFC 5545. Weekdays are words, numbers counted from Monday, or objects; the frequency is a word, or a number of
the library that wrote the rule. A rule that cannot be read is refused with a code, like any invalid rule. Nothing is
guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from groundwork.clock import SECOND, Instant
from groundwork.errors import InvalidInput
from openmeet.domain.events.content import Content
from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.events.model import Details
from openmeet.domain.events.rules import LONGEST
from openmeet.domain.events.values import (
    MAX_CAPACITY,
    MAX_DESCRIPTION,
    MAX_PLACE_PART,
    MAX_TITLE,
    NOWHERE,
    Mode,
    Venue,
    Visibility,
)
from openmeet.domain.legacy_import.model import LegacyData, LegacyOddity, Oddity, OldEvent, OldGroup
from openmeet.domain.legacy_import.read import moment_of, plain
from openmeet.i18n.markdown import one_line
from openmeet.i18n.reasons.messages import explain
from openmeet.recurrence import expansion
from openmeet.recurrence.errors import RecurrenceReason, RuleErrorCode, RuleRefused
from openmeet.recurrence.pattern import MAX_DATES, Pattern, pattern
from openmeet.recurrence.rule import DAYS, Rule, Until, parse_rule
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR, instant_of, is_zone, local_of

UNTITLED = "(untitled)"
_MODES = {"in-person": Mode.IN_PERSON, "online": Mode.ONLINE, "hybrid": Mode.HYBRID}
_VISIBILITIES = {
    "public": Visibility.PUBLIC,
    "authenticated": Visibility.UNLISTED,
    "unlisted": Visibility.UNLISTED,
    "private": Visibility.PRIVATE,
}
_NARROWER = {
    Visibility.PUBLIC: {one: one for one in Visibility},
    Visibility.UNLISTED: {one: one for one in Visibility} | {Visibility.PUBLIC: Visibility.UNLISTED},
    Visibility.PRIVATE: dict.fromkeys(Visibility, Visibility.PRIVATE),
}
# Never published: only its host sees it.
_DRAFTS = {"draft", "pending"}
CANCELLED = "cancelled"
# Numbers of frequencies in the library that wrote some of these rules.
_FREQUENCIES: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")
_LISTS: Final = {
    "bymonth": "BYMONTH",
    "bymonthday": "BYMONTHDAY",
    "byyearday": "BYYEARDAY",
    "byweekno": "BYWEEKNO",
    "byhour": "BYHOUR",
    "byminute": "BYMINUTE",
    "bysecond": "BYSECOND",
    "bysetpos": "BYSETPOS",
}
_DAYS: Final = {"byday", "byweekday"}
_WEEK_STARTS: Final = {"wkst"}
# Keys that do not affect a rule, or whose values the event has itself.
_BESIDE: Final = {"dtstart", "tzid", "timezone"}


def details_of(event: OldEvent, zone: str, old: LegacyData, oddities: list[LegacyOddity]) -> Details:
    """Return the details of an event, which must have a start."""
    subject = f"event {event.id}"
    assert event.starts_at is not None  # noqa: S101  # events without a start were left out before
    starts_at = Instant(event.starts_at - event.starts_at % SECOND)
    title = one_line(event.name)
    if not title:
        oddities.append(LegacyOddity(Oddity.NO_TITLE, subject))
    description = event.description.replace("\r\n", "\n").strip()
    online_url = event.online_url
    if online_url and not is_web_address(online_url):
        oddities.append(LegacyOddity(Oddity.BAD_LINK, subject, online_url[:60]))
        description = f"{description}\n\n{one_line(online_url)}".strip()
        online_url = ""
    if len(title) > MAX_TITLE or len(description) > MAX_DESCRIPTION:
        oddities.append(LegacyOddity(Oddity.CUT, subject))
    ends_at = _end(event, starts_at, oddities)
    content = Content(
        title=title[:MAX_TITLE] or UNTITLED,
        description=description[:MAX_DESCRIPTION],
        mode=_MODES.get(event.kind, Mode.ONLINE if online_url and not event.location else Mode.IN_PERSON),
        venue=_venue(event),
        online_url=online_url,
        capacity=_capacity(event, oddities),
        visibility=visibility_of(event, old, oddities),
    )
    return Details(
        content=content,
        starts_local=local_of(starts_at, zone).replace(tzinfo=None).isoformat(timespec="seconds"),
        time_zone=zone,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def length_of(details: Details) -> timedelta | None:
    """The duration, in the form that a series repeats."""
    if details.ends_at is None:
        return None
    return timedelta(microseconds=details.ends_at - details.starts_at)


def is_cancelled(event: OldEvent) -> bool:
    return event.status == CANCELLED


def visibility_of(event: OldEvent, old: LegacyData, oddities: list[LegacyOddity]) -> Visibility:
    """The visibility. If the legacy data is unclear, the narrower one."""
    subject = f"event {event.id}"
    if event.status in _DRAFTS:
        oddities.append(LegacyOddity(Oddity.DRAFT, subject))
        return Visibility.PRIVATE
    if event.group_id is not None and event.group_id not in old.groups:
        oddities.append(LegacyOddity(Oddity.NO_GROUP, subject))
        return Visibility.PRIVATE
    visibility = _VISIBILITIES.get(event.visibility or "")
    if visibility is None:
        oddities.append(LegacyOddity(Oddity.NO_VISIBILITY, subject))
        visibility = Visibility.UNLISTED
    group = None if event.group_id is None else old.groups[event.group_id]
    # A later date of a series takes its visibility from its template, which already accounts for the group's.
    return visibility if group is None else _NARROWER[group_visibility(group)][visibility]


def group_visibility(group: OldGroup) -> Visibility:
    """The visibility of a group. Unlisted if the legacy row has none."""
    return _VISIBILITIES.get(group.visibility or "", Visibility.UNLISTED)


def _end(event: OldEvent, starts_at: Instant, oddities: list[LegacyOddity]) -> Instant | None:
    if event.ends_at is None:
        return None
    length = timedelta(microseconds=event.ends_at - starts_at)
    if not timedelta(0) <= length <= LONGEST:
        oddities.append(LegacyOddity(Oddity.ENDS_BEFORE_START, f"event {event.id}"))
        return None
    return Instant(event.ends_at - event.ends_at % SECOND)


def _venue(event: OldEvent) -> Venue:
    place = one_line(event.location)
    if not place and not event.latitude:
        return NOWHERE
    return Venue(
        name=place[:MAX_PLACE_PART],
        # The single legacy field can be longer than each of the fields in OpenMeet.
        street=place[MAX_PLACE_PART : 2 * MAX_PLACE_PART],
        latitude=event.latitude if event.longitude else "",
        longitude=event.longitude if event.latitude else "",
    )


def _capacity(event: OldEvent, oddities: list[LegacyOddity]) -> int | None:
    # Both None and 0 meant that there is no limit.
    if not event.capacity:
        return None
    if not 1 <= event.capacity <= MAX_CAPACITY:
        oddities.append(LegacyOddity(Oddity.BAD_CAPACITY, f"event {event.id}", str(event.capacity)))
        return None
    return event.capacity


@dataclass(frozen=True, slots=True)
class TimingResult:
    """A pattern, and the oddities found while reading it."""

    pattern: Pattern
    oddities: tuple[LegacyOddity, ...]


def zone_of(event: OldEvent, otherwise: str) -> tuple[str, Oddity | None]:
    """The zone of an event, or ``otherwise`` if it has none."""
    if event.zone is None:
        return otherwise, Oddity.NO_ZONE
    return (event.zone, None) if is_zone(event.zone) else (otherwise, Oddity.UNKNOWN_ZONE)


def local_start(event: OldEvent, zone: str) -> datetime:
    """The wall-clock start of an event, which must have one."""
    assert event.starts_at is not None  # noqa: S101  # events without a start were left out before
    return local_of(event.starts_at, zone).replace(tzinfo=None, microsecond=0)


def timing_of(event: OldEvent, zone: str) -> TimingResult:
    """The pattern of a recurring event: its rule, exceptions and start. If the rule is refused, only the start remains."""
    subject = f"event {event.id}"
    start = local_start(event, zone)
    oddities: list[LegacyOddity] = []
    rule: Rule | None = None
    if event.rule is None:
        oddities.append(LegacyOddity(Oddity.NO_RULE, subject))
    else:
        try:
            rule = _rule(event, oddities)
            expansion.check_occurs(pattern(start, zone, rule))
        except RuleRefused as refused:
            oddities.append(LegacyOddity(Oddity.RULE_REFUSED, subject, f"{refused.code.value}: {explain(refused.why)}"))
            rule = None
    recurrence = pattern(start, zone, rule)
    left_out = _left_out(event, recurrence, oddities)
    return TimingResult(replace(recurrence, left_out=left_out), tuple(oddities))


def ended_before(recurrence: Pattern, at: datetime) -> Pattern | None:
    """The part of a pattern before a time. None if there is none. ``at`` need not be one of its dates."""
    if recurrence.start >= at:
        return None
    left_out = tuple(one for one in recurrence.left_out if one < at)
    added = tuple(one for one in recurrence.added if one < at)
    rule = recurrence.rule
    if rule is not None and not _ends_before(recurrence, at):
        rule = replace(rule, count=None, until=Until(at - timedelta(seconds=1)))
    return replace(recurrence, rule=rule, left_out=left_out, added=added)


def _ends_before(recurrence: Pattern, at: datetime) -> bool:
    last = expansion.last_of(replace(recurrence, left_out=(), added=()))
    return last is not None and last.original < at


def _rule(event: OldEvent, oddities: list[LegacyOddity]) -> Rule:
    assert event.rule is not None  # noqa: S101  # asked for events with one
    if isinstance(event.rule, str):
        rule = parse_rule(event.rule.rpartition("RRULE:")[2].split("\n")[0].strip())
        count, until = rule.count, rule.until
    else:
        rule, count, until = _translated(event.rule)
    count = event.count or count
    until = until if event.until is None else _until(event.until)
    if count is not None and until is not None:
        oddities.append(LegacyOddity(Oddity.COUNT_AND_UNTIL, f"event {event.id}"))
        count = None
    # Columns are converted to rule fields, so that the same parser checks them.
    return parse_rule(str(replace(rule, count=count, until=until)))


def _translated(values: Mapping[str, Any]) -> tuple[Rule, int | None, Until | None]:
    """Return the rule without its end, and the end separately."""
    rule = {plain(name): value for name, value in values.items() if value not in (None, "", [], {})}
    parts = [f"FREQ={_frequency(rule.pop('freq', rule.pop('frequency', None)))}"]
    interval = rule.pop("interval", None)
    if interval is not None:
        parts.append(f"INTERVAL={interval}")
    count, until = rule.pop("count", None), rule.pop("until", None)
    for name, value in rule.items():
        if name in _LISTS:
            parts.append(f"{_LISTS[name]}={','.join(map(str, _several(value)))}")
        elif name in _DAYS:
            parts.append(f"BYDAY={','.join(map(_day, _several(value)))}")
        elif name in _WEEK_STARTS:
            parts.append(f"WKST={_day(value)}")
        elif name not in _BESIDE:
            raise RuleRefused(RuleErrorCode.UNKNOWN_PART, name[:30], RecurrenceReason.UNKNOWN_PART, text=name[:30])
    return parse_rule(";".join(parts)), _count(count), _until_given(until)


def _count(count: object) -> int | None:
    if count is not None and (isinstance(count, bool) or not str(count).isdecimal()):
        raise RuleRefused(RuleErrorCode.BAD_COUNT, "COUNT", RecurrenceReason.MALFORMED_COUNT, text=str(count)[:20])
    return None if count is None else int(str(count))


def _until_given(until: object) -> Until | None:
    try:
        at = moment_of(until, "until")
    except InvalidInput as wrong:
        raise RuleRefused(RuleErrorCode.BAD_UNTIL, "UNTIL", wrong.why) from None
    if at is None:
        return None
    if isinstance(until, str) and len(until.strip()) <= len("2025-04-08"):
        return Until(local_of(at, "UTC").replace(tzinfo=None), is_date=True)
    return _until(at)


def _until(at: Instant) -> Until:
    return Until(local_of(at, "UTC").replace(tzinfo=None, microsecond=0), is_utc=True)


def _frequency(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_FREQUENCIES):
        return _FREQUENCIES[value]
    if value is None:
        raise RuleRefused(RuleErrorCode.MISSING_FREQ, "FREQ", RecurrenceReason.FREQUENCY_MISSING)
    return str(value)


def _several(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    return value.split(",") if isinstance(value, str) else [value]


def _day(value: object) -> str:
    """Parse a weekday: ``TU``, ``2TU``; 1 (Tuesday, counted from Monday); ``{"weekday": 1, "n": 2}``."""
    match value:
        case str():
            return value.strip().upper()
        case int() if not isinstance(value, bool) and 0 <= value < len(DAYS):
            return DAYS[value]
        case {"weekday": int() as day, **rest} if 0 <= day < len(DAYS):
            return f"{rest.get('n') or ''}{DAYS[day]}"
        case _:
            raise RuleRefused(RuleErrorCode.BAD_BYDAY, "BYDAY", RecurrenceReason.UNKNOWN_WEEKDAY, text=str(value)[:20])


def _left_out(event: OldEvent, recurrence: Pattern, oddities: list[LegacyOddity]) -> tuple[datetime, ...]:
    """The dates of the rule that its exceptions exclude. An exception may be a day or a point in time."""
    dates: set[datetime] = set()
    for text in event.exceptions:
        date = _date_named(text, recurrence)
        if date is None or len(dates) >= MAX_DATES:
            oddities.append(LegacyOddity(Oddity.EXCEPTION_WITHOUT_DATE, f"event {event.id}", text[:40]))
        else:
            dates.add(date)
    return tuple(sorted(dates))


def _date_named(text: str, recurrence: Pattern) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None
    zone = recurrence.zone_or_utc
    if moment.tzinfo is not None:
        local = moment.astimezone(UTC)
        at = instant_of(local.replace(tzinfo=None), "UTC")
        moment = local_of(at, zone).replace(tzinfo=None, microsecond=0)
    return date_near(recurrence, moment)


def date_near(recurrence: Pattern, local: datetime) -> datetime | None:
    """Find the date of a pattern for a wall-clock time: the exact time or, failing that, the only date on the same day."""
    if expansion.is_date_of(recurrence, local):
        return local
    zone = recurrence.zone_or_utc
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = instant_of(day - timedelta(days=1), zone), instant_of(day + timedelta(days=2), zone)
    same = [one.original for one in expansion.between(recurrence, begin, end) if one.original.date() == local.date()]
    return same[0] if len(same) == 1 else None
