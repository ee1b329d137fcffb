"""Messages of ``com.atproto.sync.subscribeRepos`` as values.

Source: its Lexicon and the sync specification. Reading checks types and limits and keeps unknown fields, so that a
message that is written again has the same bytes. ``at_protocol.sync.verify`` verifies the claims of a message.
``time`` is informational: it is not signed, and nothing depends on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.repo.change import RepoChange
from at_protocol.sync import frames
from at_protocol.syntax.did import Did, parse_did

MAX_BLOCKS_BYTES = 2_000_000
MAX_OPERATIONS = frames.MAX_OPERATIONS
MAX_SYNC_BLOCKS_BYTES = 10_000

COMMIT, SYNC, IDENTITY, ACCOUNT, INFO = "#commit", "#sync", "#identity", "#account", "#info"

# Obsolete fields. They are written with these values and ignored when read.
_COMMIT_RELICS: Mapping[str, Value] = {"blobs": [], "rebase": False, "tooBig": False}


class RecordAction(StrEnum):
    """What an operation does to a record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class RepoOperation:
    """One path of a commit. ``cid`` is None on deletion, ``prev`` is None on creation (and in messages from before
    2025).
    """

    action: RecordAction
    path: str
    cid: Cid | None
    prev: Cid | None = None

    def change(self) -> RepoChange:
        """Return the record operation as a change of the repository's tree (MST)."""
        return RepoChange(self.path, self.prev, self.cid)


@dataclass(frozen=True, slots=True)
class CommitMessage:
    """A new commit of a repository. ``rev`` and ``since`` are as received and might be invalid; verification parses
    them.
    """

    seq: int
    repo: Did
    time: str
    rev: str
    since: str | None
    commit: Cid
    blocks: bytes
    operations: tuple[RepoOperation, ...]
    prev_data: Cid | None
    rest: Mapping[str, Value] = field(default_factory=lambda: dict(_COMMIT_RELICS))


@dataclass(frozen=True, slots=True)
class SyncMessage:
    """The repository's current commit, regardless of its history. ``blocks`` is a CAR with only the commit block."""

    seq: int
    did: Did
    time: str
    rev: str
    blocks: bytes
    rest: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdentityMessage:
    """The DID document or handle might have changed: resolve it again. ``handle`` is only a hint."""

    seq: int
    did: Did
    time: str
    handle: str | None = None
    rest: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountMessage:
    """The sender's view of an account. ``status`` can be any text and explains why the account is not active."""

    seq: int
    did: Did
    time: str
    active: bool
    status: str | None = None
    rest: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InfoMessage:
    """A message about the connection itself (``OutdatedCursor``), outside the sequence."""

    name: str
    message: str | None = None
    rest: Mapping[str, Value] = field(default_factory=dict)


Sequenced = CommitMessage | SyncMessage | IdentityMessage | AccountMessage
Message = Sequenced | InfoMessage


def read(data: bytes) -> Message | frames.ErrorFrame | None:
    """Read a frame. Returns None for a kind to be skipped. Raises Malformed."""
    frame = frames.decode(data)
    match frame:
        case frames.ErrorFrame():
            return frame
        case frames.Frame(kind, payload):
            return from_payload(kind, payload)
        case frames.UnknownFrame():
            return None


def from_payload(kind: str, payload: Mapping[str, Value]) -> Message | None:
    """Return the message in a payload, or None for an unknown kind. Raises Malformed."""
    fields = _Fields(kind, payload)
    match kind:
        case "#commit":
            return CommitMessage(
                seq=fields.seq(),
                repo=parse_did(fields.text("repo")),
                time=fields.text("time"),
                rev=fields.text("rev"),
                since=fields.text_or_null("since"),
                commit=fields.link("commit"),
                blocks=fields.bytes("blocks", MAX_BLOCKS_BYTES),
                operations=_operations(fields.take("ops")),
                prev_data=fields.link_or_absent("prevData"),
                rest=fields.rest(),
            )
        case "#sync":
            return SyncMessage(
                seq=fields.seq(),
                did=parse_did(fields.text("did")),
                time=fields.text("time"),
                rev=fields.text("rev"),
                blocks=fields.bytes("blocks", MAX_SYNC_BLOCKS_BYTES),
                rest=fields.rest(),
            )
        case "#identity":
            return IdentityMessage(
                seq=fields.seq(),
                did=parse_did(fields.text("did")),
                time=fields.text("time"),
                handle=fields.text_or_absent("handle"),
                rest=fields.rest(),
            )
        case "#account":
            return AccountMessage(
                seq=fields.seq(),
                did=parse_did(fields.text("did")),
                time=fields.text("time"),
                active=fields.flag("active"),
                status=fields.text_or_absent("status"),
                rest=fields.rest(),
            )
        case "#info":
            return InfoMessage(
                name=fields.text("name"),
                message=fields.text_or_absent("message"),
                rest=fields.rest(),
            )
        case _:
            return None


