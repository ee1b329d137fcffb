"""The live stream: resuming skips and repeats nothing, and people who lose access receive nothing more."""

import asyncio
import contextlib
import logging
import random
import sys
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest

from groundwork.errors import Unavailable
from groundwork.http.server import HttpServer, serving
from groundwork.token_hash import hash_token
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import messages, readers, rooms
from openmeet.domain.chat.model import NewMessage, RoomId, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.moderation.blocks import block
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.sign_in.queries import drop_session
from openmeet.web.site import chat_stream_feed
from openmeet.web.site.chat_stream_feed import ChatSource, ChatStreamFeed
from openmeet.web.site.server_sent_events import MAX_WAITING, PER_READER, StreamCredential
from tests.openmeet.chat.open_pages import ChatScene, scene
from tests.openmeet.site_under_test import event_by, signed_in, site_on
from tests.plain_http import NO_TLS
from tests.timeouts import TIMEOUT_SECONDS

__all__ = ["scene"]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_stream_feed, "LOOK_SECONDS", 0.015)


# Each case cuts the stream six times.
CASES = 4


async def test_messages_reach_open_pages_in_order(scene: ChatScene) -> None:
    ana, ben, _ = scene.people
    page = scene.open(ben, 1)
    await scene.say(ana, "One")
    await scene.say(ben, "Two")
    await page.until(lambda: len(page.entries) == 2)
    assert [entry[:4] for entry in page.entries] == [[2, "said", "One", False], [3, "said", "Two", True]]


