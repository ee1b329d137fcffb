"""Discover in a real browser: the map with a keyboard and on a phone, filters, the town of a new event; with and
without scripts.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from groundwork.cache.in_process import InProcessCache
from groundwork.clock import HandClock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.events import town_positions
from openmeet.domain.places.geocoder import Geocoder, GeocoderKind, GeocoderSettings
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, Count, Deployment, context, deployment, sideways, squeezed_texts
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.places.geocoder_server import geocoder_server
from tests.openmeet.places.located_events import BERLIN, POTSDAM, place_event_at
from tests.openmeet.places.world import open_world
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
WIDTH = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])


@pytest.fixture
async def openmeet(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A site with the list of places."""
    world = open_world()
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail", places=world) as opened:
        async with opened.db.transaction() as tx:
            ana = await person(tx, "Ana")
            await place_event_at(tx, await event_by(tx, ana, title="Walk", categories="outdoors"), BERLIN)
            await place_event_at(tx, await event_by(tx, ana, title="Boat", starts="2026-07-05T18:00", ends=""), POTSDAM)
        yield opened
    await world.close()


async def test_rows_on_a_phone_are_cut_between_place_and_host(browser: Browser, openmeet: Deployment) -> None:
    """A host who does not fit is left out, so that no dot is the end of the line."""
    async with openmeet.db.transaction() as tx:
        for name in ("Bo", "Alexandrina von Hohenstein-Lindenthal"):
            await event_by(tx, await person(tx, name), title="Chess", venue_name="Gemeindesaal", locality="Berlin")
    async with context(browser, openmeet, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await page.goto("/?q=chess")
        lines = page.locator(".event-card .where")
        boxes = await lines.evaluate_all(
            "all => all.map((line) => [line, ...line.children].map((one) => one.getBoundingClientRect().bottom))"
        )
        texts = await lines.all_inner_texts()
    assert ["Berlin" in text for text in texts] == [False, False]
    assert sorted(host <= line + 1 for line, _, host in boxes) == [False, True]
    assert all(place <= line + 1 for line, place, _ in boxes)


@SCRIPT
@WIDTH
async def test_the_map_by_keyboard(
    browser: Browser, openmeet: Deployment, *, script: bool, viewport: dict[str, int]
) -> None:
    """After a search for a town, the pins are links in the order of the list. The page contacts no other host."""
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
async def test_a_row_highlights_its_pin(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
    """With a mouse and by keyboard, also without scripts."""
    async with context(browser, openmeet, java_script_enabled=script, viewport=DESK) as somebody:
        page = await somebody.new_page()
        await page.goto("/?near=Berlin&within=50&view=map")
        walk, boat = page.locator(".map-desk .row-1 rect"), page.locator(".map-desk .row-2 rect")
        plain = await walk.evaluate("one => getComputedStyle(one).fill")
        await expect(boat).to_have_css("fill", plain)
        await page.get_by_role("heading", name="Walk").hover()
        await expect(walk).not_to_have_css("fill", plain)
        await expect(boat).to_have_css("fill", plain)
        await page.get_by_role("heading", name="Boat").get_by_role("link").focus()
        await expect(boat).not_to_have_css("fill", plain)


@WIDTH
@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
async def test_count_of_the_map_keeps_its_width(
    browser: Browser, openmeet: Deployment, viewport: dict[str, int], locale: str
) -> None:
    """The choice between list, map and month leaves room for whole words beside it, or has its own line."""
    async with context(browser, openmeet, locale=locale, viewport=viewport) as somebody:
        page = await somebody.new_page()
        for path in ("/?near=Berlin&within=50&view=map", "/?near=Berlin&within=50"):
            await page.goto(path)
            await expect(page.locator(".found > p")).to_contain_text("50 km")
            assert await squeezed_texts(page) == []
            line, views = [await page.locator(one).bounding_box() or {} for one in (".found", ".found .segments")]
            assert views["x"] + views["width"] == pytest.approx(line["x"] + line["width"], abs=1)
            assert viewport == DESK or views["width"] == pytest.approx(line["width"], abs=1), "its own line is filled"


async def test_a_short_count_shares_the_line_of_the_views_on_a_phone(browser: Browser, openmeet: Deployment) -> None:
    """Otherwise the first event begins a line further down."""
    async with context(browser, openmeet, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await page.goto("/?view=map")
        count, views = [await page.locator(one).bounding_box() or {} for one in (".found > p", ".found > .segments")]
        assert views["y"] < count["y"] + count["height"]
        assert not await sideways(page)
        assert await squeezed_texts(page) == []


async def test_enlarged_text_fits_a_phone_in_german(browser: Browser, openmeet: Deployment) -> None:
    """German words are longer, and the choice between list and map has two of them beside each other."""
    async with context(browser, openmeet, locale="de-DE") as somebody:
        page = await somebody.new_page()
        await page.goto("/?near=Berlin&within=50&view=map")
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert not await sideways(page)


async def test_a_mouse_drags_the_map(browser: Browser, openmeet: Deployment) -> None:
    """Pins move with the map, and the new view is in the URL. A pen scrolls the page instead."""
    async with context(browser, openmeet, viewport=DESK) as somebody:
        page = await somebody.new_page()
        await page.goto("/?near=Berlin&within=50&view=map")
        pin = page.locator(".map-desk .row-1 rect")
        before = await pin.bounding_box()
        assert before is not None
        await page.mouse.move(560, 420)
        await page.mouse.down()
        await page.mouse.move(660, 380, steps=3)
        await page.mouse.up()
        await page.wait_for_url("**at=**")
        await expect(page.locator(".is-dragged")).to_have_count(0)
        after = await pin.bounding_box()
        assert after is not None
        assert abs(after["x"] - before["x"] - 100) < 3
        assert abs(after["y"] - before["y"] + 40) < 3
        await page.locator(".map.moves .map-desk").dispatch_event("pointerdown", {"pointerType": "pen"})
        await expect(page.locator(".is-dragged")).to_have_count(0)


@SCRIPT
async def test_filters_can_be_combined(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
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
async def test_the_place_of_a_new_event(browser: Browser, openmeet: Deployment, *, script: bool) -> None:
    """One line fills in the address and the time zone, either while it is typed or with a button."""
    async with context(browser, openmeet, java_script_enabled=script, viewport=PHONE) as somebody:
        page = await somebody.new_page()
        await page.goto("/events/new")
        await page.get_by_label("Title").fill("Walk")
        place = page.get_by_role("textbox", name="Place optional")
        if script:
            await place.press_sequentially("Old mill, Karl-Marx-Straße 1, Neuk")
            await page.get_by_role("button", name="Neukölln (near Berlin, Germany)").click()
        else:
            await place.fill("Old mill, Karl-Marx-Straße 1, Neukölln")
            await page.get_by_role("button", name="Find").click()
        await expect(page.locator(".place-answer")).to_contain_text("Neukölln")
        await expect(place).to_have_value("Old mill, Karl-Marx-Straße 1, Neukölln")
        await expect(page.locator("#venue_name")).to_have_value("Old mill")
        await expect(page.locator("#street")).to_have_value("Karl-Marx-Straße 1")
        await expect(page.locator("#locality")).to_have_value("Neukölln")
        await expect(page.locator("#country")).to_have_value("Germany")
        await expect(page.locator("#time_zone")).to_have_value("Europe/Berlin")
        await expect(page.get_by_label("Title")).to_have_value("Walk")
        assert not await sideways(page)


@SCRIPT
async def test_a_street_from_a_geocoder(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, *, script: bool
) -> None:
    """One tap asks for suggestions and one chooses a suggestion, which fills in address and coordinates. The browser
    contacts no other host.
    """
    world, http = open_world(), HttpClient(DEVELOPMENT)
    async with geocoder_server() as server:
        settings = GeocoderSettings(GeocoderKind.PHOTON, server.url, "© OpenStreetMap contributors", "OpenMeet")
        geocoder = Geocoder(settings, http, InProcessCache(clock), InProcessCounters(), clock, world)
        async with (
            deployment(
                await make_sqlite("openmeet"), clock, tmp_path / "mail", places=world, geocoder=geocoder
            ) as opened,
            context(browser, opened, java_script_enabled=script, viewport=PHONE) as somebody,
        ):
            page = await somebody.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            await page.goto("/events/new")
            place = page.get_by_role("textbox", name="Place optional")
            if script:
                await place.press_sequentially("Sonnenallee")
                await expect(page.get_by_role("button", name="Look up streets and venues")).to_be_visible()
                # Pressed before towns are suggested for the whole text, the button cancels those.
                await place.fill("Sonnenallee 98")
                await page.get_by_role("button", name="Look up streets and venues").click()
            else:
                await place.fill("Sonnenallee 98")
                await page.get_by_role("button", name="Find").click()
            await expect(page.locator(".place-answer")).to_contain_text("© OpenStreetMap contributors")
            assert not await sideways(page)
            street = page.get_by_role("button", name="Sonnenallee 98, 12045 Berlin (Germany)")
            if script:
                assert await complaints(page) == []
                # The pressed button is gone. Keyboard users go on with the first suggestion.
                await expect(street).to_be_focused()
                await page.wait_for_timeout(500)
                await expect(street).to_be_focused()
            await street.click()
            await expect(place).to_have_value("Sonnenallee 98, 12045 Berlin")
            await expect(page.locator("#point")).to_have_value("52.4811, 13.4358")
            await expect(page.locator("#time_zone")).to_have_value("Europe/Berlin")
            assert {url for url in asked if not url.startswith((opened.url, "data:"))} == set()
    await http.close()
    await world.close()


@SCRIPT
@WIDTH
async def test_two_people_find_each_others_event(
    browser: Browser, openmeet: Deployment, *, script: bool, viewport: dict[str, int]
) -> None:
    """Each creates an event with a line that names a town. The other types the name of the town into the search, and
    is at the event after three taps.
    """
    lines = {"Bea": ("Chess", "Old mill, Berlin", "Potsdam"), "Cleo": ("Rowing", "Pier 2, Potsdam", "Berlin")}
    sessions = {}
    async with openmeet.db.transaction() as tx:
        for name in lines:
            who = await person(tx, name)
            sessions[name] = (await open_session(tx, who.user_id, SessionTransport.BROWSER)).token
    async with (
        context(browser, openmeet, java_script_enabled=script, viewport=viewport) as bea,
        context(browser, openmeet, java_script_enabled=script, viewport=viewport) as cleo,
    ):
        pages = {}
        for (name, (title, line, _)), theirs in zip(lines.items(), (bea, cleo), strict=True):
            await theirs.add_cookies([{"name": "openmeet_session", "value": sessions[name], "url": openmeet.url}])
            page = pages[name] = await theirs.new_page()
            await page.goto("/events/new")
            await page.get_by_label("Title").fill(title)
            await page.get_by_label("Starts").fill("2026-07-04T18:00")
            await page.get_by_role("textbox", name="Place optional").fill(line)
            await page.get_by_role("button", name="Create event").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        world = open_world()
        await town_positions.derive_positions_and_zones(openmeet.db, world)
        await world.close()
        for name, wanted in {"Bea": "Rowing", "Cleo": "Chess"}.items():
            page = pages[name]
            town = lines[name][2]
            await page.goto("/")
            count = Count()
            await count.fill(page.get_by_role("searchbox", name="Search", exact=True), town)
            await count.tap(page.locator("main").get_by_role("button", name="Search", exact=True))
            await count.tap(page.get_by_role("link", name=f"Near {town}"))
            await expect(page.get_by_role("heading", level=1)).to_have_text(f"Events near {town}")
            await count.tap(page.get_by_role("link", name=wanted).first)
            await expect(page.get_by_role("heading", level=1)).to_have_text(wanted)
            assert (count.taps, count.fields) == (3, 1)
            assert not await sideways(page)
