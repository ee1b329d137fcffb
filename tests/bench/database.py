"""Small durable writes: 100 callers who share commits, compared with the same rows with a commit (and an fsync) each."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Writer
from tests.bench.figure import Figure, Peer, check
from tests.bench.loop import run
from tests.bench.timing import progress

CALLERS = 100
ROWS_EACH = 200
INTERACTIVE_EACH = 30
UNGROUPED_ROWS = 2_000

TABLE = (
    "create table rows (caller bigint not null, number bigint not null, body bytea not null, primary key (caller, "
    "number))"
)
INSERT = "insert into rows (caller, number, body) values (:caller, :number, :body)"
BODY = bytes(200)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        progress("a commit for each row, by one caller")
        alone = _ungrouped(Path(folder) / "alone.db")
        peer = Peer("a commit each", alone)
        progress(f"{CALLERS} callers of write()")
        grouped = run(_grouped(Path(folder) / "grouped.db"))
        yield Figure(f"write(): {CALLERS} callers, durable rows", grouped, "/s", peer=peer)
        progress(f"{CALLERS} callers of transaction()")
        interactive = run(_interactive(Path(folder) / "interactive.db"))
        yield Figure(f"transaction(): {CALLERS} callers, durable rows", interactive, "/s", peer=peer)


def _ungrouped(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(TABLE)
    begun = perf_counter()
    for number in range(UNGROUPED_ROWS):
        connection.execute("begin immediate")
        connection.execute(INSERT, {"caller": 0, "number": number, "body": BODY})
        connection.execute("commit")
    taken = perf_counter() - begun
    connection.close()
    return UNGROUPED_ROWS / taken


async def _grouped(path: Path) -> float:
    db = await _open(path)

    async def call(caller: int) -> None:
        for number in range(ROWS_EACH):
            await db.write(lambda w, number=number: _insert(w, caller, number))  # type: ignore[misc]

    return await _timed(db, call, ROWS_EACH)


def _insert(w: Writer, caller: int, number: int) -> None:
    w.execute(INSERT, caller=caller, number=number, body=BODY)


async def _interactive(path: Path) -> float:
    db = await _open(path)

    async def call(caller: int) -> None:
        for number in range(INTERACTIVE_EACH):
            async with db.transaction() as tx:
                await tx.execute(INSERT, caller=caller, number=number, body=BODY)

    return await _timed(db, call, INTERACTIVE_EACH)


async def _open(path: Path) -> Database:
    db = await open_database(f"sqlite://{path}", clock=SystemClock())
    await db.write(lambda w: w.execute(TABLE))
    return db


async def _timed(db: Database, call, each: int) -> float:
    begun = perf_counter()
    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))
    taken = perf_counter() - begun
    async with db.reader() as reader:
        rows = await reader.fetch("select count(*) from rows")
    await db.close()
    check(rows[0][0] == CALLERS * each, f"{rows[0][0]} rows were stored instead of {CALLERS * each}")
    return CALLERS * each / taken
