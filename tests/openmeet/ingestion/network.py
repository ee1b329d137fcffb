"""Firehose messages for tests."""

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import Tid, from_microseconds
from groundwork.clock import SECOND
from groundwork.telemetry.metrics import Metrics
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.processor import IngestionMetrics, ingestion_metrics
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.metrics import results_of
from tests.simulation.oracle import EVENT, RSVP, Change

HERE = IngestionContext("https://meet.example")


def processor_metrics() -> IngestionMetrics:
    """Metrics for a processor in tests that do not check metrics."""
    metrics = Metrics("openmeet")
    return ingestion_metrics(metrics, results_of(metrics))


NAMES = "abcdefghijklmnop"
# An hour before the time of the tests' clock.
FIRST = 1_772_362_800_000_000


def did(number: int) -> Did:
    return parse_did("did:plc:" + "".join(NAMES[number % 16] for _ in range(24)))


def rev(number: int) -> Tid:
    return from_microseconds(FIRST + number * SECOND, 5)


def event_value(name: str = "Tea", **fields: object) -> dict:
    return {"$type": EVENT, "name": name, "createdAt": "2026-01-01T00:00:00.000Z", **fields}


def rsvp_value(about: str, word: str = "going", **fields: object) -> dict:
    subject = {"uri": about, "cid": str(Cid.for_cbor(b"\xa0"))}
    return {"$type": RSVP, "subject": subject, "status": f"{RSVP}#{word}", **fields}


def message(change: Change) -> RecordMessage:
    body = None if change.value is None else cbor.encode(change.value)
    return RecordMessage(
        did=parse_did(change.did),
        collection=parse_nsid(change.collection),
        rkey=parse_record_key(change.rkey),
        rev=Tid(change.rev),
        operation=RecordOperation.DELETE if body is None else RecordOperation.UPDATE,
        cid=None if body is None else str(Cid.for_cbor(body)),
        body=body,
        is_verified=True,
    )


def event(author: int, rkey: str, at: int, name: str = "Tea", **fields: object) -> RecordMessage:
    return message(Change(did(author), EVENT, rkey, rev(at), event_value(name, **fields)))


def rsvp(author: int, rkey: str, at: int, about: str, word: str = "going", **fields: object) -> RecordMessage:
    return message(Change(did(author), RSVP, rkey, rev(at), rsvp_value(about, word, **fields)))


def deletion_of(of: RecordMessage, at: int) -> RecordMessage:
    return message(Change(of.did, of.collection, of.rkey, rev(at), None))


def key_of(name: str) -> str:
    """A record key in the format that the event lexicon requires (a TID), ending in ``name``, which has only letters a
    to z and digits 2 to 7.
    """
    return "3mfyouu222222"[: 13 - len(name)] + name
