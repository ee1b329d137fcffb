"""The distributed form under load, with each kind of process killed in turn. It must end in the same state as an
undisturbed run.

Answers travel in both directions through two processes of each kind, PostgreSQL, RabbitMQ and Redis. In an undisturbed
run, the content of OpenMeet is a function of the announcements of the streams (``tests.simulation.oracle``). It must be
the same after all the kills.
"""

import contextlib
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from groundwork.queue.rabbitmq import RabbitQueue
from programs.cluster import ClusterReady
from programs.cluster_environment import OPENMEET_SCHEMA
from tests.openmeet.ingestion.view import view_of
from tests.simulation.announced import answered_twice, changes_in
from tests.simulation.oracle import View, canonical_view
from tests.simulation.processes import Program, free_port
from tests.stale_databases import name_of_own
from tests.system.crowd import Crowd, gathered
from tests.system.end_state import END_WAITING, QUEUED, difference, until_all_is_done
from tests.system.stream import whole_stream
from tests.system.tour.polling import eventually

BROKER = "amqp://guest:guest@127.0.0.1:5672/"
CACHE = os.environ.get("OPENMEET_TEST_REDIS", "redis://127.0.0.1:6379/0")
KINDS = ("firehose-consumer", "event-processor", "publisher", "web", "pds", "scheduler")
EVENTS, GUESTS, STRANGERS = 2, 2, 2
TIMEOUT_SECONDS = 180.0


@dataclass(frozen=True)
class Report:
    """The counts of one storm."""

    kills: int
    restarts: int
    records: int
    answers_here: int


@dataclass
class Cluster:
    """A running cluster with its database."""

    folder: Path
    database: str
    name: str

    def ready(self) -> ClusterReady:
        """The current members. Restarted processes have other numbers."""
        return msgspec.json.decode((self.folder / "members.json").read_bytes(), type=ClusterReady)

    async def kill(self, kind: str, chance: random.Random) -> None:
        """Kill one process of this kind with ``kill -9`` and wait until it has been restarted."""
        members = self.ready().members
        name = chance.choice([one for one, member in members.items() if member.role == kind])
        with contextlib.suppress(ProcessLookupError):
            os.kill(members[name].pid, signal.SIGKILL)

        async def is_back() -> bool:
            return self.ready().members[name].restarts > members[name].restarts

        await eventually(is_back, TIMEOUT_SECONDS)

    async def until_all_answer(self) -> None:
        """Wait until all members answer. A restarted process first reads and compiles its modules, which takes a while
        on a busy machine.
        """
        async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
            for member in self.ready().members.values():

                async def answers(url: str = member.ready_url) -> bool:
                    with contextlib.suppress(httpx.TransportError):
                        return (await http.get(url)).is_success
                    return False

                await eventually(answers, TIMEOUT_SECONDS)

    async def view(self) -> View:
        database = await open_database(self.database, schema=OPENMEET_SCHEMA, clock=SystemClock())
        try:
            return await view_of(database)
        finally:
            await database.close()


@asynccontextmanager
async def started(folder: Path, server: str) -> AsyncIterator[tuple[Program, str, str]]:
    """Start ``openmeet cluster`` on a database (by URL) and queues (by name) that only it uses, and that are deleted
    with it.
    """
    name = name_of_own(secrets.token_hex(4))
    connection = await asyncpg.connect(server)
    await connection.execute(f'create database "{name}"')
    database = urlsplit(server)._replace(path=f"/{name}").geturl()
    pds, web = free_port(), free_port()
    arguments = ["--data", str(folder), "--database", database, "--broker", BROKER, "--cache", CACHE, "--name", name]
    arguments += ["--pds-port", str(pds), "--web-port", str(web)]
    program = Program("cluster", {}, folder.parent / "cluster.log", arguments=arguments)
    try:
        await program.start()
        yield program, database, name
    finally:
        await program.stop(60)
        queue = RabbitQueue(BROKER, SystemClock(), name=name)
        await queue.delete()
        await queue.close()
        await connection.execute(f'drop database "{name}" with (force)')
        await connection.close()


