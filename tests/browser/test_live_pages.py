"""Pages that update by themselves: counts, guests and the bell. Nothing moves at the moment when a person wants to
press it.
"""

import asyncio
from functools import partial

import pytest
from playwright.async_api import Route, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.browser.browsers import DESK, PHONE, Deployment, context, sideways, small_targets
from tests.external_dependencies import needs
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person
from tests.system.tour.polling import eventually

pytestmark = needs("chromium")


async def games(openmeet: Deployment, *, places: int) -> tuple[Event, str, Caller]:
    """An event, the session token of its host, and somebody who can answer."""
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Games", capacity=str(places))
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    return event, token, ben


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_hosts_pages_show_a_new_answer_automatically(openmeet, browser, viewport):
    event, token, ben = await games(openmeet, places=5)
    async with context(browser, openmeet, viewport=viewport) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        event_page, guests = await host.new_page(), await host.new_page()
        await guests.goto(f"/events/{event.slug}/attendees")
        await event_page.goto(f"/events/{event.slug}")
        await expect(event_page.locator("#places")).to_contain_text("0 of 5 places taken")
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
        await expect(event_page.locator("#places")).to_contain_text("1 of 5 places taken")
        await expect(event_page.locator("[data-live-bell]")).to_have_accessible_name("Notifications, 1 unread")
        await expect(guests.locator("#numbers")).to_contain_text("4 of 5 places left")
        # The list itself is only updated at the reader's request.
        await expect(guests.get_by_text("Ben", exact=True)).to_have_count(0)
        show = guests.get_by_role("button", name="Show")
        await expect(show).to_be_visible()
        for page in (event_page, guests):
            assert await sideways(page) <= 0
            assert await small_targets(page) == []
        await show.click()
        await expect(guests.get_by_text("Ben", exact=True)).to_be_visible()
        await expect(guests.get_by_role("button", name="Show")).to_be_hidden()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_long_list_of_people_is_folded_and_stays_open(openmeet, browser, viewport):
    """More than six people are shown by their faces. An opened list stays open and keeps the focus when a new answer
    arrives.
    """
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Games")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
        for number in range(7):
            await attendance.answer(
                tx, await person(tx, f"Guest {number}"), event.slug, RsvpReply.GOING, ReplyDetails()
            )
    async with context(browser, openmeet, viewport=viewport) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await host.new_page()
        await page.goto(f"/events/{event.slug}")
        people = page.locator("#guests")
        await expect(people.locator("summary .avatar")).to_have_count(6)
        await expect(people.get_by_text("Guest 6")).to_be_hidden()
        await people.get_by_text("See all").click()
        await expect(people.get_by_text("Guest 6")).to_be_visible()
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, await person(tx, "Zoe"), event.slug, RsvpReply.GOING, ReplyDetails())
        await expect(people.get_by_text("Zoe")).to_be_visible()
        await expect(people.locator("summary")).to_be_focused()
        assert await sideways(page) <= 0
        assert await small_targets(page) == []


# Counts what the page has been told.
_HEAR = """
    window.heard = 0;
    window.EventSource = class extends EventSource {
      constructor(...given) {
        super(...given);
        window.stream = this;
        this.addEventListener("event", () => (window.heard += 1));
      }
    };
"""
_BURST = "for (let count = 0; count < 20; count += 1) stream.dispatchEvent(new MessageEvent('event'))"


