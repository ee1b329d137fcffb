"""The main goals of visitors, measured by the number of taps and pages: on a phone, on a desktop, and without scripts.

The stories of each of these variants share one site and one browser.
"""

import re

import pytest
from playwright.async_api import Page, expect

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.browser.browsers import DESK, PHONE, Count, context, sideways
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

WAYS = [
    pytest.param({"viewport": PHONE}, id="phone"),
    pytest.param({"viewport": DESK}, id="desk"),
    pytest.param({"viewport": PHONE, "java_script_enabled": False}, id="phone without scripts"),
]


async def signed_in(page: Page, openmeet, tx: Transaction, who: Caller) -> None:
    session = await open_session(tx, who.user_id, SessionTransport.BROWSER)
    await page.context.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])


@pytest.mark.parametrize("way", WAYS)
async def test_each_main_goal_takes_few_steps(browser, openmeet, way):
    async with context(browser, openmeet, **way) as stranger:
        await answers_by_email(await stranger.new_page(), openmeet)
    async with context(browser, openmeet, **way) as ana:
        await makes_a_first_event(await ana.new_page(), openmeet)
    async with context(browser, openmeet, **way) as greta:
        scripts = way.get("java_script_enabled", True)
        await repeats_with_exceptions(await greta.new_page(), openmeet, has_scripts=scripts)
    async with context(browser, openmeet, **way) as host:
        await handles_eight_requests(await host.new_page(), openmeet)
    for locale, words in READERS.items():
        async with context(browser, openmeet, locale=locale, **way) as reader:
            await reads_in_their_language(await reader.new_page(), locale, *words)


async def answers_by_email(page: Page, openmeet) -> None:
    """A new visitor with a link has answered after filling two fields and four taps, one of them in their mail program."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Hanna Host"))
    count = Count()
    await page.goto(f"/events/{event.slug}")
    await count.tap(page.get_by_text("Answer by e-mail, without an account"))
    form = page.locator("#by-email")
    await count.fill(form.get_by_label("E-mail address"), "eve@example.org")
    await count.fill(form.get_by_label("Your name"), "Eve")
    async with page.expect_navigation():
        await count.tap(form.get_by_role("button", name="Send me the link"))
    await openmeet.deliver()
    await page.goto("/dev/mail")
    link = re.search(r"https?://\S+/answers/confirm/\S+", await page.locator("main").inner_text())
    assert link is not None
    count.taps += 1  # in the mail program
    await page.goto(link[0])
    await page.get_by_role("heading", level=1, name="Confirm your answer").wait_for()
    await count.tap(page.locator("main form button[type=submit]"))
    await page.get_by_text("You’re going").first.wait_for()
    assert (count.taps, count.fields) == (4, 2)
    assert await sideways(page) <= 0


async def makes_a_first_event(page: Page, openmeet) -> None:
    """A person who has just signed in needs two taps and four fields, on one page, and sees their event on the next.
    Somebody who types slowly needs less than a minute.
    """
    async with openmeet.db.transaction() as tx:
        await signed_in(page, openmeet, tx, await person(tx, "Ana"))
    await page.goto("/home")
    count, pages = Count(), []
    page.on("framenavigated", lambda frame: pages.append(frame.url))
    await count.tap(page.get_by_role("link", name="New event").filter(visible=True).first)
    await count.fill(page.get_by_label("Title"), "Chess")
    await count.fill(page.get_by_label("Starts"), "2026-07-04T18:00")
    await count.fill(page.get_by_label("Ends"), "2026-07-04T20:00")
    await count.fill(page.get_by_role("textbox", name="Place optional"), "Town library")
    await count.tap(page.get_by_role("button", name="Create event"))
    await page.get_by_role("heading", level=1, name="Chess").wait_for()
    assert (count.taps, count.fields) == (2, 4)
    assert len({one.partition("#")[0].partition("?")[0] for one in pages}) <= 2, pages
    assert count.seconds < 60
    assert await sideways(page) <= 0


async def repeats_with_exceptions(page: Page, openmeet, *, has_scripts: bool) -> None:
    """Every week, with one date an hour later and one cancelled. The series' page shows which."""
    async with openmeet.db.transaction() as tx:
        await signed_in(page, openmeet, tx, await person(tx, "Greta"))
    await page.goto("/events/new")
    count = Count()
    await count.fill(page.get_by_label("Title"), "Choir")
    await count.fill(page.get_by_label("Starts"), "2026-07-04T18:00")
    await count.fill(page.get_by_label("Ends"), "2026-07-04T20:00")
    await count.tap(page.locator(".fold", has=page.locator("#repeats")).locator("summary").first)
    if not has_scripts:
        await count.tap(page.get_by_role("button", name="Preview"))
    # The options describe what they mean for that day.
    every = page.get_by_role("radio", name="Every Saturday")
    await every.wait_for(state="attached")
    count.fields += 1
    await every.check()
    if has_scripts:
        await page.locator(".rule-preview").get_by_text("11 Jul").first.wait_for()
        assert "Every Saturday" in await page.locator("#fold-again .fold-state").inner_text()
    await count.tap(page.get_by_role("button", name="Create series"))
    await page.get_by_role("heading", level=1, name="Choir").wait_for()
    assert (count.taps, count.fields) == (2 if has_scripts else 3, 4)
    await moves_a_date(page, count := Count())
    assert (count.taps, count.fields) == (4, 1)
    await cancels_a_date(page, count := Count())
    assert count.taps == 3
    assert await sideways(page) <= 0


