"""API tokens: validation, creation, revocation and SQL."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NewType

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.expressions import qualified
from groundwork.database.pages import change_in_pages, delete_some
from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.errors import InvalidForm, NotFound, Reason, Refused, Why
from groundwork.token_hash import hash_token
from groundwork.uuid7 import new_id
from openmeet.domain.api_tokens.idempotency import forget_requests
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.paging import Page
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import one_line


class ApiTokenReason(Reason):
    """Why an action on API tokens or service credentials is refused. The messages are in ``i18n/reasons/accounts.py``."""

    SERVICE_NAME_NEEDED = "api_token.service_name_needed"
    SERVICE_SCOPE_NEEDED = "api_token.service_scope_needed"
    NO_SUCH_CREDENTIAL = "api_token.no_such_credential"
    LABEL_NEEDED = "api_token.label_needed"
    SCOPE_NEEDED = "api_token.scope_needed"
    LIFETIME_OUT_OF_RANGE = "api_token.lifetime_out_of_range"
    TOO_MANY_TOKENS = "api_token.too_many_tokens"
    NO_SUCH_TOKEN = "api_token.no_such_token"  # noqa: S105 - a code, not a password


TokenId = NewType("TokenId", str)

# The prefix tells people and secret scanners what kind of token it is, and selects the table to look it up in.
PREFIX: Final = "omt_"

MAX_NAME: Final = 100
# Nobody can keep track of more tokens than this on one page.
MAX_TOKENS: Final = 50
MAX_DAYS: Final = 366

# Minimum time between two recorded uses of a token, because a write per request would be too expensive.
NOTED_EVERY: Final = 10 * MINUTE
# How long an expired or revoked token is still listed for its owner.
SHOWN_AFTER_END: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret. If ``expires_at`` is None, it is valid until revoked."""

    id: TokenId
    user_id: UserId
    name: str
    scopes: frozenset[TokenScope]
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None

    def is_over(self, now: Instant) -> bool:
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


@dataclass(frozen=True, slots=True)
class NewToken:
    """Validated input for a new token. ``lifetime`` is its lifetime in microseconds; None means valid until revoked."""

    name: str
    scopes: frozenset[TokenScope]
    lifetime: int | None


def check(*, name: str, scopes: Collection[str], days: str) -> NewToken:
    """Validate the input of a form or client. Empty ``days`` means valid until revoked. Raises InvalidForm, which lists
    every invalid field.
    """
    problems: dict[str, Why] = {}
    name = one_line(name)
    if not name:
        problems["name"] = ApiTokenReason.LABEL_NEEDED
    elif len(name) > MAX_NAME:
        problems["name"] = GeneralReason.TEXT_TOO_LONG(most=MAX_NAME)
    allowed = {scope.value for scope in TokenScope}
    if not scopes:
        problems["scopes"] = ApiTokenReason.SCOPE_NEEDED
    elif not set(scopes) <= allowed:
        problems["scopes"] = GeneralReason.CHOOSE_FROM(choices=", ".join(TokenScope))
    is_number = days.isascii() and days.isdigit() and len(days) <= 6
    if days and not (is_number and 1 <= int(days) <= MAX_DAYS):
        problems["expires_in_days"] = ApiTokenReason.LIFETIME_OUT_OF_RANGE(most=MAX_DAYS)
    if problems:
        raise InvalidForm(problems)
    return NewToken(name, frozenset(map(TokenScope, scopes)), int(days) * DAY if days else None)


def scopes_text(scopes: Collection[TokenScope]) -> str:
    """Format scopes as they are stored and shown, in the order of the enum."""
    return " ".join(scope.value for scope in TokenScope if scope in scopes)


def scopes_in(text: str) -> frozenset[TokenScope]:
    """Parse the stored text. Unknown scopes are dropped and allow nothing."""
    scope_order: Sequence[str] = list(TokenScope)
    return frozenset(TokenScope(word) for word in text.split() if word in scope_order)


