"""Inviting a person to all dates of a series; on both engines."""

import pytest

from groundwork.clock import DAY
from groundwork.errors import InvalidForm
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import history, host_decisions, invitation_queries, invitations, queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.values import Visibility
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import actions, materialize, new_date_rsvps, standing_rsvps, undo, visibility
from openmeet.domain.users import guests
from openmeet.outbox.kinds import JobKind
from tests.openmeet.series.practice import (
    create_weekly_series,
    dates,
    give_rsvp,
    kinds_received,
    lock_series,
    split_series,
    status_of,
)
from tests.openmeet.site_under_test import api_session, event_by, person, site_on
from tests.openmeet.statement_counter import StatementCounter

S = AttendanceStatus


@pytest.fixture
def db(practice_db):
    return practice_db


async def invited(tx):
    """Ana's private practice, and Ben, who is invited to all of it."""
    ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
    ben = await person(tx, "Ben")
    first = (await dates(tx, series))[0]
    await invitations.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
    return ana, ben, series


async def statuses(tx, who, events) -> set[AttendanceStatus | None]:
    return {await status_of(tx, event, who) for event in events}


async def test_one_invitation_covers_all_dates_including_later_ones(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await invited(tx)
        first = await dates(tx, series)
        assert await statuses(tx, ben, first) == {S.INVITED}
        assert await visibility.may_see(tx, series, ben.user_id)
        (told,) = await newest(tx, ben.user_id, 10)
        assert (told.kind, told.payload.more) == (event_kinds.INVITED, len(first) - 1)  # type: ignore[attr-defined]  # the payload of its kind
        await invitations.invite(tx, ana, first[0].slug, "ben@example.org", for_series=True)
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ana, series))
        assert made
        assert await statuses(tx, ben, made) == {S.INVITED}
        far = await materialize.ensure_stored(tx, await lock_series(tx, ana, series), "2028-03-07T18:00:00")
        assert await status_of(tx, far, ben) is S.INVITED
        assert await kinds_received(tx, ben) == [event_kinds.INVITED]


async def test_only_invitations_that_hosts_send_count_for_the_limit(db, clock):
    """A new date invites people by itself, and an undone check-in or rejection invites nobody again."""
    async with db.transaction() as tx:
        ana, _, series = await invited(tx)
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        series = await lock_series(tx, ana, series)
        await materialize.store_window(tx, series)
        made = await materialize.ensure_stored(tx, series, "2028-03-07T18:00:00")
        cleo = await invitations.invite(tx, ana, made.slug, "cleo@example.org")
        dora = await invitations.invite(tx, ana, made.slug, "dora@example.org")
        assert await history.count_invitations(tx, made.id, tx.now) == 2
    clock.turn(made.starts_at - clock.now())
    since = clock.now()
    async with db.transaction() as tx:
        ben = await queries.by_invited_address(tx, made.id, "ben@example.org")
        await host_decisions.reject(tx, ana, made.slug, [ben.id])
        assert (await host_decisions.restore(tx, ana, made.slug, ben.id)).status is S.INVITED
        await host_decisions.check_in(tx, ana, made.slug, cleo.id)
        assert (await host_decisions.undo_check_in(tx, ana, made.slug, cleo.id)).status is S.INVITED
        assert await history.count_invitations(tx, made.id, since) == 0
        await host_decisions.reject(tx, ana, made.slug, [dora.id])
        await invitations.invite(tx, ana, made.slug, "dora@example.org")
        assert await history.count_invitations(tx, made.id, since) == 1


async def test_an_answer_to_one_date_stays(db):
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, *_ = await dates(tx, series)
        await give_rsvp(tx, ben, first)
        await give_rsvp(tx, ben, second, RsvpReply.INTERESTED)
        await invitations.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
        found = [await status_of(tx, event, ben) for event in await dates(tx, series)]
    assert found[:3] == [S.ATTENDING, S.INTERESTED, S.INVITED]


async def test_invitations_follow_a_split_and_its_undo(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await invited(tx)
        other = await split_series(tx, await lock_series(tx, ana, series), "2026-12-15T18:00:00", "Concert")
        cleo = await person(tx, "Cleo")
        await invitations.invite(tx, ana, (await dates(tx, other))[0].slug, "cleo@example.org", for_series=True)
        made = await materialize.ensure_stored(tx, await lock_series(tx, ana, other), "2028-03-07T18:00:00")
        assert await statuses(tx, ben, [made]) == await statuses(tx, cleo, [made]) == {S.INVITED}
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ana, other))
        assert await statuses(tx, ben, made) == {S.INVITED}


async def test_undoing_a_split_loses_no_invitation(db):
    async with db.transaction() as tx:
        ana, ben, series = await invited(tx)
        await split_series(tx, await lock_series(tx, ana, series), "2026-12-15T18:00:00", "Concert")
    async with db.transaction() as tx:
        whole = await undo.undo(tx, await lock_series(tx, ana, series))
        far = await materialize.ensure_stored(tx, whole, "2028-03-07T18:00:00")
        assert await status_of(tx, far, ben) is S.INVITED


async def test_a_removed_person_is_not_invited_to_further_dates(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await invited(tx)
        second = (await dates(tx, series))[1]
        mine = await queries.find(tx, second.id, ben.user_id)
        await host_decisions.reject(tx, ana, second.slug, [mine.id])
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ana, series))
        assert await statuses(tx, ben, made) == {None}


