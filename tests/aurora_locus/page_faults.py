"""Faults of the PDS's pages in a browser: sideways scrolling, small targets, and what accessibility checks report."""

import os

from playwright.async_api import Page

from tests.browser.accessibility import complaints
from tests.browser.browsers import sideways, small_targets

# A folder for screenshots; if it is not set, none are made.
PICTURES_FOLDER = os.environ.get("OPENMEET_PICTURES")


async def faults_of_page(page: Page, name: str) -> list[str]:
    """The faults of the current page."""
    if PICTURES_FOLDER:
        size, scheme = page.viewport_size, await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        width = size["width"] if size else 0
        await page.screenshot(
            path=f"{PICTURES_FOLDER}/{name}-{width}-{'dark' if scheme else 'light'}.png", full_page=True
        )
    return [
        *([f"{name}: {await sideways(page)} px sideways"] if await sideways(page) > 0 else []),
        *(f"{name}: small target {target}" for target in await small_targets(page)),
        *[f"{name}: {one}" for one in await complaints(page)],
    ]
