"""SQL for the records of events: find events by the URI of a current or superseded record, and store changes of an
event's record. ``record_changes`` decides about these changes and enqueues jobs.
"""

from collections.abc import Collection

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events import queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import BLANK, COLUMNS, SET_BLANK, event_of
from openmeet.outbox import superseded_records
from openmeet.outbox.publications import PublicationKind

# The row stays because RSVPs refer to it. The slug is replaced too, because it contained words of the title.
ERASE = f"""
    update events
       set slug = id, {SET_BLANK},
           starts_at = null, ends_at = null, over_at = null, starts_local = '', starts_text = '', ends_text = '',
           time_zone = 'UTC', zone_source = 'named', status_reason = '', picture_key = null, search_text = '',
               search_words = '',
           place_x = null, place_y = null, place_z = null, derived_from = '', removed_at = coalesce(removed_at, :now),
           revision = revision + 1, updated_at = :now
     where record_did = :did and origin = 'network'
"""


async def by_record_uri(reader: Reader, uri: str) -> Event | None:
    """The event whose current record has this URI."""
    row = await reader.fetch_one(f"select {COLUMNS} from events where record_uri = :uri", uri=uri)
    return event_of(row) if row else None


async def find(reader: Reader, uri: str) -> Event | None:
    """The event whose current or superseded record has this URI."""
    event = await by_record_uri(reader, uri)
    superseded = None if event is not None else await superseded_records.find(reader, uri)
    if superseded is None or superseded.kind is not PublicationKind.EVENT:
        return event
    return await queries.by_id(reader, EventId(superseded.subject_id))


async def current(reader: Reader, uris: Collection[str]) -> dict[str, str]:
    """For each of these URIs of superseded records, the URI that RSVPs refer to: that of the current record, or of the
    last one if there is no record now. RSVPs to an event are compared under one URI.
    """
    events = await superseded_records.subjects_of(reader, PublicationKind.EVENT, uris)
    if not events:
        return {}
    rows = await reader.fetch(
        "select id, record_uri from events where id in :ids and deleted_at is null", ids=sorted(set(events.values()))
    )
    current_uris = {row["id"]: row["record_uri"] for row in rows}
    off = [event_id for event_id, uri in current_uris.items() if uri is None]
    current_uris |= await superseded_records.latest(reader, PublicationKind.EVENT, off)
    taken = await events_with(reader, events)  # another event may have the URI by now
    return {uri: current_uris[one] for uri, one in events.items() if one in current_uris and uri not in taken}


async def record_uris_of(reader: Reader, events: Collection[Event]) -> list[str]:
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
    superseded = await superseded_records.subjects_of(reader, PublicationKind.EVENT, uris)
    rows = await reader.fetch("select id, record_uri from events where record_uri in :uris", uris=sorted(uris))
    return {uri: EventId(event_id) for uri, event_id in superseded.items()} | {
        row["record_uri"]: EventId(row["id"]) for row in rows
    }


async def id_with(reader: Reader, uri: str | None) -> EventId | None:
    """``ids_with`` for one URI."""
    return None if uri is None else (await ids_with(reader, [uri])).get(uri)


async def set_removed(tx: Transaction, event_ids: Collection[EventId]) -> None:
    """Mark the records of these events as removed. An earlier time is kept."""
    if event_ids:
        await tx.execute(
            "update events set removed_at = :now, updated_at = :now where id in :ids and removed_at is null",
            ids=sorted(event_ids),
            now=tx.now,
        )


async def set_record_deleted(tx: Transaction, event_id: EventId) -> bool:
    """Record that another app deleted the event's record. Return False if that was already known."""
    changed = await tx.execute(
        "update events set record_deleted_at = :now where id = :id and record_deleted_at is null",
        id=event_id,
        now=tx.now,
    )
    return changed == 1


async def set_record(tx: Transaction, event_id: EventId, uri: str, cid: str, did: str) -> None:
    """Store the address and the version of the event's record."""
    await tx.execute(
        "update events set record_uri = :uri, record_cid = :cid, record_did = :did where id = :id",
        uri=uri,
        cid=cid,
        did=did,
        id=event_id,
    )


async def count_retraction(tx: Transaction, event_id: EventId) -> None:
    """Count the deletion of one of the event's records, so that its next version differs (``Event.version``)."""
    await tx.execute("update events set retractions = retractions + 1 where id = :id", id=event_id)


async def forget_record(tx: Transaction, event_id: EventId) -> None:
    """Store that the event has no record any more."""
    await tx.execute(
        "update events set record_uri = null, record_cid = null, record_did = null where id = :id", id=event_id
    )


async def erasable(reader: Reader, did: str) -> dict[EventId, str]:
    """Events known only from this repository, with the URIs of their records."""
    rows = await reader.fetch(
        "select id, record_uri from events where record_did = :did and origin = 'network' order by id", did=did
    )
    return {EventId(row["id"]): row["record_uri"] for row in rows}


async def erase_from(tx: Transaction, did: str) -> None:
    """Erase the content of events known only from this repository. Events created on this site only lose their record."""
    if await tx.execute(ERASE, did=did, now=tx.now, **BLANK) and tx.engine == "sqlite":
        # FTS5 only marks words as deleted until it merges its segments.
        await tx.execute("insert into search_index (search_index) values ('optimize')")
    await tx.execute(
        "update events set record_uri = null, record_cid = null, record_did = null where record_did = :did", did=did
    )
