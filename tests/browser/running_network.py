"""A complete network that is open in the browser of a phone, and a person who signs up there."""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from programs.up import NetworkReady, ephemeral_ports, network
from tests.browser.browsers import PHONE


@dataclass
class RunningNetwork:
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
        yield RunningNetwork(ready, await context.new_page())
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
    await page.get_by_label("Title").fill("Board games")
    await page.get_by_label("Starts").fill("2099-07-04T18:00")
    await page.get_by_role("button", name="Create event").click()
    await expect(page.get_by_role("heading", level=1, name="Board games")).to_be_visible()
    await page.get_by_role("heading", name="Show your public events in other apps, too?").wait_for()
