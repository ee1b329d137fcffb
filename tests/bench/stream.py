"""Records of the network as messages of a stream: events of many people, answers by others, and later changes to both."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key
from at_protocol.syntax.tid import from_microseconds
from openmeet.network.records.message import RecordMessage, RecordOperation
from tests.bench.captured import EVENT

RSVP: Final = "community.lexicon.calendar.rsvp"
ANSWERS_EACH: Final = 4
_FIRST_US: Final = 1_783_000_000_000_000
# In a mixed stream, the shares of new records and of changes; the rest are deletions. One in this many deleted records
# was also changed before.
_NEW, _CHANGED = 0.6, 0.25
_CHANGED_TOO: Final = 20
STATUSES: Final = {"going": "attending", "interested": "interested", "notgoing": "declined"}
# The suffix of the names of changed events.
CHANGED: Final = ", with tea"


def created(events: int, first: int = 0) -> list[RecordMessage]:
    """Events of many people, each followed by ``ANSWERS_EACH`` answers of others. ``first``: the number of the first
    event.
    """
    found: list[RecordMessage] = []
    at = count(first * (1 + ANSWERS_EACH))
    for number in range(first, first + events):
        event = _put(_did(number), EVENT["$type"], None, next(at), {**EVENT, "name": f"Board games {number}"})
        found.append(event)
        for answer in range(ANSWERS_EACH):
            who = _did(1000 + (number * 7 + answer * 131) % 1500)
            found.append(_put(who, RSVP, None, next(at), _answer(event, "going")))
    return found


def mixed(before: Sequence[RecordMessage], length: int) -> list[RecordMessage]:
    """A number of messages: new records, and changes and deletions of those in ``before``, in an order that is always
    the same.
    """
    chance = random.Random(1)
    known = chance.sample(before, len(before))
    changes, deletions = round(length * _CHANGED), round(length * (1 - _NEW - _CHANGED))
    events = (length - changes - deletions) // (1 + ANSWERS_EACH)
    twice = changes - deletions // _CHANGED_TOO
    rest = {
        "new": iter(created(events, first=sum(one.collection != RSVP for one in before))),
        "changed": iter(known[:changes]),
        "deleted": iter(known[twice : twice + deletions]),
    }
    shares = {"new": events * (1 + ANSWERS_EACH), "changed": changes, "deleted": deletions}
    kinds = chance.sample(list(shares), counts=shares.values(), k=sum(shares.values()))
    at = count(10 * len(before))
    return [_next(kind, next(rest[kind]), next(at)) for kind in kinds]


def outcome(messages: Sequence[RecordMessage]) -> Counter[str]:
    """The result of applying all of these: events, changed events, and answers by status."""
    newest = {one.uri: None if one.body is None else cbor.decode(one.body) for one in messages}
    return Counter(one for uri, value in newest.items() if (one := _becomes(uri, value)))


def _becomes(uri: str, value: Any) -> str:
    if RSVP in uri:
        return STATUSES["notgoing" if value is None else value["status"].partition("#")[2]]
    if value is None:
        return ""
    return "changed" if value["name"].endswith(CHANGED) else "event"


def _next(kind: str, one: RecordMessage, at: int) -> RecordMessage:
    if kind == "new":
        return one
    value = None if kind == "deleted" else cbor.decode(one.body or b"")
    if isinstance(value, dict) and one.collection == RSVP:
        value["status"] = f"{RSVP}#{'notgoing' if at % 3 else 'interested'}"
    elif isinstance(value, dict):
        value["name"] = f"{value['name']}{CHANGED}"
    return _put(one.did, one.collection, one.rkey, at, value)


def _did(author: int) -> Did:
    return parse_did("did:plc:" + "".join("abcdefghij"[int(digit)] for digit in f"{author:024d}"))


def _answer(event: RecordMessage, word: str) -> dict[str, Any]:
    subject = {"uri": event.uri, "cid": event.cid}
    return {"$type": RSVP, "subject": subject, "status": f"{RSVP}#{word}", "createdAt": "2026-07-02T09:00:00.000Z"}


def _put(author: Did, collection: str, rkey: RecordKey | None, at: int, value: Any) -> RecordMessage:
    """A message. A value of None means a deletion; without a key, it is a new record."""
    body = None if value is None else cbor.encode(value)
    when = from_microseconds(_FIRST_US + at * 1_000_000, 5)
    operation = (
        RecordOperation.DELETE if body is None else RecordOperation.CREATE if rkey is None else RecordOperation.UPDATE
    )
    return RecordMessage(
        did=author,
        collection=parse_nsid(collection),
        rkey=rkey or parse_record_key(when),
        rev=when,
        operation=operation,
        cid=None if body is None else str(Cid.for_cbor(body)),
        body=body,
        is_verified=True,
    )
