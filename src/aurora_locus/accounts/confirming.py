"""Accounts of open sign-up, which nobody spoke for: hidden until their owner has shown to read the mail.

They can sign in, and nothing else of them is seen. Confirming announces them, once; who does not confirm in a week is
removed, with an identity that nobody else holds a key of. Source of the rule: accounts that any script can make in thousands
must not reach the network in thousands.
"""

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.accounts import email_tokens, queries
from aurora_locus.accounts.email_tokens import TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.wishes import Awaits
from aurora_locus.repository import hosting
from aurora_locus.repository.repositories import Repositories
from groundwork.clock import DAY
from groundwork.database.transaction import Writer
from groundwork.errors import Refused

# People read their mail once a week at the least, and a name is not kept longer for nobody.
PATIENCE = 7 * DAY


async def send_first_letter(registry: Registry, did: Did) -> None:
    """The token that confirms the address; later ones are asked for (requestEmailConfirmation)."""
    async with registry.db.transaction() as tx:
        await email_tokens.ask(tx, registry.email_tokens, did, TokenPurpose.CONFIRM_EMAIL)


def show(w: Writer, repositories: Repositories, did: Did) -> None:
    """The address is confirmed: an account that waited for it is announced. Announcing is the transaction's last act."""
    row = queries.waiting(w, did)
    if row is None or row.awaits != Awaits.CONFIRMATION:
        return
    queries.set_shown(w, did)
    if queries.host_decision(w, did) is None:
        hosting.activate(w, repositories, did, Handle(row.handle))


def require_confirmed(w: Writer, did: Did) -> None:
    """Raise Refused where activating would go round the confirmation."""
    row = queries.waiting(w, did)
    if row is not None and row.awaits == Awaits.CONFIRMATION:
        raise Refused(
            "Confirm the e-mail address first: ask for a code with requestEmailConfirmation and give it to confirmEmail. "
            "The account is then shown by itself.",
            name="InvalidRequest",
        )
