"""Reading a whole repository and applying it: after sign-in, after a gap in the stream, or when an operator asks.

The read is as of its commit's rev. What it holds is applied as messages of that rev; what it lacks is a delete, of
records not changed since; afterwards the floor rises, so that older messages are history. One whose rev is of a time to
come is not taken at all: as history it would hide whatever is written until then. A repository too large to be read whole, or on a server too slow for that, is read by its calendar alone: unsigned, so that nothing becomes history by it.
A record that cannot be taken over for a reason of its own is put aside (``taking``), and all others are; then nothing becomes history either, so
that the record may still be taken at this very rev.

Where only some collections were chosen, records of those are taken, and their absence counts; nothing becomes history by it either,
and whoever waits for the whole read goes on waiting.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from at_protocol.repo.change import parse_path
from at_protocol.repo.snapshot import Snapshot
from at_protocol.sync import verify
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import Tid
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Failure, InvalidInput, NotFound, RemoteFailed, RemoteSlow
from groundwork.http.client import AnswerTooLarge
from groundwork.outbox.owe import Debt, owe
from groundwork.outbox.pay import Payer
from groundwork.telemetry.logs import log
from openmeet.debts.kinds import Debt as DebtKind
from openmeet.debts.publication_waking import wake_waiting_of
from openmeet.debts.publications import Kind
from openmeet.identities import queries as identity_queries
from openmeet.identities.network import Network
from openmeet.identities.reading import account_status, download_repository
from openmeet.ingestion import put_aside
from openmeet.ingestion.events import Here
from openmeet.ingestion.listing import list_records
from openmeet.ingestion.put_aside import Step
from openmeet.ingestion.taking import MOST_ASIDE, Taken, take_each
from openmeet.records import first_reads, missed, of_repository, seen
from openmeet.records.collections import CONCERNING, READ_IN_ORDER
from openmeet.records.message import Operation, RecordMessage

# Repositories that are read side by side: most of the time is spent waiting for their servers.
AT_A_TIME = 4


def backfill_payer(db: Database, network: Network, here: Here) -> Payer:
    """The payer of ``Debt.BACKFILL``; the subject is what ``subject_of`` made."""

    async def pay(debt: Debt) -> None:
        text, _, chosen = debt.subject.partition(" ")
        did = parse_did(text)
        if chosen:
            await backfill_chosen(db, network, here, did, [parse_nsid(one) for one in chosen.split(" ")])
            return
        try:
            await backfill(db, network, here, did)
            await _expect_reached(db, network, did)
        except Failure as away:
            async with db.transaction() as tx:
                await first_reads.delayed(tx, did, away.why)
            raise

    return pay


def subject_of(did: Did, collections: Collection[Nsid] = ()) -> str:
    """What is owed: reading this repository whole, or these collections of it."""
    return " ".join([did, *(one for one in READ_IN_ORDER if one in collections)])


def chosen_collections(names: Sequence[str]) -> tuple[Nsid, ...]:
    """Collections by name, in the order of reading; of no names, none. Raises InvalidInput of one that is not read here."""
    known = {str(one): one for one in READ_IN_ORDER}
    for name in names:
        if name not in known:
            raise InvalidInput(
                "collection", f"{name} is no collection that this site reads. It reads {', '.join(READ_IN_ORDER)}."
            )
    return tuple(one for one in READ_IN_ORDER if one in names)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a repository holds of calendars as of ``rev``, and whether it is signed for."""

    rev: Tid
    messages: Sequence[RecordMessage]
    is_signed: bool


async def backfill(db: Database, network: Network, here: Here, did: Did) -> int:
    """Make what is known of a DID's calendar agree with its repository; how many records it holds.

    A repository that is not served (gone, deactivated) changes nothing: absence must be proven. Raises RemoteFailed
    and RemoteSlow.
    """
    async with db.transaction() as tx:
        is_waited_for = await first_reads.begin(tx, did)
    reading = await read_repository(network, did)
    if reading is None:
        async with db.transaction() as tx:
            await missed.note(tx, [(did, None)])
            await _done(tx, did)
        return 0
    if is_waited_for:
        async with db.transaction() as tx:
            await first_reads.found(tx, did, len(reading.messages))
    await apply_reading(db, here, did, reading)
    return len(reading.messages)


async def backfill_chosen(db: Database, network: Network, here: Here, did: Did, collections: Collection[Nsid]) -> int:
    """Make what is known of these collections agree with a DID's repository; how many records they hold there.

    Raises RemoteFailed and RemoteSlow.
    """
    reading = await read_repository(network, did, collections)
    if reading is None:
        return 0
    taken, _ = await _take(db, here, did, reading, collections)
    async with db.transaction() as tx:
        await put_aside.settle(tx, did, Step.TAKING, collections, taken.failed)
    log.info(
        "repository.read_in_part",
        did=did,
        rev=reading.rev,
        records=len(reading.messages),
        put_aside=len(taken.failed),
    )
    return len(reading.messages)


