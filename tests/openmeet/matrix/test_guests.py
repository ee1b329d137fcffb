"""Guests from Matrix, whom hosts invite by their address: their permissions, and how they leave; on a real homeserver
and both engines.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundwork.clock import SECOND
from groundwork.errors import InvalidForm, Refused
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import matrix_guests, message_queries, messages, mirroring, rooms, sanctions
from openmeet.domain.chat.matrix_guests import GuestPresence, GuestState
from openmeet.domain.chat.notify import chat_notification_handler
from openmeet.domain.chat.people import members
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.outbox.kinds import JobKind
from tests.external_dependencies import needs
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import SERVER_NAME, MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.openmeet.matrix.room_members import (
    allow_guests,
    banned_by,
    call_on_member,
    compare_room,
    ghost_of,
    invite_guest,
    join_as_guest,
    join_as_linked,
)
from tests.openmeet.site_under_test import event_by, person

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def zoe(synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    """A person without an account on this site."""
    return await synapse.account(fresh("zoe"))


async def state_of(town: MirroredTown, account: MatrixAccount) -> tuple[GuestState, GuestPresence]:
    async with town.db.reader() as reader:
        found = await matrix_guests.guest(reader, town.room.id, account.user_id)
    assert found is not None
    return found.state, found.presence


async def test_a_guest_is_invited_writes_edits_and_deletes(town: MirroredTown, zoe: MatrixAccount) -> None:
    """Guests are shown with their Matrix address, and appear in no list of attendees."""
    room = await join_as_guest(town, zoe)
    assert await state_of(town, zoe) == (GuestState.INVITED, GuestPresence.JOINED)
    said = await zoe.say(room, "May I come, too?", "1")
    await town.read()
    async with town.db.reader() as reader:
        rows = await reader.fetch(
            "select user_id, matrix_sender, body from chat_messages where external_id is not null"
        )
        people = (await members(reader, town.room, town.ana.user_id)).people
        answers = await reader.fetch("select user_id from attendances")
    assert [(row["user_id"], row["matrix_sender"], row["body"]) for row in rows] == [
        (None, zoe.user_id, "May I come, too?")
    ]
    assert {one.name for one in people} == {"Ana", "Ben"}
    assert len(answers) == 1
    new = {"msgtype": "m.text", "body": "May we come, too?"}
    relation = {"rel_type": "m.replace", "event_id": said}
    await zoe.say(room, "* May we come, too?", "2", **{"m.relates_to": relation, "m.new_content": new})
    await town.read()
    assert (await town.texts())[-1] == "May we come, too?"
    async with town.db.reader() as reader:
        kept = await reader.fetch("select body from chat_edits")
    assert [row["body"] for row in kept] == ["May I come, too?"]
    await zoe.call("PUT", f"rooms/{room}/redact/{said}/3", {})
    await town.read()
    assert await town.texts() == ["Said before it was mirrored"]
    assert "we come" not in str(await zoe.events(room))
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from chat_messages where matrix_sender is not null")
        assert row is not None
        stored = await message_queries.by_id(reader, row["id"])
    assert stored is not None
    assert stored.is_taken_back


async def test_nobody_edits_or_deletes_the_messages_of_others(
    town: MirroredTown, zoe: MatrixAccount, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    room = await join_as_guest(town, zoe)
    other = await synapse.account(fresh("yan"))
    await invite_guest(town, other)
    await other.join(room)
    said = await zoe.say(room, "At eight", "1")
    await town.read()
    relation = {"rel_type": "m.replace", "event_id": said}
    new = {"msgtype": "m.text", "body": "At nine"}
    await other.say(room, "* At nine", "2", **{"m.relates_to": relation, "m.new_content": new})
    await other.call("PUT", f"rooms/{room}/redact/{said}/3", {}, 403)
    await town.read()
    assert (await town.texts())[-1] == "At eight"
    assert "At nine" not in str(await zoe.events(room))


async def test_slow_mode_moderation_and_limits_apply_to_guests(town: MirroredTown, zoe: MatrixAccount) -> None:
    room = await join_as_guest(town, zoe)
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(slow_seconds=60))
    await zoe.say(room, "First", "1")
    await zoe.say(room, "Too soon", "2")
    await town.read()
    assert (await town.texts())[-1] == "First"
    assert "Too soon" not in str(await zoe.events(room))
    assert await redaction_reasons(zoe, room) == ["Slow mode is on. You can write again in 60 seconds."]
    town.clock.turn(61 * SECOND)
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(slow_seconds=0, holds_messages=True))
    await zoe.say(room, "Look at this first", "3")
    await town.read()
    # The message is held on this site, and nobody in Matrix can read it before a moderator has decided.
    assert "Look at this first" not in str(await zoe.events(room))
    assert (await redaction_reasons(zoe, room))[-1] == "A moderator reviews this message before others see it."
    async with town.db.reader() as reader:
        row = await reader.fetch_one(
            "select id from chat_messages where body = 'Look at this first' and held_at is not null"
        )
    assert row is not None
    async with town.db.transaction() as tx:
        await messages.release(tx, town.ana, row["id"])
    await town.deliver()
    # The bot posts the redacted message again, once.
    repeated = f"{zoe.user_id}: Look at this first"
    await compare_room(town)
    assert [text for _, text in await town.seen()].count(repeated) == 1
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(holds_messages=False))
    limited = replace(town, bridge=replace(town.bridge, counters=InProcessCounters()))
    for number in range(6):
        await zoe.say(room, f"Line {number}", f"line{number}")
    await limited.read()
    assert (await town.texts())[-1] == "Line 4"
    assert "Line 5" not in str(await zoe.events(room))
    assert (await redaction_reasons(zoe, room))[-1] == "You’re writing very fast. Wait a moment, then send it again."


async def test_a_guest_can_mention_only_publicly_known_attendees(town: MirroredTown, zoe: MatrixAccount) -> None:
    """A guest can mention people by name or by their ghost, but only people whose attendance is public. Mentioning
    somebody who answered privately does not reveal that they attend.
    """
    room = await join_as_guest(town, zoe)
    await town.agree(town.ana)
    await town.say(town.ana, "Welcome")
    await town.deliver()
    async with town.db.transaction() as tx:
        yan = await person(tx, "Yan")
        await attendance.answer(tx, yan, town.event.slug, RsvpReply.GOING)
        await tx.execute("update attendances set is_private = 1 where user_id = :id", id=yan.user_id)
    named = {"user_ids": [await ghost_of(town, town.ana), "@nobody:chat.test"]}
    await zoe.say(room, "Ana, do you and @Ben know @Yan? @everyone", "1", **{"m.mentions": named})
    await town.read()
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from chat_messages where matrix_sender is not null")
        mentioned = await reader.fetch("select user_id from chat_mentions where message_id = :id", id=row["id"])
    assert {one["user_id"] for one in mentioned} == {town.ana.user_id, town.ben.user_id}
    await run_once(town.db, {JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(town.db))})
    async with town.db.reader() as reader:
        told_of = await reader.fetch("select user_id, kind from notifications where kind = 'chat_mention' order by id")
    assert {one["user_id"] for one in told_of} == {town.ana.user_id, town.ben.user_id}


async def redaction_reasons(account: MatrixAccount, room: str) -> list[str]:
    """The reasons of redactions, as clients show them."""
    return [
        one["unsigned"]["redacted_because"]["content"].get("reason", "")
        for one in await account.events(room)
        if "redacted_because" in one.get("unsigned", {})
    ]


async def test_the_first_links_of_a_guest_are_held(town: MirroredTown, zoe: MatrixAccount) -> None:
    """The rule is the same as for members: a few harmless messages do not exempt a guest."""
    room = await join_as_guest(town, zoe)
    for word in ("Hello", "everybody", "here"):
        await zoe.say(room, word, word)
    await zoe.say(room, "Cheap: https://spam.example", "1")
    await town.read()
    assert "spam" not in str(await zoe.events(room))
    async with town.db.reader() as reader:
        rows = await reader.fetch("select held_at from chat_messages where matrix_sender is not null order by number")
    assert [row["held_at"] is not None for row in rows] == [False, False, False, True]


async def test_a_removed_or_banned_guest_stays_out_until_invited_again(town: MirroredTown, zoe: MatrixAccount) -> None:
    room = await join_as_guest(town, zoe)
    bot = town.bridge.bot
    async with town.db.transaction() as tx:
        await matrix_guests.remove(tx, town.ana, town.room.id, zoe.user_id)
    await town.deliver()
    assert await bot.membership(room, zoe.user_id) == "leave"
    await invite_guest(town, zoe)
    await zoe.join(room)
    async with town.db.transaction() as tx:
        await matrix_guests.ban(tx, town.ana, town.room.id, zoe.user_id, "Rude")
    await town.deliver()
    assert await bot.membership(room, zoe.user_id) == "ban"
    assert await state_of(town, zoe) == (GuestState.BANNED, GuestPresence.LEFT)
    await invite_guest(town, zoe)
    assert await bot.membership(room, zoe.user_id) == "invite"
    async with town.db.reader() as reader:
        acts = await reader.fetch("select act, reason from chat_acts where act like 'guest%' order by at, id")
    assert [row["act"] for row in acts] == [
        "guest_invited",
        "guest_removed",
        "guest_invited",
        "guest_banned",
        "guest_invited",
    ]
    assert acts[3]["reason"] == f"{zoe.user_id}: Rude"


async def test_a_guest_who_left_returns_only_when_a_host_invites_them(town: MirroredTown, zoe: MatrixAccount) -> None:
    room = await join_as_guest(town, zoe)
    await zoe.call("POST", f"rooms/{room}/leave", {})
    await compare_room(town)
    assert await state_of(town, zoe) == (GuestState.INVITED, GuestPresence.LEFT)
    assert await town.bridge.bot.membership(room, zoe.user_id) == "leave"
    await invite_guest(town, zoe)
    assert await town.bridge.bot.membership(room, zoe.user_id) == "invite"


async def test_kicks_and_bans_by_a_linked_moderator_apply_here(
    town: MirroredTown, zoe: MatrixAccount, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    room = await join_as_guest(town, zoe)
    host = await join_as_linked(town, town.ana, await synapse.account(fresh("ana")))
    await call_on_member(host, room, "kick", zoe.user_id, reason="Off topic")
    await compare_room(town)
    assert await state_of(town, zoe) == (GuestState.REMOVED, GuestPresence.LEFT)
    assert await town.bridge.bot.membership(room, zoe.user_id) == "leave"
    await invite_guest(town, zoe)
    await zoe.join(room)
    await call_on_member(host, room, "ban", zoe.user_id, reason="Again")
    await compare_room(town)
    assert (await state_of(town, zoe))[0] is GuestState.BANNED
    assert await banned_by(town, zoe.user_id) == town.bridge.bot.user_id
    # A ban that was lifted only in Matrix is restored.
    await call_on_member(host, room, "unban", zoe.user_id)
    await compare_room(town)
    assert await banned_by(town, zoe.user_id) == town.bridge.bot.user_id


async def test_nobody_is_a_guest_while_guests_are_switched_off(town: MirroredTown, zoe: MatrixAccount) -> None:
    room = await join_as_guest(town, zoe)
    async with town.db.transaction() as tx:
        await mirroring.switch_on(tx, town.ana, town.room.id, is_confirmed=False, guests=False)
    await zoe.say(room, "Still here?", "1")
    await town.read()
    assert await town.texts() == ["Said before it was mirrored"]
    assert await town.bridge.bot.membership(room, zoe.user_id) == "leave"
    async with town.db.transaction() as tx:
        with pytest.raises(Refused):
            await matrix_guests.invite(tx, town.ana, town.room.id, zoe.user_id)
    await allow_guests(town)
    await town.deliver()
    assert await town.bridge.bot.membership(room, zoe.user_id) == "invite"


async def test_only_public_events_have_guests(town: MirroredTown) -> None:
    async with town.db.transaction() as tx:
        event = await event_by(tx, town.ana, title="Secret", visibility="unlisted")
        room = await room_of(tx, town.ana, subject_of_event(event))
        with pytest.raises(Refused):
            await mirroring.switch_on(tx, town.ana, room.id, is_confirmed=True, guests=True)


@pytest.mark.parametrize(
    "address",
    ["zoe", "@zoe", "@zoe:", "@zoé:chat.test", "@zoe:elsewhere.example", "@_om_x:chat.test", "@z\n:chat.test"],
)
async def test_an_invalid_matrix_address_is_refused(town: MirroredTown, address: str) -> None:
    await allow_guests(town)
    async with town.db.transaction() as tx:
        with pytest.raises(InvalidForm):
            await matrix_guests.invite(tx, town.ana, town.room.id, address, only_of_server=SERVER_NAME)


async def test_a_guest_who_links_their_account_becomes_the_person(town: MirroredTown, zoe: MatrixAccount) -> None:
    """Until they say yes to the event they stay a guest. Then they become the person, and a ban of the guest then
    applies to the person.
    """
    room = await join_as_guest(town, zoe)
    await town.answer(town.ben, RsvpReply.DECLINED)
    await town.linked(town.ben, zoe)
    await zoe.say(room, "As a guest", "1")
    await town.read()
    assert await town.bridge.bot.membership(room, zoe.user_id) == "join"
    await town.answer(town.ben, RsvpReply.GOING)
    await zoe.say(room, "As myself", "2")
    await town.read()
    async with town.db.reader() as reader:
        rows = await reader.fetch(
            "select user_id, body from chat_messages where external_id is not null order by number"
        )
    assert [(row["user_id"], row["body"]) for row in rows] == [(None, "As a guest"), (town.ben.user_id, "As myself")]
    async with town.db.transaction() as tx:
        await matrix_guests.ban(tx, town.ana, town.room.id, zoe.user_id, "Rude")
        await matrix_guests.become_person(tx, zoe.user_id, town.ben.user_id)
        found = await sanctions.sanctions_in(tx, town.room.id)
    assert [(one.user_id, one.reason) for one in found] == [(town.ben.user_id, "Rude")]


async def test_a_removed_message_of_a_guest_is_redacted_in_matrix(town: MirroredTown, zoe: MatrixAccount) -> None:
    room = await join_as_guest(town, zoe)
    await zoe.say(room, "Something rude", "1")
    await town.read()
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from chat_messages where matrix_sender is not null")
    assert row is not None
    async with town.db.transaction() as tx:
        await messages.remove(tx, town.ana, row["id"], "Rude", SEALER)
    await town.deliver()
    assert "Something rude" not in str(await zoe.events(room))
