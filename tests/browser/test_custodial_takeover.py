"""A person takes over the repository that the site hosted for them, and saves its recovery key: in a browser against
all servers.
"""

from pathlib import Path

import httpx
from playwright.async_api import Page, expect

from at_protocol.crypto.did_key import format_did_key
from programs import recovery_file
from tests.browser.accessibility import complaints
from tests.browser.browsers import (
    DESK,
    PHONE,
    heads,
    narrow_targets,
    sideways,
    small_targets,
    unclear_names,
    unseen_focus,
)
from tests.browser.running_network import RunningNetwork, running, sign_up_and_create
from tests.external_dependencies import needs

__all__ = ["running"]

pytestmark = needs("chromium")

PASSWORD = "a password of her own"


async def flaws(page: Page) -> list[str]:
    """Usability problems of the page at phone and desktop width."""
    found: list[str] = []
    for size in (PHONE, DESK):
        await page.set_viewport_size(size)
        found += [f"{await sideways(page)} px sideways"] if await sideways(page) > 0 else []
        found += [
            *await small_targets(page),
            *await narrow_targets(page),
            *await unclear_names(page),
            *await unseen_focus(page),
            *await heads(page),
        ]
        found += await complaints(page)
    return found


async def test_repository_is_taken_over_and_its_key_saved(running: RunningNetwork, tmp_path: Path) -> None:
    page = running.page
    await sign_up_and_create(page)
    await page.get_by_role("link", name="Sync my public events…").click()
    await page.get_by_label("Your account name").fill("greta-games.test")
    await page.get_by_role("button", name="Yes, sync what’s public").click()
    chip = page.get_by_text("Synced", exact=True)
    while not await chip.count():
        await page.reload()
    await page.goto("/settings/identity")
    await page.get_by_role("link", name="Take it over").click()
    assert await flaws(page) == []
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Repeat the password").fill(PASSWORD)
    await page.get_by_role("button", name="Take over the account").click()
    await expect(page.get_by_role("heading", level=1, name="Your recovery key")).to_be_visible()
    assert await flaws(page) == []
    shown = await page.get_by_label("Anyone who has it can take over your account").input_value()
    async with page.expect_download() as coming:
        await page.get_by_role("link", name="Save it as a file").click()
    file = tmp_path / "key.txt"
    await (await coming.value).save_as(file)
    kept = recovery_file.read(file)
    assert shown in file.read_text(encoding="utf-8")
    async with httpx.AsyncClient() as client:
        listed = (await client.get(f"{running.ready.plc}/{kept.identity}/data")).json()["rotationKeys"]
    assert listed[0] == format_did_key(kept.key.public)
    await page.get_by_role("button", name="Erase our copy").click()
    await expect(page.get_by_text("We can’t show it again").first).to_be_visible()
    await page.get_by_role("checkbox", name="I have saved it").check()
    await page.get_by_role("button", name="Erase our copy").click()
    await expect(page.get_by_text("Our copy of the recovery key is erased")).to_be_visible()
    answer = await page.goto("/settings/identity/recovery-key")
    assert answer is not None
    assert answer.status == 404
