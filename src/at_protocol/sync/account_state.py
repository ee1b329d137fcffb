"""The state that a consumer keeps for one account, and how each message changes it.

Source: sync and account specifications. A state is a value. Given a message, the functions of this module return the
next state and a verdict, and the caller stores both together with its cursor. Messages of one account must be passed in
order. A repository is fetched again ("resync") when a commit does not follow the last known one.

For an active account, the verdict on a valid message depends on the state:

- SYNCHRONIZED: a #commit that follows and a #sync with the same tree are APPLY; a #commit with a gap and a #sync with
  another tree are RESYNC.
- DESYNCHRONIZED: a #commit is DROP, because the account is already queued, and a #sync is RESYNC. For an account of
  which nothing is known, the first commit of its repository is APPLY and a later one RESYNC.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from at_protocol.crypto.did_key import PublicKey
from at_protocol.sync.events import AccountMessage, CommitMessage, IdentityMessage, Sequenced, SyncMessage
from at_protocol.sync.verify import (
    FULL,
    MessageRejected,
    RejectionReason,
    RepoHead,
    VerificationLevel,
    VerifiedCommit,
    verify_commit_message,
    verify_sync_message,
)


class SyncState(StrEnum):
    """State of the consumer's copy of a repository."""

    DESYNCHRONIZED = "desynchronized"
    SYNCHRONIZED = "synchronized"


class SyncVerdict(StrEnum):
    """What a consumer does with a message."""

    APPLY = "apply"
    """The message is valid: act on it."""
    DROP = "drop"
    """The message is outdated, or its account is inactive or desynchronized: ignore it."""
    REJECT = "reject"
    """The message is invalid: count it, keep it for inspection, and do not act on it."""
    RESYNC = "resync"
    """Messages were missed: fetch the repository."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state of one account as seen through its upstream.

    ``last_head`` is None if no commit was seen. With SYNCHRONIZED, the first commit is then accepted. This is right for
    a forwarder, but wrong for a consumer that keeps a copy.
    """

    active: bool = True
    status: str | None = None
    sync: SyncState = SyncState.DESYNCHRONIZED
    last_head: RepoHead | None = None


@dataclass(frozen=True, slots=True)
class AccountChange:
    """A verdict, the next state, and the rejection reason or the verified content."""

    verdict: SyncVerdict
    state: AccountState
    verified: VerifiedCommit | None = None
    refusal: MessageRejected | None = None


@dataclass(slots=True)
class StreamPosition:
    """Position in one stream. Sequence numbers must increase; gaps are normal."""

    last_seq: int = 0
    out_of_order: int = 0

    def advance(self, seq: int) -> bool:
        """Return whether the message is new. Old numbers are counted; disconnect from a host that repeats them."""
        if seq <= self.last_seq:
            self.out_of_order += 1
            return False
        self.last_seq = seq
        return True


def receive(
    state: AccountState, message: Sequenced, key: PublicKey, *, now_us: int, verification: VerificationLevel = FULL
) -> AccountChange:
    """Return the verdict on a message for an account in this state. Never raises, even for invalid messages."""
    match message:
        case IdentityMessage():
            return AccountChange(SyncVerdict.APPLY, state)
        case AccountMessage():
            return AccountChange(SyncVerdict.APPLY, replace(state, active=message.active, status=message.status))
        case CommitMessage():
            return _commit(state, message, key, now_us, verification)
        case SyncMessage():
            return _sync(state, message, key, now_us)
        case _:
            assert_never(message)


def _commit(
    state: AccountState, message: CommitMessage, key: PublicKey, now_us: int, verification: VerificationLevel
) -> AccountChange:
    if not state.active:
        return AccountChange(SyncVerdict.DROP, state)
    is_first = message.since is None and state.last_head is None
    if state.sync is SyncState.DESYNCHRONIZED and not is_first:
        # An account first seen in the middle of its history must be fetched. One that is known to be behind is already
        # queued.
        return AccountChange(SyncVerdict.DROP if state.last_head else SyncVerdict.RESYNC, state)
    try:
        verified = verify_commit_message(
            message, key, now_us=now_us, last_head=state.last_head, verification=verification
        )
    except MessageRejected as refusal:
        return _change_after_refusal(state, refusal)
    return AccountChange(
        SyncVerdict.APPLY, replace(state, sync=SyncState.SYNCHRONIZED, last_head=verified.head), verified
    )


def _sync(state: AccountState, message: SyncMessage, key: PublicKey, now_us: int) -> AccountChange:
    if not state.active:
        return AccountChange(SyncVerdict.DROP, state)
    try:
        commit = verify_sync_message(message, key, now_us=now_us, last_head=state.last_head)
    except MessageRejected as refusal:
        return _change_after_refusal(state, refusal)
    if state.sync is SyncState.SYNCHRONIZED and (state.last_head is None or state.last_head.data == commit.data):
        return AccountChange(SyncVerdict.APPLY, replace(state, last_head=RepoHead(message.rev, commit.data)))
    return AccountChange(SyncVerdict.RESYNC, replace(state, sync=SyncState.DESYNCHRONIZED))


def _change_after_refusal(state: AccountState, refusal: MessageRejected) -> AccountChange:
    match refusal.reason:
        case RejectionReason.STALE_REV:
            return AccountChange(SyncVerdict.DROP, state, refusal=refusal)
        case RejectionReason.GAP:
            return AccountChange(SyncVerdict.RESYNC, replace(state, sync=SyncState.DESYNCHRONIZED), refusal=refusal)
        case _:
            return AccountChange(SyncVerdict.REJECT, state, refusal=refusal)
