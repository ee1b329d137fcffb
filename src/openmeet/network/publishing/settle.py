"""Store the outcome of a write: each function is one short transaction and makes no network call."""

import random

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import HOUR, SECOND, Instant
from groundwork.database.transaction import Transaction
from groundwork.outbox import retry
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import actions as event_actions
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import record_queries
from openmeet.domain.series.model import SeriesId
from openmeet.network.publishing.decision import Pause, Publish, Wait
from openmeet.network.publishing.eligibility import decide
from openmeet.network.publishing.publisher import Publisher
from openmeet.network.records import floors, links, seen
from openmeet.network.records.collections import RSVP
from openmeet.network.records.links import current_subject
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.row_lock import lock_row_of
from openmeet.network.records.rsvp import GOING, INTERESTED, NOT_GOING, read_rsvp, subject_of
from openmeet.network.records.seen import RecordState
from openmeet.outbox import in_flight, publication_moves, publications
from openmeet.outbox import publication_leases as leases
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_leases import LeasedPublication
from openmeet.outbox.publications import FORMER_OF, PublicationKind, PublicationState


async def confirm(
    publisher: Publisher,
    held: LeasedPublication,
    *,
    revision: int,
    uri: str,
    cid: str,
    body: bytes,
    rev: str,
    answered: InFlightWrite | None = None,
    lacks: str = "",
) -> None:
    """The PDS has these bytes as of ``rev``: store them as a seen version, and as the new base of the publication.

    ``answered``: the write that was just answered; it is no longer in flight if this outcome is stored. ``lacks``: what
    the record lacks of what its owner wanted, and why.
    """
    at = parse_at_uri(uri)
    if at.collection is None or at.rkey is None:
        raise ValueError(f"not the uri of a record: {uri}")
    message = RecordMessage(
        did=parse_did(at.authority),
        collection=at.collection,
        rkey=at.rkey,
        rev=parse_tid(rev),
        operation=RecordOperation.UPDATE,
        cid=cid,
        body=body,
        is_verified=True,
    )
    overtaken_by: RecordMessage | None = None
    async with publisher.db.transaction() as tx:
        if not await _note_seen(tx, held, message):
            overtaken_by = await _newer(tx, message)
        is_settled = await settle(tx, held, revision=revision, uri=uri, cid=cid, body=body, rev=rev, lacks=lacks)
        if is_settled and answered is not None:
            await in_flight.answered(tx, answered)
    if held.kind is PublicationKind.RSVP and cid != held.base_cid:
        publisher.count_rsvp("create" if held.base_cid is None else "update", _status_in(body))
    if overtaken_by is not None:
        # Somebody edited right after us and their version was ingested first: now that ours is stored, theirs is merged
        # again.
        await publisher.enqueue([overtaken_by])


async def settle(
    tx: Transaction,
    held: LeasedPublication,
    *,
    revision: int,
    uri: str,
    cid: str,
    body: bytes,
    rev: str,
    lacks: str = "",
) -> bool:
    """Mark the publication as published, and store in the domain table where its record is.

    False if the lease has passed to another worker.
    """
    await lock_row_of(tx, held.kind, held.subject_id)
    if not await leases.confirm(tx, held, revision=revision, cid=cid, body=body, rev=rev, reason=lacks):
        return False
    if held.kind is PublicationKind.EVENT:
        await links.note_event(tx, EventId(held.subject_id), uri=uri, cid=cid, did=parse_at_uri(uri).authority)
    elif held.kind is PublicationKind.SERIES:
        await links.note_series(tx, SeriesId(held.subject_id), uri)
    elif held.kind is PublicationKind.RSVP:
        await attendance_actions.note_record(
            tx,
            AttendanceId(held.subject_id),
            uri=uri,
            about=subject_of(cbor.decode(body)),
            is_about=seen.is_about,
        )
    else:
        await links.note(tx, held.kind, held.subject_id, uri=uri, cid=cid)
    if (uri, cid) != (held.uri, held.base_cid):
        tracing.note("record.published", held.subject_id, kind=held.kind.value, uri=uri, cid=cid, rev=rev)
    return True


async def forget(publisher: Publisher, held: LeasedPublication, gone: RecordMessage | None = None) -> None:
    """We deleted the record from the repository; the domain table no longer refers to it.

    ``gone`` has the rev of the deletion: older messages still on their way would otherwise look like somebody's new
    record.
    """
    async with publisher.db.transaction() as tx:
        if gone is not None:
            await note_gone(tx, gone)
        await lock_row_of(tx, held.kind, held.subject_id)
        if not await leases.retracted(tx, held, is_gone=gone is not None):
            return
        if held.kind is PublicationKind.EVENT:
            await event_actions.forget_record(tx, EventId(held.subject_id), held.uri)
            await attendance_actions.decide_records_anew(tx, EventId(held.subject_id))
        elif held.kind is PublicationKind.SERIES:
            await links.note_series(tx, SeriesId(held.subject_id), None)
        elif held.kind is PublicationKind.RSVP:
            await attendance_actions.forget_record(tx, AttendanceId(held.subject_id))
        elif held.kind in FORMER_OF.values():
            if gone is not None:
                await links.note_former_gone(tx, held.subject_id)
        else:
            await links.note(tx, held.kind, held.subject_id, uri=None, cid=None)
            if held.uri is not None:
                # The deletion is stored before the stream reports it, so that nobody mistakes it for a withdrawal.
                await record_queries.forget(tx, held.uri)
        after = await leases.find(tx, held.kind, held.subject_id)
        if after is not None and isinstance(await decide(tx, after, publisher.flags), Publish | Pause | Wait):
            # From now on it may be public again, or be in another repository.
            await publications.look_again(tx, kind=held.kind, subject_ids=[held.subject_id])
    if held.kind is PublicationKind.RSVP and held.uri is not None:
        publisher.count_rsvp("delete", "")
    log.info("record.retracted", uri=held.uri)


