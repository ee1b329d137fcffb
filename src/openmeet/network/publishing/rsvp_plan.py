"""Plan of the write of an RSVP record: its URI and its content.

A person must never have two RSVP records about one event. An existing one is therefore looked for under any key, first
here and then in a repository that was not read completely yet.
"""

from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.data.model import Value
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import Did
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import DAY, Instant
from groundwork.errors import RemoteFailed
from openmeet.domain.attendance.model import RsvpSource
from openmeet.domain.events.model import Event
from openmeet.network.publishing import repository_calls
from openmeet.network.publishing.decision import PublishRsvp
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.repository_calls import fetch_proof, list_rsvps
from openmeet.network.publishing.repository_choice import knows_all_rsvps, unfinished_read_since
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import RSVP
from openmeet.network.records.rsvp import record_key_for, write_rsvp
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.reasons import PublicationReason

_MILLISECOND = 1_000
# By then, a complete read has been tried many times.
LIST_MORE_AFTER: Final = DAY


async def known_or_new_uri(dependencies: PublishingDependencies, decision: PublishRsvp, did: Did) -> AtUri:
    """Return the URI of the RSVP that is known here, under any key; otherwise that of a new one."""
    event_uri = parse_at_uri(decision.event.record_uri or "")
    async with dependencies.db.reader() as reader:
        effective = await seen_rsvps.effective_rsvp(reader, subject_uri=str(event_uri), dids=[did], collections=[RSVP])
    if effective is None:
        return AtUri(did, RSVP, RecordKey(record_key_for(event_uri)))
    return parse_at_uri(effective.record.uri)


async def find_uri(dependencies: PublishingDependencies, client: XrpcClient, decision: PublishRsvp) -> AtUri | None:
    """Find the RSVP to this event, under any key, in a repository that was not read completely yet. None if there is
    none. Also None if the repository was read completely: then ``known_or_new_uri`` knows. Raises Unavailable if the
    repository has too many RSVPs to list. More are listed if no complete read is due,
    or if it has failed for ``LIST_MORE_AFTER``.
    """
    async with dependencies.db.reader() as reader:
        if await knows_all_rsvps(reader, decision.identity):
            return None
        since = await unfinished_read_since(reader, [decision.identity])
        lists_more = since is None or since + LIST_MORE_AFTER <= reader.now
    max_rsvps = repository_calls.MAX_RSVPS_LISTED_INSTEAD_OF_READ if lists_more else None
    async for one in list_rsvps(client, decision.identity.did, max_rsvps=max_rsvps):
        if str(one.subject) == decision.event.record_uri:
            return one.uri
    return None


async def has_no_record(dependencies: PublishingDependencies, decision: PublishRsvp, uri: AtUri) -> bool:
    """Whether it is certain that the repository has no RSVP record to this event."""
    async with dependencies.db.reader() as reader:
        seen_record = await seen.find(reader, str(uri))
        is_known = await knows_all_rsvps(reader, decision.identity)
    return is_known and (seen_record is None or seen_record.cid is None)


async def rsvp_record(
    dependencies: PublishingDependencies,
    publication: Publication,
    decision: PublishRsvp,
    previous: dict[str, Value] | None,
) -> dict[str, Value]:
    """The record of the RSVP. ``previous``: the record at the PDS. Raises the errors of the calls."""
    rsvp, now = decision.attendance, dependencies.network.clock.now()
    # If consent was withdrawn and given again, the re-created record must not make the old RSVP newer. The milliseconds
    # (the lease number) keep two writes under one key from having the same bytes (docs/decisions/0090).
    created_at = (
        min(rsvp.answered_at + publication.lease * _MILLISECOND, now) if rsvp.source is RsvpSource.HERE else now
    )
    return write_rsvp(
        decision.status_token,
        subject_uri=decision.event.record_uri or "",
        subject_cid=await _subject_cid(dependencies, decision.event),
        created_at=Instant(created_at),
        previous=previous,
    )


async def _subject_cid(dependencies: PublishingDependencies, event: Event) -> str:
    """Return the CID of the event's record: from our verified index, otherwise verified with its author's PDS."""
    uri = event.record_uri or ""
    async with dependencies.db.reader() as reader:
        seen_record = await seen.find(reader, uri)
    if seen_record is not None and seen_record.cid is not None and seen_record.is_verified:
        return seen_record.cid
    proof = await fetch_proof(dependencies, parse_at_uri(uri))
    if proof.cid is None:
        raise RemoteFailed(PublicationReason.EVENT_RECORD_MISSING)
    return str(proof.cid)
