"""Co-hosting all dates of a series; on both engines."""

from dataclasses import replace
from datetime import timedelta

import pytest

from groundwork.clock import DAY, MINUTE
from groundwork.errors import Forbidden, InvalidForm, NotFound
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import co_host_queries, co_hosts, drafts, event_access
from openmeet.domain.events.co_host_invitations import INVITATION_LIFE, CoHostState, token_of
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.permissions import EventRole
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities import actions as identities
from openmeet.domain.notifications.event_kinds import EVENT_CANCELLED, EVENT_CHANGED, CoHostAnswered
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import cancel_dates, materialize, ownership, queries, undo
from openmeet.domain.series import visibility as series_visibility
from openmeet.domain.series.follower_queries import follow
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.series.notify import NAMED
from openmeet.web.series import create
from tests.openmeet.ingestion.network import did
from tests.openmeet.series.practice import (
    create_weekly_series,
    dates,
    give_rsvp,
    kinds_received,
    lock_series,
    move_all_dates,
    original_dates,
    retitle,
    split_series,
    weekly,
)
from tests.openmeet.site_under_test import CODE_KEY, api_session, event_by, person, signed_in, site_on


@pytest.fixture
def db(practice_db):
    return practice_db


async def together(tx, **more: object):
    """Ana's weekly practice, with Ben as a co-host of every date."""
    ana, series = await create_weekly_series(tx, **more)
    ben = await person(tx, "Ben")
    first = (await dates(tx, series))[0]
    one = await co_hosts.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
    await co_hosts.accept(tx, ben, one.id)
    return ana, ben, series


async def hosted_by(tx, who, events) -> list[bool]:
    return [await event_access.role_of(tx, event, who.user_id) is EventRole.CO_HOST for event in events]


async def test_co_hosts_host_every_existing_and_new_date(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await together(tx)
        before = await dates(tx, series)
        assert all(await hosted_by(tx, ben, before))
        await event_hosting.cancel(tx, ben, before[3].slug, "Rain")
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ana, series))
        assert made
        assert all(await hosted_by(tx, ben, made))
        far = await materialize.ensure_stored(tx, await lock_series(tx, ana, series), "2028-03-07T18:00:00")
        assert await hosted_by(tx, ben, [far]) == [True]


async def test_a_private_series_is_visible_to_co_hosts_but_its_rule_is_not_theirs(db):
    async with db.transaction() as tx:
        ana, ben, series = await together(tx, visibility=Visibility.PRIVATE)
        eve = await person(tx, "Eve")
        assert await series_visibility.may_see(tx, series, ben.user_id)
        assert not await series_visibility.may_see(tx, series, eve.user_id)
        with pytest.raises(Forbidden):
            await lock_series(tx, ben, series)
        with pytest.raises(NotFound):
            await lock_series(tx, eve, series)
        await lock_series(tx, ana, series)


async def test_co_hosts_stay_when_the_series_is_split(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await together(tx)
        other = await split_series(tx, await lock_series(tx, ana, series), "2026-12-15T18:00:00", "Concert")
        assert all(await hosted_by(tx, ben, await dates(tx, other)))
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ana, other))
        assert all(await hosted_by(tx, ben, made))


@pytest.mark.parametrize("how", ["left", "removed"])
async def test_co_hosting_ends_for_all_dates_at_once(db, clock, how):
    async with db.transaction() as tx:
        ana, ben, series = await together(tx)
        third = (await dates(tx, series))[2]
        if how == "left":
            await co_hosts.leave(tx, ben, third.slug)
        else:
            (row,) = await co_host_queries.of_event(tx, third.id, [CoHostState.ACCEPTED])
            await co_hosts.remove(tx, ana, third.slug, row.id)
        assert not any(await hosted_by(tx, ben, await dates(tx, series)))
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        assert not any(await hosted_by(tx, ben, await materialize.store_window(tx, await lock_series(tx, ana, series))))


async def test_a_co_host_of_one_date_can_be_asked_for_all(db):
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, *_ = await dates(tx, series)
        one = await co_hosts.invite(tx, ana, first.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, one.id)
        assert await hosted_by(tx, ben, [first, second]) == [True, False]
        every = await co_hosts.invite(tx, ana, second.slug, "ben@example.org", for_series=True)
        await co_hosts.accept(tx, ben, every.id)
        assert all(await hosted_by(tx, ben, await dates(tx, series)))
        alone = await event_by(tx, ana)
        with pytest.raises(InvalidForm) as wrong:
            await co_hosts.invite(tx, ana, alone.slug, "eve@example.org", for_series=True)
        assert list(wrong.value.problems) == ["for_series"]


