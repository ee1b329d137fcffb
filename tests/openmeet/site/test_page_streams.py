"""Live pages: the updates that a page receives, which contain no more than the page itself shows."""

import asyncio
import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable, Collection

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Reader
from groundwork.http.server import serving
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.sign_in.queries import drop_session, still_open
from openmeet.domain.users.model import Caller
from openmeet.web.site import page_stream_route, page_streams
from openmeet.web.site.page_streams import PageSource, PageStream, PageStreams
from openmeet.web.site.server_sent_events import PER_READER
from tests.databases import MakeDatabase
from tests.openmeet.site.page_streams import event_fingerprint, follow_stream
from tests.openmeet.site_under_test import CODE_KEY, event_by, person, signed_in, site_on


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def going(db: Database, guest: Caller, event: Event) -> None:
    async with db.transaction() as tx:
        await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, ReplyDetails())


async def host_and_guest(db: Database, **typed: str) -> tuple[Caller, Caller, Event]:
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        return ana, ben, await event_by(tx, ana, **typed)


def address_in(page: str) -> str:
    """The URL that this page's script connects to."""
    found = re.search(r'data-live="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


async def token_of(db: Database, who: Caller) -> str:
    async with db.transaction() as tx:
        return (await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)).token


async def test_an_open_page_receives_an_answer_and_its_notification(db: Database, clock: HandClock) -> None:
    ana, ben, event = await host_and_guest(db)
    token = await token_of(db, ana)
    site = site_on(db, clock)
    async with signed_in(site, ana.user_id) as browser:
        address = address_in((await browser.get(f"/events/{event.slug}")).text)
    async with serving(site.app) as served, follow_stream(served, token, address) as page:
        _, marks = await page.until("top")
        assert marks == {"unread": 0, "label": "Notifications", "bell": marks["bell"], "chats": ""}
        await going(db, ben, event)
        told = {name: (identifier, data) for identifier, name, data in [await page.next(), await page.next()]}
        assert told.keys() == {"top", "event"}
        assert told["top"][1]["label"] == "Notifications, 1 unread"
        assert told["event"][0] == await event_fingerprint(db, event)


async def test_changes_made_before_the_stream_was_open_are_sent_at_once(db: Database, clock: HandClock) -> None:
    """A page gets the changes between rendering and connecting, and the changes while the connection was lost."""
    ana, ben, event = await host_and_guest(db)
    token = await token_of(db, ana)
    site = site_on(db, clock)
    async with signed_in(site, ana.user_id) as browser:
        before = address_in((await browser.get(f"/events/{event.slug}")).text)
        await going(db, ben, event)
        after = address_in((await browser.get(f"/events/{event.slug}/attendees")).text)
    async with serving(site.app) as served:
        async with follow_stream(served, token, before) as page:
            identifier, _ = await page.until("event")
            assert f"after={identifier}" in after
        async with follow_stream(served, token, after) as page:
            assert (await page.next())[1] == "top"
            async with db.transaction() as tx:
                await drop_session(tx, hash_token(token))
            # There was no event in between, because the page already showed the current state.
            assert (await page.next())[1] == "out"
            assert await page.next() == ("", "", {})


async def test_a_page_receives_only_events_that_its_reader_sees(db: Database, clock: HandClock) -> None:
    _, ben, event = await host_and_guest(db, visibility="private")
    site = site_on(db, clock)
    async with signed_in(site, ben.user_id) as browser:
        for _ in range(PER_READER + 1):  # a refused stream does not count towards the limit
            assert (await browser.get(f"/live?event={event.slug}")).status_code == 404
    async with site.browser() as stranger:
        assert (await stranger.get("/live", headers={"accept": "text/event-stream"})).status_code == 401


