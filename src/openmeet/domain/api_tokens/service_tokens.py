"""Service tokens: credentials of programs that act for the installation. The operator creates, lists and revokes them.

A service token may do only what its scopes allow (``scopes.ServiceScope``): it cannot see any user's pages. A user's
token or session cannot call the operations reserved for services. Service tokens are stored as hashes, like every
token.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NewType

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import InvalidInput, NotFound
from groundwork.token_hash import hash_token
from groundwork.uuid7 import new_id
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.domain.api_tokens.tokens import MAX_NAME, NOTED_EVERY, ApiTokenReason
from openmeet.i18n.markdown import one_line

ServiceId = NewType("ServiceId", str)

# The prefix tells people and secret scanners what kind of token it is, and selects the table to look it up in.
PREFIX: Final = "oms_"

_COLUMNS = "id, name, scopes, created_at, last_used_at, revoked_at"


@dataclass(frozen=True, slots=True)
class ServiceTokenInfo:
    """A service token without its secret."""

    id: ServiceId
    name: str
    scopes: frozenset[ServiceScope]
    created_at: Instant
    last_used_at: Instant | None
    revoked_at: Instant | None


async def make(tx: Transaction, *, name: str, scopes: Collection[ServiceScope]) -> tuple[ServiceTokenInfo, str]:
    """Create a token. Its secret is returned only here. Raises InvalidInput."""
    name = one_line(name)
    if not name or len(name) > MAX_NAME:
        raise InvalidInput("name", ApiTokenReason.SERVICE_NAME_NEEDED, most=MAX_NAME)
    if not scopes:
        raise InvalidInput("scopes", ApiTokenReason.SERVICE_SCOPE_NEEDED)
    token = PREFIX + secrets.token_urlsafe(32)
    made = ServiceTokenInfo(ServiceId(new_id(tx.now)), name, frozenset(scopes), tx.now, None, None)
    await tx.execute(
        f"""
        insert into service_tokens (token_hash, {_COLUMNS})
        values (:token_hash, :id, :name, :scopes, :created_at, null, null)
        """,
        token_hash=hash_token(token),
        id=made.id,
        name=made.name,
        scopes=" ".join(sorted(made.scopes)),
        created_at=made.created_at,
    )
    return made, token


async def find(reader: Reader, token: str) -> ServiceTokenInfo | None:
    """Return the token with this secret, or None if it is unknown or revoked."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from service_tokens where token_hash = :token_hash and revoked_at is null",
        token_hash=hash_token(token),
    )
    return None if row is None else _service(row)


async def note_use(tx: Transaction, service: ServiceTokenInfo) -> None:
    """Record that the token was used. The caller does this only at intervals, because a write per request would be too
    expensive.
    """
    await tx.execute(
        """
        update service_tokens set last_used_at = :now
         where id = :id and (last_used_at is null or last_used_at < :before)
        """,
        id=service.id,
        now=tx.now,
        before=tx.now - NOTED_EVERY,
    )


def was_used_lately(service: ServiceTokenInfo, now: Instant) -> bool:
    """Whether the last recorded use is recent enough that no new one needs to be written."""
    return service.last_used_at is not None and service.last_used_at >= now - NOTED_EVERY


async def listed(reader: Reader) -> list[ServiceTokenInfo]:
    """All service tokens including revoked ones, newest first."""
    rows = await reader.fetch(f"select {_COLUMNS} from service_tokens order by created_at desc, id desc")
    return [_service(row) for row in rows]


async def revoke(tx: Transaction, service_id: str) -> None:
    """Revoke the token with immediate effect. Raises NotFound."""
    row = await tx.fetch_one(
        "update service_tokens set revoked_at = coalesce(revoked_at, :now) where id = :id returning id",
        id=service_id,
        now=tx.now,
    )
    if row is None:
        raise NotFound(ApiTokenReason.NO_SUCH_CREDENTIAL)


def _service(row: Row) -> ServiceTokenInfo:
    scope_order = list(ServiceScope)
    return ServiceTokenInfo(
        ServiceId(row["id"]),
        row["name"],
        frozenset(ServiceScope(word) for word in row["scopes"].split() if word in scope_order),
        Instant(row["created_at"]),
        None if row["last_used_at"] is None else Instant(row["last_used_at"]),
        None if row["revoked_at"] is None else Instant(row["revoked_at"]),
    )
