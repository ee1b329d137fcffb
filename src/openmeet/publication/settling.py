"""Noting what came of a send: each function is one short transaction, and none asks the network."""

import random

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import HOUR, SECOND, Instant
from groundwork.database.transaction import Transaction
from groundwork.outbox import retry
from groundwork.telemetry.logs import log
from openmeet.attendance import actions as attendance_actions
from openmeet.attendance.model import AttendanceId
from openmeet.debts import publication_leases as leases
from openmeet.debts import publications
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.events import actions as event_actions
from openmeet.events.model import EventId
from openmeet.publication.eligibility import PublishRsvp, decide
from openmeet.publication.publisher import Publisher
from openmeet.records import seen
from openmeet.records.message import Operation, RecordMessage
from openmeet.records.row_lock import lock_row_of
from openmeet.records.rsvp import read_rsvp, subject_of
from openmeet.records.seen import Standing


async def confirm(
    publisher: Publisher, held: Publication, *, revision: int, uri: str, cid: str, body: bytes, rev: str
) -> None:
    """The PDS holds these bytes as of ``rev``: a version like any other, and the new base of the promise."""
    at = parse_at_uri(uri)
    if at.collection is None or at.rkey is None:
        raise ValueError(f"not the uri of a record: {uri}")
    message = RecordMessage(
        did=parse_did(at.authority),
        collection=at.collection,
        rkey=at.rkey,
        rev=parse_tid(rev),
        operation=Operation.UPDATE,
        cid=cid,
        body=body,
        is_verified=True,
    )
    overtaken_by: RecordMessage | None = None
    async with publisher.db.transaction() as tx:
        if not await _note_seen(tx, held, message):
            overtaken_by = await _newer(tx, message)
        await settle(tx, held, revision=revision, uri=uri, cid=cid, body=body, rev=rev)
    if overtaken_by is not None:
        # Somebody edited right after us and their version was faster here: with ours settled it is joined anew.
        await publisher.enqueue([overtaken_by])


async def settle(
    tx: Transaction, held: Publication, *, revision: int, uri: str, cid: str, body: bytes, rev: str
) -> None:
    """The promise is kept, and the room concerned knows where its record is."""
    await lock_row_of(tx, held.kind, held.subject_id)
    if not await leases.confirm(tx, held, revision=revision, cid=cid, body=body, rev=rev):
        return
    if held.kind is Kind.EVENT:
        did = parse_at_uri(uri).authority
        if await event_actions.note_record(tx, EventId(held.subject_id), uri=uri, cid=cid, did=did):
            await attendance_actions.decide_records_anew(tx, EventId(held.subject_id))
    else:
        await attendance_actions.note_record(
            tx, AttendanceId(held.subject_id), uri=uri, about=subject_of(cbor.decode(body))
        )
    log.info("record.published", uri=uri, cid=cid, rev=rev)


async def forget(publisher: Publisher, held: Publication, gone: RecordMessage | None = None) -> None:
    """The record is gone from the repository, by us; the room concerned forgets where it was.

    ``gone`` says as of which rev: what is older and still on its way would else look like somebody's new record.
    """
    async with publisher.db.transaction() as tx:
        if gone is not None:
            await _note_gone(tx, gone)
        await lock_row_of(tx, held.kind, held.subject_id)
        if not await leases.retracted(tx, held):
            return
        if held.kind is Kind.EVENT:
            await event_actions.forget_record(tx, EventId(held.subject_id))
            await attendance_actions.decide_records_anew(tx, EventId(held.subject_id))
        else:
            await attendance_actions.forget_record(tx, AttendanceId(held.subject_id))
            if isinstance(await decide(tx, held), PublishRsvp):
                # The event became public again while its answers were being taken back.
                await publications.look_again(tx, kind=Kind.RSVP, subject_ids=[held.subject_id])
    log.info("record.retracted", uri=held.uri)


async def give_back(
    publisher: Publisher,
    held: Publication,
    state: State,
    *,
    reason: str,
    due_at: Instant | None = None,
    failed: bool = False,
    is_round: bool = False,
) -> None:
    """The row in another state; nothing where its lease has passed to somebody else."""
    async with publisher.db.transaction() as tx:
        await leases.move(tx, held, state, reason=reason, due_at=due_at, failed=failed, round_=is_round)


async def try_later(publisher: Publisher, held: Publication, reason: str, asked_seconds: float | None) -> None:
    """With back-off, never sooner than the PDS asked for."""
    seconds = retry.wait_seconds(
        held.attempts + 1,
        random.random(),  # noqa: S311 - spreads retries, guards nothing
        asked_seconds=asked_seconds,
    )
    state = State.RETRACTING if held.state is State.RETRACTING else State.RETRYING
    due_at = Instant(publisher.network.clock.now() + int(seconds * SECOND))
    log.warning("publication.postponed", kind=held.kind.value, subject=held.subject_id, reason=reason)
    await give_back(publisher, held, state, reason=reason, due_at=due_at, failed=True)


async def refuse(publisher: Publisher, held: Publication, reason: str) -> None:
    """The PDS will not take it, however often it is asked; a retraction is tried again all the same, later."""
    log.error("publication.refused", kind=held.kind.value, subject=held.subject_id, reason=reason)
    if held.state is State.RETRACTING:
        due_at = Instant(publisher.network.clock.now() + HOUR)
        await give_back(publisher, held, State.RETRACTING, reason=reason, due_at=due_at, failed=True)
    else:
        await give_back(publisher, held, State.REFUSED, reason=reason)


async def _note_seen(tx: Transaction, held: Publication, message: RecordMessage) -> bool:
    """The same join as for messages of the network; the echo will find this version known."""
    if held.kind is Kind.EVENT:
        await seen.lock_subjects(tx, [message.uri])
        return await seen.put(tx, message, standing=Standing.MAPPED, subject_uri=message.uri)
    read = read_rsvp(message.collection, cbor.decode(message.body or b""), rkey=message.rkey)
    await seen.lock_answers(tx, [message.uri])
    await seen.lock_subjects(tx, [str(read.subject)])
    return await seen.put(
        tx, message, standing=Standing.MAPPED, subject_uri=str(read.subject), precedence=read.precedence
    )


async def _note_gone(tx: Transaction, gone: RecordMessage) -> None:
    await seen.lock_answers(tx, [gone.uri])
    known = await seen.find(tx, gone.uri)
    subject = gone.uri if known is None or known.subject_uri is None else known.subject_uri
    await seen.lock_subjects(tx, [subject])
    await seen.put(tx, gone, standing=Standing.TOMBSTONE, subject_uri=subject)


async def _newer(tx: Transaction, ours: RecordMessage) -> RecordMessage | None:
    """The version that overtook ours, as a message; None where it is ours."""
    newest = await seen.find(tx, ours.uri)
    if newest is None or newest.cid == ours.cid or newest.rev <= ours.rev:
        return None
    return RecordMessage(
        did=ours.did,
        collection=ours.collection,
        rkey=ours.rkey,
        rev=parse_tid(newest.rev),
        operation=Operation.DELETE if newest.cid is None else Operation.UPDATE,
        cid=newest.cid,
        body=newest.body,
        is_verified=newest.is_verified,
    )
