"""Deactivation and reactivation by the owner: again after a pause, or for the first time after a migration to this server.
Decisions of the host take precedence.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import email_confirmation, hosting_status, queries, web_identities
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import PlainReader, Writer
from groundwork.errors import Refused

# Deleting an account takes the password and an e-mailed token, but deactivating it takes only a session, which might be
# stolen. So the owner always has at least this long to notice and come back: the same time within which the directory
# lets an operation be undone (did:plc specification).
KEPT_AT_LEAST = 3 * DAY

# Migrations to other servers (``account_migration.moves``). A completed one is forgotten when the account is back.
_FORGET_COMPLETED_MOVE = "delete from moves where did = :did and stage = 'done'"
_IS_IN_LAST_STEP = "select 1 from moves where did = :did and stage = 'finishing'"


def deactivate(w: Writer, repositories: Repositories, did: Did, delete_after: Instant | None) -> None:
    """Deactivate the account. This is announced again even if it was already deactivated, for consumers that missed it.

    Nothing is deleted sooner than ``KEPT_AT_LEAST`` from now, even if ``delete_after`` is earlier. An account that the
    host has taken down or suspended gets no deadline, because its owner must not remove what the host may need. An
    account that was never announced is not changed: the network has not seen it, and it already has a deadline.
    """
    if queries.waiting(w, did) is not None:
        return
    if delete_after is not None:
        delete_after = max(delete_after, Instant(w.now + KEPT_AT_LEAST))
    is_open = queries.host_decision(w, did) is None
    queries.set_deactivated(w, did, delete_after if is_open else None)
    if is_open:
        hosting.set_status(w, repositories, did, HostingStatus.DEACTIVATED)


def activate(w: Writer, repositories: Repositories, did: Did, handle: Handle) -> None:
    """Activate the account, either again or for the first time after a migration. Its identity must name this server
    (``hosting_status``). It is writable again, except in the last step of a migration to another server.

    Raises Refused: ``AccountTakedown`` if the host has taken the account down or suspended it; also for an unconfirmed
    address.
    """
    if queries.host_decision(w, did) is not None:
        raise Refused(
            gettext_noop("This account has been taken down. Only the operator can bring it back."),
            name="AccountTakedown",
        )
    email_confirmation.require_confirmed(w, did)
    queries.set_shown(w, did)
    w.execute(_FORGET_COMPLETED_MOVE, did=did)
    if not is_in_last_step(w, did):
        queries.set_moved(w, did, None)
        hosting.set_frozen(w, repositories, did, is_frozen=False)
    hosting.activate(w, repositories, did, handle)


def is_in_last_step(reader: PlainReader, did: Did) -> bool:
    """Whether the account is in the last step of a migration to another server, or that step has failed."""
    return reader.fetch_one(_IS_IN_LAST_STEP, did=did) is not None


async def reactivate(registry: Registry, account: Account) -> None:
    """Activate the account. Raises Refused if it is taken down, if its address is unconfirmed, or if its identity names
    another server.

    A new account for an identity that we serve was requested with the key of that identity (``transfer_in``), so its
    document is changed without another proof.
    """
    did = account.did
    await registry.db.write(lambda w: email_confirmation.require_confirmed(w, did))
    if account.awaits == UnannouncedReason.MOVE and web_identities.is_ours(registry, did):
        await registry.db.write(lambda w: return_here(w, registry, account))
        registry.network.recheck_did(did)
        return
    await hosting_status.require_hosted_here(registry, did)
    await registry.db.write(lambda w: activate(w, registry.repositories, did, account.handle))


def return_here(w: Writer, registry: Registry, account: Account) -> None:
    """Make the document that we serve name this server again, and activate the account in the same transaction."""
    web_identities.point_here(w, account.did)
    activate(w, registry.repositories, account.did, account.handle)
