"""Processes that write the same repository in one PostgreSQL database queue for it, and their responses reflect its
current state.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from aurora_locus.repository.repositories import Repositories, RepositoryTurns
from groundwork.clock import HandClock
from groundwork.database.advisory_locks import AdvisoryLocks
from groundwork.database.open_ import open_database
from groundwork.database.postgres import PostgresDatabase
from groundwork.errors import Unavailable
from tests.aurora_locus.conftest import MakeDeployment, assemble
from tests.aurora_locus.hosted_repository import HostedRepository, verify_log

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)

Process = Callable[[], Awaitable[Repositories]]

SOON = 30.0


@pytest.fixture
async def process(pds_url: str, clock: HandClock, tmp_path: Path) -> AsyncIterator[Process]:
    """Opens the equivalent of a process: separate connections, caches and locks on the same database."""
    async with AsyncExitStack() as stack:

        async def open_it() -> Repositories:
            db = await open_database(pds_url, schema="aurora_locus", clock=clock, connections=3)
            stack.push_async_callback(db.close)
            repositories = await assemble(db, clock, tmp_path)
            stack.push_async_callback(repositories.blobs.wait_for_removals)
            return repositories

        yield open_it


async def hold_elsewhere(pds_url: str, repositories: Repositories, hosted: HostedRepository) -> asyncpg.Connection:
    """A process that holds the lock, until its connection ends."""
    connection = await asyncpg.connect(pds_url)
    await connection.execute(f"begin; select pg_advisory_xact_lock({repositories.turns.queue_of(hosted.did)})")
    return connection


async def waiting(connection: asyncpg.Connection, number: int) -> None:
    """Wait until that many requests for advisory locks of this database are waiting."""
    async with asyncio.timeout(SOON):
        while await connection.fetchval(COUNT_WAITING) != number:  # noqa: ASYNC110 - a row of a view, not an event
            await asyncio.sleep(0.01)


COUNT_WAITING = """
    select count(*) from pg_locks
     where locktype = 'advisory' and not granted
       and database = (select oid from pg_database where datname = current_database())
