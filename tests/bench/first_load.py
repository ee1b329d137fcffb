"""Cost of opening a page for the first time in a browser: bytes, requests, and when its largest part is drawn; compared
with the pages of a ticket shop.

``tests/browser/test_page_weight.py`` limits the bytes. The time of drawing depends on the machine, so it is only printed.
"""

import asyncio
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Browser, async_playwright

from tests.bench import pages, ticket_shop
from tests.bench.figure import Figure, Peer
from tests.bench.loop import run
from tests.bench.timing import progress
from tests.browser.browsers import CHROMIUM, DESK, PHONE
from tests.external_dependencies import is_available

ROUNDS: Final = 5
MAX_KB: Final = 60
MAX_PAINT_MS: Final = 1_000
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
    ours = run(_measure())
    theirs = run(_measure_peer()) if ticket_shop.is_configured() else {}
    for name, looks in ours.items():
        note = f"{looks[0].requests} requests"
        peer = _peer(theirs[name], _weight) if name in theirs else None
        yield Figure(f"{name}, first load", _weight(looks), "kB", MAX_KB, less_is_better=True, peer=peer, note=note)
        peer = _peer(theirs[name], _largest) if name in theirs else None
        yield Figure(
            "  its largest part is drawn after", _largest(looks), "ms", MAX_PAINT_MS, less_is_better=True, peer=peer
        )


def _weight(looks: list[Look]) -> float:
    return max(one.bytes for one in looks) / 1000


def _largest(looks: list[Look]) -> float:
    return statistics.median(one.largest_ms for one in looks)


def _peer(looks: list[Look], of: Callable[[list[Look]], float]) -> Peer:
    return Peer("pretix, one worker", of(looks))


async def _measure() -> dict[str, list[Look]]:
    progress("a town of events")
    with pages.town_server() as town:
        async with pages.client_of(town.url) as client:
            await pages.wait_until_reachable(client, "/")
            (event, *_) = await pages.paths_of_events(client)
        seen = await _views(town.url, {"discover": "/", "event page": event})
        return seen | await _views(town.url, {"home": "/home"}, town.token_file.read_text())


async def _measure_peer() -> dict[str, list[Look]]:
    with ticket_shop.running() as url:
        async with pages.client_of(url) as client:
            await pages.wait_until_reachable(client, "/town/")
        return await _views(url, {"discover": "/town/", "event page": "/town/jazz0/"})


async def _views(url: str, paths: dict[str, str], token: str = "") -> dict[str, list[Look]]:
    """Each page on a phone and on a wide screen, with this token signed in."""
    progress("loading pages")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**CHROMIUM)
        return {
            f"{name}, {width}": [await _look(browser, url + path, size, token) for _ in range(ROUNDS)]
            for name, path in paths.items()
            for width, size in (("phone", PHONE), ("desk", DESK))
        }


async def _look(browser: Browser, address: str, size: dict[str, int], token: str) -> Look:
    """Load the page in a browser that has never visited the site."""
    opened = await browser.new_context(locale="en-GB", viewport=size, service_workers="block")
    if token:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": address}])
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
