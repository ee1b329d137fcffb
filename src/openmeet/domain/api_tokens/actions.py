"""Making and revoking tokens."""

import secrets

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Refused
from groundwork.fresh_id import new_id
from openmeet.domain.api_tokens import queries, rules
from openmeet.domain.api_tokens.tokens import MAX_TOKENS, PREFIX, ApiToken, TokenId, TokenWanted
from openmeet.domain.users.model import Caller, UserId


async def make(tx: Transaction, caller: Caller, wanted: TokenWanted) -> tuple[ApiToken, str]:
    """A new token of the caller, and the one time that it is seen. Refused when they have too many."""
    if await queries.count_working(tx, caller.user_id) >= MAX_TOKENS:
        raise Refused(f"You have {MAX_TOKENS} tokens. Revoke one that you do not use first.", name="TooManyTokens")
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(
        id=TokenId(new_id(tx.now)),
        user_id=caller.user_id,
        name=wanted.name,
        scopes=wanted.scopes,
        created_at=tx.now,
        expires_at=None if wanted.lives is None else Instant(tx.now + wanted.lives),
        last_used_at=None,
        revoked_at=None,
    )
    await queries.insert(tx, made, rules.hash_token(token))
    return made, token


async def revoke(tx: Transaction, caller: Caller, token_id: TokenId) -> None:
    """It opens nothing any more, from the next request on. NotFound for a token of somebody else."""
    if not await queries.revoke(tx, caller.user_id, token_id):
        raise NotFound("You have no such token.")


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """One person out of two rows."""
    await queries.reassign(tx, from_user, to_user)
