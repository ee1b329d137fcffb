"""Pages that few people see, checked like all others: failures, an import, embeds, new links, polls, reports, and the
operator’s pages.
"""

from datetime import datetime
from pathlib import Path

from playwright.async_api import Browser, expect

from groundwork.clock import HandClock
from openmeet.domain.events.content import Content
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.browser.browsers import PHONE, Deployment, context, deployment
from tests.browser.network_examples import add_network_examples, site_of_network
from tests.browser.operator_examples import OPERATORS, add_operator_examples
from tests.browser.page_problems import FAILURES, problems_of_pages
from tests.browser.rare_examples import add_rare_examples
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.openmeet.deployment import Deployment as Network
from tests.openmeet.deployment import deployment as network
from tests.openmeet.imports.sample_files import TWO_EVENTS_CALENDAR
from tests.openmeet.site_under_test import event_by, person

__all__ = ["network"]

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
        file = {"name": "mine.ics", "mimeType": "text/calendar", "buffer": TWO_EVENTS_CALENDAR.encode()}
        await page.locator("input[type=file]").first.set_input_files(file)
        await page.locator("form:has(input[type=file]) button[type=submit]").first.click()
        await page.get_by_role("heading", name="What we found").wait_for()
        path = page.url.removeprefix(openmeet.url)
        assert await problems_of_pages(browser, openmeet, {"an import": path}, token) == []
        await page.locator("main form button[type=submit]").first.click()
        await page.get_by_role("heading", name="Imported", exact=True).wait_for()
        assert await problems_of_pages(browser, openmeet, {"what was imported": path}, token) == []


async def test_rarely_opened_pages_are_usable(browser: Browser, openmeet: Deployment) -> None:
    token, paths = await add_rare_examples(openmeet)
    assert await problems_of_pages(browser, openmeet, paths, token) == []


async def test_pages_of_the_network_are_usable(browser: Browser, network: Network, tmp_path: Path) -> None:
    async with site_of_network(network, tmp_path / "mail") as site:
        for token, paths in await add_network_examples(network, site):
            assert await problems_of_pages(browser, site, paths, token) == []


async def test_phones_show_all_of_how_often_a_series_repeats(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        days = parse_rule("FREQ=WEEKLY;BYDAY=MO,WE,FR")
        timing = Timing(pattern(datetime.fromisoformat("2026-03-02T18:00"), "Europe/Berlin", days), None)
        await series.create(tx, ana, Content("Practice"), timing)
    async with context(browser, openmeet, viewport=PHONE) as opened:
        page = await opened.new_page()
        await page.goto("/series")
        words = page.get_by_text("Every Monday, Wednesday and Friday")
        assert await words.evaluate("(one) => one.scrollWidth <= one.clientWidth")


async def test_operators_pages_are_usable(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail", operators=OPERATORS) as site:
        token, paths = await add_operator_examples(site, make_sqlite, clock)
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


async def test_a_refused_form_leads_back_to_what_was_typed(
    browser: Browser, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    async with deployment(await make_sqlite("openmeet"), clock, tmp_path / "mail") as site:
        token = await session_of(site, "Ana")
        async with context(browser, site, viewport=PHONE) as opened:
            await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": site.url}])
            page = await opened.new_page()
            await page.goto("/groups/new")
            await page.locator("#name").fill("Choir")
            async with site.db.transaction() as tx:
                await tx.execute("alter table groups rename to lost_groups")
            await page.get_by_role("button", name="Create group").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("That didn’t work on our side")
            async with site.db.transaction() as tx:
                await tx.execute("alter table lost_groups rename to groups")
            await page.get_by_role("link", name="Go back").click()
            await expect(page.locator("#name")).to_have_value("Choir")


async def status_is(browser: Browser, site: Deployment, paths: dict[str, str], token: str) -> None:
    """Each page has the status that ``FAILURES`` names."""
    assert await statuses(browser, site, paths, token) == {name: FAILURES[name] for name in paths}


async def statuses(browser: Browser, site: Deployment, paths: dict[str, str], token: str) -> dict[str, int]:
    async with context(browser, site) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": site.url}])
        page = await opened.new_page()
        return {name: (await page.goto(path)).status for name, path in paths.items()}
