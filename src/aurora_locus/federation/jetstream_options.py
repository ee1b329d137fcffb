"""Filters and cursor of a Jetstream subscriber. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from at_protocol.failures import Malformed
from at_protocol.sync.jetstream import FIRST_TIME_CURSOR, MAX_WANTED_COLLECTIONS, MAX_WANTED_DIDS
from at_protocol.sync.jetstream_writing import JetstreamLine
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid

# 2^63 bounds the microseconds that a database can compare, and the work of parsing them.
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class JetstreamOptions:
    """Filters. An event must pass all of them; an empty filter passes everything."""

    collections: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dids: frozenset[str] = frozenset()
    max_bytes: int = 0

    def want(self, line: JetstreamLine) -> bool:
        """Whether an event passes the filters. Identity and account events have no collection, so only the account
        filter applies to them.
        """
        if self.dids and line.did not in self.dids:
            return False
        if self.max_bytes and len(line.text.encode()) > self.max_bytes:
            return False
        if line.collection is None or not (self.collections or self.prefixes):
            return True
        return line.collection in self.collections or line.collection.startswith(self.prefixes)


def parse_options(collections: Sequence[str], dids: Sequence[str], max_bytes: object) -> JetstreamOptions:
    """Parse a subscriber's filters. Raises Malformed for an invalid collection, prefix or account, and for too many of
    them.
    """
    if len(collections) > MAX_WANTED_COLLECTIONS:
        raise _bad(len(collections), f"at most {MAX_WANTED_COLLECTIONS} collections can be requested")
    if len(dids) > MAX_WANTED_DIDS:
        raise _bad(len(dids), f"at most {MAX_WANTED_DIDS} accounts can be requested")
    exact_collections, prefixes = set(), []
    for text in collections:
        if text.endswith(".*"):
            parse_nsid(f"{text.removesuffix('*')}any")
            prefixes.append(text.removesuffix("*"))
        else:
            exact_collections.add(str(parse_nsid(text)))
    wanted_dids = frozenset(str(parse_did(did)) for did in dids)
    return JetstreamOptions(frozenset(exact_collections), tuple(prefixes), wanted_dids, _size(max_bytes))


def parse_update(message: object) -> JetstreamOptions | None:
    """Parse the options in an ``options_update``; None for messages of other types. Raises Malformed."""
    if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
        raise _bad(message, "a message must have a type")
    if message["type"] != "options_update":
        return None
    payload: Any = message.get("payload")
    if not isinstance(payload, Mapping):
        raise _bad(payload, "an options_update must have a payload")
    collections, dids = payload.get("wantedCollections") or [], payload.get("wantedDids") or []
    for texts in (collections, dids):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _bad(texts, "wantedCollections and wantedDids must be lists of strings")
    return parse_options(collections, dids, payload.get("maxMessageSizeBytes"))


def parse_cursor(text: str | None) -> int | None:
    """Parse a cursor: a sequence number (below 10^15) or microseconds. None means the current end. Raises Malformed."""
    if not text:
        return None
    if len(text) > _MAX_DIGITS or not text.isascii() or not text.isdigit():
        raise _bad(text, "a cursor must be an integer: Unix microseconds, or the cursor of an event")
    return int(text)


def is_time(cursor: int) -> bool:
    """Whether a cursor is a time in microseconds, not a sequence number."""
    return cursor >= FIRST_TIME_CURSOR


def _size(value: object) -> int:
    """Parse a size; an invalid one means no limit, as in Jetstream."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    return value if type(value) is int and value > 0 else 0


def _bad(value: object, why: str) -> Malformed:
    return Malformed("jetstream", value, why)
