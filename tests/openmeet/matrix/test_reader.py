"""Messages that people write in Matrix with their own clients, and how they appear on this site; against a real
homeserver.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, mirroring, rooms
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.matrix import reader
from tests.external_dependencies import needs
from tests.openmeet.matrix.conftest import SEALER
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def account(synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    return await synapse.account(fresh("ben"))


async def test_a_linked_person_is_invited_and_their_messages_are_theirs(
    town: MirroredTown, account: MatrixAccount
) -> None:
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    event = await account.say(room, "From my own client", "1")
    await town.read()
    await town.read()
    assert await town.texts() == ["Said before it was mirrored", "From my own client"]
    async with town.db.reader() as reader:
        rows = await reader.fetch("select user_id, external_id from chat_messages where external_id is not null")
    assert [(row["user_id"], row["external_id"]) for row in rows] == [(town.ben.user_id, event)]
    # It is not sent to Matrix a second time.
    assert [text for _, text in await town.seen()] == ["From my own client"]


async def test_replies_edits_and_deletions_from_matrix_apply_here(town: MirroredTown, account: MatrixAccount) -> None:
    await town.agree(town.ana)
    asked = await town.say(town.ana, "Who has the key?")
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    question = next(one for one in await account.events(room) if one["content"].get("body") == "Who has the key?")
    relation = {"m.in_reply_to": {"event_id": question["event_id"]}}
    event = await account.say(room, "I do", "1", **{"m.relates_to": relation})
    await town.read()
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select reply_to from chat_messages where external_id = :event", event=event)
    assert row is not None
    assert row["reply_to"] == asked.id
    replace = {"rel_type": "m.replace", "event_id": event}
    new = {"msgtype": "m.text", "body": "Ana does"}
    await account.say(room, "* Ana does", "2", **{"m.relates_to": replace, "m.new_content": new})
    await town.read()
    assert (await town.texts())[-1] == "Ana does"
    await account.call("PUT", f"rooms/{room}/redact/{event}/3", {})
    await town.read()
    assert "Ana does" not in await town.texts()
    assert "Ana does" not in str(await account.events(room))


async def test_an_edit_of_somebody_elses_message_changes_nothing(town: MirroredTown, account: MatrixAccount) -> None:
    await town.agree(town.ana)
    await town.say(town.ana, "At eight")
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    said = next(one for one in await account.events(room) if one["content"].get("body") == "At eight")
    relation = {"rel_type": "m.replace", "event_id": said["event_id"]}
    new = {"msgtype": "m.text", "body": "At nine"}
    await account.say(room, "* At nine", "1", **{"m.relates_to": relation, "m.new_content": new})
    await town.read()
    assert await town.texts() == ["Said before it was mirrored", "At eight"]
    assert "At nine" not in str(await account.events(room))


async def test_a_person_who_withdraws_leaves_the_room_and_returns_with_an_rsvp(
    town: MirroredTown, account: MatrixAccount
) -> None:
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    await town.answer(town.ben, RsvpReply.DECLINED)
    await account.say(room, "Am I still here?", "1")
    await town.read()
    assert await town.texts() == ["Said before it was mirrored"]
    assert await town.bridge.bot.membership(room, account.user_id) == "leave"
    assert "Am I still here?" not in str(await town.bridge.bot.messages(room, ""))
    await town.answer(town.ben, RsvpReply.GOING)
    async with town.db.transaction() as tx:
        await mirroring.wake_all(tx)
    await town.deliver()
    assert await town.bridge.bot.membership(room, account.user_id) == "invite"


async def test_a_moderators_deletion_in_matrix_applies_here(town: MirroredTown, account: MatrixAccount) -> None:
    await town.agree(town.ben)
    said = await town.say(town.ben, "Something rude")
    await town.linked(town.ana, account)
    room = await town.matrix_room()
    await account.join(room)
    await town.read()
    event = next(one for one in await account.events(room) if one["content"].get("body") == "Something rude")
    await account.call("PUT", f"rooms/{room}/redact/{event['event_id']}/1", {"reason": "Rude"})
    await town.read()
    assert await town.texts() == ["Said before it was mirrored"]
    async with town.db.transaction() as tx:
        await messages.restore(tx, town.ana, said.id, SEALER)
    await town.deliver()
    assert await town.seen() == [("Ben", "Something rude")]
    async with town.db.transaction() as tx:
        await messages.remove(tx, town.ana, said.id, "Rude still", SEALER)
    await town.deliver()
    assert await town.seen() == []


async def test_withdrawing_consent_removes_all_of_a_persons_messages(
    town: MirroredTown, account: MatrixAccount
) -> None:
    await town.agree(town.ben)
    said = await town.say(town.ben, "My words")
    await town.deliver()
    await town.edit(town.ben, said, "My better words")
    await town.linked(town.ana, account)
    room = await town.matrix_room()
    await account.join(room)
    await town.agree(town.ben, MatrixConsent.NONE)
    await town.say(town.ben, "Kept here")
    await town.deliver()
    seen = str(await account.events(room))
    assert "words" not in seen
    assert "'Ben'" not in seen
    assert "Kept here" not in seen
    # Nothing is removed on this site.
    assert await town.texts() == ["Said before it was mirrored", "My better words", "Kept here"]


async def test_a_wrong_code_links_no_account(town: MirroredTown, account: MatrixAccount) -> None:
    await town.deliver()
    await town.read()
    wish = {"is_direct": True, "invite": [town.bridge.bot.user_id], "preset": "trusted_private_chat"}
    chat = (await account.call("POST", "createRoom", wish))["room_id"]
    await town.read()
    await account.say(chat, "2222222222", "1")
    await town.read()
    async with town.db.reader() as reader:
        assert await reader.fetch("select mxid from matrix_people where mxid is not null") == []
    assert await town.bridge.bot.membership(await town.matrix_room(), account.user_id) == ""


async def release(town: MirroredTown, event: str) -> None:
    async with town.db.transaction() as tx:
        row = await tx.fetch_one("select id from chat_messages where external_id = :event", event=event)
        assert row is not None
        await messages.release(tx, town.ana, row["id"])
    await town.deliver()


async def test_a_held_message_is_posted_once_a_moderator_shows_it(town: MirroredTown, account: MatrixAccount) -> None:
    """A message that a moderator shows is posted by the bot, with the author's address. After the author's consent
    it is posted in their name.
    """
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(holds_messages=True))
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    event = await account.say(room, "I have a question", "1")
    await town.read()
    assert await town.seen() == []
    await release(town, event)
    assert [text for _, text in await town.seen()] == [f"{account.user_id}: I have a question"]
    assert await only_here(town) == []
    await town.agree(town.ben)
    event = await account.say(room, "And another", "2")
    await town.read()
    await release(town, event)
    assert (await town.seen())[1:] == [("Ben", "And another")]


async def only_here(town: MirroredTown) -> list[str]:
    """The messages that the page marks as not sent to Matrix, except the ones from before the room was mirrored."""
    async with town.db.reader() as reader:
        page = await page_of_messages(reader, town.room, town.ana.user_id, MessageFilter())
    return [one.message.body for one in page.messages[1:] if one.is_only_here]


async def edit_here(town: MirroredTown, event: str, text: str) -> None:
    async with town.db.transaction() as tx:
        row = await tx.fetch_one("select id from chat_messages where external_id = :event", event=event)
        assert row is not None
        await messages.edit(tx, town.ben, row["id"], text)
    await town.deliver()


async def test_a_matrix_message_that_is_edited_here_is_posted_anew(town: MirroredTown, account: MatrixAccount) -> None:
    """Nobody can edit another account's event in Matrix, so the changed message is posted again. This needs the
    person's consent, because the change was made on this site.
    """
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    event = await account.say(room, "My number is 123", "1")
    await town.read()
    await edit_here(town, event, "Ask me for my number")
    assert await town.seen() == []
    assert await only_here(town) == ["Ask me for my number"]
    await town.agree(town.ben)
    event = await account.say(room, "At eight", "2")
    await town.read()
    await edit_here(town, event, "At nine")
    assert await town.seen() == [("Ben", "At nine")]
    await edit_here(town, event, "At ten")
    assert await town.seen() == [("Ben", "At ten")]
    assert "At eight" not in str(await account.events(room))


async def test_undoing_a_deletion_restores_a_message_from_matrix(town: MirroredTown, account: MatrixAccount) -> None:
    await town.linked(town.ben, account)
    room = await town.matrix_room()
    await account.join(room)
    event = await account.say(room, "Not rude at all", "1")
    await town.read()
    async with town.db.transaction() as tx:
        row = await tx.fetch_one("select id from chat_messages where external_id = :event", event=event)
        await messages.remove(tx, town.ana, row["id"], "Rude", SEALER)
    await town.deliver()
    assert await town.seen() == []
    async with town.db.transaction() as tx:
        await messages.restore(tx, town.ana, row["id"], SEALER)
    await town.deliver()
    assert [text for _, text in await town.seen()] == [f"{account.user_id}: Not rude at all"]


async def test_the_keeper_has_the_name_of_the_site(town: MirroredTown, account: MatrixAccount) -> None:
    """An invitation shows the name of the site."""
    named = replace(town.bridge, site_name="Town calendar")
    stop = asyncio.Event()
    await asyncio.wait_for(reader.run(named, stop, lambda _number: stop.set()), 60)
    shown = await account.call("GET", f"profile/{town.bridge.bot.user_id}/displayname")
    assert shown == {"displayname": "Town calendar"}
