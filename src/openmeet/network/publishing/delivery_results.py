"""Results of deliveries: store them, and read leased rows again. Each function that takes ``dependencies`` opens at most
one short transaction and calls no PDS.
"""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import HOUR, SECOND, Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Explanation, Failure, Reason, reason_of
from groundwork.outbox import retry
from groundwork.telemetry import tracing
from groundwork.telemetry.logs import log
from openmeet.domain.attendance import event_changes, rsvp_records
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import record_queries
from openmeet.domain.series.model import SeriesId
from openmeet.network.publishing.decision import AwaitFeatureFlag, Publish, Wait
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.eligibility import decide
from openmeet.network.records import links, seen
from openmeet.network.records.collections import RSVP
from openmeet.network.records.links import current_subject, lock_row_of
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.rsvp import GOING, INTERESTED, NOT_GOING, read_rsvp
from openmeet.network.records.seen import RecordState
from openmeet.outbox import (
    in_flight,
    leased_publications,
    publication_moves,
    publication_queries,
    publications,
    superseded_records,
)
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import SUPERSEDED_KIND, PublicationKind, PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason

# How long a row waits for a server that is not called now, if it is unknown when it may be called again.
_NOT_CALLED_FOR_SECONDS = 30.0
# A row that waits for ingestion keeps this reason until its version has been merged. Otherwise the same version would
# count as another merge round when it is found again.
_KEPT_WHILE_WAITING = PublicationReason.MERGING


@asynccontextmanager
async def logging_lost_results(*leased: Publication) -> AsyncIterator[None]:
    """Context manager at the edge of the worker: a result that cannot be stored, for example because the database is
    unavailable, is logged and does not stop other deliveries. The leases expire, and these publications are delivered
    again.
    """
    try:
        yield
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the leases expire
        log.error("publications.result_lost", subjects=[one.subject_id for one in leased], error=repr(failure))


async def acknowledge_changes(
    dependencies: PublishingDependencies, publications: Sequence[Publication]
) -> list[Publication]:
    """``leased_publications.acknowledge_changes`` in a transaction of its own, if some of these rows have changed. Call
    this before deciding: rows can wait long after they were leased, for example for the record of a series, and what
    changed before the decision must not prevent the write.
    """
    async with dependencies.db.reader() as reader:
        if not await leased_publications.have_changed(reader, publications):
            return list(publications)
    async with dependencies.db.transaction() as tx:
        return await leased_publications.acknowledge_changes(tx, publications)


async def complete_write(
    dependencies: PublishingDependencies,
    publication: Publication,
    version: RecordVersion,
    *,
    revision: int,
    answered_write: InFlightWrite | None = None,
    omitted: Explanation | None = None,
) -> None:
    """Complete a write, because the PDS has this version: ``set_published_and_location`` in a transaction of its own,
    which also stores the version as seen and ends its time in flight. Nothing is stored if the record's account was
    erased meanwhile, or if its key was abandoned; then ingestion finds the record.

    ``answered_write``: the write that was just answered; it is no longer in flight once this result is stored.
    ``omitted``: the requested content that is missing in the record, and why.
    """
    at = parse_at_uri(version.uri)
    if at.collection is None or at.rkey is None:
        raise ValueError(f"not the uri of a record: {version.uri}")
    message = RecordMessage(
        did=parse_did(at.authority),
        collection=at.collection,
        rkey=at.rkey,
        rev=parse_tid(version.rev),
        operation=RecordOperation.UPDATE,
        cid=version.cid,
        body=version.body,
        is_verified=True,
    )
    overtaken_by: RecordMessage | None = None
    async with dependencies.db.transaction() as tx:
        if not await _lock_own_record(tx, message):
            return
        if not await _store_seen(tx, publication, message):
            overtaken_by = await _newer_version(tx, message)
        is_completed = await set_published_and_location(tx, publication, version, revision=revision, omitted=omitted)
        if answered_write is not None and (is_completed or await _is_base_at_least(tx, publication, version)):
            await in_flight.remove(tx, answered_write)
    if publication.kind is PublicationKind.RSVP and version.cid != publication.base_cid:
        dependencies.count_rsvp("create" if publication.base_cid is None else "update", _status_in(version.body))
    if overtaken_by is not None:
        # Somebody edited the record right after us, and their version was ingested first: merge it again, now that ours
        # is stored.
        await dependencies.hand_to_ingestion([overtaken_by])


