"""Jetstream events: the same operations as JSON, unsigned, from a server that must be trusted.

Source: Jetstream documentation (v1 wire format, which the 2026 rewrite keeps). Unknown kinds are skipped and unknown
fields ignored. A commit with several operations arrives as one event per operation. There is no ``#sync`` event, so a
consumer is not notified of a repository reset. To verify a record, fetch its proof.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.sync.events import RecordAction
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key

MAX_WANTED_COLLECTIONS = 100
MAX_WANTED_DIDS = 10_000
# Cursors from this value up are Unix microseconds. Smaller ones are sequence numbers of the 2026 rewrite.
FIRST_TIME_CURSOR = 10**15


@dataclass(frozen=True, slots=True)
class JetstreamCommit:
    """One operation. ``record`` and ``cid`` are None on deletion. Resume from ``cursor`` to continue after it."""

    did: Did
    time_us: int
    cursor: int
    rev: str
    action: RecordAction
    collection: Nsid
    rkey: RecordKey
    cid: Cid | None
    record: dict[str, Value] | None


@dataclass(frozen=True, slots=True)
class JetstreamIdentity:
    """The upstream's ``#identity`` event. ``seq`` is the upstream's sequence number."""

    did: Did
    time_us: int
    cursor: int
    seq: int
    handle: str | None


@dataclass(frozen=True, slots=True)
class JetstreamAccount:
    """The upstream's ``#account`` event. ``seq`` is the upstream's sequence number."""

    did: Did
    time_us: int
    cursor: int
    seq: int
    active: bool
    status: str | None


JetstreamEvent = JetstreamCommit | JetstreamIdentity | JetstreamAccount


def read(text: str | bytes) -> JetstreamEvent | None:
    """Read an event. Returns None for a kind to be skipped. Raises Malformed."""
    event = _map(json_form.decode(text), "event")
    kind = event.get("kind")
    if not isinstance(kind, str) or kind not in {"commit", "identity", "account"}:
        return None
    did = parse_did(_text(event, "did"))
    time_us = _number(event, "time_us")
    cursor = _number(event, "cursor") if "cursor" in event else time_us
    inner = _map(event.get(kind), kind)
    if kind == "commit":
        return _commit(did, time_us, cursor, inner)
    seq = _number(inner, "seq")
    if kind == "identity":
        return JetstreamIdentity(did, time_us, cursor, seq, _text_or_none(inner, "handle"))
    active = inner.get("active")
    if not isinstance(active, bool):
        raise _bad(active, "active is missing or not true or false")
    return JetstreamAccount(did, time_us, cursor, seq, active, _text_or_none(inner, "status"))


def _commit(did: Did, time_us: int, cursor: int, commit: dict[str, Value]) -> JetstreamCommit:
    operation = _text(commit, "operation")
    try:
        action = RecordAction(operation)
    except ValueError:
        raise _bad(operation, "an operation is create, update or delete") from None
    has_record = action is not RecordAction.DELETE
    return JetstreamCommit(
        did=did,
        time_us=time_us,
        cursor=cursor,
        rev=_text(commit, "rev"),
        action=action,
        collection=parse_nsid(_text(commit, "collection")),
        rkey=parse_record_key(_text(commit, "rkey")),
        cid=Cid.parse(_text(commit, "cid")) if has_record else None,
        record=_map(commit.get("record"), "record") if has_record else None,
    )


def subscribe_query(
    *, collections: Iterable[str] = (), dids: Iterable[str] = (), cursor: int | None = None, max_message_bytes: int = 0
) -> str:
    """Return the query of ``/subscribe``. Collections are NSIDs or ``prefix.*``. Raises Malformed beyond the server's
    limits.
    """
    collections, dids = list(collections), list(dids)
    if len(collections) > MAX_WANTED_COLLECTIONS:
        raise _bad(len(collections), f"at most {MAX_WANTED_COLLECTIONS} collections can be requested")
    if len(dids) > MAX_WANTED_DIDS:
        raise _bad(len(dids), f"at most {MAX_WANTED_DIDS} accounts can be requested")
    for collection in collections:
        parse_nsid(collection.removesuffix(".*") + (".any" if collection.endswith(".*") else ""))
    pairs = [("wantedCollections", collection) for collection in collections]
    pairs += [("wantedDids", parse_did(did)) for did in dids]
    if max_message_bytes:
        pairs.append(("maxMessageSizeBytes", str(max_message_bytes)))
    if cursor is not None:
        pairs.append(("cursor", str(cursor)))
    return urlencode(pairs)


def _map(value: Value, name: str) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise _bad(value, f"{name} is missing or not an object")
    return value


def _text(fields: dict[str, Value], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _bad(value, f"{name} is missing or not text")
    return value


def _text_or_none(fields: dict[str, Value], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _number(fields: dict[str, Value], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int:
        raise _bad(value, f"{name} is missing or not a whole number")
    return value


def _bad(value: object, why: str) -> Malformed:
    return Malformed("jetstream", value, why)
