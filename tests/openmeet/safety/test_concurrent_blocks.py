"""A host blocks somebody who follows or answers something of theirs at the same moment, or takes over what they answered;
or the group bans them, or a moderator blocks them. Whichever is first, the block or ban counts. On both engines, with a
pause before each statement.
"""

from collections.abc import Awaitable, Callable

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.second_run import LONGEST_TRANSACTION
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_queries, group_of_event, ownership
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import EventSlug, GroupOfEvent
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation
from openmeet.domain.safety import actions
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.interleaving import Action, Work, run, run_actions_interleaved
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
    return None if group is None else group_of_event.as_group_of_event(group)


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
    """Check one interleaving of the block, with the first run of its job, and the work. Returns whether the first of the
    two was paused.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, f"Ana{at}"), await person(tx, f"Ben{at}")
        work = _trying(await begin_work(tx, ana, ben, None))

    async def block(db: Database) -> None:
        await _blocking(ana, ben)(db)
        await _run_jobs(db)

    async def act(db: Database) -> None:
        await run(db, work)

    first, second = (block, act) if is_block_first else (act, block)
    # The job polls while the work holds locks.
    is_paused = await run_actions_interleaved(db, first, second, at, waits_without_lock=not is_block_first)
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
        # Only people who have to do with the group can be banned.
        await groups.join(tx, ben, group.slug)
        await groups.leave(tx, ben, group.slug)
        work = _trying(await begin_work(tx, ana, ben, group))

    async def ban(db: Database) -> None:
        await run(db, lambda tx: administration.ban(tx, ana, group.slug, ben.user_id))
        await standing_rsvps.end_rsvps(db, ben.user_id)

    async def act(db: Database) -> None:
        await run(db, work)

    first, second = (ban, act) if is_ban_first else (act, ban)
    # The job polls while the work holds locks.
    is_paused = await run_actions_interleaved(db, first, second, at, waits_without_lock=not is_ban_first)
    assert not await _ties(db, ben), f"after a pause before statement {at}"
    return is_paused


@pytest.mark.parametrize("is_block_first", [True, False])
@pytest.mark.parametrize("begin_work", [going_to_every_date, answering])
async def test_no_rsvp_survives_a_concurrent_block_by_a_moderator(
    make_database: MakeDatabase, clock: HandClock, begin_work: Begin, *, is_block_first: bool
) -> None:
    """The block, and both runs of the job that follows it."""
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    at, is_paused = 0, True
    while is_paused:
        at += 1
        is_paused = await _suspended_while(db, clock, begin_work, at, is_block_first=is_block_first)
    assert at > 2, "nothing ran at the same time"


async def _suspended_while(db: Database, clock: HandClock, begin_work: Begin, at: int, *, is_block_first: bool) -> bool:
    """Check one interleaving. Returns whether the first of the two was paused."""
    async with db.transaction() as tx:
        mo, ana, ben = [await person(tx, f"{name}{at}") for name in ("Mo", "Ana", "Ben")]
        work = _trying(await begin_work(tx, ana, ben, None))
    subject = Subject(ModeratedKind.PERSON, ben.user_id)

    async def suspend(db: Database) -> None:
        await run(db, lambda tx: moderation.decide(tx, mo, subject, SubjectVisibility.HIDDEN, "Spam"))
        await _run_jobs(db)

    async def act(db: Database) -> None:
        await run(db, work)

    first, second = (suspend, act) if is_block_first else (act, suspend)
    is_paused = await run_actions_interleaved(db, first, second, at)
    await _run_again(db, clock)
    assert "RSVP" not in await _ties(db, ben), f"after a pause before statement {at}"
    return is_paused


@pytest.mark.parametrize("is_block_first", [True, False])
async def test_no_rsvp_survives_a_block_during_a_transfer(
    make_database: MakeDatabase, clock: HandClock, *, is_block_first: bool
) -> None:
    """Ana blocks Ben while she takes over an event that he attends."""
    clock.turn(NOW - clock.now())
    db = await make_database("openmeet", clock=clock)
    at, is_paused = 0, True
    while is_paused:
        at += 1
        async with db.transaction() as tx:
            olga, ana, ben = [await person(tx, f"{name}{at}") for name in ("Olga", "Ana", "Ben")]
            event = await events.create(tx, olga, details(starts="2026-12-04T18:00", ends="2026-12-04T20:00"))
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
            co_host = ownership.accepted_co_host(tx, event, ana.user_id, by=olga.user_id)
            await co_host_queries.put(tx, co_host)
            await ownership.offer(tx, olga, event.slug, co_host.id)
        block, take_over = _blocking(ana, ben), _taking_over(ana, event.slug)
        first, second = (block, take_over) if is_block_first else (take_over, block)
        is_paused = await run_actions_interleaved(db, first, second, at)
        await _run_again(db, clock)
        assert not await _ties(db, ben), f"after a pause before statement {at}"
    assert at > 2, "nothing ran at the same time"


def _blocking(host: Caller, other: Caller) -> Action:
    return lambda db: run(db, lambda tx: actions.block(tx, host, other.user_id))


def _taking_over(heir: Caller, slug: EventSlug) -> Action:
    async def take_over(db: Database) -> None:
        await run(db, lambda tx: event_hosting.take_over(tx, heir, slug))
        await _run_jobs(db)

    return take_over


async def _run_jobs(db: Database) -> None:
    await dispatcher.run_once(
        db,
        {
            JobKind.APPLY_BLOCKS: one_job_per_call(actions.apply_blocks_handler(db)),
            JobKind.BLOCKED_PERSON: one_job_per_call(moderation.blocked_person_handler(db)),
        },
    )


async def _run_again(db: Database, clock: HandClock) -> None:
    """Run the jobs again when all transactions of the first run have ended."""
    clock.turn(LONGEST_TRANSACTION + SECOND)
    await _run_jobs(db)


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
