"""On a phone, where everything is in one column, the Tab key moves down the page: through forms and lists.
The focus is visible at every stop.
"""

import itertools
import re

from playwright.async_api import Browser, Page, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import Deployment, context
from tests.browser.example_pages import add_examples
from tests.browser.keyboard import stops, tab_to
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

PAGES = (
    "new",
    "edit",
    "edit series",
    "answers and places",
    "door",
    "people of a chat",
    "news",
    "what one hears of",
    "attendees",
    "event",
    "series",
    "safety",
)
# Controls next to each other, and a label above its field, are on one line.
_LINE_PX = 90


async def test_tab_key_moves_down_the_page(browser: Browser, openmeet: Deployment) -> None:
    token, paths = await add_examples(openmeet)
    async with context(browser, openmeet, reduced_motion="reduce") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        back = {name: await _steps_back(page, paths[name]) for name in PAGES}
    assert {name: steps for name, steps in back.items() if steps} == {}


async def _steps_back(page: Page, path: str) -> list[str]:
    """Names of controls that are above the previous one."""
    await page.goto(path)
    visited = await stops(page)
    assert visited
    pairs = itertools.pairwise(visited)
    return [f"{after.name} after {before.name}" for before, after in pairs if after.top < before.top - _LINE_PX]


async def test_every_control_of_a_chat_shows_the_focus(browser: Browser, openmeet: Deployment) -> None:
    """The button beside a message is higher than the last link in it."""
    token, paths = await add_examples(openmeet)
    async with context(browser, openmeet, reduced_motion="reduce") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(paths["chat"])
        names = [one.name for one in await stops(page)]
    assert any(name.startswith("In reply to: ") for name in names)


async def test_news_are_read_and_opened_with_the_keyboard(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        events = [await event_by(tx, ana, title=title) for title in ("Tea", "Chess")]
        for number, event in enumerate(events):
            await attendance.answer(tx, await person(tx, f"Ben {number}"), event.slug, RsvpReply.GOING)
        token = (await open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/notifications")
        await tab_to(page, "^Tea$")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/events/**")
        await page.goto("/notifications")
        await tab_to(page, "^Unread$")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="Unread")).to_have_attribute("aria-current", re.compile("page|true"))
        await tab_to(page, "^Choose your notifications$")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/settings/notifications")
