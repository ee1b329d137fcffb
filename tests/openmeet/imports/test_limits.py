"""Imports that are too expensive give a helpful message and the right status, and the site stays responsive."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from tests.databases import MakeDatabase
from tests.groundwork.workers import jobs
from tests.openmeet.site_under_test import api_session, h1_of, sign_up, site_on
from tests.timeouts import TIMEOUT_SECONDS

BOMB = "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\nDTSTART:20261101T100000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\n" * 12_000


@pytest.fixture
async def strict_pool() -> AsyncIterator[WorkerPool]:
    """Limits that refuse any large file."""
    pool = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=0.1)))
    yield pool
    await pool.close()


async def until_running(pool: WorkerPool) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not pool.running:  # noqa: ASYNC110  # a number tells nobody
            await asyncio.sleep(0)


async def send(browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.post("/import", files={"file": ("mine.ics", BOMB.encode(), "text/calendar")})


async def test_an_expensive_file_gets_a_helpful_error(
    make_sqlite: MakeDatabase, clock: HandClock, strict_pool: WorkerPool
) -> None:
    """The page shows the error at the field and the API returns a problem. Nothing of the file is kept."""
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock, workers=strict_pool)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await send(browser)
        assert (sent.status_code, h1_of(sent.text)) == (413, "Import events")
        assert "in parts" in sent.text
    async with site.browser() as browser:
        headers = await api_session(browser, "ben@example.org", "Ben")
        for path in ("/api/imports", "/api/me/calendars"):
            said = await browser.post(path, json={"ics": BOMB}, headers=headers)
            assert (said.status_code, said.json()["title"]) == (413, "TooMuchWork"), said.text
    async with db.reader() as reader:
        assert await reader.fetch("select 1 from imports") == []


async def test_a_used_up_allowance_says_when_to_retry(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The failure is TooMany, with the time to retry."""
    pool = WorkerPool(PoolLimits(cpu_seconds_per_person=0.0001))
    site = site_on(await make_sqlite("openmeet", clock=clock), clock, workers=pool)
    try:
        async with site.browser() as browser:
            await sign_up(browser, "ana@example.org", "Ana")
            await send(browser)
            again = await send(browser)
            assert again.status_code == 429
            assert int(again.headers["retry-after"]) > 0
            assert "Try again in" in again.text
    finally:
        await pool.close()


async def test_a_full_queue_says_when_to_retry_and_the_site_responds(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """While every process is busy with an endless task, pages are served and no file is read on the event loop."""
    pool = WorkerPool(PoolLimits(processes=1, queue=1))
    site = site_on(await make_sqlite("openmeet", clock=clock), clock, workers=pool)
    try:
        busy = [asyncio.create_task(pool.run(jobs.spin)) for _ in range(2)]
        await until_running(pool)
        async with site.browser() as browser:
            headers = await api_session(browser, "ana@example.org", "Ana")
            full = await browser.post("/api/imports", json={"ics": BOMB}, headers=headers)
            assert full.status_code == 503
            assert int(full.headers["retry-after"]) > 0
            assert (await browser.get("/")).status_code == 200
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
    finally:
        await pool.close()


async def test_a_site_without_workers_reads_no_files(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The site refuses the file with an explanation and does not read it on its event loop."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock, workers=None)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert (await send(browser)).status_code == 503
