"""The question which dates of a series an edit changes: a dialog above the form with scripts, a page without."""

import pytest
from playwright.async_api import Browser, expect

from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, Deployment, context, sideways, small_targets
from tests.external_dependencies import needs
from tests.openmeet.series.practice import create_weekly_series

pytestmark = needs("chromium")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_the_scope_of_an_edit(
    browser: Browser, openmeet: Deployment, *, script: bool, viewport: dict[str, int]
) -> None:
    """Back returns to the form with what was typed. The chosen scope is saved. With scripts, a double click saves once."""
    async with openmeet.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, java_script_enabled=script, viewport=viewport) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/series/{series.slug}/edit")
        await page.get_by_label("Title").fill("Rehearsal")
        ask = page.get_by_role("button", name="Select the dates")
        question = page.get_by_role("heading", level=1, name="Which dates should change?")
        await ask.click()
        await expect(question).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(1 if script else 0)
        assert not await sideways(page)
        if script:
            assert await complaints(page) == []
            assert await small_targets(page) == []
        await page.get_by_role("button", name="Back", exact=True).click()
        await expect(question).to_have_count(0)
        await expect(page.get_by_label("Title")).to_have_value("Rehearsal")
        await ask.click()
        await page.get_by_text("All dates", exact=True).click()
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method) if request.is_navigation_request() else None)
        save = page.locator("form.scope button[type=submit]").first
        if script:
            await save.evaluate("one => { one.click(); setTimeout(() => one.click(), 10); }")
        else:
            await save.click()
        await expect(page.get_by_role("heading", level=1, name="Rehearsal")).to_be_visible()
        assert sent.count("POST") == 1
