"""Hosting and attending with the keyboard alone: the focus is visible at every stop, follows the order of the page, and
stays where it was after a part of the page is replaced.
"""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import reactions
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.browser.browsers import DESK, PHONE, Deployment, context
from tests.browser.keyboard import focused, tab_to
from tests.external_dependencies import needs
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

SIZES = pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])


async def _cookie(openmeet: Deployment, who: Caller) -> Any:
    async with openmeet.db.transaction() as tx:
        session = await open_session(tx, who.user_id, SessionTransport.BROWSER)
    return {"name": "openmeet_session", "value": session.token, "url": openmeet.url}


async def _press_enter(page: Page, heading: str) -> None:
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", level=1, name=heading).wait_for()


async def _code(page: Page, openmeet: Deployment) -> str:
    await page.get_by_role("heading", name="Enter your code").wait_for()
    await openmeet.deliver()
    mail = await page.context.new_page()
    await mail.goto("/dev/mail")
    heading = await mail.get_by_role("heading", level=2).first.inner_text()
    await mail.close()
    return heading.partition(": ")[2]


@SIZES
async def test_a_series_with_a_moved_date_is_created(browser: Browser, openmeet: Deployment, size: Any) -> None:
    """From the front page through sign-up to a weekly series, of which one date starts an hour later."""
    async with context(browser, openmeet, viewport=size) as opened:
        page = await opened.new_page()
        await page.goto("/")
        await tab_to(page, "^New event$")
        await _press_enter(page, "New event")
        await tab_to(page, "^Title")
        await page.keyboard.type("Choir")
        await tab_to(page, "^Repeats")
        await page.keyboard.press("Enter")
        await tab_to(page, "^Doesn’t repeat")
        await page.keyboard.press("ArrowDown")
        await page.get_by_text("Skip this date").first.wait_for()
        assert await focused(page) == "Every Sunday"
        await tab_to(page, "^Skip this date")
        await page.keyboard.press("Enter")
        await page.get_by_text("Bring it back").wait_for()
        assert (await focused(page)).startswith("Bring it back")
        await tab_to(page, "^Sign in to create$")
        await _press_enter(page, "Sign in or sign up")
        await tab_to(page, "^E-mail")
        await page.keyboard.type("ana@example.org")
        await page.keyboard.press("Enter")
        code = await _code(page, openmeet)
        assert await focused(page) == "Code"
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")
        await page.get_by_label("Your name").wait_for()
        await tab_to(page, "^Your name")
        await page.keyboard.type("Ana")
        await tab_to(page, "^Create series$")
        await _press_enter(page, "Choir")
        await _move_second_date(page)


async def _move_second_date(page: Page) -> None:
    """Closing the dialog that asks for the dates returns the focus to the button that opened it."""
    series, times = page.url, await page.locator(".date-link").all_inner_texts()
    await tab_to(page, "Sun 22 Mar")
    await _press_enter(page, "Choir")
    await tab_to(page, "^Edit: ")
    await _press_enter(page, "Edit")
    await tab_to(page, "^Starts")
    # Day, month and year are separate stops.
    for _ in range(3):
        await page.keyboard.press("Tab")
    await page.keyboard.type("08")
    await tab_to(page, "^Select the dates")
    await page.keyboard.press("Enter")
    await page.locator("dialog[open]").wait_for()
    assert (await focused(page)).startswith("Only Sun 22 Mar")
    await page.keyboard.press("Escape")
    await page.locator("dialog").wait_for(state="detached")
    assert await focused(page) == "Select the dates"
    await page.keyboard.press("Enter")
    await page.locator("dialog[open]").wait_for()
    await tab_to(page, "^Change 1 date$")
    await _press_enter(page, "Choir")
    await page.get_by_text("Saved for this date only.").wait_for()
    await page.goto(series)
    await expect(page.locator(".date-link", has_text="Sun 22 Mar, 20:00")).to_have_count(1)
    assert len(await page.locator(".date-link").all_inner_texts()) == len(times)


@SIZES
async def test_an_event_is_answered_discussed_and_checked_in(browser: Browser, openmeet: Deployment, size: Any) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        times = {"at": tx.now + HOUR, "end": tx.now + DAY, "id": event.id}
        await tx.execute("update events set starts_at = :at, ends_at = :end, over_at = :end where id = :id", **times)
    async with context(browser, openmeet, viewport=size) as his:
        await his.add_cookies([await _cookie(openmeet, ben)])
        page = await his.new_page()
        await page.goto(f"/events/{event.slug}")
        await tab_to(page, "^I’m going")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="You’re going").wait_for()
        await tab_to(page, "^Open the chat|^Chat$")
        await page.keyboard.press("Enter")
        await page.get_by_label("Message everyone").wait_for()
        await tab_to(page, "^Message everyone")
        await page.keyboard.type("Who has the key?")
        await tab_to(page, "^Send$")
        await page.keyboard.press("Enter")
        await expect(page.locator("li.own")).to_contain_text("Who has the key?")
        await expect(page.get_by_label("Message everyone")).to_be_focused()
    async with context(browser, openmeet, viewport=size) as hers:
        await hers.add_cookies([await _cookie(openmeet, ana)])
        page = await hers.new_page()
        await page.goto(f"/events/{event.slug}")
        await tab_to(page, "^Check-in")
        await _press_enter(page, "Check-in")
        await tab_to(page, "^Check in Ben$")
        await page.keyboard.press("Enter")
        await page.get_by_text("Ben is in").wait_for()


async def test_no_bar_covers_a_part_of_the_focused_event(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(8):
            await event_by(tx, ana, title=f"Tea {number}", starts=f"2026-07-0{number + 1}T18:00", ends="")
    async with context(browser, openmeet) as hers:
        await hers.add_cookies([await _cookie(openmeet, ana)])
        page = await hers.new_page()
        await page.goto("/")
        top = (await page.locator(".tabbar").bounding_box() or {})["y"]
        for number in range(8):
            await tab_to(page, f"^Tea {number}")
            card = await page.locator(".event-card", has_text=f"Tea {number}").bounding_box()
            assert card is not None
            assert card["y"] + card["height"] <= top, number


async def test_the_focus_stays_on_a_reaction_when_others_react(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        message = await send_text(tx, ana, room, "Tea?")
        await reactions.react(tx, ana, message.id, "👍")
    async with context(browser, openmeet) as his:
        await his.add_cookies([await _cookie(openmeet, ben)])
        page = await his.new_page()
        await page.goto(f"/events/{event.slug}/chat")
        await tab_to(page, "^👍 1")
        async with openmeet.db.transaction() as tx:
            await reactions.react(tx, ana, message.id, "🎲")
            await send_text(tx, ana, room, "Cake, too", reply_to=message.id)
        await page.get_by_role("button", name="🎲 1").wait_for()
        await page.locator("li.msg", has_text="Cake, too").wait_for()
        assert (await focused(page)).startswith("👍 1")


async def test_escape_leaves_the_suggested_names_for_the_message(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await room_of(tx, ana, subject_of_event(event))
    async with context(browser, openmeet) as hers:
        await hers.add_cookies([await _cookie(openmeet, ana)])
        page = await hers.new_page()
        await page.goto(f"/events/{event.slug}/chat")
        await tab_to(page, "^Message everyone")
        await page.keyboard.type("Hello @be")
        await page.get_by_role("group", name="People to mention").wait_for()
        await tab_to(page, "^@Ben$")
        await page.keyboard.press("Escape")
        await expect(page.get_by_label("Message everyone")).to_be_focused()
        await expect(page.get_by_role("group", name="People to mention")).to_be_hidden()
