"""Printed pages leave out controls and contain what is needed without a screen."""

import re

import pytest
from playwright.async_api import Browser, expect

from groundwork.clock import DAY, Instant, to_datetime
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import Deployment, context
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")
A4 = {"width": 720, "height": 1_000}


async def test_event_ticket_and_guest_list_can_be_printed(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Supper club", door_note="Ring twice")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        hers, his = [await open_session(tx, one.user_id, SessionTransport.BROWSER) for one in (ana, ben)]
    path = f"/events/{event.slug}"
    async with context(browser, openmeet, viewport=A4) as opened:
        page = await opened.new_page()
        await page.emulate_media(media="print")
        await opened.add_cookies([{"name": "openmeet_session", "value": his.token, "url": openmeet.url}])
        await page.goto(path)
        await expect(page.get_by_text(f"{openmeet.url}{path}", exact=True)).to_be_visible()
        await expect(page.get_by_text("Ring twice")).to_be_hidden()
        assert await page.locator(".answer:visible, .tabbar:visible, .top:visible, .side:visible").count() == 0
        await page.goto(f"{path}/ticket")
        await expect(page.locator(".ticket-code")).to_be_visible()
        await expect(page.get_by_text("Ring twice")).to_be_visible()
        await opened.add_cookies([{"name": "openmeet_session", "value": hers.token, "url": openmeet.url}])
        await page.goto(f"{path}/guest-list")
        await expect(page.get_by_role("cell", name="Ben")).to_be_visible()
        assert await page.locator(".paper-acts:visible, .tabbar:visible").count() == 0
        # The tick is white. Browsers leave out backgrounds unless the page asks for them.
        await page.goto(f"{path}/attendees")
        box = page.get_by_role("checkbox").first
        await box.check()
        await expect(box).to_have_css("print-color-adjust", "exact")
        assert await page.locator(".bulk:visible").count() == 0, "it would cover people"


async def test_printed_ticket_of_an_online_event_has_the_link(browser: Browser, openmeet: Deployment) -> None:
    """On paper a button leads nowhere. A poster does not say how many days are left, because it hangs for longer."""
    link = "https://meet.example/room"
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        soon = to_datetime(Instant(tx.now + 3 * DAY)).strftime("%Y-%m-%dT%H:%M")
        event = await event_by(tx, ana, title="Webinar", starts=soon, ends="", mode="online", online_url=link)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        session = await open_session(tx, ben.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=A4) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}/ticket")
        await expect(page.get_by_text(link, exact=True)).to_be_hidden()
        await page.emulate_media(media="print")
        await expect(page.get_by_text(link, exact=True)).to_be_visible()
        await expect(page.get_by_text("Show the code for check-in")).to_be_hidden()
        await page.goto(f"/events/{event.slug}")
        days_left = page.locator(".fact .hint > .off-paper:not([data-your-time])")
        await expect(days_left).to_be_hidden()
        await page.emulate_media(media="screen")
        await expect(days_left).to_be_visible()


async def test_a_poster_has_no_link_to_join(browser: Browser, openmeet: Deployment) -> None:
    """Everybody can read a poster. The person who prints it may be the only one who may see the link."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        soon = to_datetime(Instant(tx.now + 3 * DAY)).strftime("%Y-%m-%dT%H:%M")
        event = await event_by(
            tx, ana, title="Webinar", starts=soon, ends="", mode="online", online_url="https://meet.example/room"
        )
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=A4) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        links = page.locator("a[href='https://meet.example/room']:visible")
        assert await links.count() > 0
        await page.emulate_media(media="print")
        assert await links.count() == 0


async def test_the_poster_that_a_host_prints_names_the_host(browser: Browser, openmeet: Deployment) -> None:
    """On the screen, a host who hosts alone does not read it. On paper, “(you)” would be somebody else."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        event = await event_by(tx, ana, title="Supper club")
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=A4) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        hosted_by = page.locator(".event-head").get_by_text("Hosted by")
        await expect(hosted_by).to_be_hidden()
        await page.emulate_media(media="print")
        await expect(hosted_by).to_be_visible()
        await expect(hosted_by).to_contain_text("Ana Lindqvist")
        await expect(page.get_by_text("(you)")).to_be_hidden()


async def test_a_poster_has_only_the_local_time(browser: Browser, openmeet: Deployment) -> None:
    """“Your time” is that of the person who prints it. Readers of the poster are where the event is."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Supper club")
    async with context(browser, openmeet, viewport=A4, timezone_id="America/New_York") as opened:
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        their_time = page.locator(".fact [data-your-time]")
        await expect(their_time).to_contain_text("your time")
        await expect(their_time).to_be_visible()
        await page.emulate_media(media="print")
        await expect(their_time).to_be_hidden()


@pytest.mark.parametrize("width", [720, 1_040])
async def test_the_printed_front_page_has_no_search(browser: Browser, openmeet: Deployment, width: int) -> None:
    """On wide paper, the pictures that stand on the height of the search are left out with it."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number, topic in enumerate(("games", "music", "food")):
            soon = to_datetime(Instant(tx.now + (number + 1) * DAY)).strftime("%Y-%m-%dT%H:%M")
            await event_by(tx, ana, title=f"Evening {number}", starts=soon, ends="", categories=topic)
    async with context(browser, openmeet, viewport={"width": width, "height": 1_000}) as opened:
        page = await opened.new_page()
        await page.goto("/")
        await expect(page.get_by_role("search")).to_be_visible()
        await page.emulate_media(media="print")
        await expect(page.get_by_role("search")).to_be_hidden()
        assert await page.locator(".collage").count() == 1
        await expect(page.locator(".collage")).to_be_hidden()
        await expect(page.get_by_role("link", name="Evening 1").first).to_be_visible()


async def test_a_week_and_a_month_are_one_sheet_each(browser: Browser, openmeet: Deployment) -> None:
    """If they were longer, they would be split; with page rules of their own, there would be blank sheets around them."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for day in (9, 9, 9, 11, 31):
            await event_by(tx, ana, starts=f"2026-03-{day:02}T18:00", ends=f"2026-03-{day:02}T20:00")
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=A4) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        for view in ("/my/calendar?view=week&on=2026-03-09", "/my/calendar?view=month&on=2026-03-09", "/?view=month"):
            await page.goto(view)
            sheet = await page.pdf(format="A4", prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1, view
            assert re.search(rb"/MediaBox \[0 0 84[12]", sheet), "landscape"
