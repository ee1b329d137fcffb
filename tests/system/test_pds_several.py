"""Three PDS processes on one PostgreSQL database: one log, in the same order for the followers of each of them.

One of them is slow between numbering and committing. Another is killed and restarted while people write through all
three.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from groundwork.sealing import fresh_key
from tests.simulation.processes import Program, free_port
from tests.stale_databases import name_of_own
from tests.system.pds_storm import _check_account
from tests.system.servers import Servers, running_servers
from tests.system.stream import Follower, whole_stream
from tests.system.tour.stage import pds_program
from tests.system.writers import Writer

# A delay between the assignment of the number and the commit, for everything that this process writes.
SLOW = """
create function dawdle() returns trigger language plpgsql as $$
begin
    if current_setting('application_name') = 'slow' then perform pg_sleep(0.05 + random() * 0.15); end if;
    return null;
end
$$;
create trigger dawdle after insert on aurora_locus.events for each row execute function dawdle();
"""


@asynccontextmanager
async def own_database(server: str) -> AsyncIterator[str]:
    name = name_of_own("several")
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'drop database if exists "{name}" with (force)')
        await connection.execute(f'create database "{name}"')
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()


async def test_every_subscriber_gets_every_frame_once(tmp_path: Path, postgres_url: str):
    """Every subscriber of every process receives the same frames with the same numbers, ascending and without gaps.
    Every commit follows the one before, and everything acknowledged is there.
    """
    chance = random.Random(7)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(own_database(postgres_url))
        shared = {"PDS_DATABASE_URL": url, "PDS_SEALING_KEYS": fresh_key(), "PDS_RATE_LIMITS_ENABLED": "false"}
        servers = await stack.enter_async_context(running_servers(tmp_path, **shared))
        others = [await start_another(stack, servers, number, shared) for number in (2, 3)]
        slow, killed = others
        connection = await asyncpg.connect(url)
        await connection.execute(SLOW)
        await connection.close()
        await slow[0].stop()
        slow[0].environment["PDS_DATABASE_URL"] = f"{url}?application_name=slow"
        await slow[0].start()

        accounts = [await servers.account(f"person{number}") for number in range(3)]
        addresses = [servers.url, slow[1], killed[1]]
        # Everyone writes through every process, so all three write to each repository at once.
        writers = [
            Writer(replace(account, url=address), f"w{index}", random.Random(chance.random()))
            for index, (account, address) in enumerate((a, b) for a in accounts for b in addresses)
        ]
        followers, stop, written = [Follower(address) for address in addresses], asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.write(written))
            for follower in followers:
                group.create_task(follower.follow(stop))
            for _ in range(2):
                await asyncio.sleep(chance.uniform(0.3, 1.0))
                await killed[0].kill()
                await killed[0].start()
            await asyncio.sleep(0.5)
            written.set()
            await caught_up(servers, followers)
            stop.set()
        frames = await whole_stream(servers.url)
        assert [number for number, _ in frames] == sorted({number for number, _ in frames})
        for follower in followers:
            assert follower.wrong == []
            assert sorted(follower.frames.items()) == frames, f"{follower.url} received different frames"
        for writer in writers:
            # Writers of one repository wait for each other, including for the slow process and for the one that is
            # killed.
            assert writer.refused == [], writer.refused[0]
        for account in accounts:
            own = [writer for writer in writers if writer.account.did == account.did]
            await _check_account(servers, account, own, [frame for _, frame in frames])
        assert sum(writer.acknowledged for writer in writers) > 30


async def start_another(
    stack: AsyncExitStack, servers: Servers, number: int, shared: dict[str, str]
) -> tuple[Program, str]:
    """Start another process of the same server, on another port."""
    port = free_port()
    program = pds_program(servers.folder, "pds", port, servers.url, servers.plc_url)
    program = replace(program, log=servers.folder / f"pds{number}.log")
    program.environment |= shared
    stack.push_async_callback(program.stop)
    await program.start()
    return program, f"http://localhost:{port}"


async def caught_up(servers: Servers, followers: list[Follower]) -> None:
    """Wait until every follower has the newest event."""
    last = (await whole_stream(servers.url))[-1][0]
    deadline = time.monotonic() + 30
    while any(follower.cursor < last for follower in followers):  # a follower sends no notification
        assert time.monotonic() < deadline, f"{[(f.url, f.cursor) for f in followers]} of {last}"
        await asyncio.sleep(0.05)
