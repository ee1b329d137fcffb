"""A claim, what it would join, and what signing in with a DID led to."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, HOUR, Instant
from openmeet.domain.users.model import UserId

ClaimId = NewType("ClaimId", str)

# How long a proof waits for its yes, and how long what was joined can be read.
OPEN_FOR: Final = HOUR
KEPT_FOR: Final = 90 * DAY


class OwnershipProof(StrEnum):
    """How somebody showed that the other account is theirs."""

    DID = "did"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Holding:
    """So many of something, as words: ``("answer", "answers")``."""

    key: str
    number: int
    words: tuple[str, str]

    @property
    def text(self) -> str:
        return f"{self.number} {self.words[0] if self.number == 1 else self.words[1]}"


@dataclass(frozen=True, slots=True)
class AccountClaim:
    """``user_id`` stays. ``other_id`` is None once that account is joined, with this claim or otherwise; ``joined`` after it.

    ``proven``: the DID or the address that was the other account's when the person proved it.
    """

    id: ClaimId
    user_id: UserId
    other_id: UserId | None
    proof: OwnershipProof
    proven: str
    created_at: Instant
    expires_at: Instant
    settled_at: Instant | None
    joined: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class SignInResult:
    """``user_id``: whose session it is. ``was_known``: what a shadow held that is a person now.

    ``claim``: another account of theirs waits for their yes; until then it stays as it is.
    """

    user_id: UserId
    was_known: tuple[Holding, ...] = ()
    claim: ClaimId | None = None
