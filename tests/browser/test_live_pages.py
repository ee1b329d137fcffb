"""Pages that update by themselves: counts, guests and the bell. Nothing moves at the moment when a person wants to
press it.
"""

import pytest
from playwright.async_api import expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import DESK, PHONE, context, sideways, small_targets
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_hosts_pages_show_a_new_answer_automatically(openmeet, browser, viewport):
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Games", capacity="5")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, viewport=viewport) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        event_page, guests = await host.new_page(), await host.new_page()
        await guests.goto(f"/events/{event.slug}/attendees")
        await event_page.goto(f"/events/{event.slug}")
        await expect(event_page.locator("#places")).to_contain_text("0 of 5 places taken")
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
        await expect(event_page.locator("#places")).to_contain_text("1 of 5 places taken")
        await expect(event_page.locator("[data-live-bell]")).to_have_accessible_name("Notifications, 1 unread")
        await expect(guests.locator("#numbers")).to_contain_text("1 of 5 going")
        # The list itself is only updated at the reader's request.
        await expect(guests.get_by_text("Ben", exact=True)).to_have_count(0)
        show = guests.get_by_role("button", name="Show")
        await expect(show).to_be_visible()
        for page in (event_page, guests):
            assert await sideways(page) <= 0
            assert await small_targets(page) == []
        await show.click()
        await expect(guests.get_by_text("Ben", exact=True)).to_be_visible()
        await expect(guests.get_by_role("button", name="Show")).to_be_hidden()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_a_long_list_of_people_is_folded_and_stays_open(openmeet, browser, viewport):
    """More than six people are shown by their faces. An opened list stays open and keeps the focus when a new answer
    arrives.
    """
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Games")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
        for number in range(7):
            await attendance.answer(
                tx, await person(tx, f"Guest {number}"), event.slug, RsvpReply.GOING, ReplyDetails()
            )
    async with context(browser, openmeet, viewport=viewport) as host:
        await host.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await host.new_page()
        await page.goto(f"/events/{event.slug}")
        people = page.locator("#guests")
        await expect(people.locator("summary .avatar")).to_have_count(6)
        await expect(people.get_by_text("Guest 6")).to_be_hidden()
        await people.get_by_text("See all").click()
        await expect(people.get_by_text("Guest 6")).to_be_visible()
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, await person(tx, "Zoe"), event.slug, RsvpReply.GOING, ReplyDetails())
        await expect(people.get_by_text("Zoe")).to_be_visible()
        await expect(people.locator("summary")).to_be_focused()
        assert await sideways(page) <= 0
        assert await small_targets(page) == []
