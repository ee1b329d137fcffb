"""Failures that only SQLite has: the group that shares a commit, the disk, the log, the process."""

import asyncio
import contextlib
import contextvars
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest
from tests.databases import MakeDatabase
from tests.external_dependencies import ROOT

from groundwork.clock import HandClock, SystemClock
from groundwork.database import sqlite_writer
from groundwork.database.migrate import migrate
from groundwork.database.sqlite import open_sqlite
from groundwork.database.sqlite_dump import copy_file, loading
from groundwork.database.transaction import DatabaseUnavailable, UniqueViolated, Writer


@pytest.fixture
async def db(make_sqlite: MakeDatabase, monkeypatch: pytest.MonkeyPatch):
    # Groups end after a few milliseconds; on a busy machine the second member could come too late.
    monkeypatch.setattr(sqlite_writer, "GROUP_SECONDS", 30.0)
    database = await make_sqlite()
    await database.write(lambda writer: writer.execute("create table t (a bigint primary key, b text)"))
    return database


def insert(number: int, text: str = ""):
    def work(writer: Writer) -> None:
        writer.execute("insert into t (a, b) values (:a, :b)", a=number, b=text)

    return work


async def numbers(db) -> list[int]:
    async with db.reader() as reader:
        return [row["a"] for row in await reader.fetch("select a from t order by a")]


def file_of(db) -> str:
    return db._writer._wal.as_posix().removesuffix("-wal")


async def one_group(db, *works: Callable[[Writer], None]) -> list[object]:
    """Run plain functions as members of one group: they queue while a transaction is open, and then join one."""
    async with db.transaction() as tx:
        await tx.fetch("select 1")
        tasks = [elsewhere(db.write(work)) for work in works]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


def elsewhere(write: Coroutine[object, object, None]) -> "asyncio.Task[None]":
    """A task that does not see the open transaction of this one."""
    return asyncio.create_task(write, context=contextvars.Context())


async def test_members_of_a_group_share_one_commit(db):
    """Members of a group share one commit: during the third member, an outsider does not see what the first two wrote."""
    stranger = sqlite3.connect(file_of(db), check_same_thread=False)
    seen: list[int] = []

    def look(_writer: Writer) -> None:
        seen.append(stranger.execute("select count(*) from t").fetchone()[0])

    assert await one_group(db, insert(1), insert(2), look) == [None, None, None]
    stranger.close()
    assert seen == [0]
    assert await numbers(db) == [1, 2]


async def test_when_the_commit_fails_every_member_fails(db):
    """If COMMIT fails, every member fails; a deferred constraint (which our rules forbid) causes it here."""
    await db.write(
        lambda writer: writer.execute("create table d (a bigint references t (a) deferrable initially deferred)")
    )
    said: list[str] = []

    def innocent(writer: Writer) -> None:
        insert(1)(writer)
        writer.after_commit(lambda: said.append("innocent"))

    def guilty(writer: Writer) -> None:
        writer.execute("insert into d (a) values (99)")
        writer.after_commit(lambda: said.append("guilty"))

    tasks: list[asyncio.Task[None]] = []

    async def interactive() -> None:
        async with db.transaction() as tx:
            await tx.execute("insert into t (a) values (5)")
            tx.after_commit(lambda: said.append("interactive"))
            tasks.extend(elsewhere(db.write(work)) for work in (innocent, guilty, insert(7)))
            for _ in range(10):  # until all three have queued for this group
                await asyncio.sleep(0)

    with pytest.raises(DatabaseUnavailable, match="commit failed"):
        await interactive()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [DatabaseUnavailable] * 3
    assert said == []
    assert await numbers(db) == []
    await db.write(insert(8))
    assert await numbers(db) == [8]


async def test_full_disk_loses_no_acknowledged_write(db):
    """A full disk loses no acknowledged write and keeps no refused one, and writing continues once there is space."""
    pages = (await db.write(lambda writer: writer.fetch_one("pragma page_count")))[0]
    await db.write(lambda writer: writer.fetch(f"pragma max_page_count = {pages + 20}"))
    results = await asyncio.gather(*(db.write(insert(n, "x" * 3000)) for n in range(100)), return_exceptions=True)
    kept = [n for n, result in enumerate(results) if result is None]
    assert 0 < len(kept) < 100
    assert all(isinstance(result, DatabaseUnavailable) for result in results if result is not None)
    assert await numbers(db) == kept
    await db.write(lambda writer: writer.fetch("pragma max_page_count = 100000"))
    await db.write(insert(1000, "x" * 3000))
    assert await numbers(db) == [*kept, 1000]


