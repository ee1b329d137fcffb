"""Switching on a flag takes as many statements for many known people as for few, reads none of their rows, and queues
one job for each.
"""

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.events.content import Content
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion.apply import apply
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, event
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.statement_counter import StatementCounter

STRANGER = did(90)
QUEUED = {
    Flag.EVENTS_IN: "select subject, state from outbox_jobs where kind = 'backfill' order by subject",
    Flag.DETECTION: "select subject, state from outbox_jobs where kind = 'detect_series' order by subject",
    Flag.SERIES_LEXICON: "select subject_id as subject, state from publications where kind = 'series' order by subject_id",
}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def known(db: Database, numbers: range) -> list[tuple[str, str, str]]:
    """Create people with an event written in another app and a series made on this site. Returns the DID, user and
    series of each.
    """
    made: list[tuple[str, str, str]] = []
    for number in numbers:
        async with db.transaction() as tx:
            name = f"p{number}"
            user_id = await identities.connect(tx, did(number), handle=f"{name}.example", pds_url="https://pds.example")
            series = await actions.create(tx, Caller(user_id, name), Content("Tea"), weekly())
            await apply(tx, HERE, [event(number, "tea", 1)])
        made.append((did(number), user_id, series.id))
    return made


async def switched(db: Database, flag: Flag) -> StatementCounter:
    """Switch the flag off, empty the queues, and count the statements of switching it on."""
    async with db.transaction() as tx:
        await switch(tx, flag, is_on=False, changed_by="a test")
        await tx.execute("delete from outbox_jobs")
        await tx.execute("delete from publications")
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        # Of the two followed DIDs, one is already known on this site.
        assert await switch(counting, flag, is_on=True, changed_by="a test", followed=[did(1), STRANGER])
    return counting


@pytest.mark.parametrize(("flag", "which"), [(Flag.EVENTS_IN, 0), (Flag.DETECTION, 1), (Flag.SERIES_LEXICON, 2)])
async def test_switching_on_takes_a_constant_number_of_statements(db: Database, flag: Flag, which: int) -> None:
    people = await known(db, range(1, 3))
    few = await switched(db, flag)
    people += await known(db, range(3, 13))
    many = await switched(db, flag)
    assert (many.statements, many.rows) == (few.statements, few.rows)
    async with db.reader() as reader:
        queued = [(row["subject"], row["state"]) for row in await reader.fetch(QUEUED[flag])]
        backfills = {row["subject"] for row in await reader.fetch(QUEUED[Flag.EVENTS_IN])}
    expected = {one[which] for one in people} | ({STRANGER} if flag is Flag.EVENTS_IN else set())
    assert queued == [(one, "due") for one in sorted(expected)]
    assert (STRANGER in backfills) == (flag is not Flag.DETECTION)
