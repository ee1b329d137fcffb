"""The host’s guest list: who brings whom, since when, their answers to the questions, and a list that is imported."""

import pytest
from playwright.async_api import expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import DESK, PHONE, context, sideways
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

LONG = "I have a story to tell. " * 30 + "<b>The end</b>"


@pytest.mark.parametrize("viewport", [PHONE, DESK])
@pytest.mark.parametrize("script", [True, False])
async def test_rows_show_the_guests_answers(browser, openmeet, viewport, script):
    async with openmeet.db.transaction() as tx:
        host, guest = await person(tx, "Hanna Host"), await person(tx, "Gil")
        event = await event_by(tx, host, title="Supper club")
        questions = (
            RegistrationQuestion("q1", "<i>Allergies?</i>"),
            RegistrationQuestion("q2", "What do you cook?"),
        )
        settings = RegistrationSettings(max_party=3, questions=questions)
        await event_hosting.change_registration_settings(tx, host, event.slug, settings)
        said = ReplyDetails(party=2, companion_names=("Zoe <u>",), form_responses={"q1": "<img src=x>Nuts", "q2": LONG})
        await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, said)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=viewport, java_script_enabled=script) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        await page.goto(f"/events/{event.slug}/attendees")
        row = page.get_by_role("listitem").filter(has_text="Gil")
        await expect(row).to_contain_text("with Zoe <u>")
        await expect(row).to_contain_text("<i>Allergies?</i> <img src=x>Nuts")
        assert await row.locator("img, b, u, i").count() == 0
        end = row.get_by_text("<b>The end</b>")
        await expect(end).to_be_hidden()
        await row.get_by_text("What do you cook?").click()
        await expect(end).to_be_visible()
        await expect(row.get_by_role("checkbox")).not_to_be_checked()
        assert not await sideways(page)


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("language", ["en", "de", "ar-XB"])
async def test_the_chosen_tab_is_in_view_on_phones(browser, openmeet, language, scripts):
    """Also if the row of tabs scrolls from right to left, and in current browsers without scripts. No part of the tab is
    where the edges of the row fade.
    """
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    async with context(
        browser, openmeet, viewport={"width": 320, "height": 640}, locale=language, java_script_enabled=scripts
    ) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        for tab in ("going", "waiting", "interested", "out"):
            await page.goto(f"/events/{event.slug}/attendees?tab={tab}")
            chosen = page.locator(".tabs [aria-current]")
            await expect(chosen).to_be_in_viewport(ratio=0.9)
            box = await chosen.bounding_box()
            assert box is not None
            assert 15 < box["x"] < box["x"] + box["width"] < 305, tab


async def test_the_chosen_tab_is_in_view_in_browsers_without_initial_targets(browser, openmeet):
    """There, a script scrolls the row, also if the tab is inside it and only fades."""
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)

    async def without_initial_target(route):
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("scroll-initial-target", "--unknown"))

    # The row needs 375 px.
    async with context(browser, openmeet, viewport={"width": 366, "height": 740}) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        await page.route("**/*.css", without_initial_target)
        await page.goto(f"/events/{event.slug}/attendees?tab=out")
        assert await page.locator(".tabs").evaluate("row => row.scrollWidth") == 375
        box = await page.locator(".tabs [aria-current]").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 366 - 15


async def test_bulk_actions_replace_the_tab_bar_on_phones(browser, openmeet):
    """Only while there are bulk actions."""
    async with openmeet.db.transaction() as tx:
        host, *guests = [await person(tx, name) for name in ("Hanna Host", "Gil", "Ida")]
        event = await event_by(tx, host)
        await event_hosting.change_registration_settings(
            tx, host, event.slug, RegistrationSettings(needs_approval=True)
        )
        for guest in guests:
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        tab_bar = page.locator(".tabbar")
        await page.goto(f"/events/{event.slug}/attendees?tab=asking")
        await expect(page.get_by_role("button", name="Approve all 2")).to_be_in_viewport(ratio=1)
        await expect(tab_bar).to_be_hidden()
        await page.get_by_role("button", name="Approve Gil").click()
        await expect(page.locator(".bulk")).to_be_hidden()
        await expect(tab_bar).to_be_visible()
        await page.get_by_role("checkbox").first.check()
        await expect(page.get_by_role("button", name="Approve selected")).to_be_in_viewport(ratio=1)
        await expect(tab_bar).to_be_hidden()


async def test_a_page_with_one_form_has_no_tab_bar(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        await page.goto("/home")
        await expect(page.locator(".tabbar")).to_be_visible()
        for form in ("messages", "hosts", "cancel"):
            await page.goto(f"/events/{event.slug}/{form}")
            await expect(page.locator(".tabbar")).to_be_hidden()


async def test_german_bulk_actions_are_not_broken_within_words(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        host, guest = await person(tx, "Hanna Host"), await person(tx, "Gil")
        event = await event_by(tx, host)
        await event_hosting.change_registration_settings(
            tx, host, event.slug, RegistrationSettings(needs_approval=True)
        )
        await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE, locale="de-DE") as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        await page.goto(f"/events/{event.slug}/attendees?tab=asking")
        await page.get_by_role("checkbox").first.check()
        buttons = page.locator(".bulk > .for-chosen")
        await expect(buttons).to_have_count(2)
        heights = [(await one.bounding_box())["height"] for one in await buttons.all()]
        assert max(heights) < 60, "one line each"


@pytest.mark.parametrize("script", [True, False])
async def test_the_import_button_counts_the_people_who_are_ticked(browser, openmeet, script):
    """Without a script, the button promises no number."""
    async with openmeet.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        event = await event_by(tx, host)
        session = await open_session(tx, host.user_id, SessionTransport.BROWSER)
    table = b"Name,Email\nTom,tom@example.org\nUte,ute@example.org\nVic,vic@example.org\n"
    async with context(browser, openmeet, java_script_enabled=script) as hosts:
        await hosts.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await hosts.new_page()
        await page.goto(f"/import?event={event.slug}")
        await page.locator("input[type=file]").set_input_files(
            {"name": "guests.csv", "mimeType": "text/csv", "buffer": table}
        )
        await page.locator("main form:has(input[type=file]) button[type=submit]").first.click()
        button = page.locator("main button[value=keep]")
        for number, words in enumerate(("3 people", "2 people", "1 person", "selected")):
            await expect(button).to_have_text(f"Add {words if script else 'selected'} to the list")
            if number < 3:
                await page.get_by_role("checkbox").nth(number).uncheck()
