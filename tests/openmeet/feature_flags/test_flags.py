"""Feature flags per database, on both engines."""

import asyncio

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import DEFAULTS, MAX_AGE, Flag, FlagChange, Switchboard, switch
from tests.databases import MakeDatabase

ON_BY_DEFAULT = {flag for flag, is_on in DEFAULTS.items() if is_on}


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def turn(db: Database, flag: Flag, *, is_on: bool, by: str = "Ana", why: str = "") -> bool:
    async with db.transaction() as tx:
        return await switch(tx, flag, is_on=is_on, changed_by=by, why=why)


async def test_unchanged_flags_have_their_defaults(db: Database):
    async with db.reader() as reader:
        switched_on = await flags.switches(reader)
    assert {flag: flag in switched_on for flag in Flag} == dict(DEFAULTS)


@pytest.mark.parametrize("flag", list(Flag))
async def test_each_flag_is_switched_alone_and_back(db: Database, flag: Flag):
    """A switch changes one flag, and the log entry has the name, the change and the reason."""
    to = not DEFAULTS[flag]
    assert await turn(db, flag, is_on=to, why="a trial")
    async with db.reader() as reader:
        assert (await flags.switches(reader)).on == ON_BY_DEFAULT ^ {flag}
        (change,) = await flags.changes(reader)
        assert change == FlagChange(change.id, flag, to, "Ana", "a trial", reader.now)
    assert await turn(db, flag, is_on=not to)
    async with db.reader() as reader:
        assert (await flags.switches(reader)).on == ON_BY_DEFAULT


async def test_switching_to_the_same_value_is_not_logged(db: Database):
    assert not await turn(db, Flag.EVENTS_IN, is_on=True)
    assert await turn(db, Flag.EVENTS_IN, is_on=False)
    assert not await turn(db, Flag.EVENTS_IN, is_on=False, by="Ben")
    async with db.reader() as reader:
        assert [one.changed_by for one in await flags.changes(reader)] == ["Ana"]


async def test_concurrent_equal_switches_are_logged_once(db: Database):
    done = await asyncio.gather(*(turn(db, Flag.GROUPS, is_on=True, by=f"operator {n}") for n in range(4)))
    assert sum(done) == 1
    async with db.reader() as reader:
        assert len(await flags.changes(reader)) == 1


async def test_tenants_have_separate_flags(make_database: MakeDatabase):
    """A flag is a row in one tenant's database (invariant 5)."""
    one, other = await make_database("openmeet"), await make_database("openmeet")
    await turn(one, Flag.RSVPS_OUT, is_on=False)
    async with other.reader() as reader:
        assert (await flags.switches(reader)).on == ON_BY_DEFAULT


async def test_a_switchboard_is_at_most_max_age_old(db: Database, clock: HandClock):
    board = Switchboard()
    async with db.reader() as reader:
        assert await board.is_on(reader, Flag.EVENTS_OUT)
    await turn(db, Flag.EVENTS_OUT, is_on=False)
    clock.turn(MAX_AGE - 1)
    async with db.reader() as reader:
        assert await board.is_on(reader, Flag.EVENTS_OUT)
    clock.turn(1)
    async with db.reader() as reader:
        assert not await board.is_on(reader, Flag.EVENTS_OUT)


async def test_a_switchboard_never_returns_an_old_off(db: Database):
    """The switchboard may return an outdated "on", but never an outdated "off": when a flag is switched on, the records
    skipped so far are read only once.
    """
    board = Switchboard()
    await turn(db, Flag.EVENTS_OUT, is_on=False)
    async with db.reader() as reader:
        assert not await board.is_on(reader, Flag.EVENTS_OUT)
    await turn(db, Flag.EVENTS_OUT, is_on=True)
    async with db.reader() as reader:
        assert await board.is_on(reader, Flag.EVENTS_OUT)


async def test_a_switchboard_reads_the_database_once_per_max_age(db: Database, clock: HandClock):
    board = Switchboard()
    async with db.reader() as reader:
        await board.switches(reader)
    clock.turn(SECOND)
    with pytest.raises(AttributeError):  # a reader that supports nothing but the time
        await board.switches(_OnlyTime(clock.now() + MAX_AGE))
    assert (await board.switches(_OnlyTime(clock.now()))).on == ON_BY_DEFAULT


class _OnlyTime:
    def __init__(self, now: int) -> None:
        self.now = now


async def test_a_flag_of_a_later_version_is_ignored(db: Database):
    async with db.transaction() as tx:
        await tx.execute(
            "insert into feature_flags (name, is_on, changed_at) values ('of-tomorrow', 1, :now)", now=tx.now
        )
        await flags.note(tx, Flag.GROUPS, is_on=True, changed_by="Ana", why="")
        await tx.execute("update feature_flag_changes set name = 'of-tomorrow'")
    async with db.reader() as reader:
        assert (await flags.switches(reader)).on == ON_BY_DEFAULT
        assert await flags.changes(reader) == []
