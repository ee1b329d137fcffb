"""What migrations make of the dates of series that are already stored; on both engines."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from tests.databases import drop_schemas
from tests.openmeet.series.practice import NOW, create_weekly_series, dates

SCHEMA = "migrated_dates"


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    clock.turn(NOW - clock.now())
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


async def test_dates_in_another_zone_keep_it(url: str, clock: HandClock) -> None:
    """Unless it is an offset or UTC, which records and files name without meaning another place."""
    await migrate(url, SCHEMA, "openmeet", to="0057")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    changes = {"Europe/Lisbon": "starts,visibility", "UTC": "starts", "+02:00": "starts", "Europe/Berlin": ""}
    async with db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        for event, (zone, fields) in zip(await dates(tx, series), changes.items(), strict=False):
            await tx.execute(
                "update events set time_zone = :zone, overridden_fields = :fields where id = :id",
                zone=zone,
                fields=fields,
                id=event.id,
            )
    await db.close()
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        stored = (await dates(reader, series))[: len(changes)]
    await db.close()
    found = {one.time_zone: one.position_in_series and one.position_in_series.overridden for one in stored}
    assert found == {
        "Europe/Lisbon": ("starts", "time_zone", "visibility"),
        "UTC": ("starts",),
        "+02:00": ("starts",),
        "Europe/Berlin": (),
    }