async def set_published_and_location(
    tx: Transaction,
    publication: Publication,
    version: RecordVersion,
    *,
    revision: int,
    omitted: Explanation | None = None,
) -> bool:
    """``leased_publications.set_published``, and store in the domain table where the record is.

    Returns False, and stores nothing, if that returns False.
    """
    await lock_row_of(tx, publication.kind, publication.subject_id)
    if not await leased_publications.set_published(tx, publication, version, revision=revision, reason=omitted):
        return False
    await links.store_location(tx, publication.kind, publication.subject_id, version)
    if (version.uri, version.cid) != (publication.uri, publication.base_cid):
        tracing.note(
            "record.published",
            publication.subject_id,
            kind=publication.kind.value,
            uri=version.uri,
            cid=version.cid,
            rev=version.rev,
        )
    return True


async def forget_record(
    dependencies: PublishingDependencies, publication: Publication, deletion: RecordMessage | None = None
) -> None:
    """Store that the publication no longer has a record: we deleted it, found it gone, or may no longer write there.
    Clears its location and decides again.

    ``deletion`` has the rev of the deletion. Without it, older messages that have not arrived yet would look like a new
    record by somebody else.
    """
    async with dependencies.db.transaction() as tx:
        if deletion is not None:
            if not await _lock_own_record(tx, deletion):
                return
            await store_deletion(tx, deletion)
        await lock_row_of(tx, publication.kind, publication.subject_id)
        if not await leased_publications.set_retracted(tx, publication, is_gone=deletion is not None):
            return
        if publication.kind is PublicationKind.EVENT:
            await record_changes.forget_record(tx, EventId(publication.subject_id), publication.uri)
            await event_changes.make_rsvp_records_due(tx, [EventId(publication.subject_id)])
        elif publication.kind is PublicationKind.SERIES:
            await links.store_series_location(tx, SeriesId(publication.subject_id), None)
        elif publication.kind is PublicationKind.RSVP:
            await rsvp_records.forget_record(tx, AttendanceId(publication.subject_id))
        elif publication.kind in SUPERSEDED_KIND.values():
            if deletion is not None:
                await links.mark_superseded_gone(tx, publication.subject_id)
        else:
            await links.forget_group_location(tx, publication.kind, publication.subject_id)
            if publication.kind is PublicationKind.SUPERSEDED_GROUP and deletion is not None:
                await links.mark_superseded_group_gone(tx, publication.subject_id)
            if publication.uri is not None:
                # The deletion is stored before the stream reports it, so that it is not mistaken for a withdrawal.
                await record_queries.forget(tx, publication.uri)
        after = await publication_queries.find(tx, publication.kind, publication.subject_id)
        if after is not None and isinstance(
            await decide(tx, after, dependencies.flags), Publish | AwaitFeatureFlag | Wait
        ):
            # It may be public again by now, or belong in another repository.
            await publications.make_due(tx, kind=publication.kind, subject_ids=[publication.subject_id])
    if deletion is None:
        log.info("record.forgotten", uri=publication.uri)
        return
    if publication.kind is PublicationKind.RSVP:
        dependencies.count_rsvp("delete", "")
    log.info("record.retracted", uri=publication.uri)


