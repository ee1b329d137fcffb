"""The pictures of the README, from the demo town: ``python -m tests.browser.pictures``."""

import asyncio
import io
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Page, async_playwright

from tests.browser.browsers import CHROMIUM, PHONE
from tests.system.household import running_up

WRITTEN: Final = Path(__file__).parents[2] / "docs" / "pictures" / "pages.png"
# Sharp on a good screen, and still small enough for a repository.
_SCALE: Final = 2
_GAP: Final = 24 * _SCALE
_COLOURS: Final = 128
_PERSON: Final = "person3@demo.example"


async def take() -> None:
    """Write the picture: events, one event and a chat of OpenMeet, and the front page of Aurora Locus, on phones."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_up(Path(folder), "--ephemeral", "--demo") as up, async_playwright() as playwright:
            browser = await playwright.chromium.launch(**CHROMIUM)
            context = await browser.new_context(
                viewport=PHONE, device_scale_factor=_SCALE, color_scheme="light", timezone_id="Europe/Berlin"
            )
            page = await context.new_page()
            shots = [await _shot(page, up.openmeet)]
            link = page.locator('main a[href^="/events/"]').nth(2)
            shots.append(await _shot(page, up.openmeet + str(await link.get_attribute("href"))))
            await _sign_in(page, up.openmeet)
            await page.goto(up.openmeet + "/chat")
            chat = page.locator('main a[href^="/events/"][href$="/chat"]').first
            shots.append(await _shot(page, up.openmeet + str(await chat.get_attribute("href"))))
            shots.append(await _shot(page, up.pds))
            await browser.close()
    height = max(shot.height for shot in shots)
    row = Image.new("RGB", (sum(shot.width for shot in shots) + _GAP * (len(shots) - 1), height), "white")
    left = 0
    for shot in shots:
        row.paste(shot, (left, 0))
        left += shot.width + _GAP
    row.quantize(_COLOURS).save(WRITTEN, optimize=True)


async def _sign_in(page: Page, openmeet: str) -> None:
    """As somebody of the demo town, by the code in the development mailbox."""
    await page.goto(openmeet + "/sign-in")
    await page.locator('input[name="identifier"]').fill(_PERSON)
    await page.get_by_role("button", name="Continue to sign-in").click()
    mail = await page.context.new_page()
    await mail.goto(openmeet + "/dev/mail")
    while not await mail.locator("article").count():
        await mail.reload()
    code = (await mail.get_by_role("heading", level=2).first.inner_text()).partition(": ")[2]
    await mail.close()
    await page.get_by_label("Code", exact=True).fill(code)
    await page.get_by_role("button", name="Use this code").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)


async def _shot(page: Page, address: str) -> Image.Image:
    await page.goto(address, wait_until="load")
    return Image.open(io.BytesIO(await page.screenshot())).convert("RGB")


if __name__ == "__main__":
    asyncio.run(take())
