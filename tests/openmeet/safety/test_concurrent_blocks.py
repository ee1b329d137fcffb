"""A host blocks somebody who follows or answers something of theirs at the same moment. Whichever is first, the block
counts. On both engines, with a pause before each statement.
"""

from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.safety import actions
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.site_under_test import event_by, person

TWICE = "FREQ=WEEKLY;COUNT=2"
# Everything that ties a person to a host, apart from memberships, which a block does not end.
_TIES = """
    select 'follows a series' as tie from event_series_followers where user_id = :ben
     union all select 'standing RSVP' from event_series_standing_rsvps where user_id = :ben
     union all select 'follows a group' from group_followers where user_id = :ben
     union all select 'RSVP' from attendances where user_id = :ben and status <> 'declined'
"""

# Creates what Ana hosts and returns what Ben does with it.
Begin = Callable[[Transaction, Caller, Caller], Awaitable[Work]]


async def following_series(tx: Transaction, ana: Caller, ben: Caller) -> Work:
    series = await series_actions.create(tx, ana, Content("Practice"), weekly(TWICE))
    return lambda tx: series_actions.follow(tx, ben, series.slug)


async def going_to_every_date(tx: Transaction, ana: Caller, ben: Caller) -> Work:
    series = await series_actions.create(tx, ana, Content("Practice"), weekly(TWICE))
    return lambda tx: standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)


async def following_group(tx: Transaction, ana: Caller, ben: Caller) -> Work:
    group = await group_by(tx, ana)
    return lambda tx: groups.follow(tx, ben, group.slug)


async def answering(tx: Transaction, ana: Caller, ben: Caller) -> Work:
    event = await event_by(tx, ana, starts="2026-12-04T18:00", ends="2026-12-04T20:00")
    return lambda tx: attendance.answer(tx, ben, event.slug, RsvpReply.GOING)


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
        work = await begin_work(tx, ana, ben)

    async def act(tx: Transaction) -> None:
        try:
            await work(tx)
        except Refused as refused:
            assert refused.name == "NotWelcome"  # noqa: PT017 - it may also succeed

    async def block(tx: Transaction) -> None:
        await actions.block(tx, ana, ben.user_id)

    first, second = (block, act) if is_block_first else (act, block)
    is_paused = await run_interleaved(db, first, second, at)
    async with db.reader() as reader:
        ties = [row["tie"] for row in await reader.fetch(_TIES, ben=ben.user_id)]
    assert not ties, f"after a pause before statement {at}"
    return is_paused
