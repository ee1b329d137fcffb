"""Scheduled tasks for chat rooms and messages, and effects of a change of access."""

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import deletion, readers, room_list, room_queries, rooms
from openmeet.domain.chat.deletion import forget_expired_messages
from openmeet.domain.chat.model import HistoryMode, RoomRetention
from openmeet.domain.chat.readers import UnreadCounts
from openmeet.domain.chat.room_list import RoomFilter
from openmeet.domain.chat.rooms import RoomSettings, archive_ended
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def town(tx):
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    event = await event_by(tx, ana, starts="2026-03-05T18:00", ends="2026-03-05T20:00")
    room = await room_of(tx, ana, subject_of_event(event))
    return ana, ben, event, room


async def test_joining_sets_the_read_marker_and_leaving_removes_it(db):
    """A person who joins gets a read marker, and loses it when they leave. If newcomers see no earlier messages, they
    can read what comes after the marker.
    """
    async with db.transaction() as tx:
        ana, ben, event, room = await town(tx)
        await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
        await send_text(tx, ana, room, "Before")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    assert await readers.apply_access_changes(db) > 0
    async with db.transaction() as tx:
        await send_text(tx, ana, room, "After")
        found = await readers.reading_of(tx, room.id, ben.user_id)
        assert (await readers.unread_counts(tx, ben.user_id)).messages == 1
        _, _, first = await rooms.readable_room(tx, room.id, ben.user_id)
        assert found.entered_number == found.read_number == first > 0
        await attendance.answer(tx, ben, event.slug, RsvpReply.DECLINED)
    await readers.apply_access_changes(db)
    assert await readers.apply_access_changes(db) == 0
    async with db.reader() as reader:
        assert await readers.reading_of(reader, room.id, ben.user_id) is None


async def test_only_what_people_wrote_counts_as_unread(db):
    """Notices of the program and signals are not counted, as in e-mails and in the search."""
    async with db.transaction() as tx:
        ana, ben, event, room = await town(tx)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    await readers.apply_access_changes(db)
    async with db.transaction() as tx:
        await rooms.change_settings(tx, ana, room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
        assert await readers.unread_counts(tx, ben.user_id) == UnreadCounts(0, 0, 0)
        (listed,) = await room_list.my_rooms(tx, ben.user_id, RoomFilter(), limit=10)
        assert listed.unread == 0
        assert await room_list.my_rooms(tx, ben.user_id, RoomFilter(unread_only=True), limit=10) == []
        await send_text(tx, ana, room, "Hello")
        assert await readers.unread_counts(tx, ben.user_id) == UnreadCounts(1, 0, 1)


async def test_a_room_closes_thirty_days_after_its_event(db, clock):
    async with db.transaction() as tx:
        ana, _, _, room = await town(tx)
    assert await archive_ended(db) == 0
    clock.turn(36 * DAY)
    assert await archive_ended(db) == 1
    async with db.transaction() as tx:
        closed = await room_queries.by_id(tx, room.id)
        assert closed.closed_by == "clock"
        await rooms.reopen(tx, ana, room.id)
    assert await archive_ended(db) == 0


async def test_a_room_that_the_clock_closed_opens_with_another_date(db, clock):
    async with db.transaction() as tx:
        _, _, event, room = await town(tx)
    clock.turn(36 * DAY)
    assert await archive_ended(db) == 1
    async with db.transaction() as tx:
        await tx.execute(
            "update events set starts_at = :at, ends_at = null, over_at = :at where id = :id",
            at=tx.now + DAY,
            id=event.id,
        )
    assert await archive_ended(db) == 1
    async with db.reader() as reader:
        assert not (await room_queries.by_id(reader, room.id)).is_closed
    assert await archive_ended(db) == 0


async def test_a_room_that_a_host_closed_stays_closed(db, clock):
    async with db.transaction() as tx:
        ana, _, _, room = await town(tx)
        await rooms.close(tx, ana, room.id)
    assert await archive_ended(db) == 0
    async with db.reader() as reader:
        assert (await room_queries.by_id(reader, room.id)).is_closed


async def test_messages_end_with_the_time_of_their_room(db, clock):
    async with db.transaction() as tx:
        ana, _, _, room = await town(tx)
        await send_text(tx, ana, room, "Old")
        await rooms.change_settings(tx, ana, room.id, RoomSettings(retention=RoomRetention.QUARTER))
    clock.turn(90 * DAY)
    async with db.transaction() as tx:
        await send_text(tx, ana, room, "New")
    clock.turn(HOUR)
    assert await forget_expired_messages(db) == 1
    async with db.reader() as reader:
        left = await reader.fetch("select m.body, l.kind from chat_messages m join chat_log l on l.message_id = m.id")
    assert [(row["body"], row["kind"]) for row in left] == [("New", "said")]


async def test_a_community_keeps_no_message_longer_than_it_says(db, clock, monkeypatch):
    """The community's retention limit takes precedence over the hosts' setting. All expired messages are deleted, in
    any number.
    """
    monkeypatch.setattr(deletion, "_ROWS", 2)
    async with db.transaction() as tx:
        ana, _, _, room = await town(tx)
        for number in range(5):
            await send_text(tx, ana, room, f"Old {number}")
    clock.turn(6 * DAY)
    async with db.transaction() as tx:
        await send_text(tx, ana, room, "New")
    assert await forget_expired_messages(db, 7) == 0
    clock.turn(2 * DAY)
    assert await forget_expired_messages(db) == 0
    assert await forget_expired_messages(db, 7) == 5
    async with db.reader() as reader:
        left = await reader.fetch("select body from chat_messages")
    assert [row["body"] for row in left] == ["New"]
