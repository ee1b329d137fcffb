"""Verification of one message by a consumer, step by step, with a named reason for each rejection.

Source: sync specification, "Validation", in its order. The caller has resolved the DID to its key and knows the last
seen state of the repository. Records are returned as bytes: the code that indexes records skips an invalid one, and it
does not invalidate the commit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from at_protocol.crypto.did_key import PublicKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.change import parse_path
from at_protocol.repo.commit import Commit, is_signed_by, parse_commit
from at_protocol.repo.inversion import check_claims, check_inversion
from at_protocol.repo.mst import EMPTY_ROOT, Tree
from at_protocol.sync.events import CommitMessage, RecordAction, RepoOperation, SyncMessage
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid, parse_tid, to_microseconds

# "rev not in the future beyond a few minutes" (repository specification, "Commit Objects").
MAX_AHEAD_US = 5 * 60 * 1_000_000


class RejectionReason(StrEnum):
    """The reason why a message was rejected."""

    STALE_REV = "stale_rev"
    BAD_REV = "bad_rev"
    FUTURE_REV = "future_rev"
    BAD_BLOCKS = "bad_blocks"
    NO_COMMIT = "no_commit"
    OTHER_COMMIT = "other_commit"
    BAD_SIGNATURE = "bad_signature"
    BAD_OPERATIONS = "bad_operations"
    NO_RECORD = "no_record"
    WRONG_CLAIM = "wrong_claim"
    NO_PREV_DATA = "no_prev_data"
    NOT_INVERTIBLE = "not_invertible"
    GAP = "gap"


_WORDS: Final[Mapping[RejectionReason, str]] = {
    RejectionReason.STALE_REV: "rev is not newer than the last known one",
    RejectionReason.BAD_REV: "rev is not a TID",
    RejectionReason.FUTURE_REV: "rev is in the future",
    RejectionReason.BAD_BLOCKS: "blocks is not a CAR with valid hashes",
    RejectionReason.NO_COMMIT: "the commit block is missing or not a commit",
    RejectionReason.OTHER_COMMIT: "the message and its commit do not match",
    RejectionReason.BAD_SIGNATURE: "the signature was not made with the account's key",
    RejectionReason.BAD_OPERATIONS: "the operations contradict themselves",
    RejectionReason.NO_RECORD: "a record block is missing",
    RejectionReason.WRONG_CLAIM: "the tree does not match the operations",
    RejectionReason.NO_PREV_DATA: "prevData is missing",
    RejectionReason.NOT_INVERTIBLE: "undoing the operations does not lead to prevData",
    RejectionReason.GAP: "the commit does not follow the last one known",
}


class MessageRejected(Malformed):
    """A message that must not be processed. GAP is the only reason that is not the sender's fault: commits in between
    were missed.
    """

    def __init__(self, reason: RejectionReason, value: object, why: str = "") -> None:
        super().__init__("message", value, f"{_WORDS[reason]}{f' ({why})' if why else ''}")
        self.reason = reason

    def __reduce__(self) -> tuple[type["MessageRejected"], tuple[RejectionReason, object, str]]:
        return (MessageRejected, (self.reason, self.value, ""))


@dataclass(frozen=True, slots=True)
class RepoHead:
    """Last seen state of a repository: revision and tree root."""

    rev: str
    data: Cid


@dataclass(frozen=True, slots=True)
class SeenOperation:
    """An operation confirmed by the signed tree. ``record`` holds the current record's bytes, or None on deletion."""

    action: RecordAction
    collection: Nsid
    rkey: RecordKey
    cid: Cid | None
    prev: Cid | None
    record: bytes | None

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.rkey}"


@dataclass(frozen=True, slots=True)
class VerifiedCommit:
    """A verified commit: its operations, and the new state of the repository."""

    did: Did
    rev: Tid
    commit: Commit
    operations: tuple[SeenOperation, ...]

    @property
    def head(self) -> RepoHead:
        return RepoHead(self.rev, self.commit.data)


@dataclass(frozen=True, slots=True)
class VerificationLevel:
    """How thoroughly commits are checked.

    ``inverts`` undoes the operations and compares the result with ``prevData``, so that no operation can be omitted. It
    is on by default; turning it off is the light mode for a stream whose relay has already done this. ``allows_legacy``
    accepts commits without ``prevData``, as sent before 2025, without that check and without checking that they follow
    the last known one.
    """

    inverts: bool = True
    allows_legacy: bool = False


FULL = VerificationLevel()
LIGHT = VerificationLevel(inverts=False)
LENIENT = VerificationLevel(allows_legacy=True)


