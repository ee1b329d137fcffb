"""A homeserver that is killed, cursors that are lost or old, two readers at once: nothing is lost and nothing is doubled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.http.client import HttpClient
from groundwork.outbox import dispatcher
from openmeet.domain.chat import mirroring
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.reader import read_once
from tests.databases import MakeDatabase
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown, mirrored_town
from tests.parts import needs

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def account(town: MirroredTown, synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    """Ben's own account, linked and in the room."""
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


async def test_an_answer_that_is_read_again_changes_nothing(town: MirroredTown, account: MatrixAccount) -> None:
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
async def test_a_lost_cursor_reads_back_to_what_is_known(
    town: MirroredTown, account: MatrixAccount, value: str
) -> None:
    room = await town.matrix_room()
    await account.say(room, "Read", "1")
    await town.read()
    await since(town, value)
    for number in range(5):
        await account.say(room, f"Missed {number}", f"m{number}")
    # Synapse gives the same answer to the same cursor for two minutes, so the cursors of before are walked once more.
    for _ in range(15):
        await read_once(town.bridge, "the test", wait_seconds=0)
    await town.deliver()
    expected = ["Said before it was mirrored", "Read", *(f"Missed {number}" for number in range(5))]
    assert await town.texts() == expected


async def test_one_process_reads_at_a_time(town: MirroredTown, account: MatrixAccount) -> None:
    await account.say(await town.matrix_room(), "Once", "1")
    assert await read_once(town.bridge, "another", wait_seconds=0) is None
    await town.read()
    assert await town.texts() == ["Said before it was mirrored", "Once"]
    town.clock.turn(200_000_000)  # the lease of the first has ended
    assert await read_once(town.bridge, "another", wait_seconds=0) is not None
    assert await read_once(town.bridge, "the test", wait_seconds=0) is None


async def test_a_homeserver_that_is_killed_delays_and_nothing_else(
    tmp_path: Path, make_database: MakeDatabase, clock: HandClock, http: HttpClient
) -> None:
    own = Synapse(tmp_path)
    own.write_settings()
    await own.start()
    try:
        db = await make_database("openmeet", clock=clock)
        bridge = Bridge(db, own.homeserver(http), SEALER, "default", federates=False, language="en")
        town = await mirrored_town(db, bridge, clock)
        await town.agree(town.ana)
        first = await town.say(town.ana, "Before")
        ben = await own.account("ben")
        await town.linked(town.ben, ben)
        room = await town.matrix_room()
        await ben.join(room)
        await town.read()
        await ben.say(room, "Sent a moment before the kill", "1")
        await own.kill()
        await town.say(town.ana, "While it was away")
        await town.edit(town.ana, first, "Before, edited")
        await dispatcher.run_once(db, town.deliveries())
        async with db.reader() as reader:
            status = await mirroring.status(reader, town.room.id)
        assert status is not None
        assert status.waiting == 2
        assert status.error
        await own.start()
        await town.deliver()
        await town.read()
        assert [text for _, text in await town.seen()] == [
            "Before, edited",
            "Sent a moment before the kill",
            "While it was away",
        ]
        assert await town.texts() == [
            "Said before it was mirrored",
            "Before, edited",
            "While it was away",
            "Sent a moment before the kill",
        ]
        async with db.reader() as reader:
            status = await mirroring.status(reader, town.room.id)
        assert status is not None
        assert (status.waiting, status.error) == (0, "")
    finally:
        await own.stop()
