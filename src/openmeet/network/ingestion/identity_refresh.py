"""Refresh the identity of a DID from its document and its current PDS, never from a stream.

An inactive status hides the rows of an account but does not change them; only the content of a deleted account is
erased. A shadow account gets its handle only after bidirectional resolution.
"""

from dataclasses import dataclass

from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import INVALID
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput, NotFound, RemoteFailed, RemoteSlow
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import ACTIVE
from openmeet.domain.users.actions import claims_handle_of_others
from openmeet.network.ingestion import intake
from openmeet.network.ingestion.account_deletion import ErasureContext, erase
from openmeet.network.records import repository_state
from openmeet.network.records.metrics import CountUnknownIdentity
from openmeet.network.repositories import credentials_cache
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import DELETED, account_status, profile_name
from openmeet.network.repositories.sessions import follow_account
from openmeet.outbox.kinds import JobKind


def identity_handler(
    db: Database,
    network: NetworkClients,
    erasing: ErasureContext | None = None,
    trusted_origins: frozenset[str] = frozenset(),
    count_unknown: CountUnknownIdentity = lambda _kind: None,
) -> JobHandler:
    """Return the handler of ``JobKind.REFRESH_IDENTITY``. The subject is the DID. Without ``erasing``, deleted accounts
    are only hidden.

    ``trusted_origins``: see ``intake.receive``. ``count_unknown`` is called if the DID cannot be resolved, unless the
    account signs in here; an operator must look at that.
    """

    async def handle(job: Job) -> None:
        did = parse_did(job.subject)
        try:
            status = await refresh(db, network, did, trusted_origins)
        except (NotFound, InvalidInput) as unknown:
            async with db.reader() as reader:
                identity = await identity_queries.find(reader, did)
            if identity is not None and identity.can_write:
                raise
            log.info("identity.unknown", did=did, reason=unknown.why)
            count_unknown(job.kind)
            return
        if status == DELETED and erasing is not None:
            await erase(db, erasing, did)
            is_gone = (await _resolve(network, did)).status == DELETED
            async with db.transaction() as tx:
                # The subject of this job is the DID, which is now erased. A job enqueued since has another revision and
                # stays.
                await jobs.forget(tx, JobKind.REFRESH_IDENTITY, did, revision=job.revision)
                if not is_gone:
                    # The account was re-created in the meantime, and messages received since then were erased with the
                    # rest.
                    await jobs.enqueue_again(tx, JobKind.BACKFILL, [did])

    return handle


@dataclass(frozen=True, slots=True)
class _CurrentIdentity:
    """The current state of a DID according to its document and its PDS. Texts are empty if there is no value.

    ``name``: from the profile; None if unknown. ``unconfirmed``: why the document or the handle could not be confirmed
    now; ``handle`` is then only claimed.
    """

    handle: str
    pds: str
    status: str
    name: str | None = None
    unconfirmed: Failure | None = None


async def refresh(
    db: Database, network: NetworkClients, did: Did, trusted_origins: frozenset[str] = frozenset()
) -> str:
    """Refresh and store the identity; return the status. An unreachable PDS leaves the stored status unchanged.

    Raises NotFound (``DidNotFound``), InvalidInput (``UnresolvableDid``), RemoteFailed and RemoteSlow. If only the
    document or the handle cannot be confirmed, the rest is stored before the error is raised.
    """
    now = await _resolve(network, did)
    handle, pds, status = now.handle, now.pds, now.status
    async with db.transaction() as tx:
        before = await identity_queries.find(tx, did)
        if now.unconfirmed is not None and (before is None or before.handle != handle):
            handle = ""
        # A name that reads as the handle of somebody else is not shown. Their own handle is shown instead.
        name = "" if now.name is not None and claims_handle_of_others(now.name, [handle]) else now.name
        await identity_queries.update_from_network(
            tx, did, handle=handle, pds_url=pds, status=status, display_name=name
        )
        if before is not None:
            await follow_account(tx, before, pds_url=pds, status=status)
        await repository_state.set_status(tx, did, status)
        await intake.note_host(tx, did, pds, trusted_origins)
        if status == ACTIVE and await repository_state.is_behind(tx, did):
            # The repository must still be read, for example because the account was inactive before.
            await jobs.enqueue_again(tx, JobKind.BACKFILL, [did])
    if before is not None and before.can_write:
        await credentials_cache.drop(network, before.user_id)
    log.info("identity.refreshed", did=did, handle=handle, status=status)
    if now.unconfirmed is not None and status != DELETED:
        raise now.unconfirmed
    return status


async def _resolve(network: NetworkClients, did: Did) -> _CurrentIdentity:
    try:
        document, outdated = await _document(network, did)
    except NotFound as absent:
        if absent.name != "DidDeactivated":
            raise
        return _CurrentIdentity("", "", DELETED, "")
    handle, unverified = await _handle(network, document)
    pds = document.pds or ""
    status = (await account_status(network, did, pds)).status if pds else "without a PDS"
    unconfirmed = outdated or unverified
    if status == DELETED:
        if outdated is not None:
            # The account may have moved, and only its previous server has deleted it.
            raise outdated
        return _CurrentIdentity(handle, pds, status, "", unconfirmed)
    # The repository of an inactive account is not served, so its stored records stay.
    name = await profile_name(network, did, pds) if status == ACTIVE else None
    return _CurrentIdentity(handle, pds, status, name, unconfirmed)


async def _document(network: NetworkClients, did: Did) -> tuple[DidDocument, Failure | None]:
    """Return the DID document. If it cannot be fetched now, return the cached one and the reason."""
    try:
        return await network.dids.resolve_current(did), None
    except (RemoteFailed, RemoteSlow) as away:
        return await network.dids.resolve(did), away


async def _handle(network: NetworkClients, document: DidDocument) -> tuple[str, Failure | None]:
    """Return the verified handle. If it cannot be verified now, return the claimed one and the reason."""
    try:
        verified = await network.handles.identities.verified_handle(document)
    except (RemoteFailed, RemoteSlow) as away:
        return str(document.handle), away
    return "" if verified == INVALID else str(verified), None
