"""Turn one frame into its messages: decode it, and check signature and chain before anything is trusted.

A valid commit that does not follow the last known one reveals a gap. Its operations are applied anyway, since ingestion
is order-independent, and a read of the whole repository is requested (``HintKind.REPOSITORY``). That read returns the
missed changes, at a rev not lower than the rev of this commit.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from at_network.did_resolver import DidResolver
from at_protocol.crypto.did_key import PublicKey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.sync import events
from at_protocol.sync.account_state import AccountState, SyncState, SyncVerdict, receive
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
    MessageRejected,
    RejectionReason,
    RepoHead,
    VerificationLevel,
    VerifiedCommit,
    verify_commit_message,
    verify_sync_message,
)
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Clock
from openmeet.domain.identities.model import PROFILE
from openmeet.network.firehose.reasons import MAX_VALUE, FirehoseReason, FrameRefusal, refusal_of
from openmeet.network.firehose.upstreams import authority
from openmeet.network.records.collections import CONCERNING
from openmeet.network.records.message import Hint, HintKind, RecordMessage, RecordOperation
from openmeet.network.records.reading_notes import shortened


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The result of a frame: messages for ingestion, the new state of the repository, or the reason why it was refused."""

    messages: tuple[RecordMessage | Hint, ...] = ()
    state: AccountState | None = None
    refusal: FrameRefusal | None = None


NOTHING = FrameResult()


