"""Series records: the rule of RFC 5545, its exceptions and dates, and the content. Also the series fields in event
records.

Source: our Lexicon ``openmeet.lexicon.series``. Local dates and times have no offset; they are in the time zone
``timezone``. Only our own keys are written: keys that others added stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from at_protocol.data.model import Value
from at_protocol.syntax.datetime import format_datetime
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import reason_of
from openmeet.domain.events import series_dates
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.events.values import MAX_DESCRIPTION, MAX_TITLE, NOWHERE, Mode, Visibility, public_place
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import queries
from openmeet.domain.series.dates import original_of, original_text
from openmeet.domain.series.model import PublishPolicy, Series, SeriesId, SeriesStatus, Timing
from openmeet.feature_flags.flags import Flag, switches
from openmeet.i18n.catalogue import SOURCE, speaking
from openmeet.network.records.collections import SERIES, SERIES_COLLECTIONS, SERIES_LINK_KEY, SERIES_LINK_KEYS
from openmeet.network.records.places import entries_of, is_same_place, read_places
from openmeet.network.records.preserve import keep_unchanged_keys, with_fields
from openmeet.network.records.reading_notes import (
    Notes,
    Unmappable,
    line_of,
    of_another_type,
    shortened,
    text_of,
    token_of,
)
from openmeet.network.records.reasons import RecordReason
from openmeet.recurrence import expansion
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import Pattern, pattern
from openmeet.recurrence.rule import Until, format_rule, parse_rule
from openmeet.recurrence.wall_time import local_of, zone_names

_EVENT = "community.lexicon.calendar.event"
_MODE_TOKENS = {Mode.IN_PERSON: "inperson", Mode.ONLINE: "virtual", Mode.HYBRID: "hybrid"}
MAX_DATES = 1000
# Ten years: longer than any recurring event, and far from overflowing a calendar date.
_LONGEST_MINUTES = 10 * 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class ParsedSeries:
    """The content of a series record."""

    content: Content
    timing: Timing


def write_series(
    series: Series, page_url: str, previous: Mapping[str, Value] | None, agreed: Mapping[str, Value] | None = None
) -> dict[str, Value]:
    """Write a series into its record: return the record to store in place of ``previous``. Idempotent.

    A key whose meaning did not change stays as another app wrote it. ``agreed``: the last version that was understood,
    used if ``previous`` cannot be understood. Content that was not changed here since then stays.
    """
    before = previous or {}
    shape, content = series.timing.pattern, series.content
    length = series.timing.length
    ours: dict[str, Value] = {
        "name": content.title,
        "description": content.description or None,
        "timezone": series.zone_name,
        "dtstart": original_text(shape.start),
        "durationMinutes": None if length is None else round(length.total_seconds() / 60),
        "rrule": [] if shape.rule is None else [format_rule(shape.rule)],
        "rdate": [original_text(at) for at in shape.added[:MAX_DATES]] or None,
        "exdate": [original_text(at) for at in shape.left_out[:MAX_DATES]] or None,
        "template": _template(content, page_url, before.get("template")),
    }
    record = with_fields(before, ours)
    record.setdefault("$type", SERIES)
    record.setdefault("createdAt", format_datetime(series.created_at))
    now, was = _understood(record), _understood(before) or _understood(agreed)
    if was is not None and now is not None:
        meanings = zip(_KEYS, _meanings(was), _meanings(now), strict=True)
        keep_unchanged_keys(record, before, meanings)
    return record


def read_series(collection: str, record: object) -> ParsedSeries:
    """Read a decoded series record. Raises Unmappable with the sentence to store with the record."""
    if not isinstance(record, Mapping):
        raise Unmappable(RecordReason.NOT_A_MAP)
    declared = record.get("$type")
    if declared is not None and declared not in SERIES_COLLECTIONS:
        raise of_another_type(declared, collection)
    zone, start = record.get("timezone"), _local(record.get("dtstart"))
    if not isinstance(zone, str) or zone not in zone_names():
        raise Unmappable(RecordReason.NO_ZONE)
    if start is None:
        raise Unmappable(RecordReason.NO_START)
    rules = _texts(record.get("rrule"))
    if len(rules) > 1:
        raise Unmappable(RecordReason.SEVERAL_RULES)
    minutes = record.get("durationMinutes")
    has_length = isinstance(minutes, int) and not isinstance(minutes, bool) and 0 < minutes <= _LONGEST_MINUTES
    try:
        shape = pattern(
            start,
            zone,
            parse_rule(rules[0]) if rules else None,
            left_out=_dates(record.get("exdate")),
            added=_dates(record.get("rdate")),
        )
    except RuleRefused as refused:
        raise Unmappable(RecordReason.RULE_REFUSED, problem=reason_of(refused)) from refused
    title = line_of(record.get("name"), MAX_TITLE)
    if not title:
        raise Unmappable(RecordReason.NO_SERIES_NAME)
    length = timedelta(minutes=minutes) if has_length and isinstance(minutes, int) else None
    template = record.get("template")
    dates: Mapping[str, object] = template if isinstance(template, Mapping) else {}
    content = Content(
        title,
        shortened(text_of(record.get("description")) or "", MAX_DESCRIPTION),
        mode=_mode(dates.get("mode")),
        venue=next((place.venue for place in read_places(dates, Notes()).venues), NOWHERE),
    )
    return ParsedSeries(content, Timing(shape, length))


def native_fields(shape: Pattern, since: datetime, exception_dates: Sequence[datetime] = ()) -> dict[str, Value]:
    """Return the rule as fields of the event record that starts at ``since``; empty if the rule has no dates left by
    then.

    ``exception_dates``: later dates that this record does not cover. A COUNT is replaced by the equivalent UNTIL, because
    counting would start again at the new start.
    """
    if shape.rule is None:
        return {}
    rule = shape.rule
    if rule.count is not None:
        last = expansion.last_of(shape)
        if last is None:
            return {}
        until = local_of(last.at, "UTC").replace(tzinfo=None)
        rule = replace(rule, count=None, until=Until(until, is_utc=True))
    fields: dict[str, Value] = {"rrule": format_rule(rule)}
    left_out = [original_text(at) for at in sorted({*shape.left_out, *exception_dates}) if at >= since]
    added = [original_text(at) for at in shape.added if at > since and at not in exception_dates]
    if left_out:
        fields["exdate"] = list(left_out[:MAX_DATES])
    if added:
        fields["rdate"] = list(added[:MAX_DATES])
    return fields


def read_native(
    record: Mapping[str, object], title: str, description: str, zone: str, starts_at: Instant | None
) -> ParsedSeries | None:
    """Return the series that an event's record starts; None if it has no rule, or an unsupported one."""
    rules = _texts(record.get("rrule"))
    if len(rules) != 1 or starts_at is None or zone not in zone_names():
        return None
    start = local_of(starts_at, zone).replace(tzinfo=None, microsecond=0)
    try:
        rule = parse_rule(rules[0].removeprefix("RRULE:"))
        left_out, added = _moments(record.get("exdate"), zone), _moments(record.get("rdate"), zone)
        shape = pattern(start, zone, rule, left_out=left_out, added=added)
    except RuleRefused:
        return None
    return ParsedSeries(Content(title, description), Timing(shape, None))


