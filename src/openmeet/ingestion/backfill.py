"""Reading a whole repository and applying it: after sign-in, after a gap in the stream, or when an operator asks.

The read is as of its commit's rev. What it holds is applied as messages of that rev; what it lacks is a delete, of
records not changed since; afterwards the floor rises, so that older messages are history.
"""

from collections.abc import Iterator, Sequence

from at_protocol.repo.change import parse_path
from at_protocol.repo.snapshot import Snapshot
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import Tid
from groundwork.database.transaction import Database
from groundwork.errors import NotFound, RemoteFailed
from groundwork.outbox.owe import Debt
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.identities.network import Network
from openmeet.identities.reading import download_repository
from openmeet.ingestion.apply import apply
from openmeet.ingestion.events import Here
from openmeet.records import seen
from openmeet.records.collections import CALENDAR, READ_IN_ORDER
from openmeet.records.message import Operation, RecordMessage

# Records per transaction: well below the two seconds that one may last.
BATCH = 100


def backfill_payer(db: Database, network: Network, here: Here) -> Payer:
    """The payer of ``Debt.BACKFILL``; the subject is the DID."""

    async def pay(debt: Debt) -> None:
        await backfill(db, network, here, parse_did(debt.subject))

    return pay


async def backfill(db: Database, network: Network, here: Here, did: Did) -> int:
    """Make what is known of a DID's calendar agree with its repository; how many records it holds.

    A repository that is not served (gone, deactivated) changes nothing: absence must be proven. Raises RemoteFailed
    and RemoteSlow.
    """
    try:
        snapshot = await download_repository(network, did)
    except NotFound as absent:
        log.warning("repository.not_served", did=did, reason=absent.why)
        return 0
    rev = snapshot.commit.rev
    if rev is None:
        raise RemoteFailed(f"The repository of {did} is of an older version, without a rev.")
    messages = list(messages_of(snapshot, rev))
    await _apply_in_batches(db, here, messages)
    held = {message.uri for message in messages}
    async with db.reader() as reader:
        expected = await seen.not_newer_than(reader, did, rev, sorted(CALENDAR))
    gone = [
        RecordMessage(
            did=did,
            collection=parse_nsid(collection),
            rkey=parse_record_key(rkey),
            rev=rev,
            operation=Operation.DELETE,
            cid=None,
            body=None,
            is_verified=True,
        )
        for uri, collection, rkey in expected
        if uri not in held
    ]
    await _apply_in_batches(db, here, gone)
    async with db.transaction() as tx:
        await seen.raise_floor(tx, did, rev)
    log.info("repository.read", did=did, rev=rev, records=len(messages), gone=len(gone))
    return len(messages)


def messages_of(snapshot: Snapshot, rev: Tid) -> Iterator[RecordMessage]:
    """The calendar records of a repository as messages of its commit: events before the answers to them."""
    by_collection: dict[str, list[RecordMessage]] = {}
    for path, cid in snapshot.entries.items():
        if path.partition("/")[0] not in CALENDAR:
            continue
        collection, rkey = parse_path(path)
        by_collection.setdefault(collection, []).append(
            RecordMessage(
                did=snapshot.commit.did,
                collection=collection,
                rkey=rkey,
                rev=rev,
                operation=Operation.UPDATE,
                cid=str(cid),
                body=snapshot.records[cid],
                is_verified=True,
            )
        )
    for collection in READ_IN_ORDER:
        yield from by_collection.get(collection, ())


async def _apply_in_batches(db: Database, here: Here, messages: Sequence[RecordMessage]) -> None:
    for start in range(0, len(messages), BATCH):
        async with db.transaction() as tx:
            await apply(tx, here, messages[start : start + BATCH])
