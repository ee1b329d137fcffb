"""Several dates of a series are locked in id order, as by the import of records, which does not lock the series. Otherwise
each might wait for the other. On both engines.
"""

from collections.abc import Sequence

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import co_hosts, series_dates
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.series import actions, date_queries, standing_rsvps, tasks
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from tests.openmeet.interleaving import Work, run_interleaved
from tests.openmeet.series.practice import create_weekly_series, dates
from tests.openmeet.site_under_test import person


async def answering(tx: Transaction, ana: Caller, ben: Caller, series: Series, last: Event) -> Work:
    return lambda tx: standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)


async def withdrawing(tx: Transaction, ana: Caller, ben: Caller, series: Series, last: Event) -> Work:
    await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
    return lambda tx: standing_rsvps.stop(tx, ben, series.slug, declines=True)


async def inviting(tx: Transaction, ana: Caller, ben: Caller, series: Series, last: Event) -> Work:
    return lambda tx: invitations.invite(tx, ana, last.slug, "cem@example.org", for_series=True)


async def changing_registration(tx: Transaction, ana: Caller, ben: Caller, series: Series, last: Event) -> Work:
    """Ben waits for a place at every date."""
    cem = await person(tx, "Cem")
    for event in await dates(tx, series):
        for one in () if event.is_over(tx.now) else (cem, ben):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    asking = RegistrationSettings(needs_approval=True)
    return lambda tx: event_hosting.change_registration_settings(tx, ana, last.slug, asking, for_series=True)


async def becoming_a_host(tx: Transaction, ana: Caller, ben: Caller, series: Series, last: Event) -> Work:
    invitation = await co_hosts.invite(tx, ana, last.slug, "ben@example.org", for_series=True)
    return lambda tx: co_hosts.accept(tx, ben, invitation.id)


@pytest.mark.parametrize("begin_work", [answering, withdrawing, inviting, changing_registration, becoming_a_host])
async def test_dates_are_locked_in_id_order(practice_db: Database, clock: HandClock, begin_work) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, capacity=1)
        ben = await person(tx, "Ben")
        # Stored before dates that take place earlier.
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
    clock.turn(28 * DAY)
    await tasks.roll_windows(practice_db, clock.now())
    async with practice_db.transaction() as tx:
        coming = await date_queries.ids_of_coming(tx, series.id)
        last = max(coming)
        assert coming.index(far.id) > coming.index(last)
        last_event = next(event for event in await dates(tx, series) if event.id == last)
        work = await begin_work(tx, ana, ben, series, last_event)
    await require_no_deadlock_with_import(practice_db, work, [far.id, last])


async def completing(tx: Transaction, series: Sequence[Series]) -> None:
    if tx.engine == "postgresql":  # in a small table, the order of the rows would be that of their ids
        await tx.execute("set local enable_seqscan = off")
        await tx.execute("set local enable_bitmapscan = off")
    await date_queries.complete_dates(tx, [one.id for one in series])


async def publishing_all(tx: Transaction, series: Sequence[Series]) -> None:
    await tx.execute("update event_series set publication_policy = 'window'")
    await series_dates.enqueue_by_policy(tx, [one.id for one in series])


@pytest.mark.parametrize("work", [completing, publishing_all])
async def test_dates_of_several_series_are_locked_in_id_order(practice_db: Database, clock: HandClock, work) -> None:
    """The last date of the first series was stored before one of the second that takes place earlier."""
    async with practice_db.transaction() as tx:
        (_, first), (_, second) = await create_weekly_series(tx), await create_weekly_series(tx)
        pair = [(await dates(tx, first))[-1].id, (await dates(tx, second))[-2].id]
    assert pair == sorted(pair)
    if work is completing:
        clock.turn(100 * DAY)
    await require_no_deadlock_with_import(practice_db, lambda tx: work(tx, [first, second]), pair)


async def require_no_deadlock_with_import(db: Database, work: Work, event_ids: Sequence[EventId]) -> None:
    """Run the work while an import holds the first of these events and then locks the second, in id order."""
    attempts: list[Work] = []

    def counted(one: Work) -> Work:
        async def count_and_run(tx: Transaction) -> None:
            attempts.append(one)
            await one(tx)

        return count_and_run

    async def importing(tx: Transaction) -> None:
        for event_id in sorted(event_ids):
            await lock_for_update(tx, event_id)

    await run_interleaved(db, counted(importing), counted(work), at=2)
    # On PostgreSQL, one of two transactions that wait for each other fails and is repeated.
    assert sorted(map(id, attempts)) == sorted(map(id, [importing, work]))
