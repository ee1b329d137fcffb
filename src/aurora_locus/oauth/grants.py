"""Table ``oauth_grants``: the scopes that an app requested from a person, and those that were granted."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.oauth.client_id import ClientId
from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction, Writer

# A decision ends with the sessions of the account: somebody who had the password may have made it.
_FIND = """
    select g.asked_scope, g.scope from oauth_grants g join accounts a on a.did = g.did
     where g.did = :did and g.client_id = :client_id and g.approved_at >= a.tokens_valid_after
"""
_REMEMBER = """
    insert into oauth_grants (did, client_id, asked_scope, scope, approved_at)
    values (:did, :client_id, :asked_scope, :scope, :approved_at)
    on conflict (did, client_id) do update
       set asked_scope = excluded.asked_scope, scope = excluded.scope, approved_at = excluded.approved_at
"""
_FORGET = "delete from oauth_grants where did = :did"
_FORGET_APP = """
    delete from oauth_grants
     where did = :did and client_id = (select client_id from oauth_sessions where id = :session_id and did = :did)
"""


@dataclass(frozen=True, slots=True)
class RememberedGrant:
    """The scopes that were requested, and those that were granted."""

    requested: frozenset[str]
    granted: frozenset[str]


async def find(reader: Reader, did: Did, client_id: ClientId) -> RememberedGrant | None:
    """Return the person's last decision about this app, unless all sessions of the account were ended since then."""
    row = await reader.fetch_one(_FIND, did=did, client_id=client_id)
    if row is None:
        return None
    return RememberedGrant(frozenset(row["asked_scope"].split()), frozenset(row["scope"].split()))


async def remember(
    tx: Transaction,
    did: Did,
    client_id: ClientId,
    *,
    requested: Sequence[str],
    granted: Sequence[str],
    approved_at: Instant,
) -> None:
    """Store the decision, replacing an earlier one."""
    await tx.execute(
        _REMEMBER,
        did=did,
        client_id=client_id,
        asked_scope=" ".join(requested),
        scope=" ".join(granted),
        approved_at=approved_at,
    )


async def forget_app_of(tx: Transaction, did: Did, session_id: str) -> None:
    """Forget the decision about the app that has this session of the account: it has to ask again."""
    await tx.execute(_FORGET_APP, did=did, session_id=session_id)


def forget(w: Writer, did: Did) -> None:
    """Forget every grant: each app has to ask again."""
    w.execute(_FORGET, did=did)
