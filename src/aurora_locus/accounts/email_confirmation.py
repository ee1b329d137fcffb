"""Unconfirmed accounts of open sign-up: deactivated until their owner confirms the e-mail address.

They can sign in, but nothing of them is public. Confirmation announces them, once; an account not confirmed within a
week is removed, together with its identity, of which nobody else holds a key. Reason: accounts that a script can create
in thousands must not reach the network in thousands.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import email_tokens, queries
from aurora_locus.accounts.account_requests import Awaits
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.repository import hosting
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import DAY
from groundwork.database.transaction import Writer
from groundwork.errors import Refused

# People read their e-mail at least weekly, and a name should not be reserved longer for nobody.
PATIENCE = 7 * DAY


async def send_first_email(registry: Registry, did: Did) -> None:
    """The token that confirms the address; later ones are requested (requestEmailConfirmation)."""
    async with registry.db.transaction() as tx:
        await email_tokens.ask(tx, registry.email_tokens, did, TokenPurpose.CONFIRM_EMAIL)


def show(w: Writer, repositories: Repositories, did: Did) -> None:
    """Announce an account that waited for the confirmation of its address. This is the transaction's last act."""
    row = queries.waiting(w, did)
    if row is None or row.awaits != Awaits.CONFIRMATION:
        return
    queries.set_shown(w, did)
    if queries.host_decision(w, did) is None:
        hosting.activate(w, repositories, did, Handle(row.handle))


def require_confirmed(w: Writer, did: Did) -> None:
    """Raise Refused if activation would bypass the confirmation."""
    row = queries.waiting(w, did)
    if row is not None and row.awaits == Awaits.CONFIRMATION:
        raise Refused(
            "Confirm the e-mail address first: ask for a code with requestEmailConfirmation and give it to confirmEmail. "
            "The account then shows up automatically.",
            name="InvalidRequest",
        )