class IdentityLookup(StrEnum):
    """A commit cannot be evaluated before its author's identity is resolved."""

    RESOLVE = "resolve"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class AuthorIdentity:
    """An author's DID document; None if it is unknown or, with ``is_final``, if it does not exist.

    ``is_final``: it was resolved just now, so resolving it again would not change the result.
    """

    document: DidDocument | None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifier of frames. ``verification``: full, or light for a relay that already inverts every commit."""

    dids: DidResolver
    clock: Clock
    verification: VerificationLevel = FULL


def decode(frame: bytes) -> Sequenced | InfoMessage | ErrorFrame | None:
    """Decode a frame and validate its structure. Raises Malformed."""
    return events.read(frame)


async def read_message(
    verifier: Verifier,
    message: Sequenced,
    state: Callable[[], Awaitable[AccountState]],
    identity: AuthorIdentity,
    *,
    sender: str | None = None,
) -> FrameResult | IdentityLookup:
    """Check a message against the known state of its account. Any input from a sender ends in a result, never in an
    exception.

    ``sender`` is the PDS whose own stream this is (``upstreams.authority``): commits of accounts on other servers are
    refused. Hints are accepted from any server, because a hint only causes a request to the account's own PDS. Makes no
    network call. Returns ``IdentityLookup`` if the given identity does not suffice; the caller resolves it, outside the
    stream's order, and calls again.
    """
    match message:
        case IdentityMessage():
            verifier.dids.recheck(message.did)
            return FrameResult((Hint(message.did, HintKind.IDENTITY, message.handle or "", message.seq),))
        case AccountMessage():
            status = "active" if message.active else message.status or "inactive"
            account_state = replace(await state(), active=message.active, status=message.status)
            return FrameResult((Hint(message.did, HintKind.ACCOUNT, status, message.seq),), account_state)
        case CommitMessage() | SyncMessage():
            key = _key(identity, sender)
            if isinstance(key, IdentityLookup):
                return key
            if isinstance(key, FrameRefusal):
                return FrameResult(refusal=key)
            present = replace(await state(), active=True, sync=SyncState.SYNCHRONIZED)
            # The account's own PDS decides whether the account is active (ingestion asks it). A valid commit stays
            # valid.
            if isinstance(message, CommitMessage):
                return _commit(verifier, message, present, key, identity)
            return _sync(verifier, message, present, key, identity)


def _commit(
    verifier: Verifier, message: CommitMessage, present: AccountState, key: PublicKey, identity: AuthorIdentity
) -> FrameResult | IdentityLookup:
    outcome = receive(present, message, key, now_us=verifier.clock.now(), verification=verifier.verification)
    match outcome.verdict:
        case SyncVerdict.APPLY:
            if outcome.verified is None:
                return NOTHING
            is_unknown_past = present.last_head is None and message.since is not None
            return _applied(message, outcome.verified, outcome.state, was_missed=is_unknown_past)
        case SyncVerdict.RESYNC:
            try:
                verified = verify_commit_message(
                    message, key, now_us=verifier.clock.now(), verification=verifier.verification
                )
            except MessageRejected as refusal:
                return FrameResult(refusal=refusal_of(refusal))
            account_state = replace(present, last_head=verified.head)
            return _applied(message, verified, account_state, was_missed=True)
        case SyncVerdict.DROP:
            return NOTHING
        case SyncVerdict.REJECT:
            return _rejected(outcome.refusal, identity)


def _sync(
    verifier: Verifier, message: SyncMessage, present: AccountState, key: PublicKey, identity: AuthorIdentity
) -> FrameResult | IdentityLookup:
    outcome = receive(present, message, key, now_us=verifier.clock.now())
    match outcome.verdict:
        case SyncVerdict.APPLY:
            # Whether or not the tree changed, there is a gap before this commit. The missed commits may have done and
            # undone something, or repeated what is known from another source. For a new repository, nothing has been
            # read yet.
            return FrameResult((_read_request(message.did, message.rev, message.seq),), outcome.state)
        case SyncVerdict.RESYNC:
            commit = verify_sync_message(message, key, now_us=verifier.clock.now())
            hint = _read_request(message.did, message.rev, message.seq)
            return FrameResult((hint,), replace(present, last_head=RepoHead(message.rev, commit.data)))
        case SyncVerdict.DROP:
            return NOTHING
        case SyncVerdict.REJECT:
            return _rejected(outcome.refusal, identity)


def _rejected(refusal: MessageRejected | None, identity: AuthorIdentity) -> FrameResult | IdentityLookup:
    """Keys rotate, so the identity is resolved again before a signature is rejected."""
    assert refusal is not None  # noqa: S101  # ``receive`` rejects nothing without a reason
    if refusal.reason is RejectionReason.BAD_SIGNATURE and not identity.is_final:
        return IdentityLookup.REFRESH
    return FrameResult(refusal=refusal_of(refusal))


def _applied(message: CommitMessage, verified: VerifiedCommit, state: AccountState, *, was_missed: bool) -> FrameResult:
    messages: list[RecordMessage | Hint] = [
        RecordMessage(
            did=verified.did,
            collection=operation.collection,
            rkey=operation.rkey,
            rev=verified.rev,
            operation=RecordOperation(operation.action.value),
            cid=None if operation.cid is None else str(operation.cid),
            body=operation.record,
            is_verified=True,
        )
        for operation in verified.operations
        if operation.collection in CONCERNING
    ]
    if any(operation.collection == PROFILE for operation in verified.operations):
        # The display name may have changed: refresh the identity, as for a new handle.
        messages.append(Hint(verified.did, HintKind.IDENTITY, "profile", message.seq))
    if was_missed:
        messages.append(_read_request(verified.did, verified.rev, message.seq))
    return FrameResult(tuple(messages), state)


def _read_request(did: Did, rev: str, seq: int) -> Hint:
    return Hint(did, HintKind.REPOSITORY, rev, seq, parse_tid(rev))


def _key(identity: AuthorIdentity, sender: str | None) -> PublicKey | FrameRefusal | IdentityLookup:
    """Return the key that signs the account's commits, or a refusal if this sender cannot be trusted about the
    account.
    """
    document = identity.document
    if document is None:
        return FrameRefusal(FirehoseReason.NO_SIGNING_KEY()) if identity.is_final else IdentityLookup.RESOLVE
    if sender is not None and not _is_on(document, sender):
        # The account may have just moved to this server. Resolve again, but not for every frame.
        if not identity.is_final:
            return IdentityLookup.REFRESH
        if document.pds is None:
            return FrameRefusal(FirehoseReason.NO_SERVER(sender=sender))
        return FrameRefusal(FirehoseReason.OTHER_SERVER(sender=sender, pds=shortened(document.pds, MAX_VALUE)))
    return document.signing_key or FrameRefusal(FirehoseReason.NO_SIGNING_KEY())


def _is_on(document: DidDocument, sender: str) -> bool:
    try:
        return document.pds is not None and authority(document.pds) == sender
    except Malformed:
        return False