def kind_of(message: Message) -> str:
    """Return the ``t`` of a message's frame."""
    match message:
        case CommitMessage():
            return COMMIT
        case SyncMessage():
            return SYNC
        case IdentityMessage():
            return IDENTITY
        case AccountMessage():
            return ACCOUNT
        case InfoMessage():
            return INFO
        case _:
            assert_never(message)


def to_payload(message: Message) -> dict[str, Value]:
    """Return the payload map of a message, without ``seq``."""
    match message:
        case CommitMessage():
            payload: dict[str, Value] = {
                "repo": message.repo,
                "time": message.time,
                "rev": message.rev,
                "since": message.since,
                "commit": message.commit,
                "blocks": message.blocks,
                "ops": [_operation_fields(operation) for operation in message.operations],
            }
            optional: dict[str, Value] = {"prevData": message.prev_data}
        case SyncMessage():
            payload = {"did": message.did, "time": message.time, "rev": message.rev, "blocks": message.blocks}
            optional = {}
        case IdentityMessage():
            payload = {"did": message.did, "time": message.time}
            optional = {"handle": message.handle}
        case AccountMessage():
            payload = {"did": message.did, "time": message.time, "active": message.active}
            optional = {"status": message.status}
        case InfoMessage():
            payload = {"name": message.name}
            optional = {"message": message.message}
        case _:
            assert_never(message)
    return {**message.rest, **payload, **{name: value for name, value in optional.items() if value is not None}}


def encode(message: Message) -> bytes:
    """Encode a message as a frame."""
    payload = to_payload(message)
    if not isinstance(message, InfoMessage):
        payload["seq"] = message.seq
    return frames.encode_message(kind_of(message), payload)


def encode_unsequenced(message: Sequenced) -> frames.UnsequencedFrame:
    """Encode a message that gets its number later. Its ``seq`` is ignored."""
    return frames.encode_unsequenced(kind_of(message), to_payload(message))


def _operation_fields(operation: RepoOperation) -> dict[str, Value]:
    fields: dict[str, Value] = {"action": operation.action.value, "path": operation.path, "cid": operation.cid}
    if operation.prev is not None:
        fields["prev"] = operation.prev
    return fields


def _operations(value: Value) -> tuple[RepoOperation, ...]:
    if not isinstance(value, list):
        raise Malformed(COMMIT, value, "ops is missing or not a list")
    if len(value) > MAX_OPERATIONS:
        raise Malformed(COMMIT, len(value), f"a commit has at most {MAX_OPERATIONS} operations")
    return tuple(_operation(item) for item in value)


def _operation(value: Value) -> RepoOperation:
    if not isinstance(value, dict):
        raise Malformed(COMMIT, value, "an operation is not a map")
    fields = _Fields("operation", value)
    action = fields.text("action")
    if action not in _ACTIONS:
        raise Malformed(COMMIT, action, "an operation is create, update or delete")
    operation = RepoOperation(
        RecordAction(action),
        fields.text("path"),
        fields.link_or_absent("cid"),
        fields.link_or_absent("prev"),
    )
    if (operation.cid is None) is not (operation.action is RecordAction.DELETE):
        raise Malformed(COMMIT, operation.path, "a deletion has a null cid, a creation or update has a link")
    return operation


_ACTIONS = frozenset(action.value for action in RecordAction)


class _Fields:
    """A payload being read. Fields that were not read are kept as the rest."""

    __slots__ = ("_kind", "_payload", "_taken")

    def __init__(self, kind: str, payload: Mapping[str, Value]) -> None:
        self._kind = kind
        self._payload = payload
        self._taken: set[str] = set()

    def take(self, name: str) -> Value:
        self._taken.add(name)
        return self._payload.get(name)

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str):
            raise self._bad(name, value, "text")
        return value

    def text_or_null(self, name: str) -> str | None:
        return None if self.take(name) is None else self.text(name)

    # If an absent field is an explicit null, it is kept in the rest, so that it is written again.
    def text_or_absent(self, name: str) -> str | None:
        return None if self._payload.get(name) is None else self.text(name)

    def link_or_absent(self, name: str) -> Cid | None:
        return None if self._payload.get(name) is None else self.link(name)

    def link(self, name: str) -> Cid:
        value = self.take(name)
        if not isinstance(value, Cid):
            raise self._bad(name, value, "a link")
        return value

    def flag(self, name: str) -> bool:
        value = self.take(name)
        if not isinstance(value, bool):
            raise self._bad(name, value, "true or false")
        return value

    def seq(self) -> int:
        value = self.take("seq")
        if type(value) is not int or not 0 < value <= frames.MAX_SEQ:
            raise self._bad("seq", value, "a positive number below 2^53")
        return value

    def bytes(self, name: str, limit: int) -> bytes:
        value = self.take(name)
        if not isinstance(value, bytes):
            raise self._bad(name, value, "bytes")
        if len(value) > limit:
            raise Malformed(self._kind, len(value), f"{name} has more than {limit} bytes")
        return value

    def rest(self) -> dict[str, Value]:
        return {name: value for name, value in self._payload.items() if name not in self._taken}

    def _bad(self, name: str, value: Value, expected: str) -> Malformed:
        return Malformed(self._kind, value, f"{name} is missing or not {expected}")
