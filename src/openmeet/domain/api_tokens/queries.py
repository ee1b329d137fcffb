"""All SQL of tokens."""

from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.api_tokens.rules import scopes_in, scopes_text
from openmeet.domain.api_tokens.tokens import ApiToken, TokenId
from openmeet.domain.users.merge import hand_over, hand_over_unique
from openmeet.domain.users.model import Caller, UserId

# Nobody repeats a request after that.
REQUESTS_KEPT: Final = DAY

_COLUMNS = "id, user_id, name, scopes, created_at, expires_at, last_used_at, revoked_at"


def _token_of(row: Row) -> ApiToken:
    return ApiToken(
        TokenId(row["id"]),
        UserId(row["user_id"]),
        row["name"],
        scopes_in(row["scopes"]),
        Instant(row["created_at"]),
        None if row["expires_at"] is None else Instant(row["expires_at"]),
        None if row["last_used_at"] is None else Instant(row["last_used_at"]),
        None if row["revoked_at"] is None else Instant(row["revoked_at"]),
    )


async def insert(tx: Transaction, token: ApiToken, token_hash: bytes) -> None:
    await tx.execute(
        f"""
        insert into api_tokens (token_hash, {_COLUMNS})
        values (:token_hash, :id, :user_id, :name, :scopes, :created_at, :expires_at, null, null)
        """,
        token_hash=token_hash,
        id=token.id,
        user_id=token.user_id,
        name=token.name,
        scopes=scopes_text(token.scopes),
        created_at=token.created_at,
        expires_at=token.expires_at,
    )


async def holder(reader: Reader, token_hash: bytes) -> tuple[Caller, ApiToken] | None:
    """Whose token this is; None when it is unknown, over or revoked."""
    row = await reader.fetch_one(
        f"""
        select u.display_name, {", ".join(f"t.{name.strip()}" for name in _COLUMNS.split(","))}
          from api_tokens t join users u on u.id = t.user_id
         where t.token_hash = :token_hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > :now)
        """,
        token_hash=token_hash,
        now=reader.now,
    )
    return (Caller(UserId(row["user_id"]), row["display_name"]), _token_of(row)) if row else None


async def of_user(reader: Reader, user_id: UserId, ended_after: Instant, limit: int) -> list[ApiToken]:
    """One's tokens, the newest first; what ended before ``ended_after`` is left out."""
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from api_tokens
         where user_id = :user_id and (revoked_at is null or revoked_at > :after)
           and (expires_at is null or expires_at > :after)
         order by created_at desc, id desc limit :limit
        """,
        user_id=user_id,
        after=ended_after,
        limit=limit,
    )
    return [_token_of(row) for row in rows]


async def count_working(reader: Reader, user_id: UserId) -> int:
    row = await reader.fetch_one(
        """
        select count(*) as n from api_tokens
         where user_id = :user_id and revoked_at is null and (expires_at is null or expires_at > :now)
        """,
        user_id=user_id,
        now=reader.now,
    )
    return int(row["n"]) if row else 0


async def revoke(tx: Transaction, user_id: UserId, token_id: TokenId) -> bool:
    """False when they have no such token; one that is revoked already stays as it is."""
    found = await tx.fetch_one(
        """
        update api_tokens set revoked_at = coalesce(revoked_at, :now) where id = :id and user_id = :user_id
        returning id
        """,
        now=tx.now,
        id=token_id,
        user_id=user_id,
    )
    return found is not None


async def note_use(tx: Transaction, token_id: TokenId, not_since: Instant) -> None:
    """Remember that it was used now, unless that was noted since ``not_since``."""
    await tx.execute(
        "update api_tokens set last_used_at = :now where id = :id and coalesce(last_used_at, 0) <= :not_since",
        now=tx.now,
        id=token_id,
        not_since=not_since,
    )


async def drop_ended(tx: Transaction, before: Instant) -> int:
    """Forget tokens that stopped working before an instant."""
    return await tx.execute(
        "delete from api_tokens where expires_at < :before or revoked_at < :before",
        before=before,
    )


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """A person's tokens go where the person goes, and what their programs were answered."""
    await hand_over(tx, "api_tokens", "user_id", from_user, to_user)
    await hand_over_unique(tx, "idempotency_keys", "user_id", ("request_key",), from_user, to_user)


async def forget_requests(tx: Transaction) -> int:
    """Drop idempotency keys that no client repeats any more."""
    return await tx.execute(
        "delete from idempotency_keys where created_at <= :before", before=Instant(tx.now - REQUESTS_KEPT)
    )
