"""Printed pages leave out controls and contain what is needed without a screen."""

import re

from playwright.async_api import Browser, expect

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
        for view in ("week", "month"):
            await page.goto(f"/my/calendar?view={view}&on=2026-03-09")
            sheet = await page.pdf(format="A4", prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1, view
            assert re.search(rb"/MediaBox \[0 0 84[12]", sheet), "landscape"
