"""Batching: several first writes to one repository in one commit (``applyWrites``), at most 200.

Each row has its own lease, key, CID and bytes, stored before anything is sent, as if it were written individually. The
commit accepts all writes or none, so there are three outcomes. Success: each row is completed. Refusal: each row is
written individually, because one of them is the cause. Unknown: each row is read back when it is retried. Updates and
retractions are never batched: they need ``swapRecord``, because keys can be reused and a late delete must not remove a
newer record. Rows that failed before are not batched either, because they would make the whole batch fail.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from at_network.pacing import pause_seconds
from at_protocol.data import json_form
from groundwork.errors import NOT_CALLED, Explanation, Failure, NotSignedIn, reason_of
from groundwork.outbox import retry
from groundwork.telemetry.logs import log
from openmeet.domain.identities.model import Identity
from openmeet.network.publishing import delivery_results, record_writes
from openmeet.network.publishing.decision import Publish
from openmeet.network.publishing.decision_basis import lock_basis
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.eligibility import decide
from openmeet.network.publishing.late_writes import clearing_if_refused
from openmeet.network.publishing.record_writes import MAX_WRITES_PER_HOUR, WRITE_COST
from openmeet.network.publishing.repository_calls import WriteReceipt, apply_creates
from openmeet.network.publishing.write_plan import PlannedWrite, plan_first_write
from openmeet.network.records.event_writer import WrittenRecord, encode_record
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox import in_flight, leased_publications, publication_queries
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationState

# The protocol's limit per commit.
MAX_WRITES = 200
# The reference PDS accepts JSON bodies of up to 150 kB; larger batches are split into several calls.
MAX_BODY_BYTES = 100_000
# What one write adds to its record in the body: type, collection and key, generously.
_BYTES_AROUND_RECORD = 300


@dataclass(frozen=True, slots=True)
class _Create:
    """A first write: the row and its record."""

    publication: Publication
    planned: PlannedWrite
    written: WrittenRecord

    @property
    def write(self) -> InFlightWrite:
        return InFlightWrite(str(self.planned.uri), str(self.written.cid), None)

    @property
    def size(self) -> int:
        return len(msgspec.json.encode(json_form.to_json(self.planned.record))) + _BYTES_AROUND_RECORD


async def deliver_batched(
    dependencies: PublishingDependencies, publications: Sequence[Publication]
) -> list[Publication]:
    """Write everything that can be batched; return the rows that must be written individually, in their current state.
    Raises no network errors.
    """
    by_did: dict[str, list[_Create]] = defaultdict(list)
    individual: list[Publication] = []
    for one in await delivery_results.acknowledge_changes(dependencies, publications):
        try:
            create = await _create_of(dependencies, one)
        except Exception as failure:  # noqa: BLE001 - a row that cannot be read must not block the others
            log.error("publication.failed_unforeseen", kind=one.kind.value, subject=one.subject_id, error=repr(failure))
            create = None
        if create is None:
            individual.append(one)
        else:
            by_did[create.planned.identity.did].append(create)
    batches = [batch for creates in by_did.values() for batch in _batches(creates)]
    undelivered = await asyncio.gather(*(_deliver_batch(dependencies, batch) for batch in batches))
    return individual + [one for publications_left in undelivered for one in publications_left]


async def _create_of(dependencies: PublishingDependencies, publication: Publication) -> _Create | None:
    """Return the first write of a row; None if the row needs something else."""
    if publication.attempts > 0 or publication.has_delete_in_flight:
        return None
    async with dependencies.db.reader() as reader:
        decision = await decide(reader, publication, dependencies.flags)
    if not isinstance(decision, Publish):
        return None
    try:
        planned = await plan_first_write(dependencies, publication, decision)
    except Failure:
        return None  # written individually it will fail again, and then its row stores the reason
    return None if planned is None else _Create(publication, planned, encode_record(planned.record))


def _batches(creates: Sequence[_Create]) -> list[list[_Create]]:
    """Split into calls of at most ``MAX_WRITES`` and ``MAX_BODY_BYTES``."""
    batches: list[list[_Create]] = []
    size = 0
    for create in creates:
        if not batches or len(batches[-1]) == MAX_WRITES or size + create.size > MAX_BODY_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(create)
        size += create.size
    return batches


async def _deliver_batch(dependencies: PublishingDependencies, batch: Sequence[_Create]) -> list[Publication]:
    """Send one call; return the rows that must be written individually. Nothing is raised: if the results cannot be
    stored, the leases expire and the rows are read back when they are retried.
    """
    remaining: list[Publication] = []
    async with delivery_results.logging_lost_results(*(one.publication for one in batch)):
        remaining += await _send_batch(dependencies, batch[0].planned.identity, batch)
    return remaining


async def _send_batch(
    dependencies: PublishingDependencies, identity: Identity, batch: Sequence[_Create]
) -> list[Publication]:
    """Send one call; return the rows that must be written individually."""
    uris = {str(one.planned.uri) for one in batch}
    if len(batch) < 2 or len(uris) < len(batch):
        return [one.publication for one in batch]
    try:
        client = await agent_for(dependencies.db, dependencies.network, identity)
    except Failure:
        return [one.publication for one in batch]
    if pause_seconds(client.pace, dependencies.network.clock.now(), cost=WRITE_COST * len(batch)) > 0:
        return [one.publication for one in batch]
    to_send = await _store_before_sending(dependencies, batch)
    if not to_send:
        return []
    try:
        async with clearing_if_refused(dependencies, [one.write for one in to_send]):
            applied = await apply_creates(
                client, identity.did, [(one.planned.uri, one.written.record) for one in to_send]
            )
        for create, cid in zip(to_send, applied.cids, strict=True):
            receipt = WriteReceipt(cid or "", applied.rev)
            await record_writes.store_response(
                dependencies, create.publication, create.write, create.written.body, receipt
            )
        log.info("records.published_together", did=identity.did, created=len(to_send))
    except NotSignedIn:
        return await _reload(dependencies, to_send)
    except NOT_CALLED as not_called:
        for one in to_send:
            async with delivery_results.logging_lost_results(one.publication):
                await delivery_results.pause_for_server(dependencies, one.publication, not_called)
    except Failure as failure:
        if not retry.is_worth_retrying(failure):
            log.warning("publications.refused_together", writes=len(to_send), reason=str(failure.why))
            return await _reload(dependencies, to_send)
        await _retry_later(dependencies, to_send, reason_of(failure), retry.retry_after_seconds(failure))
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the publications must not be lost
        log.error("publications.failed_unforeseen", writes=len(to_send), error=repr(failure))
        await _retry_later(dependencies, to_send, reason_of(failure), None)
    return []


async def _retry_later(
    dependencies: PublishingDependencies,
    to_send: Sequence[_Create],
    reason: Explanation,
    retry_after_seconds: float | None,
) -> None:
    for one in to_send:
        async with delivery_results.logging_lost_results(one.publication):
            await delivery_results.retry_later(dependencies, one.publication, reason, retry_after_seconds)


async def _store_before_sending(dependencies: PublishingDependencies, batch: Sequence[_Create]) -> list[_Create]:
    """Store the writes that will be sent, each row under its lease. Rows that were withdrawn, or whose lease has passed
    to another worker, are dropped. So are all if the account was erased or disconnected, or if what a decision is based
    on has changed.

    Rows that were written too often are dropped as well: they wait for their owner instead of the end of the lease.
    """
    to_send: list[_Create] = []
    too_often: list[tuple[_Create, int]] = []
    async with dependencies.db.transaction() as tx:
        if not await lock_basis(tx, [(one.publication, one.planned.decision) for one in batch]):
            return []
        for one in batch:
            writes = await leased_publications.store_before_sending(
                tx, one.publication, one.write, did=one.planned.identity.did, body=one.written.body
            )
            if writes is not None and writes <= MAX_WRITES_PER_HOUR:
                to_send.append(one)
            elif writes is not None:
                await in_flight.remove(tx, one.write)  # it will not be sent
                too_often.append((one, writes))
    for one, writes in too_often:
        await record_writes.stop_rewriting(dependencies, one.publication, one.write.uri, writes)
    return to_send


async def _reload(dependencies: PublishingDependencies, to_send: Sequence[_Create]) -> list[Publication]:
    """Read the rows again, including the keys that were stored for them, because a second key must never be chosen."""
    reloaded: list[Publication] = []
    async with dependencies.db.reader() as reader:
        for one in to_send:
            current = await publication_queries.find(reader, one.publication.kind, one.publication.subject_id)
            if (
                current is not None
                and current.lease == one.publication.lease
                and current.state in {PublicationState.SENDING, PublicationState.RETRACTING}
            ):
                reloaded.append(current)
    return reloaded
