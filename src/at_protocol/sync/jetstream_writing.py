"""Encode firehose messages as Jetstream events: one JSON text per operation, for readers who trust the server.

``time_us`` is the message's own time. ``cursor``, which the 2026 rewrite added, is the sequence number, so resuming
from it neither misses nor repeats anything. ``#sync`` is not sent.
"""

from dataclasses import dataclass

from at_protocol.data import cbor, json_form
from at_protocol.data.model import Value
from at_protocol.repo import car
from at_protocol.repo.change import parse_path
from at_protocol.sync.events import AccountMessage, CommitMessage, IdentityMessage, Message
from at_protocol.syntax.datetime import parse_datetime


@dataclass(frozen=True, slots=True)
class JetstreamLine:
    """One Jetstream event as JSON ``text``, and what subscribers filter by. ``collection`` is None for events that every
    filter lets through; ``rkey`` is None unless the event has a record.
    """

    did: str
    collection: str | None
    text: str
    rkey: str | None = None


def lines_of(message: Message) -> list[JetstreamLine]:
    """Return the events for one of our messages, in order. Empty for kinds without a Jetstream event. Raises Malformed."""
    match message:
        case CommitMessage():
            return _operations(message)
        case IdentityMessage():
            body: dict[str, Value] = {"did": message.did, "seq": message.seq, "time": message.time}
            if message.handle is not None:
                body["handle"] = message.handle
            return [_line(message.did, message.time, message.seq, "identity", body)]
        case AccountMessage():
            body = {"active": message.active, "did": message.did, "seq": message.seq, "time": message.time}
            if message.status is not None:
                body["status"] = message.status
            return [_line(message.did, message.time, message.seq, "account", body)]
        case _:
            return []


def _operations(message: CommitMessage) -> list[JetstreamLine]:
    if not message.operations:
        return []
    blocks = car.read(message.blocks).blocks
    lines = []
    for number, operation in enumerate(message.operations, start=1):
        collection, rkey = parse_path(operation.path)
        body: dict[str, Value] = {
            "rev": message.rev,
            "operation": operation.action.value,
            "collection": collection,
            "rkey": rkey,
        }
        if operation.cid is not None:
            body |= {"record": cbor.decode(blocks[operation.cid]), "cid": str(operation.cid)}
        # Only the last operation of a commit has the cursor after the commit. Resuming from an earlier one sends the
        # whole commit again.
        cursor = message.seq if number == len(message.operations) else message.seq - 1
        record_key = None if operation.cid is None else rkey
        lines.append(_line(message.repo, message.time, cursor, "commit", body, collection, record_key))
    return lines


def _line(
    did: str,
    time: str,
    cursor: int,
    kind: str,
    body: dict[str, Value],
    collection: str | None = None,
    rkey: str | None = None,
) -> JetstreamLine:
    event: dict[str, Value] = {"did": did, "time_us": parse_datetime(time), "cursor": cursor, "kind": kind, kind: body}
    return JetstreamLine(did, collection, json_form.encode(event).decode(), rkey)
