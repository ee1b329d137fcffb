"""The operators' pages in a real browser: usable on a phone and a desktop, and without scripts."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment, open_deployment
from tests.aurora_locus.web.administration_pages.operator_browser import create_examples_of_pages
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, browser, chromium_of_file, sideways, small_targets
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")


@pytest.fixture
async def deployment(make_sqlite: MakeDatabase, clock: Any, tmp_path: Path) -> AsyncIterator[Deployment]:
    plc = await make_sqlite("plc_directory")
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path) as opened:
        yield opened


async def signed_in(browser: Browser, deployment: Deployment, **options: Any) -> Page:
    context = await browser.new_context(base_url=deployment.url, locale="en-GB", **options)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    await page.goto("/admin")
    await page.get_by_label("Name").fill("admin")
    await page.get_by_label("Password").fill(ADMIN_PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", level=1, name="Running").wait_for()
    return page


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone, light", "desk, dark"])
async def test_pages_are_usable(deployment: Deployment, browser: Browser, size: Any, scheme: Any) -> None:
    found: list[str] = []
    paths = await create_examples_of_pages(deployment)
    page = await signed_in(browser, deployment, viewport=size, color_scheme=scheme)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    for path in paths:
        if path == "wrong form":
            await page.goto(paths[1])
            await page.get_by_label("Why").fill("because")
            await page.get_by_role("button", name="Take down").click()
            await page.get_by_role("alert").wait_for()
        else:
            await page.goto(path)
        found += [f"{path}: {one}" for one in await complaints(page)]
        found += [f"{path}: {pixels} px wider than its window" for pixels in [await sideways(page)] if pixels > 0]
        small = [one for one in await small_targets(page) if 'type="checkbox"' not in one]  # their label is the target
        found += [f"{path}: small {one}" for one in small]
    assert found == []


async def test_the_current_entry_of_the_navigation_covers_no_other(deployment: Deployment, browser: Browser) -> None:
    """On a phone, the line of entries scrolls. The current one is visible, between its neighbours."""
    page = await signed_in(browser, deployment, viewport=PHONE)
    for path in ("/admin", "/admin/storage", "/admin/operators"):
        await page.goto(path)
        await page.locator(".rooms ul").evaluate("line => { line.scrollLeft = 0; }")
        boxes = [await one.bounding_box() for one in await page.locator(".rooms li").all()]
        edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(edges)), path


async def test_report_is_handled_without_scripts(deployment: Deployment, browser: Browser) -> None:
    """Without scripts, a report can be handled completely: overview, queue, account, action and back, by links and
    buttons.
    """
    await create_examples_of_pages(deployment)
    page = await signed_in(browser, deployment, viewport=PHONE, java_script_enabled=False)
    await page.get_by_role("link", name="Reports").last.click()
    await page.get_by_role("link", name="1: Spam").click()
    await page.get_by_role("link", name="Act on the account").click()
    await page.get_by_role("link", name="Suspend").click()
    await page.get_by_label("A week").check()
    await page.get_by_label("Why").fill("Sells watches.")
    await page.get_by_label("Yes, suspend").check()
    await page.get_by_role("button", name="Suspend").click()
    await page.get_by_text("Done, and noted in the audit log.").wait_for()
    await page.goto("/admin/reports/1")
    await page.get_by_text("Sells watches.").wait_for()
    await page.get_by_label("Status").select_option("resolved")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Saved.").wait_for()
    await page.goto("/admin/reports")
    await page.get_by_text("Nothing is waiting for you.").wait_for()
    await page.get_by_role("link", name="Escalated 0", exact=True).wait_for()
