"""Search of an owner's own records: in one or all collections, for all records or those that contain some words.

Results are ordered by collection name, newest record keys first. There is no full-text index, because every write would
pay for a feature that few people use. A search reads records until its page is full or it has read a fixed number; its
cursor says where it stopped, and the next page continues there. So each request is cheap, and no record is skipped.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.repository import reader
from aurora_locus.repository.model import Record
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput

PAGE = 25
# About 50 ms of work in another thread.
_MAX_READ = 2000
_READ_AT_ONCE = 250
MAX_WORDS_LENGTH = 200


@dataclass(frozen=True, slots=True)
class RecordMatch:
    """One record. ``value`` is its JSON form."""

    collection: Nsid
    rkey: RecordKey
    cid: Cid
    value: Any


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of matching records. ``next`` is the cursor of the next page, None at the end; ``looked_at`` is the number
    of records read.
    """

    records: Sequence[RecordMatch]
    looked_at: int
    next: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """The position after which to continue. An empty key means the start of the collection."""

    collection: Nsid
    rkey: str


async def find(
    db: Database, did: Did, *, collection: str = "", words: str = "", cursor: str = "", limit: int = PAGE
) -> RecordPage:
    """Return a page of the owner's records. Raises InvalidInput for an invalid collection, search text or cursor.

    ``words`` is matched literally, ignoring case, in the record's JSON and its key. Records that the host took down are
    left out.
    """
    names = [_collection(collection)] if collection else await reader.collections(db, did)
    start = _parse_cursor(cursor)
    if start is not None:
        names = [name for name in names if name >= start.collection]
    phrase = words.strip().casefold()
    if len(phrase) > MAX_WORDS_LENGTH:
        raise InvalidInput("q", localizable("Search for up to %(most)s characters.", most=MAX_WORDS_LENGTH))
    records: list[RecordMatch] = []
    read_count = 0
    for name in names:
        rkey = start.rkey if start is not None and name == start.collection else ""
        while True:
            at_once = _READ_AT_ONCE if phrase else limit + 1
            page = await reader.list_records(db, did, name, cursor=rkey or None, limit=at_once, oldest_first=False)
            for record, one in zip(page, await asyncio.to_thread(_matching, page, phrase), strict=True):
                if (len(records) == limit and one is not None) or (phrase and read_count >= _MAX_READ):
                    return RecordPage(records, read_count, f"{name}/{rkey}")
                read_count += 1
                rkey = record.rkey
                if one is not None:
                    records.append(one)
            if len(page) < at_once:
                break
    return RecordPage(records, read_count, None)


async def read(
    db: Database, did: Did, collection: str, rkey: str, *, also_taken_down: bool = False
) -> RecordMatch | None:
    """Return one record; None if it does not exist or its name is invalid. Only operators see records that are taken
    down.
    """
    try:
        record = await reader.find_record(
            db, did, parse_nsid(collection), parse_record_key(rkey), also_taken_down=also_taken_down
        )
    except Malformed:
        return None
    return None if record is None else _match_of(record)


def format_json(record: RecordMatch) -> str:
    """Format the record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record.value), indent=2).decode()


def _matching(records: Sequence[Record], phrase: str) -> list[RecordMatch | None]:
    return [_match(record, phrase) for record in records]


def _match(record: Record, phrase: str) -> RecordMatch | None:
    record_match = _match_of(record)
    if not phrase or phrase in record.rkey.casefold():
        return record_match
    text = json.dumps(record_match.value, ensure_ascii=False, separators=(",", ":"))
    return record_match if phrase in text.casefold() else None


def _match_of(record: Record) -> RecordMatch:
    fields = read_stored(record.cid, record.block).fields
    return RecordMatch(record.collection, record.rkey, record.cid, json_form.to_json(fields or {}))


def _collection(text: str) -> Nsid:
    try:
        return parse_nsid(text)
    except Malformed as error:
        raise InvalidInput("collection", localizable("This isn’t a valid kind: %(why)s.", why=error.why)) from None


def _parse_cursor(cursor: str) -> _Place | None:
    if not cursor:
        return None
    collection, _, rkey = cursor.partition("/")
    try:
        return _Place(parse_nsid(collection), parse_record_key(rkey) if rkey else "")
    except Malformed:
        raise InvalidInput("cursor", gettext_noop("This page doesn’t exist. Go back to the first one.")) from None