async def moves_a_date(page: Page, count: Count) -> None:
    """From the series' page: the date, its form, and the choice which dates the change applies to."""
    series = page.url.partition("?")[0]
    await count.tap(page.locator(".date-link", has_text="Sat 11 Jul"))
    await count.tap(page.get_by_role("link", name="Edit").first)
    await page.get_by_label("Starts").wait_for()
    await count.fill(page.get_by_label("Starts"), "2026-07-11T19:00")
    await count.tap(page.get_by_role("button", name="Select the dates"))
    await page.get_by_role("heading", level=1, name="Which dates should change?").wait_for()
    await count.tap(page.locator("form.scope button[type=submit]").first)
    await page.get_by_text("Saved for this date only.").wait_for()
    await page.goto(series)
    assert await page.locator(".date-link", has_text="Sat 11 Jul, 19:00").count() == 1


async def cancels_a_date(page: Page, count: Count) -> None:
    series = page.url.partition("?")[0]
    await count.tap(page.locator(".date-link", has_text="Sat 18 Jul"))
    await count.tap(page.get_by_role("link", name="Cancel this event"))
    await page.get_by_role("link", name="Choir Sat 18 Jul, 18:00").wait_for()
    await count.tap(page.locator("main form button[type=submit]").last)
    await page.get_by_text("This event is cancelled.").wait_for()
    await page.goto(series)
    cancelled = page.locator(".date.is-cancelled .date-day")
    assert await cancelled.all_inner_texts() == ["Sat 18:00"]


async def handles_eight_requests(page: Page, openmeet) -> None:
    """From any page: the bell, and one button for all eight next to what they ask for."""
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Greta")
        event = await event_by(tx, host, title="Supper club")
        asks = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, host, event.slug, asks)
        for number in range(8):
            await attendance.answer(tx, await person(tx, f"Guest {number}"), event.slug, RsvpReply.GOING)
        await signed_in(page, openmeet, tx, host)
    await page.goto("/")
    count = Count()
    await count.tap(page.get_by_role("link", name="Notifications"))
    waits = page.get_by_role("region", name="Needs you")
    await count.tap(waits.get_by_role("button", name="Approve all 8"))
    await page.get_by_text("8 approved").first.wait_for()
    assert count.taps == 2
    assert page.url.partition("?")[0].endswith("/notifications")
    async with openmeet.db.reader() as reader:
        row = await reader.fetch_one(
            "select count(*) as number from attendances where event_id = :id and status = 'attending'", id=event.id
        )
    assert row is not None
    assert row["number"] == 8


# The day of the same event, and its two answers.
READERS = {
    "de-DE": ("Samstag, 4.\xa0Juli", "Ich komme", "Vielleicht"),
    "en-GB": ("Saturday 4 July", "I’m going", "Maybe"),
    "en-US": ("Saturday, July 4", "I’m going", "Maybe"),
}


async def reads_in_their_language(page: Page, locale: str, day: str, going: str, maybe: str) -> None:
    """From a search to the event: its day, its buttons and the page itself are in the reader's language."""
    await page.goto("/?q=chess")
    count = Count()
    await count.tap(page.get_by_role("link", name="Chess").first)
    await page.get_by_role("heading", level=1, name="Chess").wait_for()
    assert count.taps == 1
    assert await page.locator("html").get_attribute("lang") == (
        locale if locale == "en-US" else locale.partition("-")[0]
    )
    await page.get_by_text(day).first.wait_for()
    bar = page.locator(".answer-bar")
    for words in (going, maybe):
        await expect(bar.get_by_role("button", name=words)).to_be_visible()
    assert await sideways(page) <= 0
