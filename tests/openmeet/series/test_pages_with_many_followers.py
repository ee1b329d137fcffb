"""Pages of a series with very many followers: they read as many rows as with few, because the database counts the
people.
"""

from collections.abc import Sequence

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.postgres import PostgresTransaction
from groundwork.database.transaction import Database, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from tests.openmeet.series.practice import create_weekly_series, dates, give_rsvp, original_dates
from tests.openmeet.site_under_test import person, signed_in, site_on

PAGES = ("", "/manage", "/cancel", "/pause", "/delete", "/followers", "/edit")


@pytest.fixture
def engine() -> str:
    return "postgresql"


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows that each statement returns from this point."""
    read: list[int] = []
    fetch = PostgresTransaction.fetch

    async def fetching(self: PostgresTransaction, sql: str, /, **parameters: object) -> Sequence[Row]:
        found: Sequence[Row] = await fetch(self, sql, **parameters)
        read.append(len(found))
        return found

    monkeypatch.setattr(PostgresTransaction, "fetch", fetching)
    return read


async def followed_by(tx: Transaction, series: Series, size: int) -> None:
    people = [{"id": new_id(tx.now), "name": f"Guest {number}", "now": tx.now} for number in range(size)]
    await tx.execute_many(
        "insert into users (id, kind, display_name, bio, revision, created_at, updated_at)"
        " values (:id, 'person', :name, '', 1, :now, :now)",
        people,
    )
    await tx.execute_many(
        "insert into event_series_followers (series_id, user_id, notifications_enabled, created_at, updated_at)"
        " values (:series_id, :id, 1, :now, :now)",
        [{"series_id": series.id, "id": one["id"], "now": tx.now} for one in people],
    )


async def asked(browser: httpx.AsyncClient, series: Series, names_: Sequence[str], rows: list[int]) -> dict[str, int]:
    """How many rows each page reads."""
    found = {}
    for page in PAGES:
        rows.clear()
        assert (await browser.get(f"/series/{series.slug}{page}")).status_code == 200
        found[page] = sum(rows)
    for act in ("cancel", "reinstate", "remove"):
        rows.clear()
        form = {"act": act, f"date_{names_[0]}": "yes"}
        assert "get one message" in (await browser.post(f"/series/{series.slug}/manage", data=form)).text
        found[act] = sum(rows)
    return found


async def test_a_page_reads_as_many_rows_for_a_crowd_as_for_a_few(
    practice_db: Database, clock: HandClock, rows: list[int]
) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await give_rsvp(tx, await person(tx, "Ben"), (await dates(tx, series))[0])
        # More than fit on one page of followers.
        await followed_by(tx, series, 200)
        names_ = original_dates(await dates(tx, series))
    async with signed_in(site_on(practice_db, clock), ana.user_id) as browser:
        await asked(browser, series, names_, rows)
        few = await asked(browser, series, names_, rows)
        async with practice_db.transaction() as tx:
            await followed_by(tx, series, 800)
        assert await asked(browser, series, names_, rows) == few


async def test_a_page_counts_only_followers_with_notifications(practice_db: Database, clock: HandClock) -> None:
    """People who follow without notifications are not notified, and not counted."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await followed_by(tx, series, 3)
        await tx.execute(
            "update event_series_followers set notifications_enabled = 0"
            " where user_id = (select min(user_id) from event_series_followers)"
        )
        ben: Caller = await person(tx, "Ben")
        await give_rsvp(tx, ben, (await dates(tx, series))[0])
        first, second, *_ = original_dates(await dates(tx, series))
    async with signed_in(site_on(practice_db, clock), ana.user_id) as browser:
        said = {}
        for name in (first, second):
            form = {"act": "cancel", f"date_{name}": "yes"}
            said[name] = (await browser.post(f"/series/{series.slug}/manage", data=form)).text
        assert "1 answer so far. 3 people get one message each." in said[first]
        assert "Nobody has answered so far. 2 people get one message each." in said[second]
        cancelling = (await browser.get(f"/series/{series.slug}/cancel")).text
        assert (
            "Cancelling the series e-mails 3 people once. Cancelling a date e-mails only the people going to it."
            in cancelling
        )
        assert (
            "1 answer will be deleted, too. We’ll notify 3 people."
            in (await browser.get(f"/series/{series.slug}/delete")).text
        )