async def make(tx: Transaction, caller: Caller, new_token: NewToken) -> tuple[ApiToken, str]:
    """Create a token for the caller. Its secret is returned only here. Raises Refused if the caller has too many
    tokens.
    """
    # Requests at the same time would all see the same number.
    await user_queries.lock(tx, caller.user_id)
    if await count_working(tx, caller.user_id) >= MAX_TOKENS:
        raise Refused(ApiTokenReason.TOO_MANY_TOKENS, most=MAX_TOKENS, name="TooManyTokens")
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        id=TokenId(new_id(tx.now)),
        user_id=caller.user_id,
        name=new_token.name,
        scopes=new_token.scopes,
        created_at=tx.now,
        expires_at=None if new_token.lifetime is None else Instant(tx.now + new_token.lifetime),
        last_used_at=None,
        revoked_at=None,
    )
    await insert(tx, made, hash_token(token))
    return made, token


async def revoke(tx: Transaction, caller: Caller, token_id: TokenId) -> None:
    """Revoke the token with immediate effect. Raises NotFound, also if the token belongs to another user."""
    if not await mark_revoked(tx, caller.user_id, token_id):
        raise NotFound(ApiTokenReason.NO_SUCH_TOKEN)


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
    """Return the user and the token with this hash, or None if it is unknown, expired or revoked."""
    row = await reader.fetch_one(
        f"""
        select u.display_name, u.language, {qualified(_COLUMNS, "t")}
          from api_tokens t join users u on u.id = t.user_id
         where t.token_hash = :token_hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > :now)
        """,
        token_hash=token_hash,
        now=reader.now,
    )
    if row is None:
        return None
    return Caller(UserId(row["user_id"]), row["display_name"], row["language"]), _token_of(row)


async def still_valid(reader: Reader, token_hashes: Collection[bytes]) -> set[bytes]:
    """Return those of these hashes (SHA-256) whose API tokens are neither revoked nor expired."""
    if not token_hashes:
        return set()
    rows = await reader.fetch(
        "select token_hash from api_tokens where token_hash in :hashes and revoked_at is null"
        " and (expires_at is null or expires_at > :now) order by token_hash",
        hashes=sorted(token_hashes),
        now=reader.now,
    )
    return {bytes(row["token_hash"]) for row in rows}


async def of_user(reader: Reader, user_id: UserId, ended_after: Instant, page: Page) -> list[ApiToken]:
    """Return a user's tokens, newest first, without those that ended before ``ended_after``."""
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from api_tokens
         where user_id = :user_id and (revoked_at is null or revoked_at > :after)
           and (expires_at is null or expires_at > :after){page.clause("created_at", "id")}
        """,
        user_id=user_id,
        after=ended_after,
        **page.values,
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


async def mark_revoked(tx: Transaction, user_id: UserId, token_id: TokenId) -> bool:
    """Mark the token as revoked; a repetition changes nothing. Return False if the user has no such token."""
    row = await tx.fetch_one(
        """
        update api_tokens set revoked_at = coalesce(revoked_at, :now) where id = :id and user_id = :user_id
        returning id
        """,
        now=tx.now,
        id=token_id,
        user_id=user_id,
    )
    return row is not None


async def note_use(tx: Transaction, token_id: TokenId, not_since: Instant) -> None:
    """Record that the token was used now, unless a use after ``not_since`` is already recorded."""
    await tx.execute(
        "update api_tokens set last_used_at = :now where id = :id and coalesce(last_used_at, 0) <= :not_since",
        now=tx.now,
        id=token_id,
        not_since=not_since,
    )


async def drop_ended(tx: Transaction, before: Instant) -> int:
    """Delete tokens that expired or were revoked before an instant."""
    return await delete_some(tx, "api_tokens", "expires_at < :before or revoked_at < :before", before=before)


async def forget_old_access(db: Database) -> int:
    """Delete tokens that ended a while ago, and idempotency keys that are too old for any client to retry."""

    async def delete(tx: Transaction) -> int:
        return await drop_ended(tx, Instant(tx.now - SHOWN_AFTER_END)) + await forget_requests(tx)

    return await change_in_pages(db, delete)