async def test_a_person_can_change_pages_quickly(db: Database, clock: HandClock) -> None:
    """The server notices a closed page with a delay, but early enough to accept the person's next page."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    token = await token_of(db, ana)
    site = site_on(db, clock)
    async with serving(site.app) as served:
        for _ in range(3):
            async with contextlib.AsyncExitStack() as pages:
                for _ in range(PER_READER):
                    page = await pages.enter_async_context(follow_stream(served, token, "/live"))
                    assert (await page.next())[1] == "top"


async def test_the_number_of_streams_per_person_is_limited(db: Database, clock: HandClock) -> None:
    ana, _, _ = await host_and_guest(db)
    site = site_on(db, clock)
    places = [site.app.state.services.page_streams.slots.take(ana.user_id, 100) for _ in range(PER_READER)]
    async with signed_in(site, ana.user_id) as browser:
        refused = await browser.get("/live")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    for one in places:
        one.give_back()


class Crowd:
    """Open pages of one person, without HTTP. Each stores what it was sent."""

    def __init__(self, db: Database, person: Caller, session: bytes, event: Event, fingerprint: str) -> None:
        self.live, self.source = PageStreams(), PageSource(db, CODE_KEY, lambda *_: b":\n\n")
        self._person, self._session, self._event, self._fingerprint = person, session, event, fingerprint
        self.pages: list[PageStream] = []
        self._tasks: list[asyncio.Task[None]] = []

    def join(self, *, is_about_event: bool) -> asyncio.Event:
        """Open a page. The returned event is set after the page has received its first data."""
        fed = asyncio.Event()
        place = self.live.slots.take(str(len(self.pages)), 10_000)
        about = self._event.id if is_about_event else None
        page = PageStream(self._person.user_id, self._session, "en", place, about, self._fingerprint)

        async def write(_: bytes) -> None:
            fed.set()

        async def is_gone() -> bool:
            return False

        self.pages.append(page)
        self._tasks.append(asyncio.create_task(self.live.run(page, self.source, write, is_gone)))
        return fed

    @property
    def told(self) -> int:
        """The number of pages that received the change of their event."""
        return sum(one.fingerprint != self._fingerprint for one in self.pages)

    async def leave(self) -> None:
        for one in self._tasks:
            one.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def crowd_about(db: Database, host: Caller, event: Event) -> AsyncIterator[Crowd]:
    crowd = Crowd(db, host, hash_token(await token_of(db, host)), event, await event_fingerprint(db, event))
    try:
        yield crowd
    finally:
        await crowd.leave()


async def test_many_pages_are_notified_in_small_groups(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each notified page reloads, so the pages are notified in small groups, each once."""
    monkeypatch.setattr(page_streams, "MAX_NOTIFIED_AT_ONCE", 2)
    monkeypatch.setattr(page_streams, "LOOK_SECONDS", 3_600.0)
    ana, ben, event = await host_and_guest(db)
    async with crowd_about(db, ana, event) as crowd:
        await asyncio.gather(*[crowd.join(is_about_event=True).wait() for _ in range(5)])
        await going(db, ben, event)
        told = []
        for _ in range(4):
            await crowd.live.look(crowd.source)
            told.append(crowd.told)
        assert told == [2, 4, 5, 5]


async def test_pages_that_keep_joining_do_not_delay_others(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy site other pages connect while some pages are being notified."""
    monkeypatch.setattr(page_streams, "LOOK_SECONDS", 0.015)
    query = still_open

    async def slowly(reader: Reader, sessions: Collection[bytes]) -> set[bytes]:
        await asyncio.sleep(0.01)
        return await query(reader, sessions)

    monkeypatch.setattr(page_streams, "still_open", slowly)
    ana, ben, event = await host_and_guest(db)
    async with crowd_about(db, ana, event) as crowd:
        await crowd.join(is_about_event=True).wait()
        await going(db, ben, event)
        for _ in range(500):
            if crowd.told:
                break
            crowd.join(is_about_event=False)
            await asyncio.sleep(0.002)
        assert crowd.told == 1


async def test_a_failure_ends_the_streams_and_later_ones_work(db: Database, clock: HandClock) -> None:
    """Browsers reconnect. A page whose stream has stopped without an error would look up to date."""
    ana, _, _ = await host_and_guest(db)
    token = await token_of(db, ana)
    site = site_on(db, clock)
    source_of = PageSource
    fails = [True]

    def broken(database: Database, key: SigningKey, top_frame: Callable[..., bytes]) -> PageSource:
        def made(*arguments: object) -> bytes:
            if fails.pop() if fails else False:
                raise RuntimeError("the template is broken")
            return top_frame(*arguments)

        return source_of(database, key, made)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page_stream_route, "PageSource", broken)
        async with serving(site.app) as served:
            async with follow_stream(served, token, "/live") as page:
                assert await page.next() == ("", "", {})
            async with follow_stream(served, token, "/live") as page:
                await page.until("top")


async def test_stopping_ends_all_streams(db: Database, clock: HandClock) -> None:
    ana, _, _ = await host_and_guest(db)
    token = await token_of(db, ana)
    site = site_on(db, clock)
    async with serving(site.app) as served, follow_stream(served, token, "/live") as page:
        await page.until("top")
        site.app.state.services.page_streams.close()
        assert await page.next() == ("", "", {})
