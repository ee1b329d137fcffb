"""Tokens as they are kept, and one just made."""

from dataclasses import dataclass
from typing import Final, NewType

from groundwork.clock import DAY, MINUTE, Instant
from openmeet.domain.api_tokens.scopes import Scope
from openmeet.domain.users.model import UserId

TokenId = NewType("TokenId", str)

# Says to people and to secret scanners what it is, and to us in which table to look.
PREFIX: Final = "omt_"

MAX_NAME: Final = 100
# More than anybody can tell apart on a page.
MAX_TOKENS: Final = 50
MAX_DAYS: Final = 366

# Using a token is noted at most this often: a write for every request would cost more than it tells.
NOTED_EVERY: Final = 10 * MINUTE
# How long a token that expired or was revoked stays on its owner's list.
SHOWN_AFTER_END: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without itself. ``expires_at`` None: until it is revoked."""

    id: TokenId
    user_id: UserId
    name: str
    scopes: frozenset[Scope]
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None

    def is_over(self, now: Instant) -> bool:
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """What its owner decided; ``lives`` in microseconds, None: until it is revoked."""

    name: str
    scopes: frozenset[Scope]
    lives: int | None
