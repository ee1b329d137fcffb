"""The homeserver is killed for a while. Meanwhile people write, edit and delete messages and are banned. The homeserver
restarts with all its data.
"""

import asyncio
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import msgspec

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Failure
from groundwork.http.client import HttpClient
from groundwork.outbox import dispatcher
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import mirroring, sanctions
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.i18n.reasons.messages import explain
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.reader import read_once
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown, mirrored_town
from tests.openmeet.site_under_test import person

# The number of rounds at the short scale, run one right after another.
ROUNDS = 3


async def survive(folder: Path, db: Database, clock: HandClock, http: HttpClient, *, away_seconds: float) -> str:
    """Raise AssertionError unless both sides end up equal, in order and without duplicates, and each ban was sent
    before any later message.
    """
    synapse = Synapse(folder)
    synapse.write_settings()
    await synapse.start()
    try:
        bridge = Bridge(db, synapse.homeserver(http), SEALER, "default", federates=False, language="en")
        town = await mirrored_town(db, bridge, clock)
        return await _survive(synapse, town, away_seconds)
    finally:
        await synapse.stop()


async def _survive(synapse: Synapse, town: MirroredTown, away_seconds: float) -> str:
    async with town.db.transaction() as tx:
        cleo = await person(tx, "Cleo")
        await attendance.answer(tx, cleo, town.event.slug, RsvpReply.GOING)
    await town.agree(town.ana)
    await town.agree(cleo)
    accounts = {}
    for name, who in (("ben", town.ben), ("cleo", cleo)):
        accounts[name] = await synapse.account(name)
        await town.linked(who, accounts[name])
        await accounts[name].join(await town.matrix_room())
    room = await town.matrix_room()
    edited, withdrawn = await town.say(town.ana, "At eight"), await town.say(town.ana, "Bring cake")
    await town.read()
    await accounts["ben"].say(room, "A moment before the kill", "1")
    await synapse.kill()

    there, here, rounds, began = [], [], 0, monotonic()
    while rounds < ROUNDS or monotonic() - began < away_seconds:
        rounds += 1
        kept = await town.say(town.ana, f"Round {rounds}")
        await town.edit(town.ana, kept, f"Round {rounds}, edited")
        gone = await town.say(town.ana, f"Taken back {rounds}")
        await town.take_back(town.ana, gone)
        here.append(f"Round {rounds}, edited")
        there.append(f"Round {rounds}, edited")
        if rounds == 1:
            # Written before the ban but not sent yet, so the message stays on this site.
            here.append("Buy this")
            await town.say(cleo, "Buy this")
            await town.edit(town.ana, edited, "At nine")
            await town.take_back(town.ana, withdrawn)
        if rounds == 2:
            async with town.db.transaction() as tx:
                await sanctions.sanction(tx, town.ana, town.room.id, cleo.user_id, SanctionKind.BAN, reason="spam")
        await dispatcher.run_once(town.db, town.deliveries())
        await _must_fail_to_read(town)
        if away_seconds:
            await asyncio.sleep(1)
    async with town.db.reader() as reader:
        status = await mirroring.status(reader, town.room.id)
        (shown,) = await mirroring.overview(reader, 10)
        last = await reader.fetch_one("select max(at) as at from chat_log")
    assert status is not None
    assert last is not None
    assert status.waiting >= 4 * rounds, status
    # Operators can read how long messages have been waiting, and a sentence that says why.
    assert (shown.status.waiting, shown.status.error) == (status.waiting, status.error)
    assert shown.waiting_since is not None
    assert shown.waiting_since <= last["at"]
    assert "can’t be reached" in explain(status.error)
    away = monotonic() - began

    await synapse.start()
    await town.deliver()
    await town.read()
    # Wait for late messages: anything that still arrives would be a duplicate.
    async with town.db.transaction() as tx:
        await mirroring.wake_all(tx)
    await town.read()
    seen = [text for _, text in await town.seen()]
    assert seen == ["At nine", "A moment before the kill", *there], seen
    texts = await town.texts()
    assert [one for one in texts if one in here] == here, texts
    assert sorted(texts) == sorted(["Said before it was mirrored", "At nine", "A moment before the kill", *here]), texts
    async with town.db.reader() as reader:
        status = await mirroring.status(reader, town.room.id)
        (shown,) = await mirroring.overview(reader, 10)
    assert status is not None
    assert (status.waiting, status.error, shown.waiting_since) == (0, None, None)
    await _must_begin_with_the_ban(town, accounts["cleo"].user_id)
    readable = await _all_that_is_shown(accounts["cleo"], room)
    assert "A moment before the kill" in readable
    assert "Round" not in readable
    assert "Taken back" not in str(await town.events())
    assert "cake" not in str(await town.events())
    return f"away for {away:.0f} s, {rounds} rounds, {len(seen)} messages on both sides"


async def _must_fail_to_read(town: MirroredTown) -> None:
    try:
        await read_once(town.bridge, "the test", wait_seconds=0)
    except Failure:
        return
    raise AssertionError("the homeserver was away and answered")


async def _all_that_is_shown(account: MatrixAccount, room: str) -> str:
    """The part of the room that the client of a banned person can still see."""
    wanted = {"room": {"include_leave": True, "timeline": {"limit": 1000}}}
    found = await account.call("GET", f"sync?filter={quote(msgspec.json.encode(wanted).decode())}")
    return str(found["rooms"]["leave"][room])


async def _must_begin_with_the_ban(town: MirroredTown, user: str) -> None:
    """Assert that no message of this site lies between the last one before the kill and the ban."""
    events = await town.events()
    (banned,) = [at for at, one in enumerate(events) if one.get("state_key") == user and _is_ban(one)]
    before = next(at for at, one in enumerate(events) if one["content"].get("body") == "A moment before the kill")
    said = [one for one in events[before + 1 : banned] if one["type"] in {"m.room.message", "m.reaction"}]
    assert said == []


def _is_ban(event: dict[str, object]) -> bool:
    content = event["content"]
    return isinstance(content, dict) and content.get("membership") == "ban"
