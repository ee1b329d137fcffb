"""Every page of groups is usable, with the same checks as ``test_every_page``: for their owner and for visitors."""

from playwright.async_api import Browser

from tests.browser.browsers import Deployment, context
from tests.browser.group_examples import add_group_examples
from tests.browser.page_problems import problems_of_pages
from tests.external_dependencies import needs

pytestmark = needs("chromium")

# What people see who are not signed in.
OPEN_TO_ALL = ("groups", "group", "month", "door")


async def test_pages_of_groups_are_usable(browser: Browser, openmeet: Deployment) -> None:
    token, paths = await add_group_examples(openmeet)
    assert await problems_of_pages(browser, openmeet, paths, token) == []


async def test_pages_of_groups_are_usable_for_visitors(browser: Browser, openmeet: Deployment) -> None:
    _, paths = await add_group_examples(openmeet)
    assert await problems_of_pages(browser, openmeet, {name: paths[name] for name in OPEN_TO_ALL}, None) == []


async def test_tabs_of_groups_have_one_line(browser: Browser, openmeet: Deployment) -> None:
    """On a phone it can be scrolled sideways."""
    token, paths = await add_group_examples(openmeet)
    high: list[tuple[str, float]] = []
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name in ("group", "events", "members", "settings", "log"):
            await page.goto(paths[name])
            boxes = [await one.bounding_box() for one in await page.locator("nav.tabs").all()]
            high += [(name, box["height"]) for box in boxes if box is not None and box["height"] > 60]
    assert high == []
