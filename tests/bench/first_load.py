"""Cost of opening a page for the first time in a browser: bytes, requests, and when its largest part is drawn.

``tests/browser/test_page_weight.py`` limits the bytes. The time of drawing depends on the machine, so it is only printed.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from playwright.async_api import Browser, async_playwright

from tests.bench import pages
from tests.bench.figure import Figure
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.browser.browsers import CHROMIUM, DESK, PHONE
from tests.external_dependencies import is_available

ROUNDS: Final = 5
MOST_KB: Final = 60
MOST_PAINT_MS: Final = 1_000
_QUIET_MS: Final = 300

_LARGEST: Final = """
new PerformanceObserver((list) => { window.largest = list.getEntries().at(-1).startTime; })
  .observe({ type: "largest-contentful-paint", buffered: true });
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One first load."""

    bytes: int
    requests: int
    largest_ms: float


def measure() -> Iterator[Figure]:
    if not is_available("chromium"):
        return
    for name, looks in run(_measure()).items():
        weight = max(one.bytes for one in looks) / 1000
        note = f"{looks[0].requests} requests"
        yield Figure(f"{name}, first load", weight, "kB", MOST_KB, less_is_better=True, note=note)
        largest = statistics.median(one.largest_ms for one in looks)
        yield Figure("  its largest part is drawn after", largest, "ms", MOST_PAINT_MS, less_is_better=True)


async def _measure() -> dict[str, list[Look]]:
    progress("a town of events")
    with pages.town_server() as (url, _):
        async with pages.client_of(url) as client, async_playwright() as playwright:
            await pages.wait_until_reachable(client, "/")
            browser = await playwright.chromium.launch(**CHROMIUM)
            progress("loading pages")
            return {name: await _looks(browser, url + path, size) for name, path, size in await _pages(client)}


async def _pages(client: aiohttp.ClientSession) -> list[tuple[str, str, dict[str, int]]]:
    (event, *_) = await pages.paths_of_events(client)
    return [
        (f"{name}, {width}", path, size)
        for name, path in (("discover", "/"), ("event page", event))
        for width, size in (("phone", PHONE), ("desk", DESK))
    ]


async def _looks(browser: Browser, address: str, size: dict[str, int]) -> list[Look]:
    return [await _look(browser, address, size) for _ in range(ROUNDS)]


async def _look(browser: Browser, address: str, size: dict[str, int]) -> Look:
    """Load the page in a browser that has never visited the site."""
    opened = await browser.new_context(locale="en-GB", viewport=size, service_workers="block")
    await opened.add_init_script(_LARGEST)
    page = await opened.new_page()
    tools = await opened.new_cdp_session(page)
    await tools.send("Network.enable")
    asked: set[str] = set()
    sizes: Counter[str] = Counter()

    def begin(told: dict[str, Any]) -> None:
        if not told["request"]["url"].startswith("data:"):
            asked.add(told["requestId"])

    tools.on("Network.requestWillBeSent", begin)
    tools.on("Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}))
    await page.goto(address, wait_until="load")
    await asyncio.sleep(_QUIET_MS / 1000)
    largest = float(await page.evaluate("window.largest"))
    await opened.close()
    return Look(sum(sizes[one] for one in asked), len(asked), largest)
