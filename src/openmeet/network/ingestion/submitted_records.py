"""Records submitted by services: in batches from external processors, and individually from other systems.

They count as unverified unless the service is trusted to verify them, so a wrong record never overrides a verified one
(``records.seen``). Merging is idempotent. An invalid record is refused with its reason and does not affect the others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import from_microseconds, parse_tid, to_microseconds
from groundwork.database.transaction import Database
from groundwork.errors import Explanation, InvalidInput
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.failure_isolation import apply_submitted
from openmeet.network.ingestion.quarantine import RecordFailure
from openmeet.network.records import links, message, seen
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState

# A transaction may last two seconds; a record takes about a millisecond.
MAX_BATCH: Final = 200

OperationName = Literal["create", "update", "delete"]
ResultName = Literal[
    "applied", "echo", "known", "awaits_event", "raw", "ignored", "late", "switched_off", "from_the_future", "refused"
]


@dataclass(frozen=True, slots=True)
class SubmittedRecord:
    """A record that a service submits, as JSON; ``record`` is None for a deletion."""

    operation: RecordOperation
    did: str
    collection: str
    rkey: str
    rev: str
    uri: str | None
    cid: str | None
    record: object


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """The result for one submitted record. ``result`` is that of ``ingestion.apply``, or ``refused`` with a
    reason.
    """

    uri: str
    result: ResultName
    reason: Explanation | None


async def apply_batch(
    db: Database,
    context: IngestionContext,
    batch: Sequence[SubmittedRecord],
    *,
    collections: Collection[Nsid],
    is_vouched: bool,
) -> list[SubmissionResult]:
    """Apply a batch in order, in one transaction; return one result each.

    If that fails, the batch is split (``failure_isolation``): a record that fails on its own is quarantined and
    refused, and all others are applied.
    """
    parsed = [_read(one, collections, is_vouched=is_vouched) for one in batch]
    messages = [one for one in parsed if isinstance(one, RecordMessage)]
    ingest_results = iter(await apply_submitted(db, context, messages) if messages else [])
    async with db.reader() as reader:
        seen_records = await seen.find_many(reader, sorted({message.uri for message in messages}))
    results = []
    for one, parsed_one in zip(batch, parsed, strict=True):
        if isinstance(parsed_one, Explanation):
            results.append(
                SubmissionResult(one.uri or f"at://{one.did}/{one.collection}/{one.rkey}", "refused", parsed_one)
            )
            continue
        result = next(ingest_results)
        if isinstance(result, RecordFailure):
            results.append(SubmissionResult(parsed_one.uri, "refused", RecordReason.QUARANTINED()))
            continue
        seen_record = seen_records.get(parsed_one.uri)
        is_raw = seen_record is not None and seen_record.state is RecordState.RAW and seen_record.rev == parsed_one.rev
        results.append(
            SubmissionResult(
                parsed_one.uri, result.value, seen_record.reason if is_raw and seen_record is not None else None
            )
        )
    return results


def message_of(record: SubmittedRecord, collections: Collection[Nsid], *, is_vouched: bool = False) -> RecordMessage:
    """Return a submitted record as a message. Raises InvalidInput."""
    parsed_one = _read(record, collections, is_vouched=is_vouched)
    if isinstance(parsed_one, Explanation):
        raise InvalidInput("record", parsed_one)
    return parsed_one


async def delete_reported(
    db: Database, context: IngestionContext, uri: AtUri, message: RecordMessage
) -> Literal["gone", "doubted", "unknown"]:
    """Delete a record that another system reports as deleted. If its author signed the record, query their PDS instead.

    Unknown records are ignored, so a repeated deletion succeeds. A copy that was submitted earlier and is still in the
    queue is refused too.
    """
    async with db.transaction() as tx:
        await links.lock_record(tx, message.did, message.uri)
        seen_record = await seen.find(tx, str(uri))
        is_here = seen_record is not None and seen_record.state is not RecordState.TOMBSTONE
        if seen_record is not None and is_here and seen_record.rev >= message.rev:
            # The clock that made its rev is ahead of ours. The deletion counts as later anyway, because it refers to
            # the record that is here.
            message = replace(message, rev=from_microseconds(to_microseconds(parse_tid(seen_record.rev)) + 1, 0))
        await apply(tx, context, [message])
        if seen_record is None or not is_here:
            return "unknown"
        return "doubted" if seen_record.is_verified else "gone"


def source_of(source_id: str, collections: Collection[Nsid]) -> AtUri:
    """Parse the AT URI of a record in these collections. Raises InvalidInput."""
    try:
        uri = parse_at_uri(source_id)
        parse_did(uri.authority)
    except Malformed as wrong:
        raise InvalidInput("sourceId", RecordReason.NO_RECORD_URI) from wrong
    if uri.collection not in collections or uri.rkey is None:
        raise InvalidInput("sourceId", RecordReason.NOT_IN_COLLECTIONS, collections=", ".join(sorted(collections)))
    return uri


def _read(record: SubmittedRecord, collections: Collection[Nsid], *, is_vouched: bool) -> RecordMessage | Explanation:
    """Return the message, or the reason why the record is invalid."""
    try:
        did, collection = parse_did(record.did), parse_nsid(record.collection)
        rkey, rev = parse_record_key(record.rkey), parse_tid(record.rev)
    except Malformed as wrong:
        return RecordReason.MALFORMED(what=wrong.kind)
    if collection not in collections:
        return RecordReason.COLLECTION_NOT_TAKEN(collection=str(collection))
    if record.uri is not None and record.uri != f"at://{did}/{collection}/{rkey}":
        return RecordReason.WRONG_URI()
    body, cid = None, None
    if record.operation is not RecordOperation.DELETE:
        try:
            value = message.exact(record.record)
            is_exact = value is not None
            body = cbor.encode(value if value is not None else message.tolerable(record.record))
        except Malformed as wrong:
            return RecordReason.NOT_VALID(what=wrong.kind)
        cid = str(Cid.for_cbor(body))
        if is_vouched and not is_exact:
            return RecordReason.NOT_SIGNED()
        if record.cid is not None and record.cid != cid and (is_exact or is_vouched):
            return RecordReason.WRONG_CID()
    elif record.record is not None:
        return RecordReason.DELETION_WITH_RECORD()
    return RecordMessage(did, collection, rkey, rev, record.operation, cid, body, is_verified=is_vouched)
