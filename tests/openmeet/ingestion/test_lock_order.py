"""Everything that applies or erases records locks repositories first, then RSVPs, then events, so that no two of them
deadlock, and an erasure leaves nothing of a batch that runs at the same time.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.network.ingestion.account_deletion import ErasureContext, erase, erase_here
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.local_rsvps import RSVP_FIELD
from openmeet.network.ingestion.processor import Processor, run_once
from openmeet.network.ingestion.submitted_records import delete_reported
from openmeet.network.records import repository_state, seen
from openmeet.network.records.message import Hint, HintKind, RecordMessage, encode
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import ERASURE_KEYS
from tests.openmeet.ingestion.network import deletion_of, did, event, processor_metrics, rev, rsvp
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.interleaving import run_actions_interleaved, run_interleaved

HERE = IngestionContext("https://meet.example", ERASURE_KEYS)
TEA, ANSWER = event(1, "tea", 1), rsvp(2, "a", 2, event(1, "tea", 1).uri)

_WAITS_FOR_US = "select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"


async def send_hint(db: Database, queue: EmbeddedQueue) -> None:
    hint = Hint(did(2), HintKind.REPOSITORY, "", 1, rev(5))
    await queue.publish([Message(hint.routing_key, hint.did, encode(hint), hint.message_id)])
    assert await run_once(Processor(db, queue, HERE, processor_metrics())) == 1


async def report_deletion(db: Database, _queue: EmbeddedQueue) -> None:
    assert await delete_reported(db, HERE, ANSWER.at_uri, deletion_of(ANSWER, 3)) == "doubted"


async def erase_account(db: Database, _queue: EmbeddedQueue) -> None:
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(2))


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has a single writer
@pytest.mark.parametrize("act", [send_hint, report_deletion, erase_account])
async def test_the_repository_is_locked_before_its_records(
    make_database: MakeDatabase,
    make_sqlite: MakeDatabase,
    clock: HandClock,
    act: Callable[[Database, EmbeddedQueue], Awaitable[None]],
):
    """A batch has locked the repository, and locks the records only now."""
    db = await make_database("openmeet")
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue"), clock)
    await apply_messages(db, TEA, ANSWER)
    theirs = FieldDecision(RSVP_FIELD, "", "attending", "declined", MergeReason.LATEST_ANSWER, MergeSide.THEIRS)
    async with db.transaction() as tx:
        await merge_decisions.store(tx, uri=ANSWER.uri, theirs_rev=rev(9), ours_revision=1, decisions=(theirs,))
        await repository_state.create_row(tx, did(2))
    outside = contextvars.copy_context()
    async with db.transaction() as tx:
        await repository_state.lock_floor(tx, did(2))
        running = asyncio.create_task(_await(act(db, queue)), context=outside)
        while not running.done() and not await tx.fetch(_WAITS_FOR_US):
            await tx.fetch("select pg_sleep(0.01)")
        assert not running.done()
        await tx.execute("set local lock_timeout = '10ms'")
        await seen.lock_records(tx, [TEA.uri, ANSWER.uri])
    await running


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite has a single writer
@pytest.mark.parametrize("has_row", [True, False])
async def test_a_locked_record_makes_others_wait_and_leaves_no_row(make_database: MakeDatabase, has_row: bool):
    """A process of the previous release may have left a row."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        if has_row:
            await tx.execute("insert into record_subjects (uri) values (:uri)", uri=TEA.uri)
    outside = contextvars.copy_context()
    order: list[str] = []

    async def lock_too() -> None:
        async with db.transaction() as tx:
            await seen.lock_records(tx, [TEA.uri])
            order.append("second")

    async with db.transaction() as tx:
        await seen.lock_records(tx, [TEA.uri, ANSWER.uri])
        await seen.lock_records(tx, [TEA.uri])  # again, which changes nothing
        running = asyncio.create_task(lock_too(), context=outside)
        while not running.done() and not await tx.fetch(_WAITS_FOR_US):
            await tx.fetch("select pg_sleep(0.01)")
        order.append("first")
    await running
    assert order == ["first", "second"]
    async with db.reader() as reader:
        assert await reader.fetch("select uri from record_subjects") == []


async def _await(act: Awaitable[None]) -> None:
    await act


@pytest.mark.parametrize("is_erased_first", [True, False])
async def test_an_erasure_leaves_nothing_of_a_concurrent_batch(db: Database, is_erased_first: bool):
    """One stops before each of its statements until the other has finished or waits."""
    at, is_stopped = 0, True
    while is_stopped:
        at += 1
        tea, answer = event(3, f"tea{at}", at), rsvp(2, f"a{at}", at, f"at://{did(3)}/{TEA.collection}/tea{at}")
        await apply_messages(db, tea)
        async with db.transaction() as tx:
            await tx.execute("delete from erased_records")
            await repository_state.create_row(tx, did(2))

        async def erasing(tx: Transaction) -> None:
            await erase_here(tx, ERASURE_KEYS, did(2))

        async def applying(tx: Transaction, answer: RecordMessage = answer) -> None:
            await apply(tx, HERE, [answer])

        first, second = (erasing, applying) if is_erased_first else (applying, erasing)
        is_stopped = await run_interleaved(db, first, second, at)
        async with db.reader() as reader:
            records = await reader.fetch("select uri from records where did = :did", did=did(2))
            people = await reader.fetch("select did from identities where did = :did", did=did(2))
        assert (records, people) == ([], []), f"stopped before statement {at}"
    assert at > 10


async def test_a_batch_waits_for_the_erasure_of_an_unknown_repository(db: Database):
    """The row that both lock is created in a transaction of its own, because nobody waits for one that is not
    committed.
    """
    at, is_stopped = 0, True
    while is_stopped:
        at += 1
        answer = rsvp(2, f"a{at}", at, TEA.uri)
        await apply_messages(db, TEA, ANSWER)
        async with db.transaction() as tx:
            await tx.execute("delete from erased_records")
            await tx.execute("delete from repositories")

        async def erasing(db: Database) -> None:
            await erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(2))

        async def applying(db: Database, answer: RecordMessage = answer) -> None:
            async with db.transaction() as tx:
                await apply(tx, HERE, [answer])

        is_stopped = await run_actions_interleaved(db, erasing, applying, at)
        async with db.reader() as reader:
            assert await reader.fetch("select uri from records where did = :did", did=did(2)) == [], at
    assert at > 10


async def test_an_erasure_waits_for_batches_that_found_no_repository_to_lock(db: Database):
    """The batch stops before each of its statements, also after it looked for the row that the erasure creates."""
    at, is_stopped = 0, True
    while is_stopped:
        at += 1
        tea, answer = event(3, f"tea{at}", at), rsvp(2, f"a{at}", at, f"at://{did(3)}/{TEA.collection}/tea{at}")
        await apply_messages(db, tea)
        async with db.transaction() as tx:
            await tx.execute("delete from erased_records")
            await tx.execute("delete from repositories")

        async def erasing(db: Database) -> None:
            await erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(2))

        async def applying(db: Database, answer: RecordMessage = answer) -> None:
            async with db.transaction() as tx:
                await apply(tx, HERE, [answer])

        is_stopped = await run_actions_interleaved(db, applying, erasing, at, waits_without_lock=True)
        async with db.reader() as reader:
            records = await reader.fetch("select uri from records where did = :did", did=did(2))
            people = await reader.fetch("select did from identities where did = :did", did=did(2))
        assert (records, people) == ([], []), f"stopped before statement {at}"
    assert at > 10


async def nothing_outside(_did: str) -> None:
    return
