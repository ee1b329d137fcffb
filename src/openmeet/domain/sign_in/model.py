"""Challenges and sessions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, MINUTE, Instant
from openmeet.domain.users.model import UserId

ChallengeId = NewType("ChallengeId", str)

# Neither 0 and O, 1, I and L, nor letters that are read as digits: B, S, Z; nor U, which is read as V.
CODE_ALPHABET = "23456789ACDEFGHJKMNPQRTVWXY"
CODE_LENGTH = 8
CODE_LIFE = 30 * MINUTE
# For one time that a code was asked for.
CODE_TRIES = 5
# For one e-mail address, from everywhere and whatever was asked for: 20 among 280,000,000,000 codes.
CODE_TRIES_A_DAY = 20
# Whoever has so many e-mails whose codes work needs no further one: as long as no more are sent, one of those works.
MAX_MAILED = 4

SESSION_LIFE = 60 * DAY
# Shorter: API tokens end up in scripts and shells' histories.
API_SESSION_LIFE = 30 * DAY

CODE_MAIL = "sign_in_code"


class SessionKind(StrEnum):
    """Where a session's token travels: in a cookie, or in the Authorization header. One never works as the other."""

    BROWSER = "browser"
    API = "api"


@dataclass(frozen=True, slots=True)
class Challenge:
    """A code was asked for. ``display_name`` is what a newcomer wants to be called; empty when they have not said.

    ``browser_hash``: by which browser; None for programs. ``is_mailed``: whether an e-mail was sent for it.
    """

    id: ChallengeId
    email: str
    display_name: str
    attempts_left: int
    next_path: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None
    browser_hash: bytes | None = None
    is_mailed: bool = True


@dataclass(frozen=True, slots=True)
class Session:
    """A token just made; it is shown once and only its hash is kept."""

    token: str
    user_id: UserId
    expires_at: Instant
