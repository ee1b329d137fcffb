"""Discover in a real browser: the map by keyboard and on a phone, filters, the town of a new event; with script and without."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from groundwork.clock import HandClock
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, Deployment, context, deployment, sideways
from tests.databases import MakeDatabase
from tests.openmeet.places.world import open_world
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.web.test_finding import BERLIN, POTSDAM, put_at
from tests.parts import needs

pytestmark = needs("chromium")

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
WIDTH = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])


@pytest.fixture
async def openmeet(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    """With the list of places."""
    world = open_world()
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail", places=world) as opened:
        async with opened.db.transaction() as tx:
            ana = await person(tx, "Ana")
            await put_at(tx, await event_by(tx, ana, title="Walk", categories="outdoors"), BERLIN)
            await put_at(tx, await event_by(tx, ana, title="Boat", starts="2026-07-05T18:00", ends=""), POTSDAM)
        yield opened
    await world.close()


@SCRIPT
@WIDTH
async def test_the_map_by_keyboard(
    browser: Browser, openmeet: Deployment, *, script: bool, viewport: dict[str, int]
) -> None:
    """Found by the name of a town, the pins are links in the order of the list; nothing asks another host."""
    async with context(browser, openmeet, java_script_enabled=script, viewport=viewport) as somebody:
        page = await somebody.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/?near=Berlin&within=50&view=map")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Events near Berlin")
        assert not await sideways(page)
        if script:
            assert await complaints(page) == []
        pins = page.locator(".map-pin:visible")
        await expect(pins).to_have_count(2)
        assert [
            name.partition(",")[0] for name in [await pins.nth(one).get_attribute("aria-label") or "" for one in (0, 1)]
        ] == ["Walk", "Boat"]
        await page.get_by_role("link", name="Zoom in").locator("visible=true").press("Enter")
        await page.wait_for_url("**at=**")
        await expect(page.locator(".map-picture:visible")).to_have_count(1)
        await page.goto("/?near=Berlin&within=50&view=map")
        await page.locator(".map-pin:visible").first.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Walk")
        assert {url for url in asked if not url.startswith((openmeet.url, "data:"))} == set()


@SCRIPT
async def test_filters_add_up(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
    async with context(browser, openmeet, java_script_enabled=script, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await page.goto("/?near=Berlin&within=50")
        row = page.get_by_role("navigation", name="Filters")
        await row.get_by_role("link", name="Outdoors").click()
        await expect(page.get_by_role("heading", name="Walk")).to_be_visible()
        await expect(page.get_by_role("heading", name="Boat")).to_have_count(0)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Events near Berlin")
        await row.get_by_role("link", name="Outdoors").click()
        await expect(page.get_by_role("heading", name="Boat")).to_be_visible()
        assert not await sideways(page)


@SCRIPT
async def test_the_town_of_a_new_event(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
    """Its name fills in country and time zone: while it is typed, or by a button."""
    async with context(browser, openmeet, java_script_enabled=script, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await page.goto("/events/new")
        await page.get_by_label("Title").fill("Walk")
        town = page.get_by_role("textbox", name="Town optional")
        if script:
            await town.press_sequentially("Neuk")
            await page.get_by_role("button", name="Neukölln (near Berlin, Germany)").click()
        else:
            await town.fill("Neukölln")
            await page.get_by_role("button", name="Find").click()
        await expect(page.locator(".town-answer")).to_contain_text("Neukölln")
        await expect(town).to_have_value("Neukölln")
        await expect(page.locator("#country")).to_have_value("Germany")
        await expect(page.locator("#time_zone")).to_have_value("Europe/Berlin")
        await expect(page.get_by_label("Title")).to_have_value("Walk")
        assert not await sideways(page)
