"""Distances: between a hint and its button, between the facts of an event, and around text that wraps."""

from playwright.async_api import Browser

from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import MAX_NAME, Profile
from tests.browser.browsers import DESK, PHONE, Deployment, context, sideways
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import did
from tests.openmeet.site_under_test import event_by, person

_DISTANCES = """() => [...document.querySelectorAll("#signing-out ~ .fold")].map(fold => {
    fold.open = true;
    const [button, hint] = [fold.querySelector(".button"), fold.querySelector(".hint")].map(one =>
        one.getBoundingClientRect());
    return [button.top - hint.bottom, fold.getBoundingClientRect().bottom - button.bottom];
})"""


async def test_hints_keep_a_distance_from_sign_out_buttons(browser: Browser, openmeet: Deployment) -> None:
    """On a phone and a desktop."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.link(tx, did(1), ana.user_id, handle="ana.example", pds_url="https://pds.example")
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    for size in (PHONE, DESK):
        async with context(browser, openmeet, viewport=size) as opened:
            await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
            page = await opened.new_page()
            await page.goto("/settings/identity")
            distances = await page.evaluate(_DISTANCES)
            assert len(distances) == 3, "one account, and two ways to sign out"
            assert min(distance for both in distances for distance in both) >= 8


_ENTRIES = """() => [...document.querySelectorAll(".menu a")].map(entry => {
    const room = entry.getBoundingClientRect();
    const words = document.createRange();
    words.selectNodeContents(entry);
    return [room.height, Math.max(44, words.getBoundingClientRect().height + 8)];
})"""
_PROBLEM = """() => {
    const line = document.querySelector(".problems li");
    return [line.getBoundingClientRect().height, parseFloat(getComputedStyle(line).lineHeight),
        line.querySelector("a").getBoundingClientRect().height];
}"""


async def test_menu_arrow_is_next_to_wrapped_text(browser: Browser, openmeet: Deployment) -> None:
    """An entry is as high as its text, on a phone of any width."""
    async with openmeet.db.transaction() as tx:
        group = await group_by(tx, await person(tx, "Ana"))
    for width in (320, 360, 390):
        async with context(browser, openmeet, viewport=PHONE | {"width": width}) as opened:
            page = await opened.new_page()
            await page.goto(f"/groups/{group.slug}")
            entries = await page.evaluate(_ENTRIES)
            assert len(entries) >= 4
            assert all(height < words + 12 for height, words in entries), (width, entries)


async def test_links_in_the_error_summary_keep_the_line_height(browser: Browser, openmeet: Deployment) -> None:
    """And it is still large enough for a finger."""
    async with context(browser, openmeet, viewport=DESK, java_script_enabled=False) as opened:
        page = await opened.new_page()
        await page.goto("/sign-in")
        await page.locator("form[action='/sign-in'] button").click()
        line, expected, target = await page.evaluate(_PROBLEM)
        assert abs(line - expected) < 1
        assert target >= 44


async def test_the_longest_name_without_a_space_fits_on_a_phone(browser: Browser, openmeet: Deployment) -> None:
    """The footer of every page says who is signed in."""
    async with openmeet.db.transaction() as tx:
        session = await open_session(tx, (await person(tx, "W" * MAX_NAME)).user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        for path in ("/settings", "/settings/delete", "/notifications"):
            await page.goto(path)
            assert await sideways(page) <= 0, path


_BETWEEN_FACTS = """() => {
    const boxes = [...document.querySelectorAll(".facts > .fact")].map(one => one.getBoundingClientRect());
    return boxes.slice(1).map((one, at) => one.top - boxes[at].bottom);
}"""


async def test_the_facts_of_an_event_have_equal_distances_on_a_phone(browser: Browser, openmeet: Deployment) -> None:
    """If the reader's zone is that of the event, no line for their time is left free."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="9", languages="en", time_zone="Europe/Berlin")
        await users.edit_profile(tx, ana.user_id, Profile("Ana", "", time_zone="Europe/Berlin"))
        session = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE, timezone_id="Europe/Berlin") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        distances = await page.evaluate(_BETWEEN_FACTS)
    assert len(distances) >= 3
    assert set(distances) == {20}


_OWN_TIME = """() => {
    const words = document.createRange();
    words.selectNodeContents(document.querySelector("[data-your-time]"));
    const below = words.getBoundingClientRect().bottom;
    const next = document.querySelector(".fact:has([data-your-time]) + .fact").getBoundingClientRect().top;
    return [below - document.querySelector(".fact .dotted").getBoundingClientRect().bottom, next - below];
}"""


async def test_the_time_of_a_reader_elsewhere_has_a_line_of_its_own(browser: Browser, openmeet: Deployment) -> None:
    """On a phone. Outside the box of the line it would be cut off, and too close to the place."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), time_zone="Europe/Berlin")
    async with context(browser, openmeet, viewport=PHONE, timezone_id="America/New_York") as opened:
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        outside, distance = await page.evaluate(_OWN_TIME)
    assert outside <= 1
    assert 18 <= distance <= 22
