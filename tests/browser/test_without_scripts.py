"""What people do without scripts: join a group, answer questions, check in at the door, report, change the language."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.check_in import tickets
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from tests.browser.browsers import DESK, PHONE, Deployment, context, sideways
from tests.external_dependencies import needs
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

pytestmark = needs("chromium")

WIDTH = pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])


@asynccontextmanager
async def page_of(browser: Browser, site: Deployment, who: Caller, viewport: dict[str, int]) -> AsyncIterator[Page]:
    """A page of a browser without scripts in which this person is signed in."""
    async with site.db.transaction() as tx:
        session = await open_session(tx, who.user_id, SessionTransport.BROWSER)
    async with context(browser, site, java_script_enabled=False, viewport=viewport) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": site.url}])
        yield await opened.new_page()


@WIDTH
async def test_joining_a_group_and_leaving_it(
    browser: Browser, openmeet: Deployment, *, viewport: dict[str, int]
) -> None:
    async with openmeet.db.transaction() as tx:
        group = await group_by(tx, await person(tx, "Ana"), name="Go club", join_policy="open")
        ben = await person(tx, "Ben")
    async with page_of(browser, openmeet, ben, viewport) as page:
        await page.goto(f"/groups/{group.slug}")
        await page.get_by_role("button", name="Join Go club").click()
        await expect(page.get_by_role("button", name="Join Go club")).to_have_count(0)
        await page.goto("/groups")
        await expect(page.get_by_role("link", name="Go club").first).to_be_visible()
        await page.goto(f"/groups/{group.slug}")
        await page.locator(".group-mine > summary").click()
        await page.get_by_text("Leave…").click()
        await page.get_by_role("button", name="Leave Go club").click()
        await expect(page.get_by_role("button", name="Join Go club")).to_be_visible()
        assert await sideways(page) <= 0


@WIDTH
async def test_an_answer_with_questions_keeps_what_was_typed(
    browser: Browser, openmeet: Deployment, *, viewport: dict[str, int]
) -> None:
    """A required question that is not answered is asked again, above the text that was typed for the other one."""
    diet = RegistrationQuestion("q1", "What do you eat?", ("Everything", "Vegan"), is_required=True)
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        asks = RegistrationSettings(questions=(diet, RegistrationQuestion("q2", "Anything else?")))
        await event_hosting.change_registration_settings(tx, ana, event.slug, asks)
    async with page_of(browser, openmeet, ben, viewport) as page:
        await page.goto(f"/events/{event.slug}")
        await page.get_by_role("button", name="I’m going: Board games").click()
        await page.get_by_label("Anything else?").fill("I’ll bring the clock.")
        await page.get_by_role("button", name="I’m going", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("What do you eat?")
        await expect(page.get_by_label("Anything else?")).to_have_value("I’ll bring the clock.")
        await page.get_by_label("What do you eat?").select_option("Vegan")
        await page.get_by_role("button", name="I’m going", exact=True).click()
        await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()
        assert await sideways(page) <= 0


@WIDTH
async def test_a_typed_ticket_code_checks_in(
    browser: Browser, openmeet: Deployment, clock: HandClock, *, viewport: dict[str, int]
) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        rsvp = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    clock.turn(event.starts_at - clock.now())
    async with page_of(browser, openmeet, ana, viewport) as page:
        await page.goto(f"/events/{event.slug}/check-in")
        code = page.get_by_role("textbox", name="Ticket code")
        form = page.locator("form", has=code)
        await code.fill("AAAA AAAA")
        await form.get_by_role("button", name="Check in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await expect(code).to_have_value("AAAA AAAA")
        await code.fill(tickets.code_of(CODE_KEY, rsvp.id).lower())
        await form.get_by_role("button", name="Check in").click()
        await expect(page.locator(".check-in-done")).to_contain_text("Ben is in")
        await page.locator(".check-in-done").get_by_role("button", name="Undo: Ben").click()
        await expect(page.locator(".check-in-done")).to_have_count(0)
        assert await sideways(page) <= 0


@WIDTH
async def test_reporting_an_event(browser: Browser, openmeet: Deployment, *, viewport: dict[str, int]) -> None:
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
        ben = await person(tx, "Ben")
    async with page_of(browser, openmeet, ben, viewport) as page:
        await page.goto(f"/events/{event.slug}")
        await page.get_by_role("link", name="Report, block or mute").click()
        words = page.get_by_label("In your words")
        await words.fill("It asks for money first.")
        await page.get_by_role("button", name="Send the report").click()
        await expect(page.get_by_role("alert")).to_contain_text("What’s wrong")
        await expect(words).to_have_value("It asks for money first.")
        await page.get_by_role("radio").first.check()
        await page.get_by_role("button", name="Send the report").click()
        await expect(page.get_by_role("heading", name="Thank you for telling us")).to_be_visible()
        assert await sideways(page) <= 0


async def test_changing_the_language(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ben = await person(tx, "Ben")
    async with page_of(browser, openmeet, ben, PHONE) as page:
        await page.goto("/settings/profile")
        await page.get_by_label("Your language").select_option("de")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("html")).to_have_attribute("lang", "de")
        await expect(page.get_by_label("Deine Sprache")).to_have_value("de")
