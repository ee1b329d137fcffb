"""Many mirrored rooms at once: people write on both sides while the homeserver and the bridge are killed."""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from groundwork.clock import MINUTE, HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.http.client import HttpClient
from openmeet.matrix.bridge import Bridge
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown, mirrored_town, running

_PATIENCE_SECONDS = 600
_LEASES_END = 30 * MINUTE


@dataclass(frozen=True)
class Scale:
    """The size of a run: ``per_second`` messages per second over all ``rooms`` for ``seconds``, half of them on each
    side.
    """

    rooms: int
    per_second: float
    seconds: float
    # How long the homeserver is down.
    away_seconds: float


@dataclass
class _Room:
    town: MirroredTown
    account: MatrixAccount
    here: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)


async def survive(folder: Path, clock: HandClock, http: HttpClient, scale: Scale, seed: int = 1) -> str:
    """Raise AssertionError unless every room ends up with the same messages on both sides, in order and without
    duplicates.

    The bridge is killed after a quarter and after three quarters of the time, the homeserver at half time.
    """
    url = f"sqlite://{folder / 'many.db'}"
    await migrate(url, "", "openmeet")
    db = await open_database(url, clock=clock)
    synapse = Synapse(folder)
    synapse.write_settings()
    await synapse.start()
    try:
        bridge = Bridge(db, synapse.homeserver(http), SEALER, "many", federates=False, language="en")
        rooms = await _rooms(db, bridge, clock, synapse, scale)
        stopped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            pace = 2 * scale.rooms / scale.per_second
            for number, room in enumerate(rooms):
                dice = random.Random(seed * 1000 + number)
                group.create_task(_write_here(room, dice, pace, stopped))
                group.create_task(_write_there(room, dice, pace, stopped))
            await _kill_one_after_another(url, rooms[0].town, synapse, scale)
            stopped.set()
        async with running(rooms[0].town, url, synapse):
            await asyncio.wait_for(_until_all_is_passed_on(rooms), _PATIENCE_SECONDS)
        # Wait for late messages: anything that still arrives would be a duplicate.
        clock.turn(_LEASES_END)
        await rooms[0].town.read()
        for one in rooms:
            await _must_be_equal(one)
        assert any(one.here for one in rooms)
        assert any(one.there for one in rooms)
        said = sum(len(one.here) + len(one.there) for one in rooms)
        return f"{scale.rooms} rooms, {said} messages on both sides, the homeserver away for {scale.away_seconds:.0f} s"
    finally:
        await synapse.stop()
        await db.close()


async def _rooms(db: Database, bridge: Bridge, clock: HandClock, synapse: Synapse, scale: Scale) -> list[_Room]:
    rooms = []
    for number in range(scale.rooms):
        town = await mirrored_town(db, bridge, clock, f"Ana {number}", f"Ben {number}")
        await town.agree(town.ana)
        account = await synapse.account(f"ben{number}")
        await town.linked(town.ben, account)
        await account.join(await town.matrix_room())
        rooms.append(_Room(town, account))
    await rooms[0].town.read()
    return rooms


async def _write_here(room: _Room, dice: random.Random, pace: float, stopped: asyncio.Event) -> None:
    number = 0
    while not await _paused(stopped, dice.uniform(0, 2 * pace)):
        number += 1
        text = f"From here {number}"
        await room.town.say(room.town.ana, text)
        room.here.append(text)


async def _write_there(room: _Room, dice: random.Random, pace: float, stopped: asyncio.Event) -> None:
    """Send as a client does: resend whatever was not acknowledged, with the same transaction id."""
    number = 0
    while not await _paused(stopped, dice.uniform(0, 2 * pace)):
        number += 1
        text = f"From there {number}"
        matrix_room = await room.town.matrix_room()
        while True:
            try:
                await room.account.say(matrix_room, text, f"there {number}")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.5)
        room.there.append(text)


async def _paused(stopped: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stopped.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _kill_one_after_another(url: str, town: MirroredTown, synapse: Synapse, scale: Scale) -> None:
    async with running(town, url, synapse):
        await asyncio.sleep(scale.seconds / 4)
    async with running(town, url, synapse):
        await asyncio.sleep(scale.seconds / 4)
        await synapse.kill()
        await asyncio.sleep(scale.away_seconds)
        await synapse.start()
        await asyncio.sleep(scale.seconds / 4)
    async with running(town, url, synapse):
        await asyncio.sleep(scale.seconds / 4)


async def _until_all_is_passed_on(rooms: list[_Room]) -> None:
    for one in rooms:
        wanted = {*one.here, *one.there}
        while not (wanted <= set(await one.town.texts()) and wanted <= {text for _, text in await one.town.seen()}):  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.5)


async def _must_be_equal(room: _Room) -> None:
    here, there = room.here, room.there
    for texts in ([text for _, text in await room.town.seen()], await room.town.texts()):
        said = [text for text in texts if text.startswith("From ")]
        assert [text for text in said if text in here] == here, said
        assert [text for text in said if text in there] == there, said
        assert len(said) == len(here) + len(there), said
