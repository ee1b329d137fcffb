"""After a split, the chat of a series treats the dates of both halves alike."""

import re

import pytest

from groundwork.clock import DAY, MINUTE
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import export, reactions, readers, rooms
from openmeet.domain.chat.deletion import forget_expired_messages
from openmeet.domain.chat.model import RoomKind, RoomRetention, RoomSubject, SubjectKind
from openmeet.domain.chat.preview import preview_of
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.erasure.retention import empty_series
from openmeet.domain.events.model import EventSlug
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import queries as series_queries
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.openmeet.chat.rooms import room_of, send_text
from tests.openmeet.series.practice import NOW, create_weekly_series, split_series
from tests.openmeet.site_under_test import person, signed_in, site_on

SPLIT_AT = "2026-12-08T18:00:00"


@pytest.fixture
async def db(make_database, clock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def split_in_two(tx):
    ana, series = await create_weekly_series(tx)
    room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
    await split_series(tx, series, SPLIT_AT, "Practice, renewed")
    return ana, room


async def test_the_export_hides_private_answers_to_later_dates(db):
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        cleo = await person(tx, "Cleo")
        later = await tx.fetch_one("select slug from events where original_date = :date", date=SPLIT_AT)
        await attendance.answer(tx, cleo, EventSlug(later["slug"]), RsvpReply.GOING, ReplyDetails(is_private=True))
        await send_text(tx, cleo, room, "Where is the key?", about=SPLIT_AT)
    exported = [one async for page in export.pages(db, room.id, ana.user_id, 0) for one in page]
    (name,) = [one.name for one in exported if one.message.body == "Where is the key?"]
    assert "Cleo" not in str(name)


async def test_a_pin_about_one_date_is_on_the_page_of_that_date(db):
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        dates = {"2026-12-01T18:00:00": "Ring twice", SPLIT_AT: "Use the gate"}
        for date, text in dates.items():
            await reactions.pin(tx, ana, (await send_text(tx, ana, room, text, about=date)).id)
        for date, text in dates.items():
            event = await tx.fetch_one("select id from events where original_date = :date", date=date)
            assert (await preview_of(tx, event["id"], ana.user_id)).pin.message.body == text


async def test_a_message_by_api_is_about_the_next_date(db, clock):
    """A message sent by the API is about the next date, as on pages. Null means that it is about no date."""
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        token = (await open_session(tx, ana.user_id, SessionTransport.API)).token
        first = await tx.fetch_one("select min(original_date) as date from events where starts_at > :now", now=tx.now)
    found = []
    async with site_on(db, clock).browser() as client:
        for further in ({}, {"about": None}, {"about": SPLIT_AT}):
            body = {"clientId": f"c{len(found)}", "text": "Hello", **further}
            headers = {"authorization": f"Bearer {token}"}
            found.append((await client.post(f"/api/chat/rooms/{room.id}/messages", json=body, headers=headers)).json())
    assert [one["about"] for one in found] == [first["date"], None, SPLIT_AT]


async def test_words_about_dates_of_each_half_end_after_the_date(db, clock):
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        await send_text(tx, ana, room, "first", about="2026-12-01T18:00:00")
        await send_text(tx, ana, room, "second", about=SPLIT_AT)
        await rooms.change_settings(tx, ana, room.id, RoomSettings(retention=RoomRetention.AFTER_DATE))
    clock.turn(120 * DAY)
    await forget_expired_messages(db)
    async with db.reader() as reader:
        left = await reader.fetch("select body from chat_messages where body in ('first', 'second')")
    assert left == []


async def test_the_page_of_a_date_marks_only_its_messages_as_read(db, clock):
    """Older messages about the same date are marked as read, while those about another date stay unread."""
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        cleo = await person(tx, "Cleo")
        first = await tx.fetch_one(
            "select slug, original_date from events where original_date = :date", date="2026-12-01T18:00:00"
        )
        await attendance.answer(tx, cleo, EventSlug(first["slug"]), RsvpReply.GOING, ReplyDetails())
        await readers.mark_read(tx, cleo, room.id, 0)
        for number in range(60):
            await send_text(tx, ana, room, f"first {number}", about=first["original_date"])
            clock.turn(MINUTE)
        await send_text(tx, ana, room, "Of the later date", about=SPLIT_AT)
        last = await send_text(tx, ana, room, "first at last", about=first["original_date"])
    async with signed_in(site_on(db, clock), cleo.user_id) as browser:
        path = f"/events/{first['slug']}/chat"
        shown = (await browser.get(path)).text
        assert "first at last" in shown
        assert "Of the later date" not in shown
        (older,) = re.findall(r'href="([^"]*before=[^"]*)"', shown)
        earlier = (await browser.get(older.replace("&amp;", "&"))).text
        assert "first 0" in earlier
        assert "Of the later date" not in earlier
        await browser.post(f"{path}/read", data={"number": str(last.number)})
        async with db.reader() as reader:
            assert (await readers.unread_counts(reader, cleo.user_id)).messages == 2
        await browser.post(f"{path}/read?all=yes", data={"number": str(last.number)})
        async with db.reader() as reader:
            assert (await readers.unread_counts(reader, cleo.user_id)).messages == 0


async def test_the_chat_exists_as_long_as_one_half(db, clock):
    async with db.transaction() as tx:
        ana, room = await split_in_two(tx)
        await send_text(tx, ana, room, "Who has the key?", about=SPLIT_AT)
        first = await series_queries.lock(tx, room.series_id)
        second = await tx.fetch_one("select id, slug from event_series where split_from = :id", id=first.id)
        await series_actions.delete(tx, first, keeps_events=False)
        await empty_series(tx, [first.id])
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        listed = await browser.get("/chat")
        assert f"/series/{second['slug']}/chat" in listed.text
        assert f"/series/{first.slug}/chat" not in listed.text
        opened = await browser.get(f"/series/{second['slug']}/chat")
    assert "Who has the key?" in opened.text
    async with db.transaction() as tx:
        await series_actions.delete(tx, await series_queries.lock(tx, second["id"]), keeps_events=False)
        await empty_series(tx, [second["id"]])
        assert await tx.fetch("select id from chat_rooms") == []
