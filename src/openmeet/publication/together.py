"""Several first sends and retractions of one repository in one commit (``applyWrites``), at most 200.

Each row keeps its own lease, key, CID and bytes, fixed before anything is sent, as if it went alone. The commit takes all
of them or none, so there are three ends: it is answered, and each row is settled by itself; it is refused, and each row
is paid singly, because one of them spoils it; or nobody knows, and each row is read back when it is tried again. Updates
never go this way: they need ``swapRecord``; nor do retractions of answers, whose keys come again. What failed before does not either: it would fail its neighbours.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from at_network.pacing import pause_seconds
from at_network.xrpc_client import XrpcClient
from at_protocol.data import json_form
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from groundwork.errors import Failure, NotSignedIn
from groundwork.outbox import retry
from groundwork.telemetry.logs import log
from openmeet.debts import doubts
from openmeet.debts import publication_leases as leases
from openmeet.debts.doubts import Sent
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.identities.agents import agent_for
from openmeet.identities.model import Identity
from openmeet.publication import drafting, proving, settling, writing
from openmeet.publication.decision import Hold, Publish
from openmeet.publication.drafting import Draft
from openmeet.publication.eligibility import decide
from openmeet.publication.holders import repository_to_clear
from openmeet.publication.in_doubt import until_answered
from openmeet.publication.publisher import MAX_WRITES_PER_HOUR, WRITE_COST, Publisher
from openmeet.publication.sending import Applied, Stored, apply_writes
from openmeet.records.event_writing import Written, seal_in_cbor

# Kinds whose key follows from what they are about: after a retraction it may come again.
KEYS_COME_AGAIN = frozenset({Kind.RSVP, Kind.MEMBERSHIP, Kind.ACCEPTANCE, Kind.GROUP_EVENT})
# The protocol's limit on one commit.
MAX_WRITES = 200
# The reference PDS takes JSON bodies of 150 kB; what is larger goes in several calls.
MAX_BODY_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class _Create:
    """A first send: the row, and what it says."""

    held: Publication
    draft: Draft
    written: Written

    @property
    def sent(self) -> Sent:
        return Sent(str(self.draft.uri), str(self.written.cid), None)

    @property
    def size(self) -> int:
        return len(msgspec.json.encode(json_form.to_json(self.draft.record))) + 300


@dataclass(frozen=True, slots=True)
class _Delete:
    """A retraction."""

    held: Publication
    identity: Identity
    uri: AtUri

    @property
    def size(self) -> int:
        return 300


_Write = _Create | _Delete


async def pay_together(publisher: Publisher, held: Sequence[Publication]) -> list[Publication]:
    """Pay what can go out together; the rows that must be paid singly, as they stand now. Raises nothing of the network."""
    by_did: dict[str, list[_Write]] = defaultdict(list)
    identities: dict[str, Identity] = {}
    alone: list[Publication] = []
    for one in held:
        try:
            write = await _write_of(publisher, one)
        except Exception as failure:  # noqa: BLE001 - one row that cannot be read must not keep the others from going out
            log.error("publication.failed_unforeseen", kind=one.kind.value, subject=one.subject_id, error=repr(failure))
            write = None
        if write is None:
            alone.append(one)
            continue
        identity = write.identity if isinstance(write, _Delete) else write.draft.identity
        by_did[identity.did].append(write)
        identities[identity.did] = identity
    batches = [(identities[did], batch) for did, writes in by_did.items() for batch in _batches(writes)]
    left = await asyncio.gather(*(_pay_batch(publisher, identity, batch) for identity, batch in batches))
    return alone + [one for some in left for one in some]


async def _write_of(publisher: Publisher, held: Publication) -> _Write | None:
    """What the row comes to, if that is a first send or a retraction; None for everything else."""
    if held.attempts > 0:
        return None
    async with publisher.db.reader() as reader:
        decision = await decide(reader, held, publisher.flags)
        if isinstance(decision, Hold) and held.uri is not None and held.did is not None:
            if held.kind in KEYS_COME_AGAIN:
                return None  # a delete that names no version could meet the next answer
            identity = await repository_to_clear(reader, held)
            if identity is None:
                return None
            return _Delete(held, identity, parse_at_uri(held.uri))
    if held.state is State.RETRACTING or not isinstance(decision, Publish):
        return None
    try:
        draft = await drafting.first_draft(publisher, held, decision)
    except Failure:
        return None  # alone it fails again, and its row says why
    return None if draft is None else _Create(held, draft, seal_in_cbor(draft.record))


def _batches(writes: Sequence[_Write]) -> list[list[_Write]]:
    """As many as fit into one call, retractions first."""
    found: list[list[_Write]] = []
    size = 0
    for write in sorted(writes, key=lambda one: isinstance(one, _Create)):
        if not found or len(found[-1]) == MAX_WRITES or size + write.size > MAX_BODY_BYTES:
            found.append([])
            size = 0
        found[-1].append(write)
        size += write.size
    return found


async def _pay_batch(publisher: Publisher, identity: Identity, batch: Sequence[_Write]) -> list[Publication]:
    """Pay one call's worth; the rows that are to be paid singly."""
    # Two writes under one key, a retraction and what follows it, are two commits.
    uris = {_uri(one) for one in batch}
    if len(batch) < 2 or len(uris) < len(batch):
        return [one.held for one in batch]
    try:
        client = await agent_for(publisher.db, publisher.network, identity)
    except Failure:
        return [one.held for one in batch]
    if pause_seconds(client.pace, publisher.network.clock.now(), cost=WRITE_COST * len(batch)) > 0:
        return [one.held for one in batch]
    fixed = await _fix(publisher, batch)
    if not fixed:
        return []
    try:
        async with until_answered(publisher, [one.sent for one in fixed if isinstance(one, _Create)]):
            applied = await _send(client, identity, fixed)
        await _settle(publisher, identity, fixed, applied)
    except NotSignedIn:
        return await _as_they_stand(publisher, fixed)
    except Failure as failure:
        if not retry.is_worth_retrying(failure):
            log.warning("publications.refused_together", writes=len(fixed), reason=failure.why)
            return await _as_they_stand(publisher, fixed)
        for one in fixed:
            await settling.try_later(publisher, _held(one), failure.why, retry.asked_seconds(failure))
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the promises must not be lost
        log.error("publications.failed_unforeseen", writes=len(fixed), error=repr(failure))
        for one in fixed:
            await settling.try_later(publisher, _held(one), type(failure).__name__, None)
    return []


