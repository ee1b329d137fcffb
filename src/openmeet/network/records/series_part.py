"""What the record of a date says of its series: a link for programs, and a sentence with the series' page for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from at_protocol.data.model import Value
from groundwork.database.transaction import Reader
from openmeet.domain.events import series_dates
from openmeet.domain.events.model import Event, Visibility
from openmeet.domain.events.publication import Reach, reach_of
from openmeet.domain.series import queries
from openmeet.domain.series.dates import original_of
from openmeet.domain.series.model import Policy, Series, SeriesId, SeriesStatus
from openmeet.feature_flags.flags import Flag, switches
from openmeet.network.records.collections import SERIES_LINK_KEY, SERIES_LINK_KEYS
from openmeet.network.records.series import native_fields
from openmeet.recurrence.describe import describe
from openmeet.recurrence.wall_time import local_of


@dataclass(frozen=True, slots=True)
class SeriesPart:
    """``recurrence_id``: the name of the date; ``record_uri``: of the series' own record, where it has one."""

    url: str
    sentence: str
    recurrence_id: str
    record_uri: str | None = None
    native: Mapping[str, Value] = field(default_factory=dict)


async def series_part(reader: Reader, event: Event, instance: str) -> SeriesPart | None:
    """What may be said; None of what is no date of a public series, or goes out with the least only.

    ``native``: the rule in fields of the record itself, of the date that stands for the series, where that is switched on. It
    leaves out what is called off, moved, or has a record of its own.
    """
    if event.place_in_series is None or reach_of(event) is not Reach.FULL:
        return None
    series = await queries.by_id(reader, SeriesId(event.place_in_series.series_id))
    if series is None or series.deleted_at is not None or series.is_read_only or series.is_hidden:
        return None
    if series.visibility is not Visibility.PUBLIC:
        return None
    url = series_page(instance, series)
    name = event.place_in_series.original_date
    native: Mapping[str, Value] = {}
    if Flag.NATIVE_RECURRENCE in await switches(reader) and await _stands_for(reader, series, event):
        apart = [original_of(one) for one in await series_dates.names_apart(reader, series.id, since=name)]
        native = native_fields(series.timing.pattern, original_of(name), apart)
    return SeriesPart(url, _sentence(series, url), name, series.record_uri, native)


async def _stands_for(reader: Reader, series: Series, event: Event) -> bool:
    """Whether this date's record speaks for all that follow, where rules may stand in records: then no other record does.

    Where a window of dates is published each has a record, and none a rule: whoever reads rules would find them twice. Nor has
    one from whose start the rule would make other dates: one that was moved, or added.
    """
    if series.policy is not Policy.NEXT or series.status is not SeriesStatus.ACTIVE:
        return False
    if (
        event.place_in_series is None
        or event.starts_at is None
        or event.id != await series_dates.next_date(reader, series.id)
    ):
        return False
    original = original_of(event.place_in_series.original_date)
    starts_local = local_of(event.starts_at, event.time_zone).replace(tzinfo=None)
    is_usual = (starts_local, event.time_zone) == (original, series.zone_name)
    return is_usual and original not in series.timing.pattern.added


def series_page(instance: str, series: Series) -> str:
    """The series' page on this installation."""
    return f"{instance}/series/{quote(series.slug)}"


def put_series(record: dict[str, Value], part: SeriesPart | None) -> None:
    """Have the record say which date of which series it is, by key: what others added to the object stays."""
    key = next((key for key in SERIES_LINK_KEYS if isinstance(record.get(key), dict)), SERIES_LINK_KEY)
    before = record.get(key)
    if part is None:
        if isinstance(before, dict):
            record.pop(key)
        return
    known: dict[str, Value] = dict(before) if isinstance(before, dict) else {"$type": SERIES_LINK_KEY}
    known |= {"url": part.url, "recurrenceId": part.recurrence_id}
    if part.record_uri is None:
        known.pop("series", None)
    elif not isinstance(known.get("series"), dict) or known["series"].get("uri") != part.record_uri:  # type: ignore[union-attr]  # checked
        known["series"] = {"uri": part.record_uri}
    record[key] = known


NATIVE_KEYS = ("rrule", "rdate", "exdate")


def put_native(record: dict[str, Value], part: SeriesPart | None, *, was_ours: bool) -> None:
    """Have the record carry the rule, or no rule of ours any more; what another app wrote there stays where we write none."""
    native = {} if part is None else part.native
    if not native and not was_ours:
        return
    for key in NATIVE_KEYS:
        if key in native:
            record[key] = native[key]
        else:
            record.pop(key, None)


@dataclass(frozen=True, slots=True)
class LinkRead:
    """Which date of which series a record says it is; ``uri`` of the series' record, empty where none is named."""

    uri: str
    recurrence_id: str


def read_link(record: Mapping[str, object]) -> LinkRead | None:
    """What a record says of its series, in every shape that we ever wrote."""
    found = next((record[key] for key in SERIES_LINK_KEYS if isinstance(record.get(key), Mapping)), None)
    if not isinstance(found, Mapping):
        return None
    name, series = found.get("recurrenceId"), found.get("series")
    uri = series.get("uri") if isinstance(series, Mapping) else None
    if not isinstance(name, str):
        return None
    return LinkRead(uri if isinstance(uri, str) else "", name[:19])


def _sentence(series: Series, url: str) -> str:
    if series.status is SeriesStatus.ACTIVE and series.timing.pattern.rule is not None:
        return f"{describe(series.timing.pattern)}. All dates: {url}"
    return f"One date of a series. All dates: {url}"