def _moments(value: object, zone: str) -> list[datetime]:
    """Return dates as local times. Local ones stay unchanged; those with an offset are converted to the time zone."""
    moments = []
    for text in _texts(value):
        try:
            at = datetime.fromisoformat(text)
            local = at if at.tzinfo is None else at.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
        except (ValueError, OverflowError):  # the last hours of the year 9999 have no local time east of UTC
            continue
        moments.append(local)
    return moments


def _template(content: Content, page_url: str, before: Value) -> Value:
    """Return the content of each date. Only our own keys are written: content that others added to it and to its lists
    stays.
    """
    template: dict[str, Value] = dict(before) if isinstance(before, dict) else {"$type": _EVENT}
    if _mode(template.get("mode")) is not content.mode or "mode" not in template:
        template["mode"] = f"{_EVENT}#{_MODE_TOKENS[content.mode]}"
    venues = read_places(template, Notes()).venues
    venue = public_place(content.venue, content.place_audience)
    places = [] if content.mode is Mode.ONLINE else entries_of(venue)
    if not (venues and places and is_same_place(venues[0].venue, venue)):
        listed = template.get("locations")
        # The first location is the one that we read and write.
        ours = venues[0].entries if venues else ()
        others = [one for at, one in enumerate(listed) if at not in ours] if isinstance(listed, list) else []
        template["locations"] = places + others
        if not template["locations"]:
            template.pop("locations")
    links = template.get("uris")
    ours_link: Value = {"uri": page_url, "name": content.title}
    others = [one for one in links if not _is_link_to(one, page_url)] if isinstance(links, list) else []
    if not isinstance(links, list) or ours_link not in links:
        template["uris"] = [ours_link, *others]
    return template


