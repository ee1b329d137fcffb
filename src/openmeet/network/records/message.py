"""Messages to ingestion from the firehose or a repository read: one record, or one hint about a DID.

Encoded as DAG-CBOR, with the record as the bytes of its CID. Routing keys: docs/queues-and-jobs.md. Messages of one DID
share a partition, so they are delivered in order.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from at_protocol.data import cbor, json_form
from at_protocol.data.model import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key
from at_protocol.syntax.tid import Tid, parse_tid
from openmeet.network.records.collections import (
    EVENTS,
    GROUP_COLLECTIONS,
    OF_GROUPS,
    OF_MEMBERS,
    RSVPS,
    SERIES_COLLECTIONS,
)


class RecordOperation(StrEnum):
    """What happened to the record. A repository read counts as an update."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """One record as of ``rev``: the commit that changed it, or the one at which it was read.

    ``cid`` (text) and ``body`` (DAG-CBOR) are None for a delete. ``is_verified``: the commit's signature and the path
    to the record were checked; an unverified version never overrides a verified one. ``is_read``: found by a read as of
    ``rev``, so it was written by that commit or an earlier one.
    """

    did: Did
    collection: Nsid
    rkey: RecordKey
    rev: Tid
    operation: RecordOperation
    cid: str | None
    body: bytes | None
    is_verified: bool
    is_read: bool = False

    @property
    def uri(self) -> str:
        return f"at://{self.did}/{self.collection}/{self.rkey}"

    @property
    def at_uri(self) -> AtUri:
        return AtUri(self.did, self.collection, self.rkey)

    @property
    def routing_key(self) -> str:
        return f"{noun_of(self.collection)}.{self.operation.value}"

    @property
    def message_id(self) -> str:
        """An id that is the same for every copy of this change, from any source."""
        return f"{self.uri}@{self.rev}"


class HintKind(StrEnum):
    """The kind of change of a DID that a stream reports."""

    IDENTITY = "identity"
    ACCOUNT = "account"
    REPOSITORY = "repository"  # changes were missed: the whole repository must be read


class GapCause(StrEnum):
    """Why changes were missed."""

    OUTDATED_CURSOR = "outdated_cursor"  # the server no longer has the frames after our cursor
    NUMBERS_JUMPED = "numbers_jumped"
    NOT_HEARD = "not_heard"  # nothing was received for longer than the server stores
    UNRESOLVED_IDENTITY = "unresolved_identity"  # frames were dropped until the author's key was known


@dataclass(frozen=True, slots=True)
class Hint:
    """A report of a stream that something about a DID has changed. It is trusted only after querying the account's
    server.

    ``status`` is the stream's claim, or a ``GapCause``, and only logged. ``rev``: the repository has a verified commit
    with this rev, and something before it was missed, so a read must reach this rev.
    """

    did: Did
    kind: HintKind
    status: str
    seq: int
    rev: Tid | None = None

    @property
    def routing_key(self) -> str:
        # Routing keys use two nouns for DIDs: ``identity`` and ``account``. Repository hints use ``account``.
        return "identity.update" if self.kind is HintKind.IDENTITY else "account.update"

    @property
    def message_id(self) -> str:
        return f"{self.did}#{self.kind.value}@{self.seq}"


def noun_of(collection: str) -> str:
    """The first word of the routing key."""
    if collection in EVENTS:
        return "event"
    if collection in RSVPS:
        return "rsvp"
    if collection in SERIES_COLLECTIONS:
        return "series"
    if collection in OF_GROUPS:
        return (
            "group" if collection in GROUP_COLLECTIONS else "membership" if collection in OF_MEMBERS else "group_event"
        )
    return "other"


def encode(message: RecordMessage | Hint) -> bytes:
    """Return the bytes that the queue stores."""
    if isinstance(message, Hint):
        hint: dict[str, Value] = {
            "did": message.did,
            "kind": message.kind.value,
            "said": message.status,  # the key of the first release, which queues may still contain
            "seq": message.seq,
            "rev": message.rev,
        }
        return cbor.encode(hint)
    value: dict[str, Value] = {
        "did": message.did,
        "collection": message.collection,
        "rkey": message.rkey,
        "rev": message.rev,
        "operation": message.operation.value,
        "cid": message.cid,
        "body": message.body,
        "verified": message.is_verified,
        "read": message.is_read,
    }
    return cbor.encode(value)


def decode(data: bytes) -> RecordMessage | Hint:
    """Decode a message; raises Malformed."""
    value = cbor.decode(data)
    if not isinstance(value, dict):
        raise Malformed("message", value, "not a map")
    try:
        if "kind" in value:
            return Hint(
                parse_did(_text(value, "did")),
                HintKind(_text(value, "kind")),
                _text(value, "said"),
                _integer(value, "seq"),
                # Messages of the previous release do not have these.
                None if value.get("rev") is None else parse_tid(_text(value, "rev")),
            )
        body, cid = value["body"], value["cid"]
        operation = RecordOperation(_text(value, "operation"))
        is_delete = operation is RecordOperation.DELETE
        if isinstance(body, bytes) is is_delete or isinstance(cid, str) is is_delete:
            raise Malformed("message", operation.value, "only a delete has neither record nor CID")
        return RecordMessage(
            did=parse_did(_text(value, "did")),
            collection=parse_nsid(_text(value, "collection")),
            rkey=parse_record_key(_text(value, "rkey")),
            rev=parse_tid(_text(value, "rev")),
            operation=operation,
            cid=cid if isinstance(cid, str) else None,
            body=body if isinstance(body, bytes) else None,
            is_verified=value["verified"] is True,
            # Messages of the previous release do not have it.
            is_read=value.get("read") is True,
        )
    except (KeyError, ValueError) as wrong:
        if isinstance(wrong, Malformed):
            raise
        raise Malformed("message", sorted(value), f"lacks or misspells {wrong}") from wrong


def _text(value: dict[str, Value], key: str) -> str:
    field_value = value[key]
    if not isinstance(field_value, str):
        raise Malformed("message", field_value, f"{key} is not text")
    return field_value


def _integer(value: dict[str, Value], key: str) -> int:
    field_value = value[key]
    if not isinstance(field_value, int) or isinstance(field_value, bool):
        raise Malformed("message", field_value, f"{key} is not a number")
    return field_value


_NOTHING = object()


def exact(document: object) -> Value:
    """Return the value that a repository would store; None if it cannot be stored."""
    try:
        return json_form.from_json(document)
    except Malformed:
        return None


def tolerable(document: object) -> Value:
    """Return the nearest value that can be stored. Raises Malformed if it is nested too deeply or is not an object."""
    value = _near(document, MAX_DEPTH)
    if not isinstance(value, dict):
        raise Malformed("record", document, "not an object")
    return json_form.from_json(value)


def _near(document: object, levels: int) -> object:
    if levels == 0:
        raise Malformed("record", "", f"nested more than {MAX_DEPTH} deep")
    match document:
        case bool() | None | str():
            return document
        case int():
            return document if MIN_INTEGER <= document <= MAX_INTEGER else str(document)
        case float():
            return int(document) if document.is_integer() and abs(document) < 2**53 else f"{Decimal(repr(document)):f}"
        case list():
            return [one for one in (_near(entry, levels - 1) for entry in document) if one is not _NOTHING]
        case dict():
            return _object(document, levels)
        case _:
            return _NOTHING


def _object(document: dict[object, object], levels: int) -> object:
    if "$link" in document or "$bytes" in document or document.get("$type") == "blob":
        return document if exact(document) is not None else _NOTHING
    near = {str(key): _near(entry, levels - 1) for key, entry in document.items() if key}
    if not (isinstance(near.get("$type"), str) and near["$type"]):
        near.pop("$type", None)
    return {key: entry for key, entry in near.items() if entry is not _NOTHING}
