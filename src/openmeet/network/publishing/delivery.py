"""Delivery of one leased publication: decide from the current state, write or retract, store the result. ``schedule``
leases the rows; ``deliver_now`` leases the one that a request waits for.

No transaction is open during a network call. What is sent is stored before the call, the result after it. If a worker
crashes after a write, its row has a key, CID and bytes; the next worker reads back before it sends again.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NoReturn

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NOT_CALLED, Failure, NotSignedIn, Unavailable, reason_of
from groundwork.outbox import retry
from groundwork.outbox.jobs import enqueue_again
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import log
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.network.publishing import delivery_results, record_writes
from openmeet.network.publishing.decision import (
    AwaitFeatureFlag,
    AwaitPermission,
    DoNothing,
    ForgetRecord,
    KeepEditsLocal,
    KeepInRepository,
    Publish,
    PublishByWriter,
    PublishEvent,
    PublishGroup,
    PublishRsvp,
    PublishSeries,
    RetractDuplicate,
    Wait,
    WithholdOrRetract,
)
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.eligibility import decide
from openmeet.network.publishing.record_writes import INGESTED_AFTER
from openmeet.network.publishing.repository_calls import delete_record, deletion_of, fetch_verified_message, get_record
from openmeet.network.publishing.repository_choice import repository_to_delete_from
from openmeet.network.records import seen
from openmeet.network.records.metrics import SyncResult
from openmeet.network.repositories import circuits
from openmeet.network.repositories.agents import agent_for, is_not_allowed, note_refused
from openmeet.outbox import leased_publications, publication_queries, publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason

LEASE_SECONDS = 60.0
# A waiting RSVP becomes due when its event is published. This delay covers a missed notification.
DUE_AGAIN_AFTER = 10 * MINUTE

# Errors of servers that do not (or no longer) serve an account. They are not about the record.
_ACCOUNT_AWAY_ERRORS = frozenset(
    {"AccountDeactivated", "AccountTakedown", "RepoDeactivated", "RepoNotFound", "RepoSuspended", "RepoTakendown"}
)

# How many rounds a retraction waits for ingestion of another app's change: about two hours in total
# (``INGESTED_AFTER``, doubled each time), including earlier merge rounds.
_MAX_INGESTION_ROUNDS = 8

# A record that waits, is withheld or is already due for its next revision counts as none of these.
_RESULTS: Final = {
    PublicationState.PUBLISHED: SyncResult.SUCCESS,
    PublicationState.RETRACTED: SyncResult.SUCCESS,
    PublicationState.RETRYING: SyncResult.RETRIED,
    PublicationState.REFUSED: SyncResult.FAILED,
    PublicationState.CONFLICTED: SyncResult.FAILED,
    PublicationState.BLOCKED: SyncResult.FAILED,
}

_AFTER_DELIVERY: Final = (
    "select subject_id, state, uri, base_cid from publications where kind = :kind and subject_id in :ids"
)


async def deliver_now(
    dependencies: PublishingDependencies, kind: PublicationKind, subject_id: str, *, deadline_seconds: float
) -> bool:
    """Deliver a publication while the request that caused it waits. Returns whether it is published then; it is
    not if that takes too long, or if the record was withheld or refused. What is not finished stays enqueued. A server
    that another program found failing is not called.
    """
    await circuits.load_changes(dependencies.db, dependencies.network.circuits)
    # A row that is not leased stays as it is: no failed attempt is counted.
    excluded = circuits.addresses_of(dependencies.network.circuits.open_ones())
    async with dependencies.db.transaction() as tx:
        to_lease = [*await _prerequisites(tx, kind, subject_id), (kind, subject_id)]
        publications = [
            await leased_publications.lease_one(
                tx, kind=kind_of_one, subject_id=id_of_one, seconds=LEASE_SECONDS, excluded_servers=excluded
            )
            for kind_of_one, id_of_one in to_lease
        ]
    due = [one for one in publications if one is not None]
    if due:
        # If the request stops waiting, delivery continues under its own lease.
        task = asyncio.create_task(_deliver_each(dependencies, due))
        dependencies.deliveries.add(task)
        task.add_done_callback(dependencies.deliveries.discard)
        await asyncio.wait({task}, timeout=deadline_seconds)
    async with dependencies.db.reader() as reader:
        after = await publication_queries.find(reader, kind, subject_id)
    return after is not None and after.state is PublicationState.PUBLISHED


async def _prerequisites(reader: Reader, kind: PublicationKind, subject_id: str) -> list[tuple[PublicationKind, str]]:
    """Return the records that must be written first because this one refers to them: for an event of a series, the
    series.
    """
    event = await event_queries.by_id(reader, EventId(subject_id)) if kind is PublicationKind.EVENT else None
    return (
        []
        if event is None or event.position_in_series is None
        else [(PublicationKind.SERIES, event.position_in_series.series_id)]
    )


async def _deliver_each(dependencies: PublishingDependencies, due: Sequence[Publication]) -> None:
    """Deliver these publications in order, store whether their server fails, and count the results. Nothing is raised,
    because nobody awaits the task.
    """
    try:
        for one in due:
            await deliver_one(dependencies, one)
        await circuits.store_changes(dependencies.db, dependencies.network.circuits)
        await count_results(dependencies, due)
    except Exception as failure:  # noqa: BLE001 - the edge of the task: the database is unavailable
        log.error("publications.delivery_not_recorded", subjects=[one.subject_id for one in due], error=repr(failure))


async def deliver_one(dependencies: PublishingDependencies, publication: Publication) -> None:
    """Handle one leased publication. Every result becomes a state of its row. Nothing is raised; if the result cannot
    be stored, the lease expires and the publication is delivered again.
    """
    async with delivery_results.logging_lost_results(publication):
        await _deliver(dependencies, publication)


async def _deliver(dependencies: PublishingDependencies, leased: Publication) -> None:
    """Handle one leased publication. Raises only if it cannot be read or its result cannot be stored."""
    (publication,) = await delivery_results.acknowledge_changes(dependencies, [leased])
    try:
        with tracing.step("record.attempted", publication.subject_id, kind=publication.kind.value):
            await _apply_decision(dependencies, publication)
    except Failure as failure:
        await _store_failure(dependencies, publication, failure)
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the kind is unknown, the publication must not be lost
        log.error(
            "publication.failed_unforeseen",
            kind=publication.kind.value,
            subject=publication.subject_id,
            error=repr(failure),
        )
        await delivery_results.retry_later(dependencies, publication, reason_of(failure), None)


async def count_results(dependencies: PublishingDependencies, publications: Sequence[Publication]) -> None:
    """Count the result of each leased publication in the metrics, once."""
    for kind in PublicationKind:
        ids = [one.subject_id for one in publications if one.kind is kind]
        if not ids:
            continue
        before = {one.subject_id: (one.uri, one.base_cid) for one in publications if one.kind is kind}
        async with dependencies.db.reader() as reader:
            rows = await reader.fetch(_AFTER_DELIVERY, kind=kind.value, ids=ids)
        for row in rows:
            result = _RESULTS.get(PublicationState(row["state"]))
            is_as_before = before[row["subject_id"]] == (row["uri"], row["base_cid"])
            if result is not None and not (result is SyncResult.SUCCESS and is_as_before):
                dependencies.count_result(kind.value, result)


async def _apply_decision(dependencies: PublishingDependencies, publication: Publication) -> None:
    async with dependencies.db.reader() as reader:
        decision = await decide(reader, publication, dependencies.flags)
    is_retracting = publication.has_delete_in_flight
    if is_retracting and publication.state is not PublicationState.RETRACTING:
        # The publication was blocked while its delete was still unanswered.
        async with dependencies.db.transaction() as tx:
            if not await leased_publications.start_retracting(tx, publication):
                return
        publication = leased_publications.as_retracting(publication)
    # While a delete is in flight, finish it before any write or wait. Cases that publish or wait therefore stand below
    # ``case _ if is_retracting``.
    match decision:
        case WithholdOrRetract(why) | RetractDuplicate(why):
            await _withhold_or_retract(dependencies, publication, why)
        case DoNothing() | KeepEditsLocal() if is_retracting:
            await _finish_or_give_up_retraction(dependencies, publication)
        case KeepEditsLocal(why):
            await delivery_results.end_lease(dependencies, publication, PublicationState.WITHHELD, reason=why)
        case DoNothing():
            async with dependencies.db.transaction() as tx:
                await leased_publications.complete_without_write(tx, publication)
        case AwaitPermission(why):
            await delivery_results.end_lease(dependencies, publication, PublicationState.BLOCKED, reason=why)
        case ForgetRecord():
            await delivery_results.forget_record(dependencies, publication)
        case KeepInRepository(uri):
            await delivery_results.keep_in_repository(dependencies, publication, uri)
        case _ if is_retracting:
            await _finish_unwanted_retraction(dependencies, publication)
        case AwaitFeatureFlag():
            due_at = Instant(dependencies.network.clock.now() + DUE_AGAIN_AFTER)
            await delivery_results.end_lease(
                dependencies, publication, PublicationState.RETRYING, reason=PublicationReason.FLAG_OFF, due_at=due_at
            )
        case Wait(why, until):
            due_at = until or Instant(dependencies.network.clock.now() + DUE_AGAIN_AFTER)
            await delivery_results.end_lease(
                dependencies, publication, PublicationState.WAITING, reason=why, due_at=due_at
            )
        case PublishEvent() | PublishRsvp() | PublishSeries() | PublishGroup() | PublishByWriter():
            await _publish(dependencies, publication, decision)


async def _publish(dependencies: PublishingDependencies, publication: Publication, decision: Publish) -> None:
    if await record_writes.complete_earlier_write(dependencies, publication):
        return
    client = await agent_for(dependencies.db, dependencies.network, decision.identity)
    try:
        await record_writes.write(dependencies, client, publication, decision)
    except NotSignedIn as refused:
        await _raise_session_refused(client, decision.identity, refused)


async def _finish_unwanted_retraction(dependencies: PublishingDependencies, publication: Publication) -> None:
    """Handle a retraction that is no longer wanted: finish it if the record is still the version that we know, then
    decide again. Our own delete must not decline an RSVP when the firehose delivers it, so it is stored before that.
    """
    current_record = (
        None if publication.uri is None else await fetch_verified_message(dependencies, parse_at_uri(publication.uri))
    )
    if current_record is not None and current_record.cid is None:
        await delivery_results.forget_record(dependencies, publication, current_record)
    elif current_record is not None and current_record.cid in {publication.base_cid, publication.chosen_cid}:
        # A delete may still be in flight. If it took effect later, it would look like a deletion by
        # somebody else.
        await _retract(dependencies, publication)
    else:
        # The record has another version, which the delete would not remove.
        await _give_up_retraction(dependencies, publication)
        return
    async with dependencies.db.transaction() as tx:
        await publications.make_due(tx, kind=publication.kind, subject_ids=[publication.subject_id])


async def _finish_or_give_up_retraction(dependencies: PublishingDependencies, publication: Publication) -> None:
    """Handle a retraction that nothing requires any more, although the record is not to be written either.

    An event's record that another app wrote is kept, and its publication is decided again. Any other record of an event
    or RSVP is deleted first if it is the version that we know, because a delete may still be in flight. Publications of
    other kinds forget their record.
    """
    if publication.uri is None or publication.kind not in {PublicationKind.EVENT, PublicationKind.RSVP}:
        await delivery_results.forget_record(dependencies, publication)
        return
    async with dependencies.db.reader() as reader:
        event = (
            await event_queries.by_id(reader, EventId(publication.subject_id))
            if publication.kind is PublicationKind.EVENT
            else None
        )
    if event is not None and event.has_foreign_record:
        await _give_up_retraction(dependencies, publication)
    else:
        await _finish_unwanted_retraction(dependencies, publication)


async def _give_up_retraction(dependencies: PublishingDependencies, publication: Publication) -> None:
    """Give up the retraction and make the publication due, so that it is decided again."""
    async with dependencies.db.transaction() as tx:
        await leased_publications.forget_delete(tx, publication)
        await leased_publications.end_lease(tx, publication, PublicationState.DUE, reason=None)


async def _withhold_or_retract(
    dependencies: PublishingDependencies, publication: Publication, reason: PublicationReason
) -> None:
    """Retract what may have been published, because it must not be public."""
    if publication.uri is None or publication.did is None:
        if publication.state is PublicationState.RETRACTING:
            await delivery_results.forget_record(dependencies, publication)
        else:
            await delivery_results.end_lease(dependencies, publication, PublicationState.WITHHELD, reason=reason)
        return
    async with dependencies.db.transaction() as tx:
        if not await leased_publications.start_retracting(tx, publication):
            return
    await _retract(dependencies, leased_publications.as_retracting(publication))


async def _retract(dependencies: PublishingDependencies, retracting: Publication) -> None:
    """Delete the record of a row in state RETRACTING."""
    if retracting.uri is None or retracting.did is None:
        return
    uri = parse_at_uri(retracting.uri)
    async with dependencies.db.reader() as reader:
        identity = await repository_to_delete_from(reader, retracting)
    if identity is None:
        await delivery_results.end_lease(
            dependencies, retracting, PublicationState.BLOCKED, reason=PublicationReason.SIGN_IN_WITH_ACCOUNT
        )
        return
    try:
        client = await agent_for(dependencies.db, dependencies.network, identity)
        try:
            if await _defer_to_ingestion(dependencies, client, retracting, uri):
                return
            if await record_writes.pause_for_budget(dependencies, client, retracting, cost=record_writes.DELETE_COST):
                return
            rev = await _delete(dependencies, client, retracting, uri)
        except NotSignedIn as refused:
            await _raise_session_refused(client, identity, refused)
        deletion = await deletion_of(dependencies, uri, rev)
    except Failure as failure:
        await _store_failure(dependencies, retracting, failure)
    else:
        await delivery_results.forget_record(dependencies, retracting, deletion)


async def _delete(
    dependencies: PublishingDependencies, client: XrpcClient, retracting: Publication, uri: AtUri
) -> str | None:
    """Call ``delete_record``. The delete is stored before it is sent, because it may take effect even without a reply."""
    async with dependencies.db.transaction() as tx:
        await leased_publications.store_before_deleting(tx, retracting)
    try:
        return await delete_record(client, uri, known_cid=retracting.base_cid)
    except Failure as failure:
        if not retry.is_worth_retrying(failure):
            async with dependencies.db.transaction() as tx:
                await leased_publications.store_delete_refused(tx, retracting)
        raise


async def _defer_to_ingestion(
    dependencies: PublishingDependencies, client: XrpcClient, retracting: Publication, uri: AtUri
) -> bool:
    """If another app changed the RSVP record and the change was not ingested yet, pass it to ingestion and end the
    lease. Returns False if there is no such change.

    The RSVP in it counts even though its record will be deleted, so it is first passed to ingestion. Ingestion has two
    hours to apply it, as long as it retries a message; each round waits twice as long as the previous one. Event
    records do not wait: they may contain something that must not be public.
    """
    if retracting.kind is not PublicationKind.RSVP or retracting.merge_rounds >= _MAX_INGESTION_ROUNDS:
        return False
    current = await get_record(client, uri)
    async with dependencies.db.reader() as reader:
        seen_record = await seen.find(reader, str(uri))
    known_cids = {retracting.base_cid, retracting.chosen_cid, None if seen_record is None else seen_record.cid}
    if current is None or current.cid in known_cids:
        return False
    await dependencies.hand_to_ingestion([await fetch_verified_message(dependencies, uri)])
    due_at = Instant(dependencies.network.clock.now() + (INGESTED_AFTER << retracting.merge_rounds))
    await delivery_results.end_lease(
        dependencies,
        retracting,
        PublicationState.RETRACTING,
        reason=PublicationReason.MERGING,
        due_at=due_at,
        is_merge_round=True,
    )
    return True


async def _store_failure(dependencies: PublishingDependencies, publication: Publication, failure: Failure) -> None:
    """Store whether the row waits for the person, waits for a retry, or has failed."""
    if isinstance(failure, NotSignedIn) or is_not_allowed(failure):
        reason = reason_of(failure) if isinstance(failure, NotSignedIn) else PublicationReason.NO_ACCESS_GRANTED
        await delivery_results.end_lease(dependencies, publication, PublicationState.BLOCKED, reason=reason)
    elif failure.name in _ACCOUNT_AWAY_ERRORS:
        # The account has moved or is inactive: refresh its identity. The person then signs in at the new server.
        await delivery_results.end_lease(dependencies, publication, PublicationState.BLOCKED, reason=reason_of(failure))
        async with dependencies.db.transaction() as tx:
            # A first write has stored its key since the row was leased.
            current = await publication_queries.find(tx, publication.kind, publication.subject_id)
            if current is not None and current.did is not None:
                await enqueue_again(tx, JobKind.REFRESH_IDENTITY, [current.did])
    elif isinstance(failure, NOT_CALLED):
        await delivery_results.pause_for_server(dependencies, publication, failure)
    elif retry.is_worth_retrying(failure):
        await delivery_results.retry_later(
            dependencies, publication, reason_of(failure), retry.retry_after_seconds(failure)
        )
    else:
        await delivery_results.store_refusal(dependencies, publication, reason_of(failure))


async def _raise_session_refused(client: XrpcClient, identity: Identity, refused: NotSignedIn) -> NoReturn:
    """Raise the failure for a session that the PDS no longer accepts: custodial accounts sign in on the next attempt,
    people are asked to sign in.
    """
    await note_refused(client, refused)
    if identity.kind is IdentityKind.CUSTODIAL:
        raise Unavailable(PublicationReason.SESSION_ENDED) from refused
    raise refused
