"""A person's calendar in a browser: month, week and agenda, on a phone and a desktop, with and without scripts."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, Page, expect

from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import UserId
from tests.browser.browsers import DESK, PHONE, Deployment, context
from tests.browser.page_problems import problems_of_pages
from tests.external_dependencies import needs
from tests.openmeet.calendars.full_month import calendar, full_month
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

MONTH = "/my/calendar?view=month&on=2026-03-03"
WEEK = "/my/calendar?view=week&on=2026-03-07"

_SHIFTS = """() => new Promise((done) => {
    const moved = [];
    const nameOf = (node) => node ? (node.outerHTML || node.textContent || "").slice(0, 120) : "";
    const boxOf = (box) => [box.x, box.y, box.width, box.height].map(Math.round).join(" ");
    new PerformanceObserver((list) => {
        for (const one of list.getEntries())
            for (const part of one.sources) moved.push([one.value, boxOf(part.previousRect), boxOf(part.currentRect),
                nameOf(part.node)]);
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(moved), 50)));
})"""
_BLOCKS = """() => [...document.querySelectorAll(".wk-block")].map((one) => {
    const box = one.getBoundingClientRect();
    const column = one.parentElement.getBoundingClientRect();
    return { words: one.textContent.replace(/\\s+/g, " ").trim(), left: box.left, right: box.right, top: box.top, bottom: box.bottom, from: box.top - column.top, isShown: box.width > 0, isInside: box.left >= column.left && box.right <= column.right + 0.5 };
  }).filter((one) => one.isShown)"""


# Texts that are cut off without an ellipsis.
_CLIPPED = """() => [...document.querySelectorAll(".wk-block")].filter((one) => one.checkVisibility()).flatMap((one) => {
    const box = one.getBoundingClientRect();
    const [title, clock] = [one.querySelector(".cal-title"), one.querySelector(".wk-line")].map((each) =>
        each?.getBoundingClientRect());
    const isShort = one.matches(".is-short");
    const words = one.querySelector(".cal-title")?.textContent ?? "";
    const isWide = one.querySelector(".cal-title")?.scrollWidth > title?.width + 1;
    const isCut = title && title.bottom > box.bottom + 0.5;
    const hasClock = !clock || isShort || (clock.left < box.right && clock.bottom <= box.bottom + 0.5);
    return isWide || isCut || !hasClock ? [`${words}: ${isWide} ${isCut} ${hasClock}`] : [];
  })"""


async def token_of(openmeet: Deployment, user_id: UserId) -> str:
    async with openmeet.db.transaction() as tx:
        session = await open_session(tx, user_id, SessionTransport.BROWSER)
    return session.token


async def add_examples(openmeet: Deployment) -> str:
    """Create a person with a full month, and with a busy day in another month. Returns their session."""
    async with openmeet.db.transaction() as tx:
        ana, _ = await full_month(tx)
        await calendar(tx, ana, "Trains", 7, [(f"Train {n}", "25", "09:00", "10:00", False) for n in range(40)])
    return await token_of(openmeet, ana.user_id)


async def test_each_calendar_view_is_usable(browser: Browser, openmeet: Deployment) -> None:
    """On a phone and a desktop, light and dark: no sideways scrolling, large targets, clear names, no complaints of
    axe.
    """
    token = await add_examples(openmeet)
    paths = {
        "month": MONTH,
        "month with a busy day": "/my/calendar?view=month&on=2026-03-25",
        "week": WEEK,
        "busy week": "/my/calendar?view=week&on=2026-03-25",
        "agenda": "/my/calendar?view=agenda&on=2026-03-01",
        "empty month": "/my/calendar?on=2027-05-01",
        "settings": "/settings/calendars",
    }
    assert await problems_of_pages(browser, openmeet, paths, token) == []


async def test_without_scripts_every_step_is_a_link_or_a_button(browser: Browser, openmeet: Deployment) -> None:
    token = await add_examples(openmeet)
    async with context(browser, openmeet, java_script_enabled=False) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        await page.goto("/my/calendar")
        await page.get_by_role("link", name="Thursday 5 March 2026, 3 events").click()
        await expect(page.get_by_role("heading", name="Thursday 5 March", exact=True)).to_be_visible()
        await expect(page.get_by_text("Tom’s birthday").last).to_be_visible()
        await page.get_by_role("button", name="Birthdays", pressed=True).click()
        await page.get_by_role("link", name="Thursday 5 March 2026, 2 events, chosen").wait_for()
        await page.get_by_role("link", name="Week").click()
        await expect(page.get_by_role("heading", name="Thursday 5 March", exact=True)).to_be_visible()
        await page.get_by_role("link", name="After 2–8 Mar").click()
        await expect(page.get_by_role("heading", name="9–15 Mar")).to_be_visible()
        await page.get_by_role("link", name="Today", exact=True).click()
        await expect(page.get_by_role("heading", name="Sunday 1 March", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Agenda").click()
        await page.get_by_role("link", name=re.compile("^Games night ?, Thursday 5 March$")).click()
        await expect(page.get_by_role("heading", name="Games night")).to_be_visible()


async def test_keyboard_moves_by_days_and_months(browser: Browser, openmeet: Deployment) -> None:
    token = await add_examples(openmeet)
    async with context(browser, openmeet, viewport=DESK) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        await page.goto(MONTH)
        await page.get_by_role("link", name="Tuesday 3 March 2026, 3 events, chosen").focus()
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowDown"):
            await page.keyboard.press(key)
        await expect(page.get_by_role("link", name="Tuesday 10 March 2026, 1 event", exact=True)).to_be_focused()
        for key, day in (("Home", "Monday 9 March"), ("End", "Sunday 15 March")):
            await page.keyboard.press(key)
            await expect(page.get_by_role("link", name=re.compile(f"^{day} 2026"))).to_be_focused()
        # The whole month is one tab stop, and Tab leaves it.
        assert (
            await page.locator(".cal a").evaluate_all("links => links.filter((one) => one.tabIndex === 0).length") == 1
        )
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('.cal') === null")
        await page.get_by_role("link", name="Tuesday 10 March 2026, 1 event", exact=True).focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Tuesday 10 March", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Tuesday 10 March 2026, 1 event, chosen").focus()
        await page.keyboard.press("PageDown")
        await expect(page.get_by_role("heading", name="April 2026")).to_be_visible()
        await expect(page.get_by_role("link", name="Wednesday 1 April 2026, no events, chosen")).to_be_focused()
        await page.keyboard.press("PageDown")
        await expect(page.get_by_role("heading", name="May 2026")).to_be_visible()
        await page.reload()
        await expect(page.locator("body")).to_be_focused()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_entries_of_a_week_are_at_their_hours(
    browser: Browser, openmeet: Deployment, size: dict[str, int]
) -> None:
    """An hour is 48 px high, simultaneous entries are next to each other, and a phone shows one day."""
    token = await add_examples(openmeet)
    async with context(browser, openmeet, viewport=size) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        await page.goto(WEEK)
        blocks = await page.evaluate(_BLOCKS)
        assert all(one["isInside"] for one in blocks)
        found = {one["words"].split(" ")[0]: one for one in blocks if "Saturday" in one["words"]}
        assert abs(found["Repair"]["from"] - 5 * 48) < 3
        assert abs(found["Repair"]["bottom"] - found["Repair"]["top"] - 3 * 48) < 5
        assert found["Repair"]["right"] <= found["Life"]["left"]
        assert found["Life"]["top"] < found["Repair"]["bottom"]
        for number, one in enumerate(blocks):
            for other in blocks[:number]:
                is_beside = one["right"] <= other["left"] + 0.5 or other["right"] <= one["left"] + 0.5
                assert is_beside or one["bottom"] <= other["top"] + 0.5 or other["bottom"] <= one["top"] + 0.5
        assert any("Tuesday" in one["words"] for one in blocks) is (size is DESK)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_long_titles_in_a_week_end_with_an_ellipsis(
    browser: Browser, openmeet: Deployment, size: dict[str, int]
) -> None:
    """However long a title is and however narrow its block, no letter is cut in half, and the time is still there."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        titles = ("Nachbarschaftsversammlung zur Straßenraumumgestaltung", "Wie liest man eine Stadtkarte von 1910?")
        for day, number, minutes in ((4, 1, 30), (5, 1, 90), (6, 2, 60), (7, 2, 105), (8, 3, 60), (8, 3, 240)):
            starts = datetime(2026, 3, day, 10 if minutes < 240 else 14)  # noqa: DTZ001  # wall time is naive
            ends = (starts + timedelta(minutes=minutes)).isoformat()
            for each in range(number):
                await event_by(tx, ana, title=titles[each % 2], starts=starts.isoformat(), ends=ends)
    token = await token_of(openmeet, ana.user_id)
    async with context(browser, openmeet, viewport=size) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        for day in range(4, 9):
            await page.goto(f"/my/calendar?view=week&on=2026-03-0{day}")
            assert await page.locator(".wk-block:visible").count()
            assert await page.evaluate(_CLIPPED) == []


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
async def test_nothing_jumps_and_bars_stay_in_their_month(
    browser: Browser, openmeet: Deployment, size: dict[str, int]
) -> None:
    token = await add_examples(openmeet)
    async with context(browser, openmeet, viewport=size) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        for path in (MONTH, WEEK, "/my/calendar?view=agenda"):
            await page.goto(path)
            await page.goto(path)  # the font is cached by now, so the time that it takes to load does not matter
            assert await page.evaluate(_SHIFTS) == [], path
        await page.goto(MONTH)
        if size is DESK:
            festival = await _box(page, "Film festival , Thursday 12 March 2026")
            days = [await _cell(page, f"{number}") for number in (12, 15)]
            assert days[0]["x"] < festival["x"]
            assert days[1]["x"] < festival["x"] + festival["width"] < days[1]["x"] + days[1]["width"]
        else:
            assert await page.locator(".cal-bars:visible").count() == 0


async def _box(page: Page, words: str) -> dict[str, float]:
    box = await page.locator("a.cal-bar", has_text=words.partition(" ,")[0]).first.bounding_box()
    assert box is not None
    return dict(box)


async def _cell(page: Page, number: str) -> dict[str, float]:
    box = await page.locator("td:not(.is-other)", has=page.locator(".cal-number", has_text=number)).first.bounding_box()
    assert box is not None
    return dict(box)


async def test_empty_calendar_suggests_the_next_step(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
    token = await token_of(openmeet, ana.user_id)
    async with context(browser, openmeet) as person_context:
        await person_context.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await person_context.new_page()
        for view in ("month", "week", "agenda"):
            await page.goto(f"/my/calendar?view={view}")
            await expect(page.get_by_role("heading", name="Nothing is on")).to_be_visible()
            await expect(page.get_by_role("link", name="Find something")).to_be_visible()
