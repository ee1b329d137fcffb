"""Pages that few people see, checked like all others: failures, an import, and the operator’s pages."""

from pathlib import Path

from playwright.async_api import Browser

from groundwork.clock import HandClock
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.network.sync_dependencies import SyncDependencies
from tests.browser.browsers import Deployment, context, deployment
from tests.browser.page_problems import FAILURES, problems_of_pages
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.imports.test_pages import TWO
from tests.openmeet.ingestion.network import HERE
from tests.openmeet.site_under_test import change_services, event_by, person

pytestmark = needs("chromium")


async def session_of(site: Deployment, name: str) -> str:
    async with site.db.transaction() as tx:
        who = await person(tx, name)
        return (await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)).token


async def test_import_page_is_usable(browser: Browser, openmeet: Deployment) -> None:
    """Before anything is imported, and after."""
    token = await session_of(openmeet, "Ana Lindqvist")
    async with context(browser, openmeet) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/import")
        file = {"name": "mine.ics", "mimeType": "text/calendar", "buffer": TWO.encode()}
        await page.locator("input[type=file]").first.set_input_files(file)
        await page.locator("form:has(input[type=file]) button[type=submit]").first.click()
        await page.get_by_role("heading", name="What we found").wait_for()
        path = page.url.removeprefix(openmeet.url)
        assert await problems_of_pages(browser, openmeet, {"an import": path}, token) == []
        await page.locator("main form button[type=submit]").first.click()
        await page.get_by_role("heading", name="Imported", exact=True).wait_for()
        assert await problems_of_pages(browser, openmeet, {"what was imported": path}, token) == []


async def test_operators_page_is_usable(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    db = await make_sqlite("openmeet")
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue", clock=clock), clock)
    installation = await make_sqlite("openmeet.network.firehose", clock=clock)
    async with deployment(db, clock, tmp_path / "mail", operators=("ana@example.org",)) as site:
        change_services(site.app, sync_dependencies=SyncDependencies(installation, queue, HERE))
        token = await session_of(site, "Ana")
        paths = {"operating": "/operating", "flags": "/operating/flags"}
        assert await problems_of_pages(browser, site, paths, token) == []


async def test_failure_pages_are_usable(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    db = await make_sqlite("openmeet")
    async with deployment(db, clock, tmp_path / "mail") as site:
        token = await session_of(site, "Ben")
        async with site.db.transaction() as tx:
            event = await event_by(tx, await person(tx, "Ana"))
            # Nothing in the product fails on request, so the failures are made here.
            await tx.execute("alter table saved_searches rename to lost_searches")
        paths = {"a bug": "/my/searches", "not for them": f"/events/{event.slug}/attendees"}
        await status_is(browser, site, paths, token)
        assert await problems_of_pages(browser, site, paths, token) == []


async def test_too_many_requests_page_is_usable(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail", pages_per_minute=1) as site:
        token = await session_of(site, "Ana")
        async with context(browser, site) as opened:
            page = await opened.new_page()
            await page.goto("/")
        await status_is(browser, site, {"too many": "/"}, token)
        assert await problems_of_pages(browser, site, {"too many": "/"}, token) == []


async def status_is(browser: Browser, site: Deployment, paths: dict[str, str], token: str) -> None:
    """Each page has the status that ``FAILURES`` names."""
    async with context(browser, site) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": site.url}])
        page = await opened.new_page()
        found = {name: (await page.goto(path)).status for name, path in paths.items()}
    assert found == {name: FAILURES[name] for name in paths}
