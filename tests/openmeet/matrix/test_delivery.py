"""Which messages are delivered to a real homeserver and which are not; on both engines."""

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import mirroring, queries, readers
from openmeet.domain.chat.log import wake_mirror
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.mirroring import MirrorState
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.matrix import store
from tests.external_dependencies import needs
from tests.openmeet.matrix.mirrored import MirroredTown

pytestmark = [pytest.mark.anyio, needs("synapse")]


async def test_messages_are_delivered_only_with_consent_and_from_then_on(town: MirroredTown) -> None:
    await town.say(town.ben, "Before I was asked")
    await town.agree(town.ben)
    said = await town.say(town.ben, "Who has the key, @Ana?")
    await town.say(town.ana, "I have", reply_to=said.id)
    await town.deliver()
    assert await town.seen() == [("Ben", "Who has the key, @somebody?")]
    async with town.db.reader() as reader:
        status = await mirroring.status(reader, town.room.id)
        assert status is not None
        assert (status.state, status.waiting, status.error) == (MirrorState.ON, 0, None)
    await town.agree(town.ana)
    await town.say(town.ana, "Here, @Ben", reply_to=said.id)
    await town.deliver()
    assert await town.seen() == [("Ben", "Who has the key, @somebody?"), ("Ana", "Here, @Ben")]


async def test_an_earlier_name_is_not_delivered_either(town: MirroredTown) -> None:
    await town.agree(town.ben)
    await town.say(town.ben, "Who has the key, @Ana?")
    async with town.db.transaction() as tx:
        await tx.execute("update users set display_name = 'Anna' where id = :id", id=town.ana.user_id)
    await town.deliver()
    assert await town.seen() == [("Ben", "Who has the key, @somebody?")]


async def test_edits_and_deletions_are_delivered(town: MirroredTown) -> None:
    await town.agree(town.ben)
    said = await town.say(town.ben, "At eight")
    other = await town.say(town.ben, "Bring cake")
    await town.deliver()
    await town.edit(town.ben, said, "At nine")
    await town.edit(town.ben, other, "Bring two cakes")
    await town.deliver()
    assert await town.seen() == [("Ben", "At nine"), ("Ben", "Bring two cakes")]
    await town.take_back(town.ben, other)
    await town.deliver()
    assert await town.seen() == [("Ben", "At nine")]
    # The edit is redacted too, because redacting the original does not remove it.
    assert "cake" not in str(await town.bridge.bot.messages(await town.matrix_room(), ""))


async def test_people_who_lost_access_are_removed_before_anything_else_is_sent(town: MirroredTown) -> None:
    await town.agree(town.ana)
    await town.agree(town.ben)
    await town.say(town.ben, "I come")
    await town.deliver()
    await town.answer(town.ben, RsvpReply.DECLINED)
    await town.say(town.ana, "Only for those who come")
    await town.deliver()
    members = await town.bridge.bot.members(await town.matrix_room())
    inside = [one["content"].get("displayname") for one in members if one["content"]["membership"] == "join"]
    assert "Ben" not in inside
    assert "Ana" in inside
    assert [text for _, text in await town.seen()] == ["I come", "Only for those who come"]


async def test_people_who_leave_the_site_lose_their_name_and_return_with_it(town: MirroredTown) -> None:
    """While somebody is deleting their account, their ghost user is in no room and nothing is sent for them. What was sent
    stays, because a redaction cannot be undone.
    """
    await town.agree(town.ben)
    await town.say(town.ben, "I come")
    await town.deliver()
    waiting = await town.say(town.ben, "With cake")
    await erasure.begin(town.db, town.ben.user_id, 14 * DAY)
    await readers.apply_access_changes(town.db)
    await town.deliver()
    assert [text for _, text in await town.seen()] == ["I come"]
    members = await town.bridge.bot.members(await town.matrix_room())
    assert all(one["content"].get("displayname") != "Ben" for one in members if one["content"]["membership"] == "join")
    async with town.db.reader() as reader:
        speaker = await store.speaker_outside_rooms(reader, town.ben.user_id)
    assert speaker is not None
    assert town.bridge.names[speaker.localpart] == "Somebody who is leaving"
    async with town.db.transaction() as tx:
        await open_session(tx, town.ben.user_id, SessionTransport.BROWSER)
    await readers.apply_access_changes(town.db)
    await town.say(town.ben, "And tea")
    await town.deliver()
    assert await town.seen() == [("Ben", "I come"), ("Ben", "And tea")]
    async with town.db.reader() as reader:
        (one,) = await queries.visible_among(reader, town.room, [waiting.id], town.ana.user_id)
    assert (one.message.body, one.is_only_here) == ("With cake", True)


async def test_switching_off_removes_everybody_and_switching_on_continues(town: MirroredTown) -> None:
    await town.agree(town.ben)
    await town.say(town.ben, "First")
    await town.deliver()
    async with town.db.transaction() as tx:
        await mirroring.switch_off(tx, town.ana, town.room.id)
    await town.deliver()
    await town.say(town.ben, "Not mirrored")
    await town.deliver()
    async with town.db.transaction() as tx:
        await mirroring.switch_on(tx, town.ana, town.room.id, is_confirmed=False)
    await town.say(town.ben, "Mirrored again")
    await town.deliver()
    assert [text for _, text in await town.seen()] == ["First", "Mirrored again"]


async def test_a_lost_response_duplicates_no_message(town: MirroredTown) -> None:
    await town.agree(town.ben)
    await town.say(town.ben, "Once")
    await town.deliver()
    # As after a kill between the homeserver's response and this site's commit.
    async with town.db.transaction() as tx:
        await tx.execute("delete from matrix_sends where event_id is not null")
        await wake_mirror(tx, town.room.id)
    await town.deliver()
    assert await town.seen() == [("Ben", "Once")]
    assert town.passed_on == ["said", "said"]


async def test_nothing_is_delivered_from_a_room_that_is_not_mirrored(town: MirroredTown) -> None:
    async with town.db.transaction() as tx:
        await mirroring.switch_off(tx, town.ana, town.room.id)
    await town.agree(town.ben, MatrixConsent.NAME_AND_WORDS)
    await town.say(town.ben, "Kept here")
    await town.deliver()
    assert town.passed_on == []


async def test_a_changed_rsvp_enqueues_an_update_of_the_room(town: MirroredTown) -> None:
    await town.deliver()
    async with town.db.transaction() as tx:
        before = await mirroring.newest_access_change(tx)
        await tx.execute("update outbox_jobs set state = 'completed' where state = 'due'")
    await town.answer(town.ben, RsvpReply.DECLINED)
    async with town.db.transaction() as tx:
        assert await mirroring.newest_access_change(tx) > before
        await mirroring.wake_changed(tx, before)
        woken = await tx.fetch("select subject from outbox_jobs where kind = 'matrix_room' and state = 'due'")
    assert [row["subject"] for row in woken] == [town.room.id]
