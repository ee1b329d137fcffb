"""Series that others publish: as records of their own, or as a rule in an event's record; and the events that are their dates."""

from collections.abc import Iterable, Mapping

from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.events import queries as event_queries
from openmeet.events.model import Event, EventId, NetworkEvent
from openmeet.flags.model import Flag, Switches
from openmeet.identities import actions as identities
from openmeet.ingestion import claimed_dates
from openmeet.ingestion.events import Version
from openmeet.ingestion.readings import Reading
from openmeet.records.collections import SERIES_COLLECTIONS
from openmeet.records.series import SeriesRead, read_native
from openmeet.records.series_part import LinkRead, read_link
from openmeet.series import queries
from openmeet.series import records as series_records
from openmeet.series.dates import original_text
from openmeet.series.model import Series, SeriesId
from openmeet.series.records import normal_name


async def take_over(tx: Transaction, *, did: Did, uri: str, read: SeriesRead) -> None:
    """A series' own record, of somebody else: it is shown here, and their events that name it are its dates."""
    owner_id, _ = await identities.who_wrote(tx, did)
    series = await series_records.take_over(tx, uri=uri, owner_id=owner_id, template=read.template, timing=read.timing)
    if series is None:
        return
    for event_uri, name in await claimed_dates.newest(tx, did, uri):
        event = await event_queries.by_record_uri(tx, event_uri)
        if event is not None:
            await series_records.place(tx, series, event.id, name)


def named_by(readings: Iterable[Reading]) -> set[str]:
    """Records of series that events among these name: of the two, whoever comes second sees the other."""
    links = (read_link(one.record) for one in readings if one.event is not None)
    return {link.uri for link in links if link is not None and _is_series(link.uri)}


def says_more(record: Mapping[str, object], event: Event, switches: Switches) -> bool:
    """Whether an event's record says that it comes again, or no longer says so, in a way that is read at present."""
    link = read_link(record)
    may_name = (link is not None and bool(link.uri)) or event.place_in_series is not None
    return (may_name and Flag.SERIES_LEXICON in switches) or Flag.NATIVE_RECURRENCE in switches


async def place(tx: Transaction, version: Version, read: NetworkEvent, event_id: EventId, switches: Switches) -> None:
    """An event that names its author's series is a date of that, whichever comes first; one that carries a rule begins one.

    Whoever publishes a rule with the next date hands it from record to record: what began one has none any more.
    """
    record = _record(version.body)
    link = read_link(record)
    names_own = link is not None and link.uri.startswith(f"at://{version.did}/") and Flag.SERIES_LEXICON in switches
    by_rule = Flag.NATIVE_RECURRENCE in switches
    if by_rule and not names_own and "rrule" in record:
        await _by_rule(tx, version, record, read, event_id)
    elif by_rule:
        await series_records.remove_from_network(tx, version.uri)
    if Flag.SERIES_LEXICON in switches:
        await _put_where_it_says(tx, version, event_id, link if names_own else None)


async def _put_where_it_says(tx: Transaction, version: Version, event_id: EventId, link: LinkRead | None) -> None:
    """A date of the series that it names now, and no more of the one that it named before."""
    event = await event_queries.by_id(tx, event_id)
    if event is None:
        return
    before = await _series_around(tx, event)
    if before is not None and event.place_in_series is not None:
        name = event.place_in_series.original_date
        if link is not None and (link.uri, normal_name(link.recurrence_id)) == (before.record_uri, name):
            return
        await queries.forget_places(tx, [event.id])
        await _fill(tx, version.did, before, name, without=version.uri)
    series = None if link is None else await queries.by_record_uri(tx, link.uri)
    locked = None if series is None else await queries.lock(tx, series.id)
    if link is not None and locked is not None and locked.is_read_only and locked.deleted_at is None:
        await series_records.place(tx, locked, event_id, link.recurrence_id)


async def leave(tx: Transaction, did: Did, event: Event) -> None:
    """The record of this event is gone: if another of its author's claims its date, that has it now."""
    series = await _series_around(tx, event)
    if series is not None and event.place_in_series is not None and event.record_uri is not None:
        await _fill(tx, did, series, event.place_in_series.original_date, without=event.record_uri)


async def _series_around(tx: Transaction, event: Event) -> Series | None:
    """The series, read in a record of its own, of which this is a date; locked."""
    if event.place_in_series is None:
        return None
    series = await queries.lock(tx, SeriesId(event.place_in_series.series_id))
    is_read = series is not None and series.is_read_only and _is_series(series.record_uri or "")
    return series if is_read else None


async def _fill(tx: Transaction, did: Did, series: Series, name: str, *, without: str) -> None:
    """A date has lost its event: another that claims it has it now."""
    for event_uri, claimed in await claimed_dates.newest(tx, did, series.record_uri or ""):
        event = await event_queries.by_record_uri(tx, event_uri)
        if event is not None and event_uri != without and normal_name(claimed) == name:
            await series_records.place(tx, series, event.id, claimed)


def _is_series(uri: str) -> bool:
    return any(f"/{collection}/" in uri for collection in SERIES_COLLECTIONS)


async def _by_rule(
    tx: Transaction, version: Version, record: dict[str, object], read: NetworkEvent, event_id: EventId
) -> None:
    found = read_native(record, read.name, read.description, read.time_zone, read.starts_at)
    event = await event_queries.by_id(tx, event_id)
    if found is None or event is None:
        return
    await series_records.go_on(
        tx, uri=version.uri, owner_id=event.author_id, title=found.template.title, at=found.timing
    )
    series: Series | None = await series_records.take_over(
        tx, uri=version.uri, owner_id=event.author_id, template=found.template, timing=found.timing
    )
    if series is not None:
        await series_records.place(tx, series, event_id, original_text(found.timing.pattern.start))


def _record(body: bytes) -> dict[str, object]:
    value = cbor.decode(body)
    return dict(value) if isinstance(value, dict) else {}
