"""Migrations 0065 and 0066: states of records, and steps that failed for them, have the names that the program knows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import CheckViolated
from openmeet.network.ingestion.quarantine import FailedStep
from openmeet.network.records import seen
from openmeet.network.records.seen import RecordState
from tests.databases import drop_schemas

OLD = {
    "mapped": RecordState.MAPPED,
    "raw": RecordState.RAW,
    "parked": RecordState.AWAITS_EVENT,
    "tombstone": RecordState.TOMBSTONE,
}
OLD_STEPS = {
    "taking": FailedStep.APPLY,
    "mending": FailedStep.REPAIR,
    "counting": FailedStep.APPLY_AWAITING,
}
SCHEMA = "state_of_records"


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


def test_stored_codes_are_their_names() -> None:
    codes = (*RecordState, *FailedStep)
    assert [one.value for one in codes] == [one.name.lower() for one in codes]


async def test_stored_records_keep_their_state(url: str, clock: HandClock) -> None:
    await migrate(url, SCHEMA, "openmeet", to="0064")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        for standing in OLD:
            content = None if standing == "tombstone" else "x"
            await tx.execute(
                "insert into records (uri, did, collection, rkey, epoch, rev, cid, body, is_verified, standing, reason,"
                " precedence, first_seen_at, seen_at, said_rev, after_rev)"
                " values (:uri, '', '', '', 0, '3', :cid, :body, 1, :standing, '', '', 0, 0, '2', '1')",
                uri=standing,
                cid=content,
                body=content and content.encode(),
                standing=standing,
            )
        for step in OLD_STEPS:
            await tx.execute(
                "insert into quarantined_records (uri, did, collection, rev, step, reason, found_at, tried_at, times)"
                " values (:step, '', '', '3', :step, '', 0, 0, 1)",
                step=step,
            )
    await db.close()
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        found = await seen.find_many(tx, list(OLD))
        assert {uri: one.state for uri, one in found.items()} == OLD
        assert {(one.version_rev, one.previous_known_rev) for one in found.values()} == {("2", "1")}
        counted = await seen.count_by_state(tx)
        assert counted == dict.fromkeys(RecordState, 1)
        quarantined = await tx.fetch("select uri, step from quarantined_records")
        assert {row["uri"]: row["step"] for row in quarantined} == OLD_STEPS
    for former in ("records set state = 'parked'", "quarantined_records set step = 'mending'"):
        with pytest.raises(CheckViolated):
            async with db.transaction() as tx:
                await tx.execute(f"update {former}")
    await db.close()