async def test_somebody_without_an_account_is_invited_too_and_never_shown(db):
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
        first, *rest = await dates(tx, series)
        await invitations.invite(tx, ana, first.slug, "eve@example.org", for_series=True)
        eve = await guests.by_email(tx, "eve@example.org")
        far = await materialize.ensure_stored(tx, await lock_series(tx, ana, series), "2028-03-07T18:00:00")
        for event in (first, *rest, far):
            found = await queries.find(tx, event.id, eve)
            assert (found.status, found.is_private) == (S.INVITED, True)


async def test_a_single_event_has_no_other_dates(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        alone = await event_by(tx, ana, starts="2027-07-04T18:00", ends="2027-07-04T20:00")
        with pytest.raises(InvalidForm) as wrong:
            await invitations.invite(tx, ana, alone.slug, "ben@example.org", for_series=True)
    assert list(wrong.value.problems) == ["for_series"]


async def test_inviting_to_more_dates_takes_no_more_statements(db):
    """Except on SQLite, where a statement that returns or joins rows is executed for each of them."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        counts = []
        for address in ("ben@example.org", "cleo@example.org"):
            found = await dates(tx, series)
            counting = StatementCounter(tx)
            await invitations.invite(counting, ana, found[0].slug, address, for_series=True)
            counts.append(counting.statements)
            names = [f"2028-{month:02}-07T18:00:00" for month in (3, 11)] + [
                f"2028-03-{day}T18:00:00" for day in (14, 21)
            ]
            await materialize.ensure_all_stored(tx, await lock_series(tx, ana, series), names)
    assert counts[1] - counts[0] <= (3 * len(names) if db.engine == "sqlite" else 0)


async def test_a_job_invites_many_people_to_a_new_date(db, monkeypatch):
    """The viewer for whom the date is stored does not wait for it. A second delivery changes nothing, although one
    address was removed.
    """
    monkeypatch.setattr(new_date_rsvps, "INVITED_AT_ONCE", 2)
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=Visibility.PRIVATE)
        people = [await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve", "Fay")]
        first = (await dates(tx, series))[0]
        for one in people:
            await invitations.invite(tx, ana, first.slug, f"{one.display_name.lower()}@example.org", for_series=True)
        await standing_rsvps.answer_all(tx, people[0], series.slug, RsvpReply.GOING)
        await tx.execute(
            "update event_series_invitations set invited_as = :removed where invited_as = 'eve@example.org'",
            removed=invitation_queries.REMOVED_ADDRESS,
        )
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00", viewer=people[1].user_id)
        assert [await status_of(tx, far, one) for one in people] == [None, S.INVITED, None, None, None]
    for _ in range(2):
        while await dispatcher.run_once(db, {JobKind.NEW_DATE: one_job_per_call(new_date_rsvps.new_date_handler(db))}):
            pass
        async with db.transaction() as tx:
            assert [await status_of(tx, far, one) for one in people] == [S.ATTENDING] + [S.INVITED] * 4
            rows = await tx.fetch("select 1 from attendances where event_id = :id", id=far.id)
            assert len(rows) == len(people)
            assert await kinds_received(tx, people[2]) == [event_kinds.INVITED]
            assert await tx.execute("update outbox_jobs set state = 'due' where kind = 'new_date'") == 1


async def test_a_second_delivery_invites_nobody_whom_the_host_has_rejected(db, monkeypatch):
    """Ben answers before the job runs, so the host sees his address as a stand-in, and rejects that."""
    monkeypatch.setattr(new_date_rsvps, "INVITED_AT_ONCE", 0)
    handlers = {JobKind.NEW_DATE: one_job_per_call(new_date_rsvps.new_date_handler(db))}
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await invitations.invite(tx, ana, (await dates(tx, series))[0].slug, "ben@example.org", for_series=True)
        far = await actions.open_date(tx, series.slug, "2027-11-23T18:00:00")
        await give_rsvp(tx, ben, far)
    monkeypatch.undo()
    await dispatcher.run_once(db, handlers)
    async with db.transaction() as tx:
        stand_in = await queries.by_invited_address(tx, far.id, "ben@example.org")
        assert stand_in.status is S.INVITED
        await host_decisions.reject(tx, ana, far.slug, [stand_in.id])
        await tx.execute("update outbox_jobs set state = 'due' where kind = 'new_date'")
    await dispatcher.run_once(db, handlers)
    async with db.reader() as reader:
        assert (await queries.by_id(reader, stand_in.id)).status is S.REJECTED
        assert await status_of(reader, far, ben) is S.ATTENDING


async def test_by_page_and_api(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        ben = await api_session(client, "ben@example.org", "Ben")
        weekly = {
            "title": "Chess",
            "startsLocal": "2026-07-04T18:00",
            "timeZone": "Europe/Berlin",
            "recurrence": "FREQ=WEEKLY",
            "visibility": "private",
        }
        path = (await client.post("/api/series", json=weekly, headers=ana)).headers["location"]
        assert (await client.get(path, headers=ben)).status_code == 404
        dated = (await client.get(f"{path}/dates", headers=ana)).json()["dates"]
        event = f"/api/events/{dated[0]['slug']}"
        body = {"email": "ben@example.org", "forSeries": True}
        assert (await client.post(f"{event}/attendances", json=body, headers=ana)).status_code == 201
        assert (await client.get(path, headers=ben)).status_code == 200
        everybody = await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
        assert everybody.status_code == 200
