"""Searching messages in one chat and in all chats, on pages."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from groundwork.errors import InvalidInput
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import readers, room_queries, search
from openmeet.domain.chat.model import HistoryMode, Room, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.rooms import RoomSettings, change_settings
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.web.chat.requests import search_cursor, search_place
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.series.practice import create_weekly_series
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on


@dataclass
class Chat:
    """Ana hosts two events, and Ben is going to the first one. Both have a browser."""

    site: Site
    ana: Caller
    ben: Caller
    games: Event
    hike: Event
    room: Room
    on_the_hike: Room
    as_ana: httpx.AsyncClient
    as_ben: httpx.AsyncClient

    @property
    def path(self) -> str:
        return f"/events/{self.games.slug}/chat"


@pytest.fixture
async def chat(make_database, clock) -> AsyncIterator[Chat]:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        games = await event_by(tx, ana, title="Games", starts="2026-03-05T18:00", ends="2026-03-05T20:00")
        hike = await event_by(tx, ana, title="Hike", starts="2026-03-06T10:00", ends="2026-03-06T20:00")
        await attendance.answer(tx, ben, games.slug, RsvpReply.GOING)
        room, on_the_hike = (
            await room_of(tx, ana, subject_of_event(games)),
            await room_of(tx, ana, subject_of_event(hike)),
        )
    async with signed_in(site, ana.user_id) as as_ana, signed_in(site, ben.user_id) as as_ben:
        yield Chat(site, ana, ben, games, hike, room, on_the_hike, as_ana, as_ben)


async def test_the_first_and_the_last_day_of_the_calendar_can_be_searched(chat):
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "Bring a chair")
    for path in (chat.path, "/chat"):
        found = await chat.as_ben.get(f"{path}?q=chair&from=0001-01-01&to=9999-12-31")
        assert (found.status_code, "Bring a chair" in found.text) == (200, True), path
    shown = await chat.as_ben.get(f"{chat.path}?from=0001-01-01&to=9999-12-31")
    assert (shown.status_code, "Bring a chair" in shown.text) == (200, True)


async def test_a_message_is_found_again_in_its_place(chat):
    async with chat.site.db.transaction() as tx:
        first = await send_text(tx, chat.ana, chat.room, "The training starts at the old mill")
        await send_text(tx, chat.ben, chat.room, "I bring the <b>key</b>")
    form = await chat.as_ben.get(f"{chat.path}?q=")
    assert form.status_code == 200
    assert "Go to the message" not in form.text
    found = (await chat.as_ben.get(f"{chat.path}?q=train")).text
    assert "old mill" in found
    assert "key" not in found
    assert f'href="{chat.path}?around={first.number}#m{first.number}"' in found
    by_ben = (await chat.as_ben.get(f"{chat.path}?q=&person={chat.ben.user_id}")).text
    assert "I bring the" in by_ben
    assert "<b>key" not in by_ben
    assert "old mill" not in by_ben
    # The form lists everyone who has written, and keeps the selection.
    assert f'<option value="{chat.ana.user_id}">Ana</option>' in form.text
    assert f'<option value="{chat.ben.user_id}" selected>Ben</option>' in by_ben
    for nothing in ("q=zebra", "q=train&to=2020-01-01", "q=train&from=2999-01-01", "q=%22%27*"):
        answer = await chat.as_ben.get(f"{chat.path}?{nothing}")
        assert answer.status_code == 200
        assert "No message found" in answer.text


async def test_a_search_in_a_room_goes_on_page_by_page(chat):
    async with chat.site.db.transaction() as tx:
        for number in range(31):
            await send_text(tx, chat.ana, chat.room, f"Word {number}")
    first = (await chat.as_ben.get(f"{chat.path}?q=word")).text
    assert first.count("Go to the message") == 30
    (more,) = re.findall(r'href="([^"]*cursor=[^"]*)"', first)
    assert (await chat.as_ben.get(more.replace("&amp;", "&"))).text.count("Go to the message") == 1
    for wrong in ("q=word&cursor=x", "q=train&person=p%22"):
        assert (await chat.as_ben.get(f"{chat.path}?{wrong}")).status_code == 400


async def test_one_search_finds_messages_in_all_chats(chat):
    async with chat.site.db.transaction() as tx:
        key = await send_text(tx, chat.ana, chat.room, "The key is under the stone")
        boots = await send_text(tx, chat.ana, chat.on_the_hike, "The stone path needs boots")
    found = (await chat.as_ana.get("/chat?q=stone")).text
    for one, event in ((key, chat.games), (boots, chat.hike)):
        assert f'href="/events/{event.slug}/chat?around={one.number}#m{one.number}"' in found
    assert found.index("boots") < found.index("The key")
    # Ben is not going on the hike.
    found = (await chat.as_ben.get("/chat?q=stone")).text
    assert "The key" in found
    assert "boots" not in found
    assert "Hike" not in found
    assert "boots" not in (await chat.as_ben.get(f"/chat?q=stone&room={chat.on_the_hike.id}")).text


async def test_a_search_finds_chats_by_name_too(chat):
    found = (await chat.as_ana.get("/chat?q=hik")).text
    assert f'<a class="room-row" href="/events/{chat.hike.slug}/chat"' in found
    assert f'<a class="room-row" href="/events/{chat.games.slug}/chat"' not in found
    # A search with a filter finds messages only.
    assert "room-row" not in (await chat.as_ana.get("/chat?q=hik&has=link")).text
    assert "room-row" not in (await chat.as_ben.get("/chat?q=hik")).text


async def test_each_filter_of_a_search_in_all_chats_narrows_it(chat):
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "One for Ben", mentions=(chat.ben.user_id,))
        await send_text(tx, chat.ben, chat.room, "Four")
        await send_text(tx, chat.ana, chat.room, "Two at https://example.org/map")
        await send_text(tx, chat.ana, chat.on_the_hike, "Three")

    async def found(client, query):
        page = (await client.get(f"/chat?{query}")).text
        return {word for word in ("One for", "Two at", "Three", "Four") if f"<p>{word}" in page}

    assert await found(chat.as_ana, f"q=&room={chat.room.id}&from=2000-01-01") == {"One for", "Two at", "Four"}
    assert await found(chat.as_ana, f"q=&person={chat.ana.user_id}") == {"One for", "Two at", "Three"}
    assert await found(chat.as_ana, f"q=&person={chat.ben.user_id}") == {"Four"}
    assert await found(chat.as_ana, "q=&has=link") == {"Two at"}
    assert await found(chat.as_ana, "q=&has=picture") == set()
    assert await found(chat.as_ben, "q=&has=mention") == {"One for"}
    assert await found(chat.as_ana, "q=&has=mention") == set()
    assert await found(chat.as_ana, "q=t&from=2000-01-01") == {"Two at", "Three"}
    assert await found(chat.as_ana, "q=t&to=2000-01-01") == set()
    # Without any condition, or with an invalid room, the page shows the form.
    assert await found(chat.as_ana, "q=") == set()
    assert await found(chat.as_ana, "q=two&room=%22%27") == {"Two at"}
    for wrong in ("q=two&cursor=x", "q=two&person=p%22"):
        assert (await chat.as_ana.get(f"/chat?{wrong}")).status_code == 400


async def test_a_search_in_all_chats_goes_on_with_all_its_filters(chat):
    async with chat.site.db.transaction() as tx:
        for number in range(31):
            await send_text(tx, chat.ana, chat.room, f"Word {number} https://example.org/{number}")
        await send_text(tx, chat.ana, chat.room, "Word without")
    first = (await chat.as_ben.get(f"/chat?q=word&has=link&has=picture&room={chat.room.id}")).text
    assert "Go to the message" not in first
    first = (await chat.as_ben.get(f"/chat?q=word&has=link&person={chat.ana.user_id}")).text
    assert first.count("Go to the message") == 30
    (more,) = re.findall(r'href="([^"]*cursor=[^"]*)"', first)
    second = (await chat.as_ben.get(more.replace("&amp;", "&"))).text
    assert second.count("Go to the message") == 1
    assert "Word without" not in second


async def test_messages_of_a_series_are_found_by_their_date(chat):
    async with chat.site.db.transaction() as tx:
        zoe, series = await create_weekly_series(tx)
        room = await room_of(tx, zoe, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        await send_text(tx, zoe, room, "Key on the first", about="2026-11-24T18:00:00")
        await send_text(tx, zoe, room, "Key on the second", about="2026-12-01T18:00:00")
    async with signed_in(chat.site, zoe.user_id) as as_zoe:
        page = (await as_zoe.get(f"/series/{series.slug}/chat?q=key&date=2026-12-01T18%3A00%3A00")).text
    assert '<option value="2026-12-01T18:00:00" selected>' in page
    assert page.index('value="2026-12-01T18:00:00"') < page.index('value="2026-11-24T18:00:00"')
    assert "on the second" in page
    assert "on the first" not in page


async def test_the_writers_offered_are_those_whose_messages_one_may_read(chat):
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.on_the_hike, "Secret")
        cleo = await person(tx, "Cleo")
        await send_text(tx, chat.ana, chat.room, "Before")
        await change_settings(
            tx, chat.ana, chat.room.id, RoomSettings(history=HistoryMode.SINCE_JOINING), if_revision=chat.room.revision
        )
        await attendance.answer(tx, cleo, chat.games.slug, RsvpReply.GOING)
        room = await room_queries.by_id(tx, chat.room.id)
        await readers.mark_read(tx, cleo, room.id, room.last_number)
    async with chat.site.db.transaction() as tx:
        assert await search.recent_writers(tx, cleo.user_id, limit=10) == []
        await send_text(tx, chat.ben, chat.room, "After")
        assert await search.recent_writers(tx, cleo.user_id, limit=10) == [(chat.ben.user_id, "Ben")]
        assert [name for _, name in await search.recent_writers(tx, chat.ben.user_id, limit=10)] == ["Ana", "Ben"]


async def test_a_search_continues_in_further_chats(chat, monkeypatch):
    """If each request searches one chat, every message is found once: in whole chats, in the middle of one, and in one
    without matches.
    """
    monkeypatch.setattr(search, "MAX_ROOMS", 1)
    async with chat.site.db.transaction() as tx:
        rooms = [chat.room, chat.on_the_hike]
        for number in range(4):
            event = await event_by(tx, chat.ana, title=f"Walk {number}")
            rooms.append(await room_of(tx, chat.ana, subject_of_event(event)))
        said = set()
        for number, room in enumerate(rooms):
            for _ in range((2, 0, 3, 1, 0, 2)[number]):
                said.add((await send_text(tx, chat.ana, room, "Bring a lamp")).id)
            await send_text(tx, chat.ana, room, "Something else")
    async with chat.site.db.reader() as reader:
        for limit in (1, 2, 3, 8, 9):
            found, place, pages = [], None, 0
            while pages == 0 or place is not None:
                page = await search.find_messages(
                    reader, chat.ana.user_id, search.ChatSearch(words="lamp"), limit=limit, after=place
                )
                found += [one.message.id for one in page.messages]
                place, pages = search_place(search_cursor(page.after) or ""), pages + 1
            assert (len(found), set(found)) == (8, said)
            assert pages == -(-8 // limit)
    first = (await chat.as_ana.get("/chat?q=lamp")).text
    assert first.count("Go to the message") == 8
    for cursor in ("nonsense", "Lw", "MS4"):
        with pytest.raises(InvalidInput):
            search_place(cursor)
