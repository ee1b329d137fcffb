"""Table ``oauth_grants``: the scopes that an app requested from a person, and those that were granted."""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.oauth.client_id import ClientId
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Reader, Transaction, Writer

_FIND = "select asked_scope, scope from oauth_grants where did = :did and client_id = :client_id"
_REMEMBER = """
    insert into oauth_grants (did, client_id, asked_scope, scope, approved_at)
    values (:did, :client_id, :asked_scope, :scope, :now)
    on conflict (did, client_id) do update
       set asked_scope = excluded.asked_scope, scope = excluded.scope, approved_at = excluded.approved_at
"""
_FORGET = "delete from oauth_grants where did = :did"


@dataclass(frozen=True, slots=True)
class RememberedGrant:
    """The scopes that were requested, and those that were granted."""

    requested: frozenset[str]
    granted: frozenset[str]


async def find(reader: Reader, did: Did, client_id: ClientId) -> RememberedGrant | None:
    """Return the person's last decision about this app."""
    row = await reader.fetch_one(_FIND, did=did, client_id=client_id)
    if row is None:
        return None
    return RememberedGrant(frozenset(row["asked_scope"].split()), frozenset(row["scope"].split()))


async def remember(
    tx: Transaction, did: Did, client_id: ClientId, *, requested: Sequence[str], granted: Sequence[str]
) -> None:
    """Store the decision, replacing an earlier one."""
    await tx.execute(
        _REMEMBER,
        did=did,
        client_id=client_id,
        asked_scope=" ".join(requested),
        scope=" ".join(granted),
        now=tx.now,
    )


def forget(w: Writer, did: Did) -> None:
    """Forget every grant: each app has to ask again."""
    w.execute(_FORGET, did=did)
