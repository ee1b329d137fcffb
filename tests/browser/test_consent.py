"""The question about publishing is asked once, with "no" as the default. After "yes", the record is in a repository.
The test runs in a browser against all servers.
"""

import httpx
from playwright.async_api import expect

from tests.browser.browsers import sideways, small_targets
from tests.browser.running_network import running, sign_up_and_create
from tests.external_dependencies import needs

__all__ = ["running"]


pytestmark = needs("chromium")


async def test_consent_creates_the_repository(running):
    page = running.page
    before = await running.plc_operations()
    await sign_up_and_create(page)
    assert await sideways(page) <= 0
    assert await small_targets(page) == []
    await page.get_by_role("link", name="Sync my public events…").click()
    assert await page.get_by_text("Anyone can read this and copies may remain").is_visible()
    assert await sideways(page) <= 0
    assert await small_targets(page) == []
    assert await running.plc_operations() == before
    await page.get_by_label("Your account name").fill("greta-games.test")
    await page.get_by_role("button", name="Yes, sync what’s public").click()
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