def verify_commit_message(
    message: CommitMessage,
    key: PublicKey,
    *,
    now_us: int,
    last_head: RepoHead | None = None,
    verification: VerificationLevel = FULL,
) -> VerifiedCommit:
    """Verify a ``#commit``. ``last_head`` is None if the repository was never seen; any revision can then be the first.

    Raises MessageRejected. On BAD_SIGNATURE, resolve the identity again, once. On GAP, fetch the repository.
    """
    check_newer(message.rev, last_head)
    rev = check_rev(message.rev, now_us)
    blocks = _blocks(message.blocks)
    commit = _commit(blocks, message.commit)
    if (commit.did, commit.rev) != (message.repo, message.rev):
        raise MessageRejected(RejectionReason.OTHER_COMMIT, str(commit.cid), f"commit of {commit.did} at {commit.rev}")
    if not is_signed_by(commit, key):
        raise MessageRejected(RejectionReason.BAD_SIGNATURE, message.repo)
    if len({operation.path for operation in message.operations}) != len(message.operations):
        raise MessageRejected(
            RejectionReason.BAD_OPERATIONS, message.repo, "two operations on one path cannot be undone"
        )
    operations = tuple(_operation(operation, blocks) for operation in message.operations)
    _check_tree(message, commit, blocks, verification)
    if last_head is not None and not (message.prev_data is None and verification.allows_legacy):
        if message.since != last_head.rev:
            raise MessageRejected(RejectionReason.GAP, message.since, f"last known is {last_head.rev}")
        if message.prev_data is not None and message.prev_data != last_head.data:
            raise MessageRejected(RejectionReason.GAP, str(message.prev_data), f"last known tree is {last_head.data}")
    return VerifiedCommit(message.repo, rev, commit, operations)


def verify_sync_message(
    message: SyncMessage, key: PublicKey, *, now_us: int, last_head: RepoHead | None = None
) -> Commit:
    """Verify a ``#sync``: its commit belongs to this account, is signed, and is newer than the known one. Raises
    MessageRejected.
    """
    check_newer(message.rev, last_head)
    check_rev(message.rev, now_us)
    try:
        file = car.read(message.blocks)
        root = file.root
    except Malformed as error:
        raise MessageRejected(RejectionReason.BAD_BLOCKS, message.did, error.why) from error
    commit = _commit(file.blocks, root)
    if (commit.did, commit.rev) != (message.did, message.rev):
        raise MessageRejected(RejectionReason.OTHER_COMMIT, str(commit.cid), f"commit of {commit.did} at {commit.rev}")
    if not is_signed_by(commit, key):
        raise MessageRejected(RejectionReason.BAD_SIGNATURE, message.did)
    return commit


def check_newer(rev: str, last_head: RepoHead | None) -> None:
    """Reject a message that is not newer than the known state. TIDs sort as text. This runs first, because an old
    message needs no other checks.
    """
    if last_head is not None and rev <= last_head.rev:
        raise MessageRejected(RejectionReason.STALE_REV, rev, f"last known is {last_head.rev}")


def check_rev(rev: str, now_us: int) -> Tid:
    """Return the revision as a TID. Rejects one more than five minutes in the future."""
    try:
        tid = parse_tid(rev)
    except Malformed as error:
        raise MessageRejected(RejectionReason.BAD_REV, rev, error.why) from error
    if to_microseconds(tid) > now_us + MAX_AHEAD_US:
        raise MessageRejected(RejectionReason.FUTURE_REV, rev)
    return tid


def _blocks(encoded: bytes) -> dict[Cid, bytes]:
    try:
        return car.read(encoded).blocks
    except Malformed as error:
        raise MessageRejected(RejectionReason.BAD_BLOCKS, None, error.why) from error


def _commit(blocks: dict[Cid, bytes], cid: Cid) -> Commit:
    block = blocks.get(cid)
    if block is None:
        raise MessageRejected(RejectionReason.NO_COMMIT, str(cid))
    try:
        return parse_commit(block, cid)
    except Malformed as error:
        raise MessageRejected(RejectionReason.NO_COMMIT, str(cid), error.why) from error


def _operation(operation: RepoOperation, blocks: dict[Cid, bytes]) -> SeenOperation:
    try:
        collection, rkey = parse_path(operation.path)
    except Malformed as error:
        raise MessageRejected(RejectionReason.BAD_OPERATIONS, operation.path, error.why) from error
    record = None
    if operation.cid is not None:
        record = blocks.get(operation.cid)
        if record is None:
            raise MessageRejected(RejectionReason.NO_RECORD, operation.path)
    return SeenOperation(operation.action, collection, rkey, operation.cid, operation.prev, record)


def _check_tree(
    message: CommitMessage, commit: Commit, blocks: dict[Cid, bytes], verification: VerificationLevel
) -> None:
    """Compare the operations with the signed tree, forwards and, if enabled, backwards."""
    changes = [operation.change() for operation in message.operations]
    tree = Tree(commit.data, blocks.get, {})
    try:
        check_claims(tree, changes)
    except Malformed as error:
        raise MessageRejected(RejectionReason.WRONG_CLAIM, error.value, error.why) from error
    prev_data = message.prev_data
    if prev_data is None:
        if verification.allows_legacy:
            return
        if message.since is not None:
            raise MessageRejected(RejectionReason.NO_PREV_DATA, message.rev)
        prev_data = EMPTY_ROOT  # the first commit of a repository has no predecessor
    _check_prevs(message)
    if not verification.inverts:
        return
    try:
        check_inversion(tree, changes, prev_data)
    except Malformed as error:
        raise MessageRejected(RejectionReason.NOT_INVERTIBLE, error.value, error.why) from error


def _check_prevs(message: CommitMessage) -> None:
    for operation in message.operations:
        if (operation.prev is None) is not (operation.action is RecordAction.CREATE):
            raise MessageRejected(
                RejectionReason.BAD_OPERATIONS,
                operation.path,
                "prev is required for updates and deletions and not allowed otherwise",
            )
        if operation.prev is not None and operation.prev == operation.cid:
            raise MessageRejected(RejectionReason.BAD_OPERATIONS, operation.path, "an update must change something")
