"""The question which dates of a series an edit changes: a dialog above the form with scripts, a page without."""

from datetime import datetime, timedelta

import pytest
from playwright.async_api import Browser, expect

from groundwork.clock import HOUR, SECOND
from openmeet.domain.events import queries as events
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, Deployment, context, sideways, small_targets
from tests.external_dependencies import needs
from tests.openmeet.series.practice import create_weekly_series, dates

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


@pytest.mark.parametrize(("scope", "moved"), [("this", [1]), ("following", [1]), ("all", [0, 1])])
async def test_moving_the_start_keeps_the_duration(
    browser: Browser, openmeet: Deployment, scope: str, moved: list[int]
) -> None:
    """In the form, the end follows the start, also past midnight. The two stored dates move if the scope has them."""
    async with openmeet.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        before = await dates(tx, series)
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    position = before[1].position_in_series
    assert position is not None
    async with context(browser, openmeet, viewport=DESK) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/series/{series.slug}/edit?date={position.original_date}")
        starts, ends = page.locator('[name="starts"]'), page.locator('[name="ends"]')
        length = datetime.fromisoformat(await ends.input_value()) - datetime.fromisoformat(await starts.input_value())
        assert length > timedelta(0)
        later = datetime.fromisoformat(await starts.input_value()) + timedelta(hours=5)
        await starts.fill(later.isoformat(timespec="minutes"))
        await starts.blur()
        await expect(ends).to_have_value((later + length).isoformat(timespec="minutes"))
        await page.get_by_role("button", name="Select the dates").click()
        await page.locator(f'label:has(input[name="scope"][value="{scope}"])').click()
        await page.locator("form.scope button[type=submit]").first.click()
        await page.wait_for_url(lambda url: "/edit" not in url)
    async with openmeet.db.reader() as reader:
        after = [one for event in before if (one := await events.by_id(reader, event.id)) is not None]
    shifts = [(now.starts_at or 0) - (then.starts_at or 0) for then, now in zip(before, after, strict=True)]
    assert shifts == [5 * HOUR if number in moved else 0 for number in range(2)]
    lengths = [(one.ends_at or 0) - (one.starts_at or 0) for one in after]
    assert lengths == [int(length.total_seconds()) * SECOND] * 2
