"""Delete custodial accounts on their PDS, for people and groups that were deleted here.

This is a separate job, so that an unavailable PDS does not delay the rest of the deletion. If the PDS is unavailable
for about ten days, the job fails and is listed for the operator.
"""

from typing import Final

from at_network.xrpc_client import XrpcClient
from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput, NotFound, Refused, Unavailable
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.outbox.retry import is_worth_retrying
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind, IdentityReason
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.custodial import CustodialPds, admin_client

# The wait between two attempts grows to three quarters of an hour on average.
MOST_TRIES: Final = 320
# After this many attempts, a request that got no response counts as finished, whether or not the server created the
# account.
LOOKS_AGAIN: Final = 3
LOOK_AFTER_SECONDS: Final = 1200.0


def custodial_deletion_handler(db: Database, network: NetworkClients, custodial_pds: CustodialPds) -> JobHandler:
    """Return the handler of ``JobKind.DELETE_CUSTODIAL_ACCOUNT``. The subject is a DID, or the handle of an account
    whose creation was not answered.
    """

    async def deliver(job: Job) -> None:
        if not custodial_pds.admin_authorization:
            raise Refused(IdentityReason.CANNOT_DELETE_ACCOUNT, name="NoOrders")
        try:
            await _delete(db, admin_client(network, custodial_pds), custodial_pds, job)
        except Failure as failure:
            if is_worth_retrying(failure) and job.attempts >= MOST_TRIES:
                raise Refused(IdentityReason.SERVER_WAS_AWAY, name="ServerAway") from failure
            raise

    return deliver


async def _delete(db: Database, client: XrpcClient, custodial_pds: CustodialPds, job: Job) -> None:
    did = (
        Did(job.subject)
        if job.subject.startswith("did:")
        else await _find_abandoned_account(db, client, custodial_pds, job)
    )
    if did is None:
        log.info("custodial_account.was_never_made")
        return
    try:
        await client.procedure("com.atproto.admin.deleteAccount", {"did": did})
    except NotFound:
        log.info("custodial_account.gone_already")  # the response to an earlier attempt was lost


async def _find_abandoned_account(
    db: Database, client: XrpcClient, custodial_pds: CustodialPds, job: Job
) -> Did | None:
    """Return the account with this handle if we requested it for somebody who has since been deleted here, or who chose
    another handle before it was created. Raises Unavailable while the server may still be creating it.

    The account's e-mail address shows for whom it was created (``custodial.make_account``), because the handle may
    belong to somebody else by now.
    """
    handle = job.subject
    try:
        response = await client.query("com.atproto.identity.resolveHandle", {"handle": handle})
    except (NotFound, Refused, InvalidInput):
        if job.attempts < LOOKS_AGAIN:
            raise Unavailable(IdentityReason.MAY_STILL_BE_MADE, after_seconds=LOOK_AFTER_SECONDS) from None
        return None
    try:
        did = parse_did(str(response.get("did")))
        account = await client.query("com.atproto.admin.getAccountInfo", {"did": did})
    except (NotFound, Refused, InvalidInput, Malformed):
        return None
    name, at, domain = str(account.get("email")).partition("@")
    if not at or domain != custodial_pds.mail_domain:
        return None
    async with db.reader() as reader:
        person = await users.by_id(reader, UserId(name))
        custodial_account = await identities.custodial_account(reader, UserId(name))
        identity = await identities.find(reader, did)
    if person is None or (identity is not None and identity.kind is not IdentityKind.SHADOW):
        return None
    is_given_up = custodial_account is not None and custodial_account.handle != handle and custodial_account.did != did
    return did if person.created_at == 0 or is_given_up else None
