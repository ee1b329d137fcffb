"""What becomes of our sessions when an account moves, rests, comes back or goes (``#identity``, ``#account``, asked and confirmed)."""

from groundwork.database.transaction import Transaction
from groundwork.telemetry.logs import log
from openmeet.domain.identities import queries, session_queries
from openmeet.domain.identities.model import ACTIVE, Identity, IdentityKind
from openmeet.outbox import publications


async def follow(tx: Transaction, before: Identity, *, pds_url: str, status: str) -> None:
    """Called with the identity as it was, after it was asked anew.

    A new handle changes nothing. A new PDS ends the session: its tokens are for the old one, and nothing of ours is sent to
    a server that did not give it (a password least of all). A resting account's session rests with it; when the account is
    back, what waited is due.
    """
    if before.pds_url and pds_url and pds_url != before.pds_url:
        session = await session_queries.find(tx, before.did)
        if session is not None:
            await session_queries.set_needs_login(tx, session)
        if before.kind is IdentityKind.CUSTODIAL:
            # Its person took it along: they hold its keys, and our password is worth nothing there.
            await queries.release_custodial(tx, before.did)
        log.info("session.account_moved", did=before.did)
    if status == ACTIVE and before.status != ACTIVE and before.can_write:
        await publications.wake_all_of(tx, before.user_id)