async def _expect_reached(db: Database, network: Network, did: Did) -> None:
    """Raises RemoteFailed where the read was of an older state than is known to exist, or found nobody at home who should be.

    An account that rests keeps its mark: it is read when its server says that it is back (``refreshing``). The mark is set
    before the server is asked, so whoever comes back in between is seen by one of the two.
    """
    async with db.reader() as reader:
        if not await missed.is_behind(reader, did):
            return
    # Perhaps it was the server where they lived before.
    network.dids.doubt(did)
    if await _is_active(network, did):
        raise RemoteFailed(f"The repository of {did} was not served as it is.")


async def _is_active(network: Network, did: Did) -> bool:
    try:
        document = await network.dids.resolve(did)
    except (NotFound, InvalidInput):
        return False
    return document.pds is not None and (await account_status(network, did, document.pds)).is_active


async def apply_reading(db: Database, here: Here, did: Did, reading: Reading) -> Taken:
    """Take over what a whole read found, and what it found gone; what could not be taken is put aside."""
    taken, gone = await _take(db, here, did, reading, CONCERNING)
    async with db.transaction() as tx:
        await put_aside.settle(tx, did, Step.TAKING, CONCERNING, taken.failed)
        if taken.is_whole and reading.is_signed and not taken.failed:
            await seen.raise_floor(tx, did, reading.rev)
        else:
            # What was not taken is read again at this very rev when it is, and what is not signed makes no history.
            await seen.note_read(tx, did)
        await missed.reach(tx, did, reading.rev)
        await _done(tx, did)
    log.info(
        "repository.read",
        did=did,
        rev=reading.rev,
        records=len(reading.messages),
        gone=gone,
        put_aside=len(taken.failed),
    )
    return taken


async def _done(tx: Transaction, did: Did) -> None:
    """What its owner's answers waited for is known."""
    await first_reads.done(tx, did)
    owner = await identity_queries.find(tx, did)
    if owner is not None and owner.can_write:
        await wake_waiting_of(tx, owner.user_id, Kind.RSVP)


async def _take(
    db: Database, here: Here, did: Did, reading: Reading, collections: Collection[Nsid]
) -> tuple[Taken, int]:
    """What became of what was read and of what was found gone, and how many records that were gone."""
    read = await take_each(db, here, reading.messages)
    held = {message.uri for message in reading.messages}
    async with db.reader() as reader:
        expected = await of_repository.not_newer_than(reader, did, reading.rev, sorted(collections))
    gone = [
        RecordMessage(
            did=did,
            collection=parse_nsid(collection),
            rkey=parse_record_key(rkey),
            rev=reading.rev,
            operation=Operation.DELETE,
            cid=None,
            body=None,
            is_verified=reading.is_signed,
            is_read=True,
        )
        for uri, collection, rkey in expected
        if uri not in held
    ]
    left = await take_each(db, here, gone, room=MOST_ASIDE - len(read.failed))
    async with db.transaction() as tx:
        author = await identity_queries.find(tx, did)
        if author is not None and author.can_write:
            # What was noted event by event waits for more; here there is no more.
            await owe(tx, DebtKind.DETECT_SERIES, author.user_id, int(tx.now) + 1)
    return Taken(read.is_whole, [*read.failed, *left.failed]), len(gone)


async def read_repository(network: Network, did: Did, collections: Collection[Nsid] = CONCERNING) -> Reading | None:
    """Read it whole, or by its calendar where that is too much; None where it is not served.

    Raises RemoteFailed (also where its rev is too far ahead to be believed) and RemoteSlow.
    """
    try:
        reading = await _read(network, did, collections)
    except (NotFound, InvalidInput) as absent:
        if isinstance(absent, InvalidInput) and absent.name != "UnresolvableDid":
            raise
        log.warning("repository.not_served", did=did, reason=absent.why)
        return None
    try:
        verify.check_rev(reading.rev, network.clock.now())
    except verify.Refused as ahead:
        raise RemoteFailed(
            "The clock of the repository’s server is more than five minutes ahead. Nothing is taken until its time has come."
        ) from ahead
    return reading


async def _read(network: Network, did: Did, collections: Collection[Nsid]) -> Reading:
    try:
        snapshot = await download_repository(network, did)
    except (AnswerTooLarge, RemoteSlow) as whole:
        log.info("repository.too_large", did=did, reason=whole.why)
        rev, messages = await list_records(network, did, [one for one in READ_IN_ORDER if one in collections])
        return Reading(rev, messages, is_signed=False)
    if snapshot.commit.rev is None:
        raise RemoteFailed(f"The repository of {did} is of an older version, without a rev.")
    messages = list(messages_of(snapshot, snapshot.commit.rev, collections))
    return Reading(snapshot.commit.rev, messages, is_signed=True)


def messages_of(snapshot: Snapshot, rev: Tid, collections: Collection[Nsid] = CONCERNING) -> Iterator[RecordMessage]:
    """The records of these collections of a repository as messages of its commit: events before the answers to them."""
    by_collection: dict[str, list[RecordMessage]] = {}
    for path, cid in snapshot.entries.items():
        if path.partition("/")[0] not in collections:
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
                is_read=True,
            )
        )
    for collection in READ_IN_ORDER:
        yield from by_collection.get(collection, ())