async def come_back(publisher: Publisher, held: LeasedPublication, uri: str) -> None:
    """A record that was to leave its repository stays there after all: its publication is again the one of its subject."""
    async with publisher.db.transaction() as tx:
        await lock_row_of(tx, held.kind, held.subject_id)
        now = await leases.find(tx, held.kind, held.subject_id)
        if now is None or now.lease != held.lease or now.uri is not None:
            return
        await publication_moves.drop(tx, uri)
        former = FORMER_OF[held.kind]
        await publication_moves.come_back(tx, held.kind, held.subject_id, former, uri, held.user_id)
        await publications.enqueue(
            tx, kind=held.kind, subject_id=held.subject_id, user_id=held.user_id, revision=held.revision
        )


async def give_back(
    publisher: Publisher,
    held: LeasedPublication,
    state: PublicationState,
    *,
    reason: str,
    due_at: Instant | None = None,
    failed: bool = False,
    is_round: bool = False,
) -> None:
    """Release the row in another state; no effect if the lease has passed to another worker."""
    async with publisher.db.transaction() as tx:
        await leases.move(tx, held, state, reason=reason, due_at=due_at, failed=failed, round_=is_round)


async def try_later(publisher: Publisher, held: LeasedPublication, reason: str, asked_seconds: float | None) -> None:
    """Retry with back-off, never sooner than the PDS asked for."""
    seconds = retry.wait_seconds(
        held.attempts + 1,
        random.random(),  # noqa: S311 - spreads retries, guards nothing
        asked_seconds=asked_seconds,
    )
    state = PublicationState.RETRACTING if held.state is PublicationState.RETRACTING else PublicationState.RETRYING
    due_at = Instant(publisher.network.clock.now() + int(seconds * SECOND))
    log.warning("publication.postponed", kind=held.kind.value, subject=held.subject_id, reason=reason)
    await give_back(publisher, held, state, reason=reason, due_at=due_at, failed=True)


async def refuse(publisher: Publisher, held: LeasedPublication, reason: str) -> None:
    """The PDS refuses the record for good; a retraction is retried later all the same."""
    log.error("publication.refused", kind=held.kind.value, subject=held.subject_id, reason=reason)
    if held.state is PublicationState.RETRACTING:
        due_at = Instant(publisher.network.clock.now() + HOUR)
        await give_back(publisher, held, PublicationState.RETRACTING, reason=reason, due_at=due_at, failed=True)
    else:
        await give_back(publisher, held, PublicationState.REFUSED, reason=reason)


async def _note_seen(tx: Transaction, held: LeasedPublication, message: RecordMessage) -> bool:
    """Store our version as if it came from the network; the echo will find it known."""
    await floors.hold(tx, [message.did])
    if held.kind is not PublicationKind.RSVP:
        await seen.lock_subjects(tx, await links.uris_of(tx, [message.uri]))
        return await seen.put(tx, message, standing=RecordState.MAPPED, subject_uri=message.uri)
    read = read_rsvp(message.collection, cbor.decode(message.body or b""), rkey=message.rkey)
    await seen.lock_answers(tx, [message.uri])
    subject = await current_subject(tx, str(read.subject))
    return await seen.put(tx, message, standing=RecordState.MAPPED, subject_uri=subject, precedence=read.precedence)


async def note_gone(tx: Transaction, gone: RecordMessage) -> None:
    """Store that there is no record as of a commit: older messages still on their way change nothing."""
    await floors.hold(tx, [gone.did])
    await seen.lock_answers(tx, [gone.uri])
    known = await seen.find(tx, gone.uri)
    subject = gone.uri if known is None or known.subject_uri is None else known.subject_uri
    await seen.lock_subjects(tx, [subject])
    await seen.put(tx, gone, standing=RecordState.TOMBSTONE, subject_uri=subject)


def _status_in(body: bytes) -> str:
    """The status token of an RSVP record that we write; empty for every other record."""
    record = cbor.decode(body)
    said = record.get("status") if isinstance(record, dict) else None
    return said.removeprefix(f"{RSVP}#") if said in {GOING, INTERESTED, NOT_GOING} and isinstance(said, str) else ""


async def _newer(tx: Transaction, ours: RecordMessage) -> RecordMessage | None:
    """The version that overtook ours, as a message; None if it is ours."""
    newest = await seen.find(tx, ours.uri)
    if newest is None or newest.cid == ours.cid or newest.rev <= ours.rev:
        return None
    return RecordMessage(
        did=ours.did,
        collection=ours.collection,
        rkey=ours.rkey,
        rev=parse_tid(newest.rev),
        operation=RecordOperation.DELETE if newest.cid is None else RecordOperation.UPDATE,
        cid=newest.cid,
        body=newest.body,
        is_verified=newest.is_verified,
    )
