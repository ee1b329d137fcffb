"""Find events by their current and former record URIs."""

from collections.abc import Collection

from groundwork.database.transaction import Reader
from openmeet.domain.events import queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.outbox import superseded_records
from openmeet.outbox.publications import PublicationKind


async def find(reader: Reader, uri: str) -> Event | None:
    """The event whose current or former record has this URI."""
    event = await queries.by_record_uri(reader, uri)
    former = None if event is not None else await superseded_records.find(reader, uri)
    if former is None or former.kind is not PublicationKind.EVENT:
        return event
    return await queries.by_id(reader, EventId(former.subject_id))


async def current(reader: Reader, uris: Collection[str]) -> dict[str, str]:
    """For each of these former URIs, the URI that RSVPs refer to: the URI of the current record, or of the last one if
    there is no record now. RSVPs to an event are compared under one URI.
    """
    events = await superseded_records.subjects_of(reader, PublicationKind.EVENT, uris)
    if not events:
        return {}
    rows = await reader.fetch(
        "select id, record_uri from events where id in :ids and deleted_at is null", ids=sorted(set(events.values()))
    )
    addresses = {row["id"]: row["record_uri"] for row in rows}
    off = [event_id for event_id, uri in addresses.items() if uri is None]
    addresses |= await superseded_records.latest(reader, PublicationKind.EVENT, off)
    taken = await events_with(reader, events)  # another event may have the URI by now
    return {uri: addresses[one] for uri, one in events.items() if one in addresses and uri not in taken}


async def addresses_of(reader: Reader, events: Collection[Event]) -> list[str]:
    """The URIs that RSVPs to these events refer to. Events that were never published have none."""
    off = [event.id for event in events if event.record_uri is None]
    before = await superseded_records.latest(reader, PublicationKind.EVENT, off)
    return [uri for uri in (event.record_uri or before.get(event.id) for event in events) if uri is not None]


async def events_with(reader: Reader, uris: Collection[str]) -> dict[str, Event]:
    """The events that currently have these records, by URI, including removed ones."""
    if not uris:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from events where record_uri in :uris", uris=sorted(uris))
    return {row["record_uri"]: event_of(row) for row in rows}


async def ids_with(reader: Reader, uris: Collection[str]) -> dict[str, EventId]:
    """Ids of the events that have or used to have these records, by URI."""
    if not uris:
        return {}
    former = await superseded_records.subjects_of(reader, PublicationKind.EVENT, uris)
    rows = await reader.fetch("select id, record_uri from events where record_uri in :uris", uris=sorted(uris))
    return {uri: EventId(event_id) for uri, event_id in former.items()} | {
        row["record_uri"]: EventId(row["id"]) for row in rows
    }


async def id_with(reader: Reader, uri: str | None) -> EventId | None:
    """``ids_with`` for one URI."""
    return None if uri is None else (await ids_with(reader, [uri])).get(uri)