@asynccontextmanager
async def open_cluster(folder: Path, server: str) -> AsyncIterator[Cluster]:
    """A running cluster for the block."""
    async with started(folder, server) as (program, database, name):

        async def is_ready() -> bool:
            assert program.process is not None
            assert program.process.returncode is None, program.said()
            return (folder / "members.json").exists()

        await eventually(is_ready, TIMEOUT_SECONDS)
        yield Cluster(folder, database, name)


async def storm(folder: Path, server: str, *, rounds: int, seed: int) -> Report:
    """Kill each kind of process ``rounds`` times. Raises AssertionError with the seed."""
    chance = random.Random(seed)
    try:
        async with open_cluster(folder / "cluster", server) as cluster:
            return await _storm(cluster, rounds, chance)
    except AssertionError as wrong:
        raise AssertionError(f"seed {seed}, {rounds} rounds: {wrong}") from wrong


async def _storm(cluster: Cluster, rounds: int, chance: random.Random) -> Report:
    ready = cluster.ready()
    async with gathered(
        ready.openmeet,
        host=(ready.pds, "hana.test"),
        guests=[(ready.pds, f"guest{number}.test") for number in range(GUESTS)],
        strangers=[(ready.pds, f"stranger{number}.test") for number in range(STRANGERS)],
        events=EVENTS,
        pauses=(0.05, 0.2),
        is_torn=True,
    ) as crowd:
        async with crowd.answering(chance):
            for _ in range(rounds):
                for kind in KINDS:
                    await cluster.kill(kind, chance)
        await cluster.until_all_answer()
        # Messages may have been lost when a connection broke, so everybody repeats their last answer undisturbed.
        for guest in crowd.guests:
            for slug, word in guest.said.items():
                await guest.answer(slug, word)
        return await _check(cluster, crowd, rounds * len(KINDS))


async def _check(cluster: Cluster, crowd: Crowd, kills: int) -> Report:
    """Check that nothing is queued or given up, that OpenMeet shows what the streams announced, and that each guest's
    last answer is published.
    """
    await _wait_until_done(cluster)
    ready = cluster.ready()

    shown, announced = View({}, {}), View({}, {})

    async def agrees() -> View | None:
        nonlocal shown, announced
        announced = canonical_view(changes_in([frame for _, frame in await whole_stream(ready.pds)]))
        shown = await cluster.view()
        return announced if shown == announced else None

    try:
        expected = await eventually(agrees, TIMEOUT_SECONDS)
    except AssertionError as wrong:
        raise AssertionError(f"{wrong}; {difference(shown, announced)}") from wrong
    changes = changes_in([frame for _, frame in await whole_stream(ready.pds)])
    assert answered_twice(changes) == []
    crowd.check_last_words(expected)
    restarts = sum(member.restarts for member in ready.members.values())
    return Report(kills, restarts, len(changes), crowd.answers_here)


async def _wait_until_done(cluster: Cluster) -> None:
    """Wait until queue, publications and jobs are empty. Fails with the remaining work."""
    queue = RabbitQueue(BROKER, SystemClock(), name=cluster.name)
    connection = await asyncpg.connect(cluster.database)
    await connection.execute(f'set search_path to "{OPENMEET_SCHEMA}"')

    async def look() -> tuple[int, ...]:
        depth = await queue.depth()
        assert depth.dead == 0, await queue.dead_letters(5)
        return (*await connection.fetchrow(QUEUED), depth.waiting)

    async def end_waiting() -> None:
        for statement in END_WAITING:
            await connection.execute(statement)

    try:
        await until_all_is_done(look, end_waiting, TIMEOUT_SECONDS)
    finally:
        await connection.close()
        await queue.close()