async def _fix(publisher: Publisher, batch: Sequence[_Write]) -> list[_Write]:
    """Store what will be sent, each under its lease; those whose lease is another payer's by now fall out.

    So do those that were written too often; they wait for their owner from now on, and not for the end of their lease.
    """
    fixed: list[_Write] = []
    too_often: list[tuple[_Create, int]] = []
    async with publisher.db.transaction() as tx:
        for one in batch:
            if isinstance(one, _Delete):
                if await leases.start_retracting(tx, one.held):
                    fixed.append(one)
                continue
            writes = await leases.fix(tx, one.held, one.sent, did=one.draft.identity.did, body=one.written.body)
            if writes is not None and writes <= MAX_WRITES_PER_HOUR:
                fixed.append(one)
            elif writes is not None:
                await doubts.answered(tx, one.sent)  # it is not sent
                too_often.append((one, writes))
    for one, writes in too_often:
        await writing.written_too_often(publisher, one.held, one.sent.uri, writes)
    return fixed


async def _send(client: XrpcClient, identity: Identity, fixed: Sequence[_Write]) -> Applied:
    deletes = [one for one in fixed if isinstance(one, _Delete)]
    creates = [one for one in fixed if isinstance(one, _Create)]
    return await apply_writes(
        client,
        identity.did,
        [one.uri for one in deletes],
        [(one.draft.uri, one.written.record) for one in creates],
    )


async def _settle(publisher: Publisher, identity: Identity, fixed: Sequence[_Write], applied: Applied) -> None:
    """Each row by itself, as the answer says."""
    deletes = [one for one in fixed if isinstance(one, _Delete)]
    creates = [one for one in fixed if isinstance(one, _Create)]
    for one in deletes:
        gone = await proving.absence(publisher, one.uri, applied.rev)
        await settling.forget(publisher, leases.as_retracting(one.held), gone)
    for made, cid in zip(creates, applied.cids, strict=True):
        stored = Stored(cid or "", applied.rev)
        await writing.settle_stored(publisher, made.held, made.sent, made.written.body, stored)
    log.info("records.published_together", did=identity.did, created=len(creates), deleted=len(deletes))


async def _as_they_stand(publisher: Publisher, fixed: Sequence[_Write]) -> list[Publication]:
    """The rows read anew, with the key that was fixed for them: a second one must never be chosen."""
    found: list[Publication] = []
    async with publisher.db.reader() as reader:
        for one in fixed:
            now = await leases.find(reader, one.held.kind, one.held.subject_id)
            if now is not None and now.lease == one.held.lease and now.state in {State.SENDING, State.RETRACTING}:
                found.append(now)
    return found


def _held(write: _Write) -> Publication:
    return leases.as_retracting(write.held) if isinstance(write, _Delete) else write.held


def _uri(write: _Write) -> str:
    return str(write.uri if isinstance(write, _Delete) else write.draft.uri)