async def test_a_burst_of_answers_is_fetched_once_and_none_is_lost(openmeet, browser):
    """An answer that comes while the page is being fetched is shown, too."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Games", capacity="9")
        guests = [await person(tx, f"Guest {number}") for number in range(7)]
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    fetched, asked = 0, asyncio.Event()

    async def answer(who: Caller) -> None:
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING, ReplyDetails())

    async def deliver(route: Route) -> None:
        """The first answer of the server is on its way while somebody else answers."""
        nonlocal fetched
        fetched += 1
        response = await route.fetch()
        if fetched == 1:
            before = await page.evaluate("heard")
            await answer(guests[6])
            # The stream tells the page before the answer of the server arrives.
            await eventually(lambda: page.evaluate(f"heard > {before}"))
        await route.fulfill(response=response)
        asked.set()

    async with context(browser, openmeet) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        await host.add_init_script(_HEAR)
        page = await host.new_page()
        await page.goto(f"/events/{event.slug}")
        await expect(page.locator("#places")).to_contain_text("0 of 9 places taken")
        await page.route(f"**/events/{event.slug}", deliver)
        for guest in guests[:6]:
            await answer(guest)
        await expect(page.locator("#places")).to_contain_text("7 of 9 places taken")
        assert fetched <= 3, "one for the burst, one for what came meanwhile, and one for a slow machine"
        asked.clear()
        before = fetched
        await page.evaluate(_BURST)
        await asked.wait()
        await page.wait_for_load_state("networkidle")
        assert fetched == before + 1


# The connection breaks while the first answer arrives.
_BREAK = """() => {
    const whole = window.fetch;
    window.fetch = async (...given) => {
      window.fetch = whole;
      const answer = await whole(...given);
      answer.text = async () => {
        window.broke = true;
        throw new TypeError("the connection broke");
      };
      return answer;
    };
}"""


async def test_a_page_whose_update_breaks_off_is_updated_later(openmeet, browser):
    event, token, ben = await games(openmeet, places=9)
    async with context(browser, openmeet) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await host.new_page()
        await page.clock.install()
        await page.goto(f"/events/{event.slug}")
        await page.evaluate(_BREAK)
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
        await eventually(lambda: page.evaluate("window.broke"))
        await page.clock.fast_forward(31_000)
        await expect(page.locator("#places")).to_contain_text("1 of 9 places taken")


@pytest.mark.parametrize(
    "back", ["dispatchEvent(new Event('online'))", "document.dispatchEvent(new Event('visibilitychange'))"]
)
async def test_a_page_is_updated_at_once_when_the_connection_is_back(openmeet, browser, back):
    """The clock of the page stands still, so a pause before the next attempt would never end."""
    event, token, ben = await games(openmeet, places=9)
    async with context(browser, openmeet) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        await host.add_init_script(_HEAR)
        page = await host.new_page()
        await page.clock.install()
        await page.goto(f"/events/{event.slug}")
        await page.evaluate(_BREAK)
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
        await eventually(lambda: page.evaluate("heard > 0"))
        await page.clock.pause_at(await page.evaluate("Date.now()") / 1000 + 5)
        await eventually(lambda: page.evaluate("window.broke"))
        await expect(page.locator("#places")).to_contain_text("0 of 9 places taken")
        await page.evaluate(back)
        await expect(page.locator("#places")).to_contain_text("1 of 9 places taken")


# Counts streams that are open, and what waits for the end of the page.
_COUNT = """
    window.listening = 0;
    window.streams = [];
    const listen = window.addEventListener;
    window.addEventListener = function (name, ...rest) {
      if (name === "pagehide") window.listening += 1;
      return listen.call(this, name, ...rest);
    };
    window.EventSource = class extends EventSource {
      constructor(...given) { super(...given); window.streams.push(this); }
    };
"""


async def test_a_refused_stream_of_a_chat_is_replaced_by_one(openmeet, browser):
    """The server refuses the stream three times. Then there is one stream, and leaving the page closes it."""
    refused = 0

    async def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        await (route.fulfill(status=503) if refused <= 3 else route.continue_())

    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Games")
        await send_text(tx, ana, await room_of(tx, ana, subject_of_event(event)), "Hello")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        await host.add_init_script(_COUNT)
        page = await host.new_page()
        await page.clock.install()
        await page.route("**/chat/live*", refuse)
        await page.goto(f"/events/{event.slug}/chat")
        before = await page.evaluate("listening")
        for streams in (1, 2, 3):
            is_refused = f"streams.length === {streams} && streams.at(-1).readyState === EventSource.CLOSED"
            await eventually(partial(page.evaluate, is_refused))
            await page.clock.fast_forward(31_000)
        await eventually(partial(page.evaluate, "streams.at(-1).readyState === EventSource.OPEN"))
        assert await page.evaluate("streams.filter((one) => one.readyState !== EventSource.CLOSED).length") == 1
        assert await page.evaluate("listening") == before
        await page.evaluate("dispatchEvent(new Event('pagehide'))")
        assert await page.evaluate("streams.every((one) => one.readyState === EventSource.CLOSED)")