"""


async def test_two_processes_write_six_repositories_and_none_is_refused(process: Process, clock: HandClock) -> None:
    """Two processes write six repositories and no write is refused: every write is stored, every commit follows the
    previous one, and a careful consumer accepts the log.
    """
    one, other = await process(), await process()
    people = [await HostedRepository.make(one, f"person{number}") for number in range(6)]
    same = [HostedRepository(other, person.did, person.key) for person in people]

    async def write(person: HostedRepository, name: str) -> None:
        for number in range(26):
            await person.create(f"{name}{number}")

    await asyncio.gather(
        *(
            write(person, f"{side}-{n}-")
            for side in "ab"
            for n in range(2)
            for person in (people if side == "a" else same)
        )
    )
    for person in people:
        assert len(await verify_log(one.db, person.did, person.key.public, clock.now())) == 2 * 2 * 26


async def test_queue_continues_when_the_lock_holder_dies(process: Process, pds_url: str, clock: HandClock) -> None:
    one = await process()
    ada = await HostedRepository.make(one, "ada")
    holder = await hold_elsewhere(pds_url, one, ada)
    writes = [asyncio.create_task(ada.create(name)) for name in ("a", "b")]
    await waiting(holder, 1)  # of each process only one writer waits, however many there are
    assert not any(write.done() for write in writes)
    holder.terminate()
    await asyncio.wait_for(asyncio.gather(*writes), SOON)
    assert len(await verify_log(one.db, ada.did, ada.key.public, clock.now())) == 2


async def test_queued_writers_go_first(process: Process, pds_url: str) -> None:
    """Writers commit in the order of the queue, so that one process cannot keep moving the head while another one
    waits.
    """
    one, other = await process(), await process()
    ada = await HostedRepository.make(one, "ada")
    there = HostedRepository(other, ada.did, ada.key)
    holder = await hold_elsewhere(pds_url, one, ada)
    first = asyncio.create_task(ada.create("first"))
    await waiting(holder, 1)
    second = asyncio.create_task(there.create("second"))
    await waiting(holder, 2)
    await holder.close()
    await asyncio.wait_for(asyncio.gather(first, second), SOON)
    assert (await one.head(ada.did)).rev < (await other.head(ada.did)).rev


async def test_other_repositories_and_readers_do_not_wait(process: Process, pds_url: str) -> None:
    """Neither other repositories nor readers of this one wait."""
    one = await process()
    ada, ben = await HostedRepository.make(one, "ada"), await HostedRepository.make(one, "ben")
    holder = await hold_elsewhere(pds_url, one, ada)
    waits = asyncio.create_task(ada.create("a"))
    await waiting(holder, 1)
    await ben.create("b")
    assert (await one.head(ada.did)).status == "active"
    await holder.close()
    await waits


async def test_cancelled_waiter_leaves_the_queue(process: Process, pds_url: str) -> None:
    one = await process()
    ada = await HostedRepository.make(one, "ada")
    holder = await hold_elsewhere(pds_url, one, ada)
    waits = asyncio.create_task(ada.create("a"))
    await waiting(holder, 1)
    waits.cancel()
    await asyncio.gather(waits, return_exceptions=True)
    await waiting(holder, 0)
    await holder.close()
    await ada.create("b")


async def test_waiting_for_the_lock_times_out_with_503(make_deployment: MakeDeployment, pds_url: str) -> None:
    deployment = await make_deployment()
    ana = await deployment.sign_up("ana")
    repositories = deployment.pds.registry.repositories
    repositories.turns = RepositoryTurns(deployment.db, wait_seconds=0.05)
    connection = await asyncpg.connect(pds_url)
    await connection.execute(f"begin; select pg_advisory_xact_lock({repositories.turns.queue_of(ana.did)})")
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    refused = await ana.post("com.atproto.repo.createRecord", record)
    assert (refused.status_code, refused.json()["error"]) == (503, "NotEnoughResources")
    repositories.turns = RepositoryTurns(deployment.db, wait_seconds=SOON)
    await connection.close()
    assert (await ana.post("com.atproto.repo.createRecord", record)).status_code == 200


async def test_repositories_beyond_the_connections_wait_too(pds_url: str) -> None:
    """Writers of more repositories than there are connections also wait for their turn, or get an error if it does not
    come.
    """
    locks = AdvisoryLocks(pds_url, "aurora_locus", connections=2)
    inside: list[str] = []

    async def go(name: str, seconds: float) -> None:
        async with locks.hold(name, seconds=seconds):
            inside.append(name)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(go(f"{number}", SOON) for number in range(8)))
    assert len(inside) == 8
    async with locks.hold("a", seconds=SOON), locks.hold("b", seconds=SOON):
        with pytest.raises(Unavailable):
            await go("c", 0.05)
    await locks.close()


async def test_connection_that_was_closed_meanwhile_is_replaced(process: Process, pds_url: str) -> None:
    one = await process()
    assert isinstance(one.db, PostgresDatabase)
    async with one.db.locks.hold("a", seconds=SOON):
        pass
    operator = await asyncpg.connect(pds_url)
    await operator.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid() and query = 'rollback'"
    )
    await operator.close()
    async with one.db.locks.hold("a", seconds=SOON):
        pass


async def test_write_by_another_process_is_seen_before_its_notification(process: Process) -> None:
    """A write by another process is seen before its notification arrives, so that no response is about an old head."""
    one, other = await process(), await process()
    ada = await HostedRepository.make(one, "ada")
    there = HostedRepository(other, ada.did, ada.key)

    await ada.create("a")
    assert await there.delete("a") is not None
    assert await ada.create("a", "again") is not None  # not "There is a record already"

    assert await there.put("b", "text") is not None
    assert await ada.delete("b") is not None  # None would mean that nothing was deleted

    await there.put("c", "text")
    present = (await other.head(ada.did)).commit
    assert await ada.write(ada.prepare("d", {"text": "d"}), swap_commit=present) is not None  # not InvalidSwap
