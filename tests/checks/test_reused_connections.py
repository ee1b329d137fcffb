"""The next test on PostgreSQL reuses the connections of the previous one, and nothing else from it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from groundwork.clock import HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import DatabaseUnavailable
from tests.reused_connections import ReusedLoop, forget

T = TypeVar("T")


@pytest.fixture
def loop() -> Iterator[ReusedLoop]:
    """The loop of the tests within this test; this test itself runs on another one."""
    made = ReusedLoop()
    yield made
    made.end()


def run(loop: ReusedLoop, test: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as the test runner does, which closes the loop afterwards."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(test)


async def process(url: str, clock: HandClock) -> int:
    """The id of the PostgreSQL process that answers."""
    database = await open_database(url, clock=clock)
    async with database.reader() as reader:
        row = await reader.fetch_one("select pg_backend_pid() as number")
    await database.close()
    assert row is not None
    return int(str(row["number"]))


def test_next_test_reuses_the_server_process(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    first = run(loop, process(postgres_url, clock))
    assert [run(loop, process(postgres_url, clock)) for _ in range(3)] == [first] * 3


def test_databases_of_one_test_share_no_connection(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    async def two() -> int:
        database = await open_database(postgres_url, clock=clock)
        other = await process(postgres_url, clock)
        await database.close()
        return other

    first = run(loop, process(postgres_url, clock))
    assert run(loop, two()) != first


def test_closed_database_refuses_queries(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    """A closed database refuses queries, even though its connections are kept for the next one."""

    async def closed() -> None:
        database = await open_database(postgres_url, clock=clock)
        await database.close()
        with pytest.raises(DatabaseUnavailable):
            async with database.reader():
                pass

    run(loop, closed())


def test_connections_with_plans_of_old_tables_are_not_reused(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    async def changing() -> None:
        forget(postgres_url)

    first = run(loop, process(postgres_url, clock))
    run(loop, changing())
    assert run(loop, process(postgres_url, clock)) != first


def test_unclosed_database_ends_with_the_test(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    async def leaving() -> int:
        await open_database(postgres_url, clock=clock)
        connection = await loop.lent[-1].acquire()
        return int(connection.get_server_pid())

    left = run(loop, leaving())
    assert (loop.lent, loop.processes()) == ([], [])
    assert run(loop, process(postgres_url, clock)) != left


def test_timers_and_tasks_of_a_test_end_with_it(loop: ReusedLoop):
    heard: list[str] = []

    async def waiting() -> None:
        try:
            await asyncio.sleep(0)
            await asyncio.Event().wait()
        finally:
            heard.append("cancelled")

    async def leaving() -> "asyncio.Task[None]":
        asyncio.get_running_loop().call_later(3600.0, heard.append, "timer")
        return asyncio.create_task(waiting())

    task = run(loop, leaving())
    assert task.cancelled()
    assert heard == ["cancelled"]
    assert not loop._scheduled


def test_task_started_by_a_cancelled_task_ends_with_the_test(loop: ReusedLoop, postgres_url: str, clock: HandClock):
    """Tasks that a cancelled task starts end with the test. One that holds a connection would disturb the next test
    when it is garbage-collected.
    """
    begun: list[asyncio.Task[None]] = []

    async def leaving() -> None:
        database = await open_database(postgres_url, clock=clock)

        async def read() -> None:
            async with database.reader() as reader:
                await reader.fetch("select pg_sleep(60)")

        async def waiting() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                begun.append(asyncio.create_task(read()))

        begun.append(asyncio.create_task(waiting()))
        await asyncio.sleep(0)

    run(loop, leaving())
    # If the task is cut off in the middle of a statement, the second task may end with a connection error.
    assert [task.done() and (task.cancelled() or task.exception() is not None) for task in begun] == [True, True]


def test_data_for_an_ended_test_is_not_read(loop: ReusedLoop):
    heard: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:

        async def leaving() -> None:
            asyncio.get_running_loop().add_reader(ours, heard.append, "read")

        async def next_test() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        run(loop, leaving())
        theirs.send(b"late")
        run(loop, next_test())
    assert heard == []


def test_threads_and_generators_work_in_every_test(loop: ReusedLoop):
    closed: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.append("closed")

    async def one_test() -> str:
        async for number in numbers():
            return await asyncio.to_thread(str, number)
        return ""

    assert [run(loop, one_test()) for _ in range(3)] == ["1", "1", "1"]
    assert closed == ["closed"] * 3


@pytest.fixture(scope="module")
async def held_loop() -> AsyncIterator[asyncio.AbstractEventLoop]:
    loop = asyncio.get_running_loop()
    yield loop
    assert asyncio.get_running_loop() is loop


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_fixture_of_several_tests_keeps_no_connections(held_loop: asyncio.AbstractEventLoop, engine: str):
    """Tests that share an asynchronous fixture, and those that run before it ends, share its loop. This loop keeps no
    connections, because some of these tests may request new ones.
    """
    assert not isinstance(held_loop, ReusedLoop)
