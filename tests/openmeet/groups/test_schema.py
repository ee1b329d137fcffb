"""Names and defaults in the schema that must not change, and the indexes used by lists of groups."""

import pytest

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import CheckViolated
from openmeet.domain.groups import followed_dids
from openmeet.domain.search import group_event_lists
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import person

GROUPS = "name slug description external_id external_cid external_source sync_enabled promotion_level backup_admin_did"
MEMBERS = "group_id user_id role external_id external_did sync_enabled notifications_enabled"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def columns(tx, engine, table: str) -> dict[str, str | None]:
    """Column names and their defaults."""
    if engine == "sqlite":
        rows = await tx.fetch("select name, dflt_value as filled from pragma_table_info(:table)", table=table)
    else:
        rows = await tx.fetch(
            "select column_name as name, column_default as filled from information_schema.columns"
            " where table_schema = current_schema() and table_name = :table",
            table=table,
        )
    return {row["name"]: row["filled"] for row in rows}


async def test_the_schema_has_its_names_and_defaults(db, engine):
    async with db.transaction() as tx:
        groups = await columns(tx, engine, "groups")
        members = await columns(tx, engine, "group_members")
    assert set(GROUPS.split()) <= groups.keys()
    assert set(MEMBERS.split()) <= members.keys()
    assert (groups["sync_enabled"], groups["absence_days"], groups["wait_days"]) == ("0", "90", "14")
    assert (members["sync_enabled"], members["notifications_enabled"]) == ("0", "1")


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("promotion_level", "'loud'"), ("absence_days", "59"), ("wait_days", "6"), ("sync_enabled", "2")],
)
async def test_the_database_refuses_invalid_groups(db, column, wrong):
    async with db.transaction() as tx:
        await group_by(tx, await person(tx, "Ana"))
    with pytest.raises(CheckViolated):
        async with db.transaction() as tx:
            await tx.execute(f"update groups set {column} = {wrong}")


class Explaining:
    """A reader that records the query plan of each statement."""

    def __init__(self, tx) -> None:
        self.tx, self.now, self.plans = tx, tx.now, []

    async def fetch(self, sql: str, /, **parameters: object):
        self.plans += [row[0] for row in await self.tx.fetch(f"explain {sql}", **parameters)]
        return await self.tx.fetch(sql, **parameters)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_lists_of_a_group_find_its_events_by_index(db):
    """On an empty table the planner can choose any index. It scans all events only if no index fits."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        await followed_dids.follow(tx, ana, group.slug, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
        await tx.execute("set local enable_seqscan = off")
        asking = Explaining(tx)
        await group_event_lists.shown_in_group(asking, group.id, None, 30, member=ana.user_id)
        await group_event_lists.shown_in_group(asking, group.id, None, 30, member=None)
        await group_event_lists.between_in_group(asking, group.id, tx.now, Instant(tx.now + 30 * DAY), 500, member=None)
        await group_event_lists.past_in_group(asking, group.id, None, 30, member=ana.user_id)
    plans = "\n".join(asking.plans)
    assert plans.count("on events ") + plans.count("on events_of") >= 6
    assert "events_of_group_by_start" in plans
    assert "Seq Scan on events" not in plans
