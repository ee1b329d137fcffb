"""Late writes: delete the record of a create that took effect after its key was abandoned (``JobKind.LATE_WRITE``), and
clear writes that were refused or never sent, which therefore cannot be late. ``outbox.in_flight`` explains these writes;
``leased_publications.store_before_sending`` stores them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.errors import (
    NOT_CALLED,
    Failure,
    InvalidInput,
    NotFound,
    NotSignedIn,
    RemoteFailed,
    RemoteSlow,
    Unavailable,
)
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity
from openmeet.network.publishing import delivery_results
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.repository_calls import delete_version, deletion_of, fetch_verified_message
from openmeet.network.records import links
from openmeet.network.records.message import RecordMessage
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox import in_flight, publication_queries
from openmeet.outbox.in_flight import InFlightKey, InFlightWrite
from openmeet.outbox.publications import repository_of
from openmeet.outbox.reasons import PublicationReason

# After these errors the outcome is unknown: no response came, or it came from an intermediary.
_NO_RESPONSE = (RemoteFailed, RemoteSlow, Unavailable)


@asynccontextmanager
async def clearing_if_refused(
    dependencies: PublishingDependencies, writes: Sequence[InFlightWrite]
) -> AsyncIterator[None]:
    """Context manager for the request that sends these writes. If it is refused, they are no longer in flight.

    After a success they stay in flight until the row is updated (``delivery_results.complete_write``), because another
    worker may have abandoned the key in the meantime.
    """
    try:
        yield
    except NOT_CALLED:
        await clear_in_flight(dependencies, writes)
        raise
    except _NO_RESPONSE:
        raise
    except Failure:
        await clear_in_flight(dependencies, writes)
        raise


async def clear_in_flight(dependencies: PublishingDependencies, writes: Sequence[InFlightWrite]) -> None:
    """Remove writes that were answered or were never sent."""
    if not writes:
        return
    async with dependencies.db.transaction() as tx:
        for one in sorted(writes, key=lambda one: one.uri):
            await in_flight.remove(tx, one)


def late_write_handler(dependencies: PublishingDependencies) -> JobHandler:
    """Return the handler of ``JobKind.LATE_WRITE``. The subject of the job is the record's AT URI, with a DID as its
    authority.
    """

    async def handle(job: Job) -> None:
        try:
            uri = parse_at_uri(job.subject)
        except Malformed as wrong:
            raise InvalidInput("uri", wrong.why) from wrong
        await _delete_late_write(dependencies, job, uri)

    return handle


async def _delete_late_write(dependencies: PublishingDependencies, job: Job, uri: AtUri) -> None:
    """Read what is stored under an abandoned key, and delete it if it is a write of ours that took effect late.

    Raises the errors of the calls; the job then stays enqueued.
    """
    async with dependencies.db.reader() as reader:
        in_flight_key = await in_flight.of_uri(reader, str(uri))
        owned = await publication_queries.find_by_uri(reader, str(uri))
        # Read in the same transaction as the in-flight write, which is removed when its person disconnects the account.
        # Nothing is deleted from a later owner's repository.
        identity = await identity_queries.find(reader, parse_did(uri.authority))
    if in_flight_key is None or owned is not None:
        return  # a publication has this key and handles any late write
    try:
        current_record = await fetch_verified_message(dependencies, uri)
    except NotFound:
        current_record = None  # no repository, or one that is currently not served, so nobody can read the record there
    if current_record is not None and current_record.cid in in_flight_key.cids:
        current_record = await _delete_version(dependencies, identity, uri, current_record.cid)
        log.warning("publication.late_create_deleted", uri=str(uri))
    await _forget_or_check_later(dependencies, job, in_flight_key, current_record)


async def _delete_version(
    dependencies: PublishingDependencies, identity: Identity | None, uri: AtUri, cid: str
) -> RecordMessage | None:
    """Delete exactly this version; return the deletion as a message."""
    if identity is None or not identity.can_write:
        raise Unavailable(PublicationReason.OWNER_MUST_SIGN_IN_WITH_ACCOUNT)
    try:
        client = await agent_for(dependencies.db, dependencies.network, identity)
        rev = await delete_version(client, uri, cid)
    except NotSignedIn as refused:
        raise Unavailable(PublicationReason.OWNER_MUST_SIGN_IN) from refused
    return await deletion_of(dependencies, uri, rev)


async def _forget_or_check_later(
    dependencies: PublishingDependencies, job: Job, in_flight_key: InFlightKey, current_record: RecordMessage | None
) -> None:
    """Remove the in-flight writes if they can no longer arrive; otherwise check again later. Nothing is stored if their
    account was erased meanwhile.
    """
    now = dependencies.network.clock.now()
    async with dependencies.db.transaction() as tx:
        await links.lock_record(tx, repository_of(job.subject), job.subject)
        if await in_flight.of_uri(tx, job.subject) is None:
            return
        if current_record is not None and current_record.cid is None:
            await delivery_results.store_deletion(tx, current_record)
        if now >= in_flight_key.end_at:
            await in_flight.forget(tx, job.subject, sent_until=Instant(in_flight_key.last_sent_at))
        else:
            await in_flight.enqueue_next_check(tx, job, in_flight_key)
