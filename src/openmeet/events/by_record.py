"""Events found by their records, those that they had before they changed hands among them."""

from collections.abc import Collection

from groundwork.database.transaction import Reader
from openmeet.debts import former_records
from openmeet.debts.publications import Kind
from openmeet.events import queries
from openmeet.events.model import Event, EventId
from openmeet.events.queries import COLUMNS, event_of


async def find(reader: Reader, uri: str) -> Event | None:
    """The event that this is the record of, or was."""
    found = await queries.by_record_uri(reader, uri)
    former = None if found is not None else await former_records.find(reader, uri)
    if former is None or former.kind is not Kind.EVENT:
        return found
    return await queries.by_id(reader, EventId(former.subject_id))


async def current(reader: Reader, uris: Collection[str]) -> dict[str, str]:
    """The records that these lead to, by uri: of those that an event had before, and that has one now."""
    events = await former_records.subjects(reader, Kind.EVENT, uris)
    if not events:
        return {}
    rows = await reader.fetch(
        "select id, record_uri from events where id in :ids and record_uri is not null",
        ids=sorted(set(events.values())),
    )
    records = {row["id"]: row["record_uri"] for row in rows}
    return {uri: records[event_id] for uri, event_id in events.items() if event_id in records}


async def events_with(reader: Reader, uris: Collection[str]) -> dict[str, Event]:
    """The events with these records now, by uri, those that are gone among them."""
    if not uris:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from events where record_uri in :uris", uris=sorted(uris))
    return {row["record_uri"]: event_of(row) for row in rows}


async def ids_with(reader: Reader, uris: Collection[str]) -> dict[str, EventId]:
    """The ids of the events that have, or had, these records, by uri."""
    if not uris:
        return {}
    former = await former_records.subjects(reader, Kind.EVENT, uris)
    rows = await reader.fetch("select id, record_uri from events where record_uri in :uris", uris=sorted(uris))
    return {uri: EventId(event_id) for uri, event_id in former.items()} | {
        row["record_uri"]: EventId(row["id"]) for row in rows
    }


async def id_with(reader: Reader, uri: str | None) -> EventId | None:
    """The same of one."""
    return None if uri is None else (await ids_with(reader, [uri])).get(uri)
