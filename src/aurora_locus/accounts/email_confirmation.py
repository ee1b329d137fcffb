"""Unconfirmed accounts of open sign-up: deactivated until their owner confirms the e-mail address.

Their owners can sign in, but none of their data is public. They are announced when they are confirmed. An account that
is not confirmed within a week is removed together with its identity, unless somebody else holds one of the identity's
keys. Reason: a script can create thousands of accounts, and those must not reach the network.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import email_tokens, queries
from aurora_locus.accounts.account_requests import UnannouncedReason
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.repository import hosting
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import DAY
from groundwork.database.transaction import Writer
from groundwork.errors import Refused

# Most people read their e-mail at least weekly, and an abandoned sign-up should not reserve a name for longer.
PATIENCE = 7 * DAY


async def send_first_email(registry: Registry, did: Did) -> None:
    """Send the first token that confirms the address. Later ones are requested with requestEmailConfirmation."""
    async with registry.db.transaction() as tx:
        await email_tokens.enqueue_token(tx, registry.email_tokens, did, TokenPurpose.CONFIRM_EMAIL)


def show(w: Writer, repositories: Repositories, did: Did) -> None:
    """Announce an account that was waiting for its address to be confirmed. This must be the last call in the
    transaction.
    """
    row = queries.waiting(w, did)
    if row is None or row.awaits != UnannouncedReason.CONFIRMATION:
        return
    queries.set_shown(w, did)
    if queries.host_decision(w, did) is None:
        hosting.activate(w, repositories, did, Handle(row.handle))


def require_confirmed(w: Writer, did: Did) -> None:
    """Raise Refused if activating the account would bypass the confirmation."""
    row = queries.waiting(w, did)
    if row is not None and row.awaits == UnannouncedReason.CONFIRMATION:
        raise Refused(
            gettext_noop("Confirm the e-mail address first. The account then becomes active automatically."),
            name="InvalidRequest",
        )
