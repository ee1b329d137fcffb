"""Webhooks about chat: hosts get the messages of their rooms in the state at the time of sending, without content that
they may not pass on.
"""

import pytest

from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import RoomKind
from openmeet.domain.chat.notify import chat_notification_handler
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.events import co_hosts
from openmeet.domain.events.model import EventSlug
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.outbox.kinds import JobKind
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.webhooks.receiver import EVENT_JSON, ana, ben, client, deliveries_of, register_webhook, stage  # noqa: F401 - fixtures


class Chat:
    """Ana hosts an event with a chat and has a webhook. Ben goes to it."""

    def __init__(self, stage, path, ana, ben, room) -> None:  # noqa: F811
        self.stage, self.path, self.ana, self.ben, self.room = stage, path, ana, ben, room
        self.db = stage.site.db

    async def says(self, who, text):
        async with self.db.transaction() as tx:
            return await send_text(tx, who, self.room, text)

    async def deliver(self):
        """Deliver. Return the texts that arrive, with None for a dropped message."""
        while await run_once(self.db, {JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(self.db))}):
            pass
        before = len(self.stage.receiver.heard)
        await self.stage.deliver()
        return [one["data"] for one in self.stage.receiver.messages()[before:] if one["type"] == "chat.message"]


async def caller(db, email):
    async with db.reader() as reader:
        found = await by_email(reader, email)
    assert found is not None
    return Caller(found.id, found.display_name)


@pytest.fixture
async def chat(stage, client, ana, ben):  # noqa: F811
    await register_webhook(client, stage, ana, kinds=["chat.message"])
    await register_webhook(client, stage, ben, kinds=["chat.message"])
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    assert (await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)).status_code == 200
    db = stage.site.db
    host, guest = [await caller(db, f"{name}@example.org") for name in ("ana", "ben")]
    async with db.transaction() as tx:
        from_slug = EventSlug(path.rpartition("/")[2])
        event = await tx.fetch_one("select id from events where slug = :slug", slug=from_slug)
        room = await room_of(tx, host, about_id(event["id"]))
        room = await rooms.change_settings(tx, host, room.id, RoomSettings(audience={"anybody": "read"}))
    return Chat(stage, path, host, guest, room)


def about_id(event_id):
    class _Event:
        id = event_id

    return subject_of_event(_Event())


async def test_the_host_gets_messages_with_edits_and_removals(chat):
    one = await chat.says(chat.ben, "Who has the key?")
    (data,) = await chat.deliver()
    assert (data["message"]["text"], data["message"]["authorName"]) == ("Who has the key?", "Ben")
    assert data["room"]["id"] == chat.room.id
    assert data["room"]["url"].endswith("/chat")
    async with chat.db.transaction() as tx:
        await messages.edit(tx, chat.ben, one.id, "Who has the *key*?")
    (data,) = await chat.deliver()
    assert (data["message"]["text"], data["message"]["revision"]) == ("Who has the *key*?", 2)
    async with chat.db.transaction() as tx:
        await messages.retract(tx, chat.ben, one.id)
    (data,) = await chat.deliver()
    assert (data["message"]["text"], data["message"]["removedBy"]) == ("", "author")


async def test_access_is_checked_when_a_message_is_sent(chat):
    """Access when the message was written does not matter: a co-host who was removed in between gets nothing."""
    slug = EventSlug(chat.path.rpartition("/")[2])
    async with chat.db.transaction() as tx:
        one = await co_hosts.invite(tx, chat.ana, slug, "ben@example.org")
        await co_hosts.accept(tx, chat.ben, one.id)
    await chat.says(chat.ana, "The door is at the back")
    assert len(await chat.deliver()) == 2
    await chat.says(chat.ana, "The code of the door is 4711")
    while await run_once(chat.db, {JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(chat.db))}):
        pass
    async with chat.db.transaction() as tx:
        await attendance.answer(tx, chat.ben, slug, RsvpReply.DECLINED, ReplyDetails())
        await co_hosts.remove(tx, chat.ana, slug, one.id)
    assert len(await chat.deliver()) == 1


async def test_held_messages_and_host_rooms_are_not_sent(chat):
    await chat.says(chat.ben, "See https://spam.example")
    async with chat.db.transaction() as tx:
        hosts = await room_of(tx, chat.ana, about_id(chat.room.event_id), RoomKind.HOSTS)
        await send_text(tx, chat.ana, hosts, "Between us")
    assert await chat.deliver() == []
    assert chat.stage.receiver.heard == []


async def test_a_restricted_chat_is_not_sent(chat):
    """No message is sent if access was restricted, before or after the message was written."""
    await chat.says(chat.ana, "For everybody")
    async with chat.db.transaction() as tx:
        await rooms.change_settings(tx, chat.ana, chat.room.id, RoomSettings(audience={"anybody": "none"}))
    await chat.says(chat.ana, "Among us")
    assert await chat.deliver() == []


async def test_people_who_answered_privately_are_not_named(chat):
    async with chat.db.transaction() as tx:
        await tx.execute("update attendances set is_private = 1 where user_id = :ben", ben=chat.ben.user_id)
    await chat.says(chat.ben, "Hello")
    (data,) = await chat.deliver()
    assert (data["message"]["authorId"], data["message"]["authorName"]) == (None, "")
    assert "Ben" not in str(data)
    assert chat.ben.user_id not in str(data)
