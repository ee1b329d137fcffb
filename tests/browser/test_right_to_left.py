"""Pages in a language that is written from right to left are mirrored, without sideways scrolling or overlaps."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from groundwork.clock import HandClock
from groundwork.i18n import pseudo
from tests.browser.browsers import DESK, PHONE, context, covered_targets, deployment, sideways, small_targets
from tests.browser.example_pages import add_examples
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

pytestmark = needs("chromium")

PAGES = (
    "home",
    "event",
    "new",
    "series",
    "attendees",
    "my events",
    "news",
    "settings",
    "my calendar",
    "chat",
    "what was merged",
    "the map",
    "sharing",
    "ticket",
    "absent",
    "code",
)
# Pages for people who are not signed in.
DOORS = {
    "sign in": "/sign-in",
    "no code": "/sign-in/code?challenge=x",
    "password": "/sign-in/handle",
    "front": "/",
    # This includes a map with pins, which pages only have if positions are known.
    "components": "/dev/components",
}


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_pages_are_mirrored(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, size: dict[str, int]
) -> None:
    db = await make_sqlite("openmeet")
    found = []
    async with (
        deployment(db, clock, tmp_path / "mail", language=pseudo.MIRRORED) as site,
        # A language that the site does not have.
        context(browser, site, viewport=size, locale="nv", reduced_motion="reduce") as opened,
    ):
        token, paths = await add_examples(site)
        page = await opened.new_page()
        for name, path in [*DOORS.items(), *((name, paths[name]) for name in PAGES)]:
            if name == PAGES[0]:
                await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": site.url}])
            await page.goto(path)
            assert await page.get_attribute("html", "dir") == "rtl"
            # On phones, a link back replaces the logo on some pages, and a chat fills the whole screen.
            first = page.locator(".top :is(.mark, [data-back])").filter(visible=True)
            box = await first.bounding_box() if await first.count() else None
            assert box["x"] > size["width"] / 2 if box else name == "chat", name
            beyond = await sideways(page)
            found += [f"{name}: {beyond} px sideways"] if beyond > 0 else []
            found += [f"{name}: small target {one}" for one in await small_targets(page)]
            found += [f"{name}: covered target {one}" for one in await covered_targets(page)]
    assert found == []
