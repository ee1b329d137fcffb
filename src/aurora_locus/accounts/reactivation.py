"""Activation at the owner's request: again after a pause, or for the first time after a migration to this server.

The identity must name this server. Only if this server serves the document of the identity (``web_identities``) can it
make it do so: nobody else can change that document when the account comes back from another server.
"""

from aurora_locus.accounts import activation, email_confirmation, hosting_status, web_identities
from aurora_locus.accounts.account_requests import Awaits
from aurora_locus.accounts.model import Account
from aurora_locus.accounts.registry import Registry
from groundwork.database.transaction import Writer


async def reactivate(registry: Registry, account: Account) -> None:
    """Activate the account. Raises Refused if it is taken down, if its address is unconfirmed, or if its identity names
    another server.

    A new account for an identity that we serve was requested with the key of that identity (``transfer_in``), so its
    document is changed without another proof.
    """
    did = account.did
    await registry.db.write(lambda w: email_confirmation.require_confirmed(w, did))
    if account.awaits == Awaits.MOVE and web_identities.is_ours(registry, did):
        await registry.db.write(lambda w: return_here(w, registry, account))
        registry.network.recheck_did(did)
        return
    await hosting_status.require_hosted_here(registry, did)
    await registry.db.write(lambda w: activation.activate(w, registry.repositories, did, account.handle))


def return_here(w: Writer, registry: Registry, account: Account) -> None:
    """Make the document that we serve name this server again, and activate the account in the same transaction."""
    web_identities.point_here(w, account.did)
    activation.activate(w, registry.repositories, account.did, account.handle)
