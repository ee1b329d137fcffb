"""From one frame to the messages that it means: decoded, the signature and the chain checked, nothing believed before.

A commit that holds but does not follow the last one known shows that something was missed. Its own operations are taken
over all the same, since ingestion is a join, and the repository is asked for whole (``HintKind.REPOSITORY``): what was
missed arrives with that read, at a rev not lower than this one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from at_network.did_resolver import DidResolver
from at_protocol.crypto.did_key import PublicKey
from at_protocol.sync import events
from at_protocol.sync.account_state import AccountState, SyncState, Verdict, receive
from at_protocol.sync.events import (
    AccountMessage,
    CommitMessage,
    IdentityMessage,
    InfoMessage,
    Sequenced,
    SyncMessage,
)
from at_protocol.sync.frames import ErrorFrame
from at_protocol.sync.verify import (
    FULL,
    Care,
    Known,
    Reason,
    Refused,
    Verified,
    verify_commit_message,
    verify_sync_message,
)
from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.errors import InvalidInput, NotFound
from openmeet.records.collections import CALENDAR
from openmeet.records.message import Hint, HintKind, Operation, RecordMessage


@dataclass(frozen=True, slots=True)
class Read:
    """What a frame means: messages for ingestion, what is known of the repository from now on, or why it was refused."""

    messages: tuple[RecordMessage | Hint, ...] = ()
    state: AccountState | None = None
    refusal: str = ""


NOTHING = Read()


@dataclass(frozen=True, slots=True)
class Verifier:
    """``care``: full for whoever checks everything, light behind a relay that has inverted each commit."""

    dids: DidResolver
    clock: Clock
    care: Care = FULL


def decode(frame: bytes) -> Sequenced | InfoMessage | ErrorFrame | None:
    """The message of a frame, checked for its form. Raises Malformed."""
    return events.read(frame)


async def read_message(verifier: Verifier, message: Sequenced, state: Callable[[], Awaitable[AccountState]]) -> Read:
    """Check a message against what is known of its account; everything a sender may do ends in a ``Read``.

    Raises RemoteFailed and RemoteSlow when nobody can tell at the moment who the account is.
    """
    match message:
        case IdentityMessage():
            verifier.dids.doubt(message.did)
            return Read((Hint(message.did, HintKind.IDENTITY, message.handle or "", message.seq),))
        case AccountMessage():
            said = "active" if message.active else message.status or "inactive"
            known = replace(await state(), active=message.active, status=message.status)
            return Read((Hint(message.did, HintKind.ACCOUNT, said, message.seq),), known)
        case CommitMessage():
            return await _commit(verifier, message, await state())
        case SyncMessage():
            return await _sync(verifier, message, await state())


async def _commit(verifier: Verifier, message: CommitMessage, state: AccountState) -> Read:
    key = await _key(verifier, message.repo)
    if key is None:
        return Read(refusal="the account has no key that commits could be signed with")
    # Whether the account is active is for its own PDS to say (ingestion asks); a commit that holds is a commit.
    present = replace(state, active=True, sync=SyncState.SYNCHRONIZED)
    outcome = receive(present, message, key, now_us=verifier.clock.now(), care=verifier.care)
    if outcome.refusal is not None and outcome.refusal.reason is Reason.BAD_SIGNATURE:
        # Keys rotate: the identity is asked for once more before the frame is called wrong.
        key = await _key(verifier, message.repo, is_fresh=True) or key
        outcome = receive(present, message, key, now_us=verifier.clock.now(), care=verifier.care)
    match outcome.verdict:
        case Verdict.APPLY:
            if outcome.verified is None:
                return NOTHING
            is_unknown_past = state.known is None and message.since is not None
            return _applied(message, outcome.verified, outcome.state, was_missed=is_unknown_past)
        case Verdict.RESYNC:
            try:
                verified = verify_commit_message(message, key, now_us=verifier.clock.now(), care=verifier.care)
            except Refused as refusal:
                return Read(refusal=str(refusal))
            known = replace(present, known=verified.known)
            return _applied(message, verified, known, was_missed=True)
        case Verdict.DROP | Verdict.HOLD:
            return NOTHING
        case Verdict.REJECT:
            return Read(refusal=str(outcome.refusal))


async def _sync(verifier: Verifier, message: SyncMessage, state: AccountState) -> Read:
    key = await _key(verifier, message.did)
    if key is None:
        return Read(refusal="the account has no key that commits could be signed with")
    present = replace(state, active=True, sync=SyncState.SYNCHRONIZED)
    outcome = receive(present, message, key, now_us=verifier.clock.now())
    if outcome.refusal is not None and outcome.refusal.reason is Reason.BAD_SIGNATURE:
        key = await _key(verifier, message.did, is_fresh=True) or key
        outcome = receive(present, message, key, now_us=verifier.clock.now())
    match outcome.verdict:
        case Verdict.APPLY:
            return Read(state=outcome.state)
        case Verdict.RESYNC:
            commit = verify_sync_message(message, key, now_us=verifier.clock.now())
            hint = Hint(message.did, HintKind.REPOSITORY, message.rev, message.seq)
            return Read((hint,), replace(present, known=Known(message.rev, commit.data)))
        case Verdict.DROP | Verdict.HOLD:
            return NOTHING
        case Verdict.REJECT:
            return Read(refusal=str(outcome.refusal))


def _applied(message: CommitMessage, verified: Verified, state: AccountState, *, was_missed: bool) -> Read:
    messages: list[RecordMessage | Hint] = [
        RecordMessage(
            did=verified.did,
            collection=operation.collection,
            rkey=operation.rkey,
            rev=verified.rev,
            operation=Operation(operation.action.value),
            cid=None if operation.cid is None else str(operation.cid),
            body=operation.record,
            is_verified=True,
        )
        for operation in verified.operations
        if operation.collection in CALENDAR
    ]
    if was_missed:
        messages.append(Hint(verified.did, HintKind.REPOSITORY, message.rev, message.seq))
    return Read(tuple(messages), state)


async def _key(verifier: Verifier, did: Did, *, is_fresh: bool = False) -> PublicKey | None:
    """The key of the account's document; None where there is no such account (any more)."""
    try:
        document = await (verifier.dids.refresh(did) if is_fresh else verifier.dids.resolve(did))
    except (NotFound, InvalidInput):
        return None
    return document.signing_key
