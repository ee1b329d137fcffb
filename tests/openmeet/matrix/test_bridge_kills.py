"""The bridge is killed while it works, and restarted: no message is lost or duplicated; on a real homeserver."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.open_ import open_database
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.calls import Homeserver
from tests.databases import sqlite_url
from tests.external_dependencies import ROOT, needs
from tests.openmeet.identities.refresher_processes import next_line_of
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import Synapse
from tests.openmeet.matrix.mirrored import MirroredTown, mirrored_town, running
from tests.polling import until

pytestmark = [pytest.mark.anyio, needs("synapse")]

MESSAGES = 5
_PATIENCE_SECONDS = 180
# The kill comes after the homeserver has accepted this many events that the bridge has not stored yet.
_KILLED_AFTER = (1, 4, 2)


@pytest.fixture
async def shared_database(
    tmp_path: Path, sqlite_templates: Path, clock: HandClock, homeserver: Homeserver
) -> AsyncIterator[tuple[MirroredTown, str]]:
    """A community whose database other processes also open."""
    url = await sqlite_url(tmp_path, sqlite_templates, "openmeet")
    db = await open_database(url, clock=clock)
    bridge = Bridge(db, homeserver, SEALER, f"k{os.getpid()}", federates=False, language="en")
    yield await mirrored_town(db, bridge, clock), url
    await db.close()


async def test_killing_the_bridge_loses_and_duplicates_nothing(
    shared_database: tuple[MirroredTown, str], synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    """Each kill falls between the homeserver's response and the commit that stores it, while people write on both
    sides.
    """
    town, url = shared_database
    account = await synapse.account(fresh("ben"))
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    await town.read()
    await town.agree(town.ana)
    numbers = itertools.count(1)
    here, there = [], []
    for killed_after in _KILLED_AFTER:
        for number in itertools.islice(numbers, MESSAGES):
            here.append(f"From here {number}")
            there.append(f"From there {number}")
            await town.say(town.ana, here[-1])
            await account.say(room, there[-1], f"there {number}")
        async with running(town, url, synapse) as process:
            for _ in range(killed_after):
                assert await next_line_of(process) == "passed said"
            process.kill()
            assert await process.wait() == -9
        assert {text for _, text in await town.seen()} < {*here, *there}

    async def is_all_here() -> bool:
        return len(await town.texts()) > len(here) + len(there)

    async def is_all_there() -> bool:
        return len(await town.seen()) >= len(here) + len(there)

    async with running(town, url, synapse):
        await until(is_all_there)
        await until(is_all_here)
    # Wait for late messages: anything that still arrives would be a duplicate.
    town.clock.turn(30 * MINUTE)
    await town.read()
    seen = [text for _, text in await town.seen()]
    assert [text for text in seen if text in here] == here
    assert [text for text in seen if text in there] == there
    assert len(seen) == len(here) + len(there)
    texts = await town.texts()
    assert [text for text in texts if text in here] == here
    assert [text for text in texts if text in there] == there
    assert len(texts) == 1 + len(here) + len(there)


async def test_a_bridge_process_that_fails_closes_its_client(tmp_path: Path, sqlite_templates: Path) -> None:
    """Otherwise, its last lines are about the client instead of the failure."""
    url = await sqlite_url(tmp_path, sqlite_templates, "openmeet")
    arguments = (url, "", "0", "http://127.0.0.1:1", "chat.test", str(tmp_path / "no token"), "town")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.openmeet.matrix.bridge_process", *arguments),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert b"no token" in errors
    assert b"Unclosed" not in errors