async def keep_in_repository(dependencies: PublishingDependencies, publication: Publication, uri: str) -> None:
    """Keep a record in its repository that was going to move: its publication belongs to its subject again."""
    async with dependencies.db.transaction() as tx:
        await lock_row_of(tx, publication.kind, publication.subject_id)
        current = await publication_queries.find(tx, publication.kind, publication.subject_id)
        if current is None or current.lease != publication.lease or current.uri is not None:
            return
        await superseded_records.delete(tx, uri)
        await publication_moves.undo_move_to_subject(
            tx,
            publication.kind,
            publication.subject_id,
            superseded_kind=SUPERSEDED_KIND[publication.kind],
            superseded_uri=uri,
            user_id=publication.user_id,
        )
        await publications.enqueue(
            tx,
            kind=publication.kind,
            subject_id=publication.subject_id,
            user_id=publication.user_id,
            revision=publication.revision,
        )
        # If the former record was deleted, this row still belongs to the subject and is decided again.
        await leased_publications.end_lease(tx, publication, PublicationState.DUE)


async def end_lease(
    dependencies: PublishingDependencies,
    publication: Publication,
    state: PublicationState,
    *,
    reason: Explanation | Reason | None,
    kept_reason: Reason | None = None,
    due_at: Instant | None = None,
    is_failure: bool = False,
    is_merge_round: bool = False,
) -> None:
    """``leased_publications.end_lease`` in a transaction of its own. Has no effect if another worker has taken over the
    lease.
    """
    async with dependencies.db.transaction() as tx:
        await leased_publications.end_lease(
            tx,
            publication,
            state,
            reason=reason,
            kept_reason=kept_reason,
            due_at=due_at,
            is_failure=is_failure,
            is_merge_round=is_merge_round,
        )


async def pause_for_merge(
    dependencies: PublishingDependencies, publication: Publication, *, due_at: Instant, max_rounds: int
) -> bool:
    """End the lease. The row is due again when ingestion has merged another app's version, at the latest at ``due_at``.

    Returns True if the row now waits for ingestion. Returns False if the lease has been lost, or if ``max_rounds``
    versions have already been merged since the last edit and this is another one: then the row is CONFLICTED, and the
    person whose record it is must decide. A version that was found before is no new round; the row is then due at once if
    something about it has changed meanwhile (``leased_publications.end_lease``).
    """
    async with dependencies.db.transaction() as tx:
        await lock_row_of(tx, publication.kind, publication.subject_id)
        current = await publication_queries.find(tx, publication.kind, publication.subject_id)
        if current is None or current.lease != publication.lease:
            return False
        # A round is one merged version. Another attempt before ingestion has applied that version is not counted; the
        # row's reason shows this.
        is_merge_round = current.reason != PublicationReason.MERGING()
        if is_merge_round and current.merge_rounds >= max_rounds:
            reason = PublicationReason.CHANGED_TOO_OFTEN
            await leased_publications.end_lease(tx, publication, PublicationState.CONFLICTED, reason=reason)
            return False
        return await leased_publications.end_lease(
            tx,
            publication,
            PublicationState.RETRYING,
            reason=PublicationReason.MERGING,
            due_at=due_at,
            is_merge_round=is_merge_round,
        )


async def pause(
    dependencies: PublishingDependencies, publication: Publication, reason: Explanation | Reason | None, until: Instant
) -> None:
    """Wait without counting a failed attempt, because no request was sent: the server is not called now, or the account
    must not write now.
    """
    await end_lease(
        dependencies,
        publication,
        publication.retry_state,
        reason=reason,
        kept_reason=_KEPT_WHILE_WAITING,
        due_at=until,
    )


async def pause_for_server(dependencies: PublishingDependencies, publication: Publication, failure: Failure) -> None:
    """``pause`` until the server may be called again, after one of ``NOT_CALLED``."""
    seconds = retry.retry_after_seconds(failure)
    if seconds is None:
        seconds = _NOT_CALLED_FOR_SECONDS
    until = Instant(dependencies.network.clock.now() + int(seconds * SECOND))
    await pause(dependencies, publication, reason_of(failure), until)