def _is_link_to(entry: Value, url: str) -> bool:
    return isinstance(entry, dict) and entry.get("uri") == url


def _mode(value: object) -> Mode:
    word = token_of(value) if isinstance(value, str) else ""
    return next((mode for mode, tokens in _MODE_TOKENS.items() if tokens == word), Mode.IN_PERSON)


# Keys that we write and read, in the order of ``_meanings``.
_KEYS = ("name", "description", "timezone", "dtstart", "durationMinutes", "rrule", "rdate", "exdate")


def _meanings(series: ParsedSeries) -> tuple[object, ...]:
    shape, content = series.timing.pattern, series.content
    when = (shape.zone_name, shape.start, series.timing.length, shape.rule, shape.added, shape.left_out)
    return (content.title, content.description, *when)


def _understood(record: Mapping[str, Value] | None) -> ParsedSeries | None:
    try:
        return None if record is None else read_series(SERIES, record)
    except Unmappable:
        return None


def _local(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value[:19])
    except ValueError:
        return None
    return None if moment.tzinfo is not None else moment


def _dates(value: object) -> list[datetime]:
    return [at for at in map(_local, _texts(value)) if at is not None]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)][:MAX_DATES] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """The series fields of an event record. ``recurrence_id``: the name of the date. ``record_uri``: URI of the series'
    own record, if there is one.
    """

    url: str
    sentence: str
    recurrence_id: str
    record_uri: str | None = None
    native: Mapping[str, Value] = field(default_factory=dict)


async def series_part(reader: Reader, event: Event, instance: str) -> SeriesPart | None:
    """Return the series fields to publish; None if the event does not belong to a public series, or if only the minimum
    of the event is public.

    ``native``: the rule as fields of the record itself. Only for the date that represents the series, and only if this
    is turned on. It leaves out dates that are cancelled, moved, or have a record of their own.
    """
    if event.position_in_series is None or reach_of(event) is not PublishLevel.FULL:
        return None
    series = await queries.by_id(reader, SeriesId(event.position_in_series.series_id))
    if series is None or series.deleted_at is not None or series.is_read_only or series.is_hidden:
        return None
    if series.visibility is not Visibility.PUBLIC:
        return None
    url = series_page(instance, series)
    name = event.position_in_series.original_date
    native: Mapping[str, Value] = {}
    if Flag.NATIVE_RECURRENCE in await switches(reader) and await _stands_for(reader, series, event):
        exception_dates = [
            original_of(one) for one in await series_dates.exception_dates(reader, series.id, since=name)
        ]
        native = native_fields(series.timing.pattern, original_of(name), exception_dates)
    return SeriesPart(url, _sentence(series, url), name, series.record_uri, native)


