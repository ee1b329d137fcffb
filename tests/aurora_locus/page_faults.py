"""Faults of the PDS's pages in a browser: sideways scrolling, small targets, and what accessibility checks report."""

import os

from playwright.async_api import Page, ViewportSize

from tests.browser.accessibility import (
    complaints,
    complaints_of_another_size,
    complaints_of_changed_colours,
    complaints_of_colours,
    remember_looks,
)
from tests.browser.browsers import DESK, covered_targets, sideways, small_targets

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


async def faults_in_every_look(page: Page, narrow: ViewportSize) -> list[str]:
    """The faults of the current page in a narrow and a wide window, light and dark, without loading it again."""
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    await page.set_viewport_size(narrow)
    found = [*await complaints(page), *await _shape(page)]
    await remember_looks(page)
    await page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in await complaints_of_colours(page)]
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(DESK)
    found += [f"wide: {one}" for one in [*await complaints_of_another_size(page), *await _shape(page)]]
    await page.emulate_media(color_scheme="dark")
    return found + [f"wide, dark: {one}" for one in await complaints_of_changed_colours(page)]


async def _shape(page: Page) -> list[str]:
    beyond = await sideways(page)
    return [
        *([f"{beyond} px sideways"] if beyond > 0 else []),
        *await small_targets(page),
        *await covered_targets(page),
    ]
