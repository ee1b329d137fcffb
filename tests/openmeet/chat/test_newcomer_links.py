"""Links of newcomers are held until a moderator has released some; on both engines."""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.rooms import RoomSettings
from tests.openmeet.chat.rooms import about, room_of, say
from tests.openmeet.chat.test_messages import texts, town
from tests.openmeet.site_under_test import event_by


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def test_the_first_links_of_a_newcomer_are_held(db):
    """The author and the host see the held message. Others see it once it is released."""
    async with db.transaction() as tx:
        event, ana, ben, cleo = await town(tx)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ben, about(event))
        one = await say(tx, ben, room, "Look: https://spam.example")
        assert one.is_held
        assert [len(await texts(tx, room, who)) for who in (ana, ben, cleo)] == [1, 1, 0]
        await messages.release(tx, ana, one.id)
        assert await texts(tx, room, cleo) == ["Look: https://spam.example"]
        for text in ("a", "b", "c"):
            await say(tx, ben, room, text)
        # A few harmless messages do not make a person trusted. Three released links do.
        for text in ("https://one.example", "https://two.example"):
            waiting = await say(tx, ben, room, text)
            assert waiting.is_held
            await messages.release(tx, ana, waiting.id)
        assert not (await say(tx, ben, room, "https://fine.example")).is_held
        for number in range(10):
            await say(tx, cleo, room, f"{number}")
        assert not (await say(tx, cleo, room, "https://fine.example")).is_held


async def test_edits_are_held_like_new_messages(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await town(tx)
        room = await room_of(tx, ben, about(event))
        linked = await say(tx, ben, room, "https://fine.example")
        await messages.release(tx, ana, linked.id)
        assert (await messages.edit(tx, ben, linked.id, "https://spam.example")).is_held
        plain = await say(tx, ben, room, "Plain")
        await rooms.change_settings(tx, ana, room.id, RoomSettings(holds_messages=True))
        assert (await messages.edit(tx, ben, plain.id, "Rude")).is_held
        own = await say(tx, ana, room, "Ours")
        assert not (await messages.edit(tx, ana, own.id, "https://ours.example")).is_held


async def test_links_without_a_scheme_are_held_too(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await town(tx)
        room = await room_of(tx, ben, about(event))
        assert (await say(tx, ben, room, "[free](//evil.example/x)")).is_held


async def test_messages_in_own_rooms_make_nobody_known(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await town(tx)
        own = await room_of(tx, ben, about(await event_by(tx, ben, title="Alone")))
        for number in range(10):
            await say(tx, ben, own, f"{number}")
        assert (await say(tx, ben, await room_of(tx, ben, about(event)), "https://spam.example")).is_held