async def test_a_slow_round_does_not_set_back_the_position(scene: ChatScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has read the room before the message, and goes on after another round could have sent it."""
    ana, ben, _ = scene.people
    page = scene.open(ben, 1)
    await page.until_number(1)
    has_read, may_go_on = asyncio.Event(), asyncio.Event()
    levels = chat_stream_feed._levels

    async def slow(*arguments: Any) -> dict[Any, Any]:
        found = await levels(*arguments)
        if not has_read.is_set():
            has_read.set()
            await may_go_on.wait()
        return found

    monkeypatch.setattr(chat_stream_feed, "_levels", slow)
    first = asyncio.create_task(scene.live.look(scene.db))
    await has_read.wait()
    await scene.say(ana, "One")
    second = asyncio.create_task(scene.live.look(scene.db))
    # Nothing announces that the second look waits for the first.
    await asyncio.sleep(0.01)
    may_go_on.set()
    await asyncio.gather(first, second)
    await page.until_number(2)
    assert [entry[0] for entry in page.entries] == [2]
    assert not [frame for frame in page.sent if b"event: again" in frame]


async def test_unread_counts_leave_out_the_open_room(scene: ChatScene) -> None:
    ana, ben, cleo = scene.people
    async with scene.db.transaction() as tx:
        other = await event_by(tx, ana, title="Supper")
        await attendance.answer(tx, ben, other.slug, RsvpReply.GOING, ReplyDetails())
        target = await rooms.target_of(tx, RoomKind.EVENT, RoomSubject(SubjectKind.EVENT, other.id))
        supper, _ = await rooms.open_room(tx, ana, target)
        await readers.mark_read(tx, ben, supper.id, 1)
    page, outsider = scene.open(ben, 1), scene.open(cleo, 1)
    await page.until_number(1)
    await scene.say(ana, "Here")
    async with scene.db.transaction() as tx:
        for text in ("There", "@Ben?"):
            await messages.send(tx, ana, supper.id, NewMessage(text))
    await page.until(lambda: b'event: rooms\ndata: {"messages":2,"mentions":1,"rooms":1}' in page.sent)
    await outsider.until_number(2)
    assert not any(b"event: rooms" in frame for frame in outsider.sent)

    # The change is made on another device. No message is sent, so no notification triggers the stream.
    async with scene.db.transaction() as tx:
        await readers.mark_read(tx, ben, supper.id, 3)
    await page.until(lambda: page.sent[-1] == b'event: rooms\ndata: {"messages":0,"mentions":0,"rooms":0}')


async def test_nothing_is_read_after_the_last_page_has_left(scene: ChatScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the site stops, it closes its database after its pages have ended."""
    page = scene.open(scene.people[1], 1)
    await page.until_number(1)
    looking, end = asyncio.Event(), asyncio.Event()

    async def slow(*_: object) -> NoReturn:
        looking.set()
        try:
            await asyncio.Event().wait()
        finally:
            end.set()
        raise AssertionError

    monkeypatch.setattr(scene.live, "look", slow)
    await looking.wait()
    await page.close()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await end.wait()


async def test_interrupted_streams_get_every_number_once(scene: ChatScene, subtests) -> None:
    """While a page is disconnected, reconnecting or resuming, each number arrives once and in order."""
    for seed in range(CASES):
        with subtests.test(seed=seed):
            await _cut_at_random(scene, random.Random(seed))


async def _cut_at_random(scene: ChatScene, dice: random.Random) -> None:
    ana, ben, _ = scene.people
    first = last = (await scene.say(ana, "first")).number
    scene.clock.turn(600_000_000)
    got: list[int] = []
    for _ in range(6):
        for number in range(dice.randrange(4)):
            last = (await scene.say(ana, f"away {number}")).number
        page = scene.open(ben, got[-1] if got else first)
        saying = [asyncio.create_task(scene.say(ana, f"while opening {number}")) for number in range(dice.randrange(4))]
        if dice.random() < 0.5:
            last = max([last, *[(await one).number for one in saying]])
            await page.until_number(last)
        await page.close()
        got += page.numbers
        last = max([last, *[(await one).number for one in saying]])
    page = scene.open(ben, got[-1] if got else first)
    await page.until(lambda: [first, *got, *page.numbers][-1] == last)
    assert got + page.numbers == list(range(first + 1, last + 1))


async def test_a_long_absence_is_caught_up_in_batches(scene: ChatScene) -> None:
    """A stream that resumes with more entries than the buffer for a slow reader can hold does not end."""
    ana, ben, _ = scene.people
    count = MAX_WAITING * 2
    for number in range(count):
        scene.clock.turn(60_000_000)
        await scene.say(ana, str(number))
    page = scene.open(ben, 1)
    await page.until(lambda: len(page.entries) == count)
    assert page.numbers == list(range(2, count + 2))


async def test_a_page_that_missed_too_much_reloads(scene: ChatScene) -> None:
    ana, ben, _ = scene.people
    async with scene.db.transaction() as tx:
        await tx.execute("update chat_rooms set last_number = 500 where id = :room", room=scene.room)
    page = scene.open(ben, 1)
    await page.until(lambda: bool(page.sent))
    assert page.sent[0].startswith(f"id: {scene.room}:500\nevent: again".encode())
    await scene.say(ana, "Still here")
    await page.until(lambda: len(page.entries) == 1)
    assert page.numbers == [501]


async def test_a_client_that_reads_nothing_is_disconnected(scene: ChatScene) -> None:
    """A slow reader has a bounded buffer. When it is full, the stream ends and asks for a reload."""
    ana, ben, _ = scene.people
    page = scene.open(ben, 1)
    await scene.say(ana, "first")
    await page.until(lambda: len(page.entries) == 1)
    page.may_read.clear()
    for number in range(MAX_WAITING + 3):
        scene.clock.turn(60_000_000)
        await scene.say(ana, str(number))
        await scene.live.feed_rung(scene.db)
    await asyncio.sleep(0)
    assert page.stream.frames.has_ended
    page.may_read.set()
    await page.ended()
    assert b"event: again" in page.sent[-1]
    assert len(page.sent) <= MAX_WAITING + 3


async def test_withdrawing_ends_the_stream(scene: ChatScene) -> None:
    ana, ben, cleo = scene.people
    page, other = scene.open(ben, 1), scene.open(cleo, 1)
    await scene.say(ana, "Before")
    await page.until(lambda: len(page.entries) == 1)
    async with scene.db.transaction() as tx:
        await attendance.answer(tx, ben, scene.slug, RsvpReply.DECLINED, ReplyDetails())
    await scene.say(ana, "After")
    await page.ended()
    await other.until(lambda: len(other.entries) == 2)
    assert [entry[2] for entry in page.entries] == ["Before"]
    assert page.sent[-1].startswith(b"event: out")


async def test_a_silent_stream_ends_at_the_next_access_check(scene: ChatScene) -> None:
    """A stream without messages ends at the next access check after an answer is withdrawn or the person signs out."""
    _, ben, cleo = scene.people
    async with scene.db.transaction() as tx:
        session = await sign_in.open_session(tx, cleo.user_id, SessionTransport.BROWSER)
    withdrawn, signed_out = scene.open(ben, 1), scene.open(cleo, 1, StreamCredential(hash_token(session.token)))
    async with scene.db.transaction() as tx:
        await attendance.answer(tx, ben, scene.slug, RsvpReply.DECLINED, ReplyDetails())
        await drop_session(tx, hash_token(session.token))
    await asyncio.sleep(0)
    await scene.live.look(scene.db)
    await withdrawn.ended()
    await signed_out.ended()
    assert withdrawn.sent[-1].startswith(b"event: out")
    assert signed_out.sent[-1].startswith(b"event: out")


async def test_signing_out_ends_the_stream(scene: ChatScene) -> None:
    """The stream ends even if somebody writes before the next access check."""
    ana, _, cleo = scene.people
    async with scene.db.transaction() as tx:
        session = await sign_in.open_session(tx, cleo.user_id, SessionTransport.BROWSER)
    page = scene.open(cleo, 1, StreamCredential(hash_token(session.token)))
    await scene.say(ana, "Before")
    await page.until(lambda: len(page.entries) == 1)
    async with scene.db.transaction() as tx:
        await drop_session(tx, hash_token(session.token))
    await scene.say(ana, "After")
    await page.ended()
    assert [entry[2] for entry in page.entries] == ["Before"]
    assert page.sent[-1].startswith(b"event: out")


async def test_a_new_stream_hides_blocked_people(scene: ChatScene) -> None:
    """A new stream hides messages of blocked people from the start, also where other people quote them."""
    ana, ben, cleo = scene.people
    async with scene.db.transaction() as tx:
        await block(tx, cleo.user_id, ben.user_id)
    said = await scene.say(ben, "Nobody likes you")
    async with scene.db.transaction() as tx:
        await messages.send(tx, ana, scene.room, NewMessage("Please stop", reply_to=said.id))
    page, other = scene.open(cleo, 1), scene.open(ana, 1)
    await page.until(lambda: len(page.entries) == 2)
    await other.until(lambda: len(other.entries) == 2)
    assert [entry[4:6] for entry in page.entries] == [[True, None], [False, ""]]
    assert [entry[4:6] for entry in other.entries] == [[False, None], [False, "Nobody likes you"]]


async def test_a_held_message_reaches_its_author_and_moderators(scene: ChatScene) -> None:
    ana, ben, cleo = scene.people
    pages = {who.user_id: scene.open(who, 1) for who in scene.people}
    await scene.say(cleo, "See https://spam.example")
    await scene.say(ana, "Hello")
    for page in pages.values():
        await page.until_number(3)
    assert [pages[who.user_id].numbers for who in (ana, ben, cleo)] == [[2, 3], [3], [2, 3]]


async def test_a_message_held_later_disappears_from_open_pages(scene: ChatScene) -> None:
    """The author and the moderators still see the message. Other people's pages reload."""
    ana, ben, cleo = scene.people
    pages = {who.user_id: scene.open(who, 1) for who in scene.people}
    said = await scene.say(cleo, "Hello")
    for page in pages.values():
        await page.until_number(2)
    async with scene.db.transaction() as tx:
        await messages.set_held(tx, said, held=True)
    await pages[ben.user_id].until(lambda: any(b"event: again" in frame for frame in pages[ben.user_id].sent))
    for who in (ana, cleo):
        await pages[who.user_id].until_number(3)
        assert not any(b"event: again" in frame for frame in pages[who.user_id].sent)


async def test_deleting_the_newest_log_entries_stops_no_stream(scene: ChatScene) -> None:
    """Retention deletes log entries with their messages, but does not reset the room's number."""
    ana, ben, cleo = scene.people
    last = await scene.say(ana, "I am here")
    async with scene.db.transaction() as tx:
        await tx.execute("delete from chat_messages where id = :id", id=last.id)
    behind, other = scene.open(ben, 1), scene.open(cleo, 2)
    await scene.live.look(scene.db)
    said = await scene.say(ana, "Still there?")
    for page in (behind, other):
        await page.until_number(said.number)
        assert page.numbers == [said.number]


async def test_two_processes_of_one_database(scene: ChatScene) -> None:
    """Each process serves its own pages. Commits of the other process are found by polling when no notification
    arrives.
    """
    ana, ben, cleo = scene.people
    second = ChatStreamFeed()
    here, there = scene.open(ben, 1), scene.open(cleo, 1, live=second)
    said = [(await scene.say(ana, str(number))).number for number in range(5)]
    await here.until(lambda: here.numbers == said)
    await second.look(scene.db)
    await there.until(lambda: there.numbers == said)


OTHER_PROCESS = """
import asyncio, sys
from groundwork.clock import HandClock, Instant
from groundwork.database.open_ import open_database
from openmeet.domain.chat import messages
from openmeet.domain.chat.model import NewMessage
from openmeet.domain.users.model import Caller

async def main(url, schema, now, person, room):
    db = await open_database(url, schema=schema, clock=HandClock(Instant(int(now))))
    for text in ("One", "Two"):
        async with db.transaction() as tx:
            await messages.send(tx, Caller(person, ""), room, NewMessage(text))
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_another_process_is_noticed_without_polling(
    scene: ChatScene, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits of another process reach the pages of this process by notification alone, because polling is off."""
    monkeypatch.setattr(chat_stream_feed, "LOOK_SECONDS", 3_600.0)
    ana, ben, _ = scene.people
    async with scene.db.reader() as reader:
        (row,) = await reader.fetch("select current_schema() as schema")
    scene.source = ChatSource(scene.db, postgres_url, row["schema"])
    connected = asyncio.Event()
    heard = scene.live._notified

    def notified(payload: str) -> None:
        heard(payload)
        connected.set()

    monkeypatch.setattr(scene.live, "_notified", notified)
    page = scene.open(ben, 1)
    await connected.wait()
    arguments = (postgres_url, row["schema"], str(scene.clock.now()), ana.user_id, scene.room)
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", OTHER_PROCESS, *arguments)
    assert await other.wait() == 0
    await page.until(lambda: len(page.entries) == 2)
    assert [entry[2] for entry in page.entries] == ["One", "Two"]


async def test_the_number_of_streams_per_person_is_limited(scene: ChatScene) -> None:
    _, ben, _ = scene.people
    pages = [scene.open(ben, 1) for _ in range(PER_READER)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        scene.live.slots.take(ben.user_id, 100)
    await pages[0].close()
    taken = scene.live.slots.take(ben.user_id, 100)
    with pytest.raises(Unavailable):
        scene.live.slots.take("somebody else", PER_READER)
    taken.give_back()
    taken.give_back()
    assert scene.live.count == PER_READER - 1


async def test_places_are_taken_before_any_stream_is_open(scene: ChatScene) -> None:
    """A stream's place is reserved before the stream opens. Otherwise concurrent requests could exceed the limit."""
    _, ben, _ = scene.people
    for _ in range(PER_READER):
        scene.live.slots.take(ben.user_id, 100)
    with pytest.raises(Unavailable):
        scene.live.slots.take(ben.user_id, 100)


async def test_a_stop_ends_all_streams(scene: ChatScene) -> None:
    _, ben, _ = scene.people
    page = scene.open(ben, 1)
    await asyncio.sleep(0)
    scene.live.close()
    await page.ended()
    assert page.sent[-1].startswith(b"retry: ")
    with pytest.raises(Unavailable):
        scene.live.slots.take(ben.user_id, 100)


@contextlib.asynccontextmanager
async def follower(served: HttpServer, token: str, room: RoomId, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream opened with a session cookie."""
    async with (
        httpx.AsyncClient(
            verify=NO_TLS, base_url=served.url, cookies={"openmeet_session": token}, headers=headers
        ) as browser,
        browser.stream("GET", f"/chat/live?room={room}&after=1") as opened,
    ):
        assert opened.status_code == 200
        yield opened.aiter_lines()


async def test_the_cookie_alone_opens_a_page_stream(scene: ChatScene) -> None:
    """A token sent together with the cookie does not keep the stream open after the session ends."""
    ana, _, cleo = scene.people
    async with scene.db.transaction() as tx:
        session = await sign_in.open_session(tx, cleo.user_id, SessionTransport.BROWSER)
        further = await sign_in.open_session(tx, cleo.user_id, SessionTransport.API)
    site = site_on(scene.db, scene.clock)
    async with (
        serving(site.app) as served,
        follower(served, session.token, scene.room, authorization=f"Bearer {further.token}") as lines,
    ):
        await scene.say(ana, "Before")
        async for line in lines:
            if line.startswith("data:") and "Before" in line:
                break
        async with scene.db.transaction() as tx:
            await drop_session(tx, hash_token(session.token))
        await scene.say(ana, "After")
        rest = [line async for line in lines]
    assert "event: out" in rest
    assert not any("After" in line for line in rest)


async def test_switching_chats_quickly_is_possible(scene: ChatScene) -> None:
    """A closed page is noticed with a delay, but before the same person's next page would be refused."""
    _, _, cleo = scene.people
    async with scene.db.transaction() as tx:
        session = await sign_in.open_session(tx, cleo.user_id, SessionTransport.BROWSER)
    site = site_on(scene.db, scene.clock)
    async with serving(site.app) as served:
        for _ in range(3):
            async with contextlib.AsyncExitStack() as pages:
                for _ in range(PER_READER):
                    lines = await pages.enter_async_context(follower(served, session.token, scene.room))
                    assert await anext(lines) == ":"


async def test_a_refused_stream_takes_no_place(scene: ChatScene) -> None:
    _, ben, _ = scene.people
    site = site_on(scene.db, scene.clock)
    async with signed_in(site, ben.user_id) as browser:
        for _ in range(PER_READER + 1):
            assert (await browser.get("/chat/live?room=absent")).status_code == 404


async def test_a_server_that_stops_ends_an_open_stream_without_an_error(
    scene: ChatScene, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, cleo = scene.people
    async with scene.db.transaction() as tx:
        session = await sign_in.open_session(tx, cleo.user_id, SessionTransport.BROWSER)
    site = site_on(scene.db, scene.clock)
    async with serving(site.app) as served, follower(served, session.token, scene.room) as lines:
        assert await anext(lines) == ":"
        await served.stop()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
