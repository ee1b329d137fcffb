"""With a killed homeserver, lost or outdated cursors, or two readers at once, no message is lost or duplicated."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.http.client import HttpClient
from openmeet.matrix.reader import read_once
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.matrix import outages
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def account(town: MirroredTown, synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    """Ben's own Matrix account, linked and in the room."""
    own = await synapse.account(fresh("ben"))
    await town.linked(town.ben, own)
    await own.join(await town.matrix_room())
    await town.read()
    return own


async def since(town: MirroredTown, value: str | None = None) -> str:
    async with town.db.transaction() as tx:
        row = await tx.fetch_one("select since from matrix_cursor")
        if value is not None:
            await tx.execute("update matrix_cursor set since = :value", value=value)
    assert row is not None
    return str(row["since"])


async def test_a_response_that_is_read_again_changes_nothing(town: MirroredTown, account: MatrixAccount) -> None:
    room, before = await town.matrix_room(), await since(town)
    for number in range(30):
        await account.say(room, f"message {number}", str(number))
    await town.read()
    expected = ["Said before it was mirrored", *(f"message {number}" for number in range(30))]
    assert await town.texts() == expected
    await since(town, before)
    await town.read()
    assert await town.texts() == expected
    assert [text for _, text in await town.seen()] == expected[1:]


@pytest.mark.parametrize("value", ["", "nonsense"])
async def test_after_a_lost_cursor_the_room_is_read_back_to_known_events(
    town: MirroredTown, account: MatrixAccount, value: str
) -> None:
    room = await town.matrix_room()
    await account.say(room, "Read", "1")
    await town.read()
    await since(town, value)
    for number in range(5):
        await account.say(room, f"Missed {number}", f"m{number}")
    # Synapse caches its response to a cursor for two minutes, so the test requests the earlier cursors once more.
    for _ in range(15):
        await read_once(town.bridge, "the test", wait_seconds=0)
    await town.deliver()
    expected = ["Said before it was mirrored", "Read", *(f"Missed {number}" for number in range(5))]
    assert await town.texts() == expected


async def test_only_one_process_reads_at_a_time(town: MirroredTown, account: MatrixAccount) -> None:
    await account.say(await town.matrix_room(), "Once", "1")
    assert await read_once(town.bridge, "another", wait_seconds=0) is None
    await town.read()
    assert await town.texts() == ["Said before it was mirrored", "Once"]
    town.clock.turn(200_000_000)  # so that the lease of the first reader expires
    assert await read_once(town.bridge, "another", wait_seconds=0) is not None
    assert await read_once(town.bridge, "the test", wait_seconds=0) is None


async def test_a_killed_homeserver_only_causes_a_delay(
    tmp_path: Path, make_database: MakeDatabase, clock: HandClock, http: HttpClient
) -> None:
    """While the homeserver is down, people write, edit and delete messages and are banned, and all of it is delivered
    later. ``make soak`` keeps it down for two minutes.
    """
    db = await make_database("openmeet", clock=clock)
    await outages.survive(tmp_path, db, clock, http, away_seconds=0)