async def retry_later(
    dependencies: PublishingDependencies,
    publication: Publication,
    reason: Explanation | Reason,
    retry_after_seconds: float | None,
) -> None:
    """Count a failed attempt and retry with back-off, but never sooner than the PDS requested."""
    seconds = retry.wait_seconds(
        publication.attempts + 1,
        random.random(),  # noqa: S311 - spreads retries; not used for security
        least_seconds=retry_after_seconds,
    )
    due_at = Instant(dependencies.network.clock.now() + int(seconds * SECOND))
    log.warning(
        "publication.postponed", kind=publication.kind.value, subject=publication.subject_id, reason=str(reason)
    )
    await end_lease(
        dependencies,
        publication,
        publication.retry_state,
        reason=reason,
        kept_reason=_KEPT_WHILE_WAITING,
        due_at=due_at,
        is_failure=True,
    )


async def store_refusal(
    dependencies: PublishingDependencies, publication: Publication, reason: Explanation | Reason
) -> None:
    """Store that the PDS refused the record. It is not retried, except for retractions, which are retried in an hour."""
    log.error("publication.refused", kind=publication.kind.value, subject=publication.subject_id, reason=str(reason))
    if publication.state is PublicationState.RETRACTING:
        due_at = Instant(dependencies.network.clock.now() + HOUR)
        await end_lease(
            dependencies, publication, PublicationState.RETRACTING, reason=reason, due_at=due_at, is_failure=True
        )
    else:
        await end_lease(dependencies, publication, PublicationState.REFUSED, reason=reason)


async def _is_base_at_least(tx: Transaction, publication: Publication, version: RecordVersion) -> bool:
    """Whether the base is already this version or a later one, because the firehose delivered it before
    the response. If the key was abandoned instead, the write stays in flight, because its record has to be deleted. The
    subject is locked.
    """
    current = await publication_queries.find(tx, publication.kind, publication.subject_id)
    return (
        current is not None
        and current.uri == version.uri
        and current.base_rev is not None
        and current.base_rev >= version.rev
    )


async def _lock_own_record(tx: Transaction, message: RecordMessage) -> bool:
    """Lock the record of a message. Returns False if no publication has it any more: its account was erased, or its key
    was abandoned.
    """
    await links.lock_record(tx, message.did, message.uri)
    return await publication_queries.find_by_uri(tx, message.uri) is not None


async def _store_seen(tx: Transaction, publication: Publication, message: RecordMessage) -> bool:
    """Store our version as if it came from the network, so that it is recognised when it arrives. The record
    is locked.
    """
    if publication.kind is not PublicationKind.RSVP:
        return await seen.put(tx, message, state=RecordState.MAPPED, subject_uri=message.uri)
    parsed_rsvp = read_rsvp(message.collection, cbor.decode(message.body or b""), rkey=message.rkey)
    subject = await current_subject(tx, str(parsed_rsvp.subject))
    return await seen.put(tx, message, state=RecordState.MAPPED, subject_uri=subject, precedence=parsed_rsvp.precedence)


async def store_deletion(tx: Transaction, deletion: RecordMessage) -> None:
    """Store as of which commit a record does not exist, so that older messages that arrive later change nothing. The
    caller has locked the record (``links.lock_record``), and it was not erased.
    """
    seen_record = await seen.find(tx, deletion.uri)
    subject = deletion.uri if seen_record is None or seen_record.subject_uri is None else seen_record.subject_uri
    await seen.lock_records(tx, [subject])
    await seen.put(tx, deletion, state=RecordState.TOMBSTONE, subject_uri=subject)


def _status_in(body: bytes) -> str:
    """Return the status token of an RSVP record that we write; empty for any other record."""
    record = cbor.decode(body)
    status = record.get("status") if isinstance(record, dict) else None
    return (
        status.removeprefix(f"{RSVP}#") if status in {GOING, INTERESTED, NOT_GOING} and isinstance(status, str) else ""
    )


async def _newer_version(tx: Transaction, ours: RecordMessage) -> RecordMessage | None:
    """Return the version that overtook ours, as a message; None if it is ours."""
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