async def test_a_full_disk_inside_a_transaction(db):
    pages = (await db.write(lambda writer: writer.fetch_one("pragma page_count")))[0]
    await db.write(lambda writer: writer.fetch(f"pragma max_page_count = {pages + 2}"))

    async def fill() -> None:
        async with db.transaction() as tx:
            for number in range(100):
                await tx.execute("insert into t (a, b) values (:a, :b)", a=number, b="x" * 3000)

    with pytest.raises(DatabaseUnavailable):
        await fill()
    assert await numbers(db) == []


async def test_writes_run_in_the_order_of_requests(db):
    """Writes and transactions run in the order of their requests, so that no caller starves."""
    order: list[int] = []

    async def interactive(number: int) -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: order.append(number))

    def plain(number: int):
        return lambda writer: writer.after_commit(lambda: order.append(number))

    await asyncio.gather(*(interactive(n) if n % 7 == 3 else db.write(plain(n)) for n in range(200)))
    assert order == list(range(200))


async def test_a_write_cancelled_in_the_queue_is_not_run(db):
    began, may_end = threading.Event(), threading.Event()

    def holds(writer: Writer) -> None:
        began.set()
        may_end.wait(5)

    first = asyncio.create_task(db.write(holds))
    await asyncio.to_thread(began.wait, 5)
    second = asyncio.create_task(db.write(insert(2)))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    may_end.set()
    await first
    assert await numbers(db) == []


async def test_a_write_cancelled_while_it_runs_is_committed(db):
    loop = asyncio.get_running_loop()
    durable = asyncio.Event()

    def work(writer: Writer) -> None:
        insert(1)(writer)
        writer.after_commit(durable.set)
        loop.call_soon_threadsafe(task.cancel)
        cancelled.wait(5)

    cancelled = threading.Event()
    task = asyncio.create_task(db.write(work))
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled.set()
    await durable.wait()
    assert await numbers(db) == [1]


async def test_writer_is_refused_after_its_function(db):
    kept: list[Writer] = []
    await db.write(kept.append)
    with pytest.raises(RuntimeError, match="ended"):
        kept[0].fetch("select 1")


async def test_more_readers_than_connections_take_turns(db):
    await db.write(insert(1))

    async def read() -> int:
        async with db.reader() as reader:
            await asyncio.sleep(0)
            return len(await reader.fetch("select a from t"))

    assert await asyncio.gather(*(read() for _ in range(50))) == [1] * 50


