"""The question about publishing is asked once, with "no" as the default. After "yes", the record is in a repository.
The test runs in a browser against all servers.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from programs.up import NetworkReady, ephemeral_ports, network
from tests.browser.browsers import PHONE, sideways, small_targets
from tests.external_dependencies import needs

pytestmark = needs("chromium")


@dataclass
class Running:
    ready: NetworkReady
    page: Page

    async def plc_operations(self) -> int:
        async with httpx.AsyncClient() as client:
            return len((await client.get(f"{self.ready.plc}/export")).text.splitlines())


@pytest.fixture
async def running(browser, tmp_path: Path):
    async with network(tmp_path, ephemeral_ports()) as ready:
        context = await browser.new_context(viewport=PHONE, locale="en-GB", base_url=ready.openmeet)
        context.set_default_timeout(30_000)
        yield Running(ready, await context.new_page())
        await context.close()


async def sign_up_and_create(page: Page) -> None:
    await page.goto("/sign-in?next=/events/new")
    await page.get_by_label("E-mail").fill("greta@example.org")
    await page.get_by_role("button", name="Sign in").click()
    mail = await page.context.new_page()
    await mail.goto("/dev/mail")
    while not await mail.locator("article").count():
        await mail.reload()
    code = re.search(r": (\w{4} \w{4})", await mail.get_by_role("heading", level=2).first.inner_text())
    await mail.close()
    assert code
    await page.get_by_label("Code", exact=True).fill(code[1])
    await page.get_by_role("button", name="Use this code").click()
    await page.get_by_label("Your name").fill("Greta")
    await page.get_by_role("button", name="Use this name").click()
    await page.get_by_label("Title").fill("Board games")
    await page.get_by_label("Starts").fill("2099-07-04T18:00")
    await page.get_by_role("button", name="Create event").click()
    await expect(page.get_by_role("heading", level=1, name="Board games")).to_be_visible()
    await page.get_by_role("heading", name="Show your public events in other apps, too?").wait_for()


async def test_consent_creates_the_repository(running):
    page = running.page
    before = await running.plc_operations()
    await sign_up_and_create(page)
    assert await sideways(page) <= 0
    assert await small_targets(page) == []
    await page.get_by_role("link", name="Sync my public events…").click()
    assert await page.get_by_text("Anyone can read this and copies may remain").is_visible()
    assert await page.get_by_role("radio", name="No, keep everything here").is_checked()
    assert await sideways(page) <= 0
    assert await small_targets(page) == []
    assert await running.plc_operations() == before
    await page.get_by_label("Your account name").fill("greta-games.test")
    await page.get_by_role("radio", name="Yes, sync what’s public").check()
    await page.get_by_role("button", name="Save my choice").click()
    chip = page.get_by_text("Synced", exact=True)
    while not await chip.count():
        await page.reload()
    await page.get_by_text("Its address in other apps").click()
    uri = await page.get_by_text("at://did:plc:").inner_text()
    did, collection, rkey = uri.removeprefix("at://").split("/")
    async with httpx.AsyncClient() as client:
        record = await client.get(
            f"{running.ready.pds}/xrpc/com.atproto.repo.getRecord",
            params={"repo": did, "collection": collection, "rkey": rkey},
        )
    assert record.json()["value"]["name"] == "Board games"
    assert await running.plc_operations() == before + 1


async def test_refused_consent_creates_nothing_and_is_not_asked_again(running):
    page = running.page
    before = await running.plc_operations()
    await sign_up_and_create(page)
    await page.get_by_role("button", name="Not now").click()
    await expect(page.get_by_role("heading", level=1, name="Board games")).to_be_visible()
    await expect(page.get_by_text("Your events stay on this site.")).to_be_visible()
    await page.goto("/events/new")
    await page.get_by_label("Title").fill("Chess")
    await page.get_by_label("Starts").fill("2099-07-05T18:00")
    await page.get_by_role("button", name="Create event").click()
    await expect(page.get_by_role("heading", level=1, name="Chess")).to_be_visible()
    assert not await page.get_by_role("heading", name="in other apps").count()
    chip = page.get_by_text("Only here")
    while not await chip.count():
        await page.reload()
    assert await running.plc_operations() == before
