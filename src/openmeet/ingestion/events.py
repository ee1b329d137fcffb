"""What a new version of an event record means for the event: taken over, merged with edits made here, or removed."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.debts import publication_leases
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.events import actions as events
from openmeet.events import queries as event_queries
from openmeet.events.model import Event, EventId, NetworkEvent
from openmeet.events.promotion import Reach, reach_of
from openmeet.identities import actions as identities
from openmeet.ingestion import conflicts
from openmeet.ingestion.merge import (
    Facts,
    decode_edits,
    decode_event,
    edits_between,
    encode_edits,
    encode_event,
    merge,
    with_local_values,
)
from openmeet.records.collections import EVENT
from openmeet.records.event import read_event
from openmeet.records.event_writing import ours_as_read, own_links, publishable
from openmeet.records.own_entries import Earlier


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record to take over: its decoded bytes and the rev as of which it was seen."""

    uri: str
    did: Did
    collection: str
    rkey: str
    rev: str
    cid: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Here:
    """The installation itself: its address, as it stands in records that we write.

    ``erasure_keys``: see ``records.erased``; without any nothing can have been erased.
    """

    instance: str
    erasure_keys: tuple[bytes, ...] = ()

    def page_of(self, event: Event) -> str:
        return f"{self.instance}/events/{quote(event.slug)}"


async def take_over(
    tx: Transaction, here: Here, version: Version, read: NetworkEvent, owned: Publication | None
) -> EventId:
    """Make the event agree with the newest version of its record; edits made here since are merged, not lost."""
    if owned is None:
        author_id = await identities.person_for_did(tx, version.did)
        return await events.apply_from_network(
            tx, uri=version.uri, cid=version.cid, author_id=author_id, event=_without_own_links(read, here)
        )
    event = await event_queries.lock_for_update(tx, EventId(owned.subject_id))
    if event is None:
        raise LookupError(f"publication of an event that is not here: {owned.subject_id}")
    await _join(tx, here, version, read, owned, event)
    return event.id


async def remove(tx: Transaction, *, uri: str, rev: str, owned: Publication | None) -> None:
    """The record is gone. Where we took it back ourselves, the event only forgets it; else it is removed here too."""
    if owned is not None and owned.state is State.RETRACTING:
        await events.forget_record(tx, EventId(owned.subject_id))
        return
    if owned is not None:
        await publication_leases.lose(tx, uri=uri, rev=rev, reason="The record was deleted in the repository.")
    await events.remove_from_network(tx, uri=uri)


async def owned_by_event(tx: Transaction, uri: str, before: Version | None) -> Publication | None:
    """The promise about an event that came from this record, edited here and never sent: it is attached now.

    ``before`` is the version that the edit was made on; it is the base of the merge.
    """
    event = None if before is None else await event_queries.by_record_uri(tx, uri)
    if event is None or before is None:
        return None
    owned = await publication_leases.find(tx, Kind.EVENT, event.id)
    if owned is None or owned.uri is not None:
        return None
    await publication_leases.attach(
        tx,
        kind=Kind.EVENT,
        subject_id=event.id,
        did=before.did,
        uri=uri,
        cid=before.cid,
        body=before.body,
        rev=before.rev,
    )
    return await publication_leases.find(tx, Kind.EVENT, event.id)


async def _join(
    tx: Transaction, here: Here, version: Version, theirs: NetworkEvent, owned: Publication, event: Event
) -> None:
    base_record = _record(owned.base_body if owned.base_body is not None else version.body)
    base = read_event(EVENT, base_record, rkey=version.rkey, indexed_at=event.created_at).event
    ours_public = publishable(event, instance=here.instance, page_url=here.page_of(event))
    earlier = Earlier(written=None if owned.chosen_body is None else _record(owned.chosen_body))
    ours = ours_as_read(ours_public, base_record, rkey=version.rkey, earlier=earlier)
    edits: dict[str, Any] = {}
    if owned.is_pending:
        edits = decode_edits(owned.edits) if owned.edits is not None else {}
        since = decode_event(owned.merged) if owned.merged is not None else base
        edits.update(edits_between(since, ours))
    facts = Facts(
        origin=event.origin,
        ours_at=owned.edited_at,
        theirs_at=moment_of_rev(version.rev, tx.now),
        ours_cid=owned.chosen_cid or "",
        theirs_cid=version.cid,
    )
    merged = merge(base, edits, theirs, facts)
    if event.record_uri is None:
        # Our first send arrived although its answer did not, and somebody has edited it since: it is this event's.
        await events.note_record(tx, event.id, uri=version.uri, cid=version.cid, did=version.did)
    ours_before = ours if owned.is_pending else base
    await events.apply_from_network(
        tx,
        uri=version.uri,
        cid=version.cid,
        author_id=event.author_id,
        event=_without_own_links(_kept_at_home(event, with_local_values(event, ours_before, merged.event)), here),
    )
    if owned.is_pending:
        await publication_leases.remember_merge(
            tx, uri=version.uri, edits=encode_edits(edits), merged=encode_event(merged.event)
        )
        await conflicts.keep(
            tx,
            uri=version.uri,
            theirs_rev=version.rev,
            ours_revision=owned.revision,
            decisions=merged.decisions,
        )
    else:
        await publication_leases.adopt(tx, uri=version.uri, cid=version.cid, body=version.body, rev=version.rev)


def _kept_at_home(event: Event, merged: NetworkEvent) -> NetworkEvent:
    """What a record says in place of what its group does not let out cannot change what is kept here."""
    if reach_of(event) is not Reach.MINIMAL:
        return merged
    return replace(
        merged,
        description=event.description,
        venues=() if event.venue.is_empty else (event.venue,),
        online_url=event.online_url,
        links=event.links,
    )


def moment_of_rev(rev: str, now: Instant) -> Instant:
    """When the remote commit says it was made, never later than now."""
    return Instant(min(to_microseconds(parse_tid(rev)), now))


def _record(body: bytes) -> dict[str, Value]:
    value = cbor.decode(body)
    return {**value, "$type": EVENT} if isinstance(value, dict) else {"$type": EVENT}


def _without_own_links(event: NetworkEvent, here: Here) -> NetworkEvent:
    links = own_links(event.links, here.instance)
    return event if links == event.links else replace(event, links=links)
