"""Several dates of a series are locked in id order, as by the import of records, which does not lock the series. Otherwise
each might wait for the other. On both engines.
"""

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import co_hosts
from openmeet.domain.events.model import Event
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
    return lambda tx: standing_rsvps.stop(tx, ben, series.slug, withdraws=True)


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
    attempts: list[Work] = []

    def counted(one: Work) -> Work:
        async def count_and_run(tx: Transaction) -> None:
            attempts.append(one)
            await one(tx)

        return count_and_run

    async def importing(tx: Transaction) -> None:
        for event_id in sorted([far.id, last]):
            await lock_for_update(tx, event_id)

    await run_interleaved(practice_db, counted(importing), counted(work), at=2)
    # On PostgreSQL, one of two transactions that wait for each other fails and is repeated.
    assert sorted(map(id, attempts)) == sorted(map(id, [importing, work]))
