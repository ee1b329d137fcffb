"""Who a DID is now: asked of its document and of its present PDS, never believed from a stream.

Status hides rows, it never edits them; a deleted account's content is erased. A shadow gets its handle only after
two-way resolution.
"""

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, NotFound
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.identities import queries as identity_queries
from openmeet.identities.network import Network
from openmeet.identities.reading import DELETED, account_status
from openmeet.ingestion.erasing import Erasing, erase
from openmeet.records import seen


def identity_payer(db: Database, network: Network, erasing: Erasing | None = None) -> Payer:
    """The payer of ``Debt.REFRESH_IDENTITY``; the subject is the DID. Without ``erasing`` the deleted are only hidden."""

    async def pay(debt: Debt) -> None:
        did = parse_did(debt.subject)
        if await refresh(db, network, did) == DELETED and erasing is not None:
            await erase(db, erasing, did)

    return pay


async def refresh(db: Database, network: Network, did: Did) -> str:
    """Ask and note; the status. Raises RemoteFailed and RemoteSlow: an unreachable PDS says nothing about an account."""
    network.dids.doubt(did)
    handle, pds, status = "", "", DELETED
    try:
        document = await network.dids.resolve(did)
    except NotFound as absent:
        if absent.name != "DidDeactivated":
            raise InvalidInput("did", absent.why) from absent
    else:
        verified = await network.handles.verified_handle(document)
        handle = "" if verified == "handle.invalid" else str(verified)
        pds = document.pds or ""
        status = (await account_status(network, did, pds)).status if pds else "without a PDS"
    async with db.transaction() as tx:
        await identity_queries.update_from_network(tx, did, handle=handle, pds_url=pds, status=status)
        await seen.set_status(tx, did, status)
    log.info("identity.refreshed", did=did, handle=handle, status=status)
    return status
