"""Values of account merges: the proposal, what it would merge, and the result of a sign-in with a DID."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, HOUR, Instant
from groundwork.errors import Reason
from openmeet.domain.users.model import UserId


class AccountMergeReason(Reason):
    """Why two accounts cannot be merged. The messages are in ``i18n/reasons/accounts.py``."""

    PROVE_AGAIN = "account_merge.prove_again"
    EXPIRED = "account_merge.expired"
    ACCOUNT_GONE = "account_merge.account_gone"
    PROOF_OF_OTHER_ACCOUNTS = "account_merge.proof_of_other_accounts"
    NOTHING_TO_JOIN = "account_merge.nothing_to_join"
    TWO_REPOSITORIES = "account_merge.two_repositories"


MergeProposalId = NewType("MergeProposalId", str)

# How long a proof can be confirmed, and how long the result of a merge can be read.
OPEN_FOR: Final = HOUR
KEPT_FOR: Final = 90 * DAY


class OwnershipProof(StrEnum):
    """The kind of proof that the other account belongs to the same person."""

    DID = "did"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class LabelledCount:
    """A count with its noun in singular and plural: ``("answer", "answers")``."""

    key: str
    number: int
    words: tuple[str, str]

    @property
    def text(self) -> str:
        return f"{self.number} {self.words[0] if self.number == 1 else self.words[1]}"


@dataclass(frozen=True, slots=True)
class MergeProposal:
    """A merge that a proof allows, before and after it. ``user_id`` is the account that remains. ``other_id`` is None once
    the other account was merged, by this proposal or another.

    ``joined`` is set after the merge. ``proven`` is the DID or address that belonged to the other account at the time
    of the proof.
    """

    id: MergeProposalId
    user_id: UserId
    other_id: UserId | None
    proof: OwnershipProof
    proven: str
    created_at: Instant
    expires_at: Instant
    settled_at: Instant | None
    joined: tuple[LabelledCount, ...]


@dataclass(frozen=True, slots=True)
class SignInResult:
    """The result of a sign-in. ``user_id`` is the user of the session. ``proposal`` waits for their confirmation."""

    user_id: UserId
    proposal: MergeProposalId | None = None
