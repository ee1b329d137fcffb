"""Links of newcomers are held until a moderator has released some; on both engines."""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.rooms import RoomSettings
from tests.openmeet.chat.rooms import create_event_with_people, message_texts, room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def test_the_first_links_of_a_newcomer_are_held(db):
    """The author and the host see the held message. Others see it once it is released."""
    async with db.transaction() as tx:
        event, ana, ben, cleo = await create_event_with_people(tx)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ben, subject_of_event(event))
        one = await send_text(tx, ben, room, "Look: https://spam.example")
        assert one.is_held
        assert [len(await message_texts(tx, room, who)) for who in (ana, ben, cleo)] == [1, 1, 0]
        await messages.release(tx, ana, one.id)
        assert await message_texts(tx, room, cleo) == ["Look: https://spam.example"]
        for text in ("a", "b", "c"):
            await send_text(tx, ben, room, text)
        # A few harmless messages do not make a person trusted. Three released links do.
        for text in ("https://one.example", "https://two.example"):
            waiting = await send_text(tx, ben, room, text)
            assert waiting.is_held
            await messages.release(tx, ana, waiting.id)
        assert not (await send_text(tx, ben, room, "https://fine.example")).is_held
        for number in range(10):
            await send_text(tx, cleo, room, f"{number}")
        assert not (await send_text(tx, cleo, room, "https://fine.example")).is_held


async def test_edits_are_held_like_new_messages(db):
    async with db.transaction() as tx:
        event, ana, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        linked = await send_text(tx, ben, room, "https://fine.example")
        await messages.release(tx, ana, linked.id)
        assert (await messages.edit(tx, ben, linked.id, "https://spam.example")).is_held
        plain = await send_text(tx, ben, room, "Plain")
        await rooms.change_settings(tx, ana, room.id, RoomSettings(holds_messages=True))
        assert (await messages.edit(tx, ben, plain.id, "Rude")).is_held
        own = await send_text(tx, ana, room, "Ours")
        assert not (await messages.edit(tx, ana, own.id, "https://ours.example")).is_held


async def test_links_without_a_scheme_are_held_too(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        room = await room_of(tx, ben, subject_of_event(event))
        assert (await send_text(tx, ben, room, "[free](//evil.example/x)")).is_held


async def test_messages_in_own_rooms_make_nobody_known(db):
    async with db.transaction() as tx:
        event, _, ben, _ = await create_event_with_people(tx)
        own = await room_of(tx, ben, subject_of_event(await event_by(tx, ben, title="Alone")))
        for number in range(10):
            await send_text(tx, ben, own, f"{number}")
        assert (
            await send_text(tx, ben, await room_of(tx, ben, subject_of_event(event)), "https://spam.example")
        ).is_held
