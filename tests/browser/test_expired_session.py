"""Forms and chat messages that are sent after the session has ended: after signing in again in the same tab, they are sent
with everything that was typed.
"""

import pytest
from playwright.async_api import expect

from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, ask_for_code, context, enter_code, sideways
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

TITLE = "Chess & <b>cake</b> “evening”"


@pytest.mark.parametrize(("script", "viewport"), [(True, DESK), (True, PHONE), (False, PHONE)])
async def test_a_form_survives_the_end_of_the_session(browser, openmeet, script, viewport):
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, java_script_enabled=script, viewport=viewport) as hers:
        await hers.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hers.new_page()
        await page.goto(f"/events/{event.slug}/edit")
        await page.get_by_label("Title").fill(TITLE)
        await hers.clear_cookies(name="openmeet_session")
        await page.get_by_role("button", name="Save changes").click()
        await page.get_by_role("heading", name="You’ve been signed out").wait_for()
        assert not await sideways(page)
        await page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        await ask_for_code(page, "ana@example.org")
        await enter_code(page, openmeet)
        await page.get_by_role("heading", name="You’re signed in again").wait_for()
        assert not await sideways(page)
        if script:
            assert await complaints(page) == []
        await page.get_by_role("button", name="Send it").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)
        assert page.url.partition("?")[0].endswith(f"/events/{event.slug}")
        assert len(hers.pages) == 1


async def test_a_chat_message_survives_the_end_of_the_session(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet) as hers:
        await hers.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hers.new_page()
        await page.goto(f"/events/{event.slug}/chat")
        await page.get_by_label("Message everyone").fill(TITLE)
        await hers.clear_cookies(name="openmeet_session")
        await page.get_by_role("button", name="Send").click()
        await page.get_by_role("heading", name="You’ve been signed out").wait_for()
        await page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        await ask_for_code(page, "ana@example.org")
        await enter_code(page, openmeet)
        await page.get_by_role("button", name="Send it").click()
        await expect(page.locator("li.own")).to_contain_text(TITLE)
        assert page.url.partition("#")[0].endswith(f"/events/{event.slug}/chat")
        # The draft was sent, so the field is empty.
        await expect(page.get_by_label("Message everyone")).to_have_value("")


async def test_another_browser_does_not_see_it(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        session = await open_session(tx, (await person(tx, "Ben")).user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet) as his:
        await his.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await his.new_page()
        await page.goto("/sign-in/form")
        assert await page.get_by_role("button", name="Send it").count() == 0
