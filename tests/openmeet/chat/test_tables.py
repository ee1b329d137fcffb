"""What the tables of chat hold by themselves, and that a person's words follow the person."""

import pytest

from groundwork.database.transaction import CheckViolated, Database, Transaction, UniqueViolated
from openmeet.domain.chat.queries import reassign
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person

ROOM = """
    insert into chat_rooms (id, event_id, group_id, name, revision, created_at, updated_at)
    values (:id, :event_id, :group_id, '', 1, :now, :now)
"""
MEMBER = "insert into chat_members (room_id, user_id, role, joined_at) values (:room, :user_id, :role, :now)"
MESSAGE = """
    insert into chat_messages (id, room_id, user_id, body, external_id, revision, removed_at, created_at, updated_at)
    values (:id, :room, :user_id, :body, :external_id, 1, :removed_at, :now, :now)
"""


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def say(tx: Transaction, number: str, user_id: str, *, external_id: str | None = None) -> None:
    await tx.execute(
        MESSAGE,
        id=number,
        room="r1",
        user_id=user_id,
        body="Hello",
        external_id=external_id,
        removed_at=None,
        now=tx.now,
    )


async def test_what_a_person_said_becomes_anothers_and_each_is_in_a_room_once(db: Database):
    async with db.transaction() as tx:
        ana, shadow = await person(tx, "Ana"), await person(tx, "Shadow")
        for room in ("r1", "r2"):
            await tx.execute(ROOM, id=room, event_id=None, group_id=None, now=tx.now)
            await tx.execute(MEMBER, room=room, user_id=shadow.user_id, role="member", now=tx.now)
        await tx.execute(MEMBER, room="r1", user_id=ana.user_id, role="host", now=tx.now)
        await say(tx, "m1", shadow.user_id)
        await say(tx, "m2", ana.user_id)
    async with db.transaction() as tx:
        await reassign(tx, shadow.user_id, ana.user_id)
    async with db.reader() as reader:
        members = await reader.fetch("select room_id, user_id, role from chat_members order by room_id")
        said = await reader.fetch("select user_id from chat_messages")
    assert [tuple(row) for row in members] == [("r1", ana.user_id, "host"), ("r2", ana.user_id, "member")]
    assert {row["user_id"] for row in said} == {ana.user_id}


async def test_an_event_has_one_room_and_a_message_from_elsewhere_comes_once(db: Database):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await tx.execute(ROOM, id="r1", event_id=event.id, group_id=None, now=tx.now)
        await say(tx, "m1", ana.user_id, external_id="$abc")
    with pytest.raises(UniqueViolated):
        async with db.transaction() as tx:
            await tx.execute(ROOM, id="r2", event_id=event.id, group_id=None, now=tx.now)
    with pytest.raises(UniqueViolated):
        async with db.transaction() as tx:
            await say(tx, "m2", ana.user_id, external_id="$abc")


async def test_what_is_taken_back_keeps_no_words(db: Database):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await tx.execute(ROOM, id="r1", event_id=None, group_id=None, now=tx.now)
        await say(tx, "m1", ana.user_id)
    with pytest.raises(CheckViolated):
        async with db.transaction() as tx:
            await tx.execute("update chat_messages set removed_at = :now where id = 'm1'", now=tx.now)
    async with db.transaction() as tx:
        await tx.execute("update chat_messages set removed_at = :now, body = '' where id = 'm1'", now=tx.now)