async def test_a_cancelled_reader_gives_its_connection_back(db):
    async def read() -> None:
        async with db.reader() as reader:
            await reader.fetch(
                "with recursive n (i) as (select 1 union all select i + 1 from n "
                "where i < 1000000000) select count(*) from n"
            )

    tasks = [asyncio.create_task(read()) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await numbers(db) == []


async def test_log_is_bounded_despite_a_long_reader(tmp_path):
    """The log is bounded although a reader's snapshot keeps it from shrinking: the snapshot has a time limit, after
    which the log is truncated.
    """
    bound = 300_000
    db = open_sqlite(tmp_path / "x.db", SystemClock(), wal_bound_bytes=bound, reader_seconds=0.05)
    await db.write(lambda writer: writer.execute("create table t (a bigint primary key, b text)"))
    largest = 0
    with contextlib.suppress(Exception):
        async with db.reader() as reader:
            await reader.fetch("select 1 from t")
            for number in range(100):
                await db.write(insert(number, "x" * 8000))
            largest = db.wal_bytes()
    assert largest > bound
    number = 100
    while db.wal_bytes() > bound:
        await db.write(insert(number, "x"))
        number += 1
        assert number < 100_000
    await db.close()


async def test_writing_without_readers_keeps_the_log_small(db):
    for number in range(40):
        await db.write(insert(number, "x" * 200_000))
    assert db.wal_bytes() < 6_000_000


async def test_another_process_may_hold_the_lock_for_a_moment(db):
    """The busy timeout waits while another process, such as a command, holds the lock."""
    other = sqlite3.connect(file_of(db), isolation_level=None)
    other.execute("begin immediate")
    write = asyncio.create_task(db.write(insert(1)))
    await asyncio.sleep(0)
    other.execute("insert into t (a) values (2)")
    other.execute("commit")
    await write
    other.close()
    assert await numbers(db) == [1, 2]


async def test_closed_database_is_reported(make_sqlite):
    db = await make_sqlite()
    await db.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await db.write(insert(1))
    with pytest.raises(DatabaseUnavailable, match="closed"):
        async with db.transaction():
            pass
    with pytest.raises(DatabaseUnavailable, match="closed"):
        async with db.reader():
            pass


WRITER = """
import asyncio, sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from groundwork.clock import HandClock, SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.sqlite import open_sqlite
from groundwork.database.sqlite_dump import copy_file

async def main():
    db = open_sqlite(Path(sys.argv[1]), SystemClock())
    await db.write(lambda w: w.execute("create table t (a bigint primary key)"))
    async def caller(number):
        for step in range(100000):
            a = step * 20 + number
            if number % 5:
                await db.write(lambda w: w.execute("insert into t (a) values (:a)", a=a))
            else:
                async with db.transaction() as tx:
                    await tx.execute("insert into t (a) values (:a)", a=a)
            sys.stdout.write(f"{a}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(caller(n) for n in range(20)))

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 150, 400])
def test_acknowledged_writes_survive_a_kill(tmp_path, lines):
    """Acknowledged writes survive a kill: the process is killed while twenty callers write, and every number that it
    printed is stored (invariant 1).
    """
    path = tmp_path / "killed.db"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1] if line]
    process.stdout.close()
    process.wait()
    connection = sqlite3.connect(path)
    stored = {row[0] for row in connection.execute("select a from t")}
    assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()
    assert set(acknowledged) <= stored


async def test_file_is_unreadable_to_other_users(tmp_path):
    """Other users of the machine cannot read the file, whether it is created by opening, by migrating or as the copy
    for a backup.
    """
    opened, migrated, copy = tmp_path / "opened.db", tmp_path / "new" / "migrated.db", tmp_path / "copy.db"
    database = open_sqlite(opened, SystemClock())
    await database.write(lambda writer: writer.execute("create table t (a bigint primary key)"))
    await migrate(f"sqlite://{migrated}", "", "plc_directory")
    copy_file(opened, copy)
    left = [path for path in tmp_path.rglob("*.db*") if path.stat().st_mode & 0o077]
    assert opened.with_name("opened.db-wal").exists()
    await database.close()
    assert left == []
    assert migrated.exists()
    assert copy.exists()


async def test_unique_rows_are_reported_in_a_group_without_harm(db):
    results = await one_group(db, insert(1), insert(1), insert(2))
    assert [type(result) for result in results] == [type(None), UniqueViolated, type(None)]
    assert await numbers(db) == [1, 2]


class SlowRows(list[tuple[int]]):
    """Rows that block a statement until they are released."""

    def __init__(self) -> None:
        super().__init__([(1,)])
        self.is_asked, self.may_go = threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[tuple[int]]:
        self.is_asked.set()
        self.may_go.wait()
        return super().__iter__()


async def test_a_cancelled_restore_waits_for_its_statement(tmp_path):
    """A cancelled restore waits for its statement, because closing a connection while a thread writes to it crashes the
    process.
    """
    path = tmp_path / "restored.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t (a integer)")
    rows = SlowRows()

    async def restore() -> None:
        async with loading(path) as load:
            await load.put("t", ["a"], rows)

    restoring = asyncio.create_task(restore())
    await asyncio.to_thread(rows.is_asked.wait)
    restoring.cancel()
    for _ in range(3):  # let the cancellation arrive
        await asyncio.sleep(0)
    is_over = restoring.done()
    rows.may_go.set()
    assert not is_over, "the statement is still running"
    with pytest.raises(asyncio.CancelledError):
        await restoring
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from t").fetchone() == (0,)


async def test_reader_that_is_open_when_the_database_closes_gets_an_answer(make_sqlite):
    db = await make_sqlite()
    async with db.reader() as reader:
        await reader.fetch("select 1")
        await db.close()
        with pytest.raises(DatabaseUnavailable, match="closed"):
            await reader.fetch("select 1")


@pytest.mark.parametrize("waits_for_disk", [True, False])
async def test_commits_wait_for_the_disk_unless_the_caller_can_do_without(
    tmp_path: Path, clock: HandClock, *, waits_for_disk: bool
) -> None:
    """The setting is read from the writer’s own connection: 2 is FULL, and 1 is NORMAL (sqlite.org/pragma.html)."""
    db = open_sqlite(tmp_path / "town.db", clock, waits_for_disk=waits_for_disk)
    async with db.transaction() as tx:
        ((synchronous,),) = await tx.fetch("pragma synchronous")
    await db.close()
    assert synchronous == (2 if waits_for_disk else 1)
