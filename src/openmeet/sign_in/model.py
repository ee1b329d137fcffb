"""Challenges and sessions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, MINUTE, Instant
from openmeet.users.model import UserId

ChallengeId = NewType("ChallengeId", str)

CODE_DIGITS = 6
CODE_LIFE = 10 * MINUTE
# Five tries among a million codes, and five codes an hour per address: guessing one address takes years.
CODE_TRIES = 5
CODES_PER_HOUR = 5

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
    """A code was asked for. ``display_name`` is what a newcomer wants to be called; empty when they have not said."""

    id: ChallengeId
    email: str
    display_name: str
    attempts_left: int
    next_path: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None


@dataclass(frozen=True, slots=True)
class Session:
    """A token just made; it is shown once and only its hash is kept."""

    token: str
    user_id: UserId
    expires_at: Instant
