"""A host blocks somebody who follows or answers something of theirs at the same moment, or the group bans them. Whichever
is first, the block or ban counts. On both engines, with a pause before each statement.
"""

from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import GroupOfEvent
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.safety import actions
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.interleaving import Work, run, run_acts_interleaved, run_interleaved
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.site_under_test import details, person

TWICE = "FREQ=WEEKLY;COUNT=2"
# Everything that ties a person to a host, apart from memberships, which a block does not end.
_TIES = """
    select 'follows a series' as tie from event_series_followers where user_id = :ben
     union all select 'standing RSVP' from event_series_standing_rsvps where user_id = :ben
     union all select 'follows a group' from group_followers where user_id = :ben
     union all select 'RSVP' from attendances where user_id = :ben and status <> 'declined'
"""

# Creates what Ana hosts, for her group if there is one, and returns what Ben does with it.
Begin = Callable[[Transaction, Caller, Caller, Group | None], Awaitable[Work]]


async def following_series(tx: Transaction, ana: Caller, ben: Caller, group: Group | None) -> Work:
    series = await series_actions.create(tx, ana, Content("Practice"), weekly(TWICE), group=_inside(group))
    return lambda tx: series_actions.follow(tx, ben, series.slug)


async def going_to_every_date(tx: Transaction, ana: Caller, ben: Caller, group: Group | None) -> Work:
    series = await series_actions.create(tx, ana, Content("Practice"), weekly(TWICE), group=_inside(group))
    return lambda tx: standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)


async def following_group(tx: Transaction, ana: Caller, ben: Caller, group: Group | None) -> Work:
    followed = group or await group_by(tx, ana)
    return lambda tx: groups.follow(tx, ben, followed.slug)


async def answering(tx: Transaction, ana: Caller, ben: Caller, group: Group | None) -> Work:
    dates = details(starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    event = await events.create(tx, ana, dates, group=_inside(group))
    return lambda tx: attendance.answer(tx, ben, event.slug, RsvpReply.GOING)


def _inside(group: Group | None) -> GroupOfEvent | None:
    return None if group is None else group_of_event.of_event(group)


@pytest.mark.parametrize("is_block_first", [True, False])
@pytest.mark.parametrize("begin_work", [following_series, going_to_every_date, following_group, answering])
async def test_no_tie_survives_a_concurrent_block(
    make_database: MakeDatabase, clock: HandClock, begin_work: Begin, *, is_block_first: bool
) -> None:
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    at, is_paused = 0, True
    while is_paused:
        at += 1
        is_paused = await _blocked_while(db, begin_work, at, is_block_first=is_block_first)
    assert at > 2, "nothing ran at the same time"


async def _blocked_while(db: Database, begin_work: Begin, at: int, *, is_block_first: bool) -> bool:
    """Check one interleaving. Returns whether the first of the two was paused."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, f"Ana{at}"), await person(tx, f"Ben{at}")
        work = await begin_work(tx, ana, ben, None)

    async def block(tx: Transaction) -> None:
        await actions.block(tx, ana, ben.user_id)

    act = _trying(work)
    first, second = (block, act) if is_block_first else (act, block)
    is_paused = await run_interleaved(db, first, second, at)
    assert not await _ties(db, ben), f"after a pause before statement {at}"
    return is_paused


@pytest.mark.parametrize("is_ban_first", [True, False])
@pytest.mark.parametrize("begin_work", [following_series, going_to_every_date, following_group, answering])
async def test_no_tie_survives_a_concurrent_ban(
    make_database: MakeDatabase, clock: HandClock, begin_work: Begin, *, is_ban_first: bool
) -> None:
    """The ban and the job that follows it."""
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    at, is_paused = 0, True
    while is_paused:
        at += 1
        is_paused = await _banned_while(db, begin_work, at, is_ban_first=is_ban_first)
    assert at > 2, "nothing ran at the same time"


async def _banned_while(db: Database, begin_work: Begin, at: int, *, is_ban_first: bool) -> bool:
    """Check one interleaving. Returns whether the first of the two was paused."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, f"Ana{at}"), await person(tx, f"Ben{at}")
        group = await group_by(tx, ana)
        work = _trying(await begin_work(tx, ana, ben, group))

    async def ban(db: Database) -> None:
        await run(db, lambda tx: administration.ban(tx, ana, group.slug, ben.user_id))
        await standing_rsvps.end_answers(db, ben.user_id)

    async def act(db: Database) -> None:
        await run(db, work)

    first, second = (ban, act) if is_ban_first else (act, ban)
    is_paused = await run_acts_interleaved(db, first, second, at)
    assert not await _ties(db, ben), f"after a pause before statement {at}"
    return is_paused


def _trying(work: Work) -> Work:
    """The same work, which may be refused."""

    async def act(tx: Transaction) -> None:
        try:
            await work(tx)
        except Refused as refused:
            assert refused.name == "NotWelcome"  # noqa: PT017 - it may also succeed

    return act


async def _ties(db: Database, ben: Caller) -> list[str]:
    async with db.reader() as reader:
        return [row["tie"] for row in await reader.fetch(_TIES, ben=ben.user_id)]