@pytest.mark.parametrize("how", ["left", "removed"])
async def test_a_former_co_host_of_all_dates_can_be_asked_again(db, how):
    """They host every date again, except one that they had left on its own before."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first, second, third, *others = await dates(tx, series)
        alone = await co_hosts.invite(tx, ana, second.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, alone.id)
        await co_hosts.leave(tx, ben, second.slug)
        for _ in range(2):
            every = await co_hosts.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
            await co_hosts.accept(tx, ben, every.id)
            assert all(await hosted_by(tx, ben, [first, third, *others]))
            assert await hosted_by(tx, ben, [second]) == [False]
            if how == "left":
                await co_hosts.leave(tx, ben, third.slug)
            else:
                (row,) = await co_host_queries.of_event(tx, third.id, [CoHostState.ACCEPTED])
                await co_hosts.remove(tx, ana, third.slug, row.id)
            assert not any(await hosted_by(tx, ben, await dates(tx, series)))


async def test_co_hosts_of_a_draft_host_the_series_made_from_it(db, clock):
    """Ben has accepted, and Cleo accepts after the draft became a series."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        draft = await drafts.return_to_draft(tx, event)
        first = await co_hosts.invite(tx, ana, draft.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, first.id)
        second = await co_hosts.invite(tx, ana, draft.slug, "cleo@example.org")
        timing = replace(weekly(), length=None)
        made = await create.of_draft(
            tx, ana, draft, details_in(draft), create.CheckedTiming(timing, materialize.first_dates(timing, tx.now))
        )
        series = await queries.by_slug(tx, SeriesSlug(made.path.removeprefix("/series/")))
        assert all(await hosted_by(tx, ben, await dates(tx, series)))
        assert not any(await hosted_by(tx, cleo, await dates(tx, series)))
        await co_hosts.accept(tx, cleo, second.id)
        assert all(await hosted_by(tx, cleo, await dates(tx, series)))
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        later = await materialize.store_window(tx, await lock_series(tx, ana, series))
        assert all([*await hosted_by(tx, ben, later), *await hosted_by(tx, cleo, later)])


async def test_a_new_owner_hosts_the_series_as_its_author(db, clock):
    async with db.transaction() as tx:
        ana, ben, series = await together(tx)
        await follow(tx, series.id, ben.user_id, notifies=True)
        await ownership.offer(tx, ana, await lock_series(tx, ana, series), ben.user_id)
        mine = await ownership.accept(tx, ben, series)
    clock.turn(40 * DAY)
    async with db.transaction() as tx:
        made = await materialize.store_window(tx, await lock_series(tx, ben, mine))
        assert made
        for event in made:
            assert await event_access.role_of(tx, event, ben.user_id) is EventRole.AUTHOR
            assert await co_host_queries.of_event(tx, event.id, list(CoHostState)) == []


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
        }
        path = (await client.post("/api/series", json=weekly, headers=ana)).headers["location"]
        dated = (await client.get(f"{path}/dates", headers=ana)).json()["dates"]
        listed = [one for one in dated if one["slug"]]
        first, last = (f"/api/events/{listed[place]['slug']}" for place in (0, -1))
        asked = await client.post(f"{first}/co-hosts", json={"whom": "ben@example.org", "forSeries": True}, headers=ana)
        assert (asked.status_code, asked.json()["forSeries"]) == (201, True)
        token = token_of(CODE_KEY, asked.json()["id"])
        assert "every upcoming date" in (await client.get(f"/co-hosting/{token}")).text
        assert (await client.post(f"/api/co-hosting/{token}/accept", headers=ben)).status_code == 204
        (shown,) = (await client.get(f"{last}/co-hosts", headers=ana)).json()["coHosts"]
        assert (shown["displayName"], shown["state"], shown["forSeries"]) == ("Ben", "accepted", True)
        assert (await client.post(f"{last}/cancel", json={"reason": "Rain"}, headers=ben)).status_code == 200
        alone = {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
        single = (await client.post("/api/events", json=alone, headers=ana)).headers["location"]
        wrong = await client.post(f"{single}/co-hosts", json={"whom": "b@example.org", "forSeries": True}, headers=ana)
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["forSeries"])


