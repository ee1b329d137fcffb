"""Pages that a browser has cached and opens without a connection."""

import asyncio

from playwright.async_api import BrowserContext, Page

from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from tests.browser.browsers import Deployment, sign_up


async def sign_up_and_cache(page: Page, openmeet: Deployment, name: str) -> Caller:
    """Sign up, and wait until the pages of this browser are cached."""
    await page.goto("/sign-in?next=/home")
    await sign_up(page, openmeet, name, f"{name.lower()}@example.org")
    await page.wait_for_url("**/welcome/start")
    await page.goto("/home")
    await page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    # The worker takes over open pages when it starts, but not a page that is just being loaded.
    if not await page.evaluate("!!navigator.serviceWorker.controller"):
        await page.reload()
    assert await page.evaluate("!!navigator.serviceWorker.controller")
    async with openmeet.db.reader() as reader:
        user = await by_email(reader, f"{name.lower()}@example.org")
    assert user is not None
    return Caller(user.id, name)


async def cache_page(page: Page, path: str) -> None:
    """Open a page and wait until it is cached."""
    await page.goto(path)
    await until_stored(
        page, "async (path) => (await caches.open('kept')).match(new URL(path, location.origin).href)", path
    )


async def until_stored(page: Page, found: str, value: str) -> None:
    """Wait until this function of JavaScript finds something in the caches of the page, at most half a minute."""
    for _ in range(300):
        if await page.evaluate(f"async (value) => Boolean(await ({found})(value))", value):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"nothing is stored for {value}")


async def answer_status(openmeet: Deployment, event: Event, who: Caller) -> AttendanceStatus | None:
    async with openmeet.db.reader() as reader:
        found = await queries.find(reader, event.id, who.user_id)
    return found.status if found else None


async def switch_offline(opened: BrowserContext, page: Page, *, offline: bool) -> None:
    await opened.set_offline(offline)
    for worker in opened.service_workers:
        assert worker.url.endswith("/service-worker.js")
    if not offline:
        await page.evaluate("dispatchEvent(new Event('online'))")
