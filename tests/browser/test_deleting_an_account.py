"""A person deletes their account and changes their mind, in a real browser: preview, confirmation, and return by
signing in.
"""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, context, enter_code, sideways, sign_up, small_targets
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
async def test_account_deletion_is_requested_and_withdrawn(browser, openmeet, size, script):
    """A wrong address is refused and stays in the field. Events that begin soon are cancelled, and stay cancelled."""
    async with context(browser, openmeet, viewport=size, java_script_enabled=script) as ana:
        page = await ana.new_page()
        await page.goto("/sign-in")
        await sign_up(page, openmeet, "Ana", "ana@example.org")
        await page.get_by_role("heading", level=1).wait_for()
        async with openmeet.db.transaction() as tx:
            found = await by_email(tx, "ana@example.org")
            caller, ben = Caller(found.id, "Ana"), await person(tx, "Ben")
            soon = await event_by(tx, caller, title="Tea", starts="2026-03-05T18:00", ends="2026-03-05T20:00")
            await event_by(tx, caller, title="Summer picnic", starts="2026-07-05T18:00", ends="2026-07-05T20:00")
            his = await event_by(tx, ben, title="Chess night", starts="2026-07-06T18:00", ends="2026-07-06T20:00")
            await attendance.answer(tx, caller, his.slug, RsvpReply.GOING)
        await page.goto("/settings/data")
        await page.get_by_role("link", name="Delete my account").click()
        await page.get_by_role("heading", level=1, name="Delete your account").wait_for()
        assert await page.get_by_text("You’ll give up your place at 1 event.").is_visible()
        assert await page.get_by_text("Cancelled now").count() == 1
        assert (await sideways(page), await small_targets(page)) == (0, [])
        if script:
            assert await complaints(page) == []
        await page.get_by_label("Your e-mail address").fill("anna@example.org")
        await page.get_by_role("button", name="Delete my account").click()
        await page.get_by_text("That’s not the e-mail address").first.wait_for()
        assert await page.get_by_label("Your e-mail address").input_value() == "anna@example.org"
        await page.get_by_label("Your e-mail address").fill("ana@example.org")
        await page.get_by_role("button", name="Delete my account").click()
        await page.get_by_text("Your account is hidden and will be deleted.").wait_for()
        assert await sideways(page) == 0
        assert (await page.goto(f"/events/{soon.slug}")).status == 404
        await page.goto("/sign-in")
        await page.get_by_label("E-mail").fill("ana@example.org")
        await page.get_by_role("button", name="Sign in").click()
        await enter_code(page, openmeet)
        await page.get_by_text("Welcome back. You keep your account.").wait_for()
        assert await sideways(page) == 0
        await page.goto(f"/events/{soon.slug}")
        await page.get_by_text("Cancelled").first.wait_for()
        async with openmeet.db.reader() as reader:
            assert await erasure_requests.find(reader, caller.user_id) is None