async def _stands_for(reader: Reader, series: Series, event: Event) -> bool:
    """Whether this date's record contains the rule and represents all following dates, so that no other record does.

    If a window of dates is published, each date has a record and none has a rule, because apps that read rules would
    show the dates twice. A moved or added date has no rule either: starting there, the rule would produce different
    dates.
    """
    if series.policy is not PublishPolicy.NEXT or series.status is not SeriesStatus.ACTIVE:
        return False
    if (
        event.position_in_series is None
        or event.starts_at is None
        or event.id != await series_dates.next_date_id(reader, series.id)
    ):
        return False
    original = original_of(event.position_in_series.original_date)
    starts_local = local_of(event.starts_at, event.time_zone).replace(tzinfo=None)
    is_usual = (starts_local, event.time_zone) == (original, series.zone_name)
    return is_usual and original not in series.timing.pattern.added


def series_page(instance: str, series: Series) -> str:
    """Return the URL of the series' page on this installation."""
    return f"{instance}{series_path(series.slug)}"


def is_series_of(instance: str, record: Mapping[str, object]) -> bool:
    """Whether the record says that it is of a series on this installation. Anybody can write that."""
    template = record.get("template")
    links = template.get("uris") if isinstance(template, Mapping) else None
    pages = [link.get("uri") for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []
    return any(isinstance(page, str) and page.startswith(f"{instance}/series/") for page in pages)


def put_series(record: dict[str, Value], part: SeriesPart | None) -> None:
    """Write into an event's record which date of which series it is; None removes that. Keys that others added stay."""
    key = next((key for key in SERIES_LINK_KEYS if isinstance(record.get(key), dict)), SERIES_LINK_KEY)
    before = record.get(key)
    if part is None:
        if isinstance(before, dict):
            record.pop(key)
        return
    link: dict[str, Value] = dict(before) if isinstance(before, dict) else {"$type": SERIES_LINK_KEY}
    link |= {"url": part.url, "recurrenceId": part.recurrence_id}
    if part.record_uri is None:
        link.pop("series", None)
    elif not isinstance(link.get("series"), dict) or link["series"].get("uri") != part.record_uri:  # type: ignore[union-attr]  # checked
        link["series"] = {"uri": part.record_uri}
    record[key] = link


NATIVE_KEYS = ("rrule", "rdate", "exdate")


def put_native(record: dict[str, Value], part: SeriesPart | None, *, was_ours: bool) -> None:
    """Write the rule, or remove ours. A rule of another app stays if we do not write one."""
    native = {} if part is None else part.native
    if not native and not was_ours:
        return
    for key in NATIVE_KEYS:
        if key in native:
            record[key] = native[key]
        else:
            record.pop(key, None)


@dataclass(frozen=True, slots=True)
class ParsedSeriesLink:
    """The date and series that a record claims to belong to. ``uri``: URI of the series' record; empty if none is
    given.
    """

    uri: str
    recurrence_id: str


def read_link(record: Mapping[str, object]) -> ParsedSeriesLink | None:
    """Return the series link of a record, in any form that we have ever written."""
    link = next((record[key] for key in SERIES_LINK_KEYS if isinstance(record.get(key), Mapping)), None)
    if not isinstance(link, Mapping):
        return None
    name, series = link.get("recurrenceId"), link.get("series")
    uri = series.get("uri") if isinstance(series, Mapping) else None
    if not isinstance(name, str):
        return None
    return ParsedSeriesLink(uri if isinstance(uri, str) else "", name[:19])


def _sentence(series: Series, url: str) -> str:
    if series.status is SeriesStatus.ACTIVE and series.timing.pattern.rule is not None:
        # A record has only one text, so it does not depend on the language of the person whose action causes the write.
        with speaking(SOURCE):
            return f"{describe(series.timing.pattern)}. All dates: {url}"
    return f"One date of a series. All dates: {url}"