async def test_the_form_of_one_date_says_that_only_that_date_changes(make_sqlite, clock):
    """Co-hosts of one date edit it by itself. Those who host the series are asked which dates a change is for."""
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        (first, *_), single = await dates(tx, series), await event_by(tx, ben)
        asked = await co_hosts.invite(tx, ana, first.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, asked.id)
    async with signed_in(site, ben.user_id) as browser:
        for event, is_date in ((first, True), (single, False)):
            form = await browser.get(f"/events/{event.slug}/edit")
            assert form.status_code == 200
            assert ("You’re changing only this date." in form.text) is is_date


@pytest.mark.parametrize("says", ["yes", "no", "nothing"])
async def test_a_co_host_of_one_date_stays_one_while_asked_for_all_dates(db, clock, says):
    """Ben, whom Ana invites by handle, keeps hosting the first date, whatever he says about the others."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await identities.link(tx, did(1), ben.user_id, handle="ben.example", pds_url="https://pds.example")
        first, second, *_ = await dates(tx, series)
        one = await co_hosts.invite(tx, ana, first.slug, "@ben.example")
        await co_hosts.accept(tx, ben, one.id)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        asked = await co_hosts.invite(tx, ana, first.slug, "@ben.example", for_series=True)
        assert await hosted_by(tx, ben, [first, second]) == [True, False]
        assert [one.id for one in await co_host_queries.waiting_for(tx, ben.user_id)] == [asked.id]
        if says == "yes":
            await co_hosts.accept(tx, ben, asked.id)
        elif says == "no":
            await co_hosts.decline(tx, ben, asked.id)
        accepted, of_series = [
            CoHostAnswered(ben.user_id, is_accepted=is_accepted, is_for_series=is_for_series)
            for is_accepted, is_for_series in ((True, False), (says == "yes", True))
        ]
        answers = [one.payload for one in await newest(tx, ana.user_id, 10)]
        assert answers == ([accepted] if says == "nothing" else [of_series, accepted])
    clock.turn(INVITATION_LIFE)
    async with db.transaction() as tx:
        assert await co_host_queries.waiting_for(tx, ben.user_id) == []
        assert await hosted_by(tx, ben, [first, second]) == [True, says == "yes"]
        ahead = await materialize.ensure_stored(tx, await lock_series(tx, ana, series), "2027-03-02T18:00:00")
        assert await hosted_by(tx, ben, [ahead]) == [says == "yes"]


async def test_changes_of_the_series_are_announced_to_the_co_hosts_of_its_dates(db):
    """A co-host of all dates learns of each. A co-host of one date of a private series learns of that date only, because
    they cannot see the others.
    """
    async with db.transaction() as tx:
        ana, ben, series = await together(tx, visibility=Visibility.PRIVATE)
        cleo = await person(tx, "Cleo")
        found = await dates(tx, series)
        one = await co_hosts.invite(tx, ana, found[1].slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, one.id)
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), original_dates(found[:3]), "Rain")
        (bens,), (cleos,) = await newest(tx, ben.user_id, 1), await newest(tx, cleo.user_id, 1)
    assert (bens.kind, bens.subject_id, bens.payload.more) == (EVENT_CANCELLED, found[0].id, 2)  # type: ignore[attr-defined]  # the payload of its kind
    assert (cleos.kind, cleos.subject_id, cleos.payload.more) == (EVENT_CANCELLED, found[1].id, 0)  # type: ignore[attr-defined]  # the payload of its kind


async def test_co_hosts_learn_of_the_dates_that_they_host_and_of_those_that_they_answered(db):
    """In one notification, even if they answered more dates than it lists."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=DAILY")
        cleo = await person(tx, "Cleo")
        found = await dates(tx, series)
        answered = found[1 : NAMED + 5]
        for event in answered:
            await give_rsvp(tx, cleo, event)
        for event in (found[0], found[3]):
            one = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
            await co_hosts.accept(tx, cleo, one.id)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        (told,) = [one for one in await newest(tx, cleo.user_id, 100) if one.kind is EVENT_CHANGED]
    assert told.subject_id == found[0].id
    assert (told.payload.more, len(told.payload.others)) == (len(answered), NAMED)  # type: ignore[attr-defined]  # the payload of its kind


async def test_co_hosts_learn_of_a_change_that_is_not_announced_and_of_its_undo(db):
    """Like the other hosts of the dates, and as with a single event."""
    async with db.transaction() as tx:
        ana, ben, series = await together(tx)
        moved = await retitle(tx, await lock_series(tx, ana, series), "Rehearsal", notifies=False)
        assert await kinds_received(tx, ben) == [EVENT_CHANGED]
        await undo.undo(tx, await lock_series(tx, ana, moved))
        assert await kinds_received(tx, ben) == [EVENT_CHANGED, EVENT_CHANGED]
