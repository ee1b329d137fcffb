"""The error page for internal errors."""

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import site_on


async def test_what_broke_is_told_once_with_its_number(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """And with what to do; the number is for whoever reports it."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        await tx.execute("alter table events rename to moved_away")
    async with site.browser() as browser:
        answer = await browser.get("/")
        assert answer.status_code == 500
        assert "Try again in a minute." in answer.text
        assert answer.text.count("quote") == 1
