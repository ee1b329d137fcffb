"""Names and defaults of schema columns that must not change. Queries about series use indexes."""

import pytest

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Row, Transaction
from openmeet.domain.attendance import expected_rsvps
from openmeet.domain.attendance.expected_rsvps import IncompleteDates
from openmeet.domain.events import series_dates
from openmeet.domain.events.co_host_queries import series_hosted_among
from openmeet.domain.events.model import EventId
from openmeet.domain.series import date_queries, follower_queries, ownership, queries, undo, visibility
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import UserId
from tests.openmeet.series.practice import create_weekly_series

SERIES = """name slug description time_zone recurrence_rule recurrence_exceptions recurrence_dates starts_local duration template
    user_id group_id matrix_room_id external_id external_cid external_source external_data is_read_only created_at updated_at"""
FOLLOWERS = "series_id user_id notifications_enabled created_at updated_at"
OF_EVENTS = """series_id original_date is_modified_occurrence overridden_fields external_id external_cid external_source external_data
    matrix_room_id"""


async def columns(tx: Transaction, db: Database, table: str) -> dict[str, str | None]:
    """Names and defaults of the columns."""
    if db.engine == "sqlite":
        rows = await tx.fetch("select name, dflt_value as filled from pragma_table_info(:table)", table=table)
    else:
        rows = await tx.fetch(
            "select column_name as name, column_default as filled from information_schema.columns"
            " where table_schema = current_schema() and table_name = :table",
            table=table,
        )
    return {row["name"]: row["filled"] for row in rows}


async def test_names_and_defaults(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        series = await columns(tx, practice_db, "event_series")
        followers = await columns(tx, practice_db, "event_series_followers")
        events = await columns(tx, practice_db, "events")
    assert set(SERIES.split()) <= series.keys()
    assert set(FOLLOWERS.split()) == followers.keys()
    assert set(OF_EVENTS.split()) <= events.keys()
    assert series["is_read_only"] == "0"
    assert followers["notifications_enabled"] == "1"
    assert events["is_modified_occurrence"] == "0"


class Explaining:
    """Reads and writes like a transaction, and stores the plan of each query."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.now = tx.now
        self.engine = tx.engine
        self.plans: list[str] = []

    async def fetch(self, sql: str, /, **parameters: object) -> list[Row]:
        plan = await self.tx.fetch(f"explain {sql}", **parameters)
        self.plans.append(f"{sql}\n" + "\n".join(row[0] for row in plan))
        return list(await self.tx.fetch(sql, **parameters))

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None

    async def execute(self, sql: str, /, **parameters: object) -> int:
        return await self.tx.execute(sql, **parameters)

    async def execute_many(self, sql: str, rows: list[dict[str, object]], /) -> None:
        await self.tx.execute_many(sql, rows)

    def after_commit(self, _call: object, /) -> None:
        return


ASKED = {
    "dates in a window": lambda tx, series: date_queries.stored_between(tx, series.id, tx.now, tx.now + 30 * DAY, 20),
    "past dates": lambda tx, series: date_queries.stored_before(tx, series.id, tx.now, 20),
    "names of stored dates": lambda tx, series: date_queries.stored_names(tx, series.id, since="2026"),
    "one date": lambda tx, series: date_queries.date_of(tx, series.id, "2026-11-24T18:00:00"),
    "windows to move": lambda tx, series: queries.behind_window(tx, Instant(tx.now), (-1, ""), 500),
    "dates to complete": lambda tx, series: date_queries.with_dates_to_complete(tx, (-1, ""), 500),
    "which date is published": lambda tx, series: series_dates.enqueue_by_policy(tx, [series.id]),
    "own series": lambda tx, series: queries.of_owner(tx, series.owner_id),
    "followed series": lambda tx, series: queries.followed_by(tx, series.owner_id),
    "followers": lambda tx, series: follower_queries.named_followers(tx, series.id, after=UserId(""), limit=20),
    "who goes to all": lambda tx, series: follower_queries.standing_rsvps(tx, series.id),
    "who is expected": lambda tx, series: expected_rsvps.people(
        tx, series.id, IncompleteDates(["a date"]), after=UserId(""), until=None, limit=20
    ),
    "the series of a date": lambda tx, series: expected_rsvps.series_of(tx, EventId("a date")),
    "who is told": follower_queries.followers_to_notify,
    "what can be undone": lambda tx, series: undo.newest(tx, series.id),
    "what one is offered": lambda tx, series: ownership.offered_to(tx, series.owner_id),
    "an invitation to any date": lambda tx, series: visibility.invited_among(tx, [series.id], series.owner_id),
    "hosting any date": lambda tx, series: series_hosted_among(tx, [series.id], series.owner_id),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_no_query_scans_a_whole_table(practice_db: Database, asked: str) -> None:
    """On PostgreSQL the planner is told to avoid sequential scans, so a scan remains only if no index fits."""
    async with practice_db.transaction() as tx:
        series: Series
        _, series = await create_weekly_series(tx)
        await tx.execute("set local enable_seqscan = off")
        explaining = Explaining(tx)
        await ASKED[asked](explaining, series)  # type: ignore[no-untyped-call]
    assert explaining.plans
    walked = [plan for plan in explaining.plans if "Seq Scan on event" in plan or "Seq Scan on attendances" in plan]
    assert walked == []
