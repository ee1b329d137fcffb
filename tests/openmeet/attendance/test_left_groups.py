"""People who leave a group lose their places at events they can no longer see, and can always give up a place; on both
engines.
"""

from dataclasses import replace

import pytest

from groundwork.errors import NotFound
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, group_hosting, history, invitations, queries
from openmeet.domain.attendance.model import AttendanceStatus, ChangeChannel, RsvpReply
from openmeet.domain.events import actions, co_host_queries, co_hosts, event_access, group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.events.permissions import EventRole
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import GroupVisibility
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import apply_edits, date_queries, follower_queries, standing_rsvps
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import api_session, details, person, sign_up, site_on

GOING, DECLINED = AttendanceStatus.ATTENDING, AttendanceStatus.DECLINED


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def due(tx):
    rows = await tx.fetch(
        "select subject from outbox_jobs where kind = 'left_group' and state = 'due' order by subject"
    )
    return [row["subject"] for row in rows]


@pytest.mark.parametrize("way", ["removed", "banned"])
async def test_a_banned_co_host_loses_the_groups_events(db, way):
    """A banned co-host loses the group's events. A co-host who is only removed keeps them, because hosts need not be
    members.
    """
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga, visibility="private")
        gil = await add_member(tx, group, olga, "Gil")
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        elsewhere = await actions.create(tx, olga, details())
        for one in (event, elsewhere):
            await co_hosts.accept(tx, gil, (await co_hosts.invite(tx, olga, one.slug, "gil@example.org")).id)
        await (administration.ban if way == "banned" else administration.remove)(tx, olga, group.slug, gil.user_id)
    await standing_rsvps.end_rsvps(db, gil.user_id)
    async with db.reader() as reader:
        hosted = await co_host_queries.hosted_among(reader, gil.user_id, [event.id, elsewhere.id])
        assert hosted == ({elsewhere.id} if way == "banned" else {event.id, elsewhere.id})
        role = await event_access.role_of(reader, event, gil.user_id)
        assert role is (EventRole.NOBODY if way == "banned" else EventRole.CO_HOST)


@pytest.mark.parametrize("way", ["leaves", "removed", "banned"])
async def test_a_former_members_place_goes_to_the_waitlist(db, way):
    """The history has the reason. Their answers to events that they host, and to events that everybody can see, stay."""
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga, visibility="private")
        gil, nan = await add_member(tx, group, olga, "Gil"), await add_member(tx, group, olga, "Nan")
        inside = group_of_event.as_group_of_event(group)
        event = await actions.create(tx, olga, details(capacity="1"), group=inside)
        own = await actions.create(tx, gil, details(), group=inside)
        elsewhere = await actions.create(tx, olga, details())
        for one in (event, own, elsewhere):
            await attendance.answer(tx, gil, one.slug, RsvpReply.GOING)
        assert (await attendance.answer(tx, nan, event.slug, RsvpReply.GOING)).status is AttendanceStatus.WAITLISTED
        match way:
            case "leaves":
                await groups.leave(tx, gil, group.slug)
            case "removed":
                await administration.remove(tx, olga, group.slug, gil.user_id)
            case "banned":
                await administration.ban(tx, olga, group.slug, gil.user_id)
        assert await due(tx) == [gil.user_id]
    assert [await standing_rsvps.end_rsvps(db, gil.user_id) for _ in range(2)] == [1, 0]
    async with db.reader() as reader:
        mine = await queries.of_user(reader, gil.user_id, [event.id, own.id, elsewhere.id])
        assert [mine[one.id].status for one in (event, own, elsewhere)] == [DECLINED, GOING, GOING]
        last = (await history.of_rsvp(reader, mine[event.id].id, ALL_ROWS))[-1]
        assert (last.through, last.before, last.after) == (ChangeChannel.GROUP, GOING, DECLINED)
        next_one = await queries.find(reader, event.id, nan.user_id)
        assert next_one.status is GOING or next_one.offered_until is not None


async def test_leaving_a_public_group_keeps_places(db):
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga)
        gil = await add_member(tx, group, olga, "Gil")
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
        await groups.leave(tx, gil, group.slug)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0


@pytest.mark.parametrize("knows", ["as a member", "as a guest", "as an invited guest"])
async def test_a_ban_ends_places_at_events_that_everybody_can_see(db, knows):
    """People on the waitlist move up. Events that the banned person hosts, events of other groups, the record in their
    own account, and an invitation without a reply stay as they are. They also stop following the group's series.
    """
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga)
        nan = await add_member(tx, group, olga, "Nan")
        gil = await add_member(tx, group, olga, "Gil") if knows == "as a member" else await person(tx, "Gil")
        inside = group_of_event.as_group_of_event(group)
        event = await actions.create(tx, olga, details(capacity="1"), group=inside)
        own = await actions.create(tx, gil, details(), group=inside if knows == "as a member" else None)
        elsewhere = await actions.create(
            tx, olga, details(), group=group_of_event.as_group_of_event(await group_by(tx, olga))
        )
        series = await series_actions.create(tx, olga, Content("Practice"), weekly(), group=inside)
        for one in (own, elsewhere):
            await attendance.answer(tx, gil, one.slug, RsvpReply.GOING)
        if knows == "as an invited guest":
            await invitations.invite(tx, olga, event.slug, "gil@example.org")
        else:
            await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
            await attendance.answer(tx, nan, event.slug, RsvpReply.GOING)
        await standing_rsvps.answer_all(tx, gil, series.slug, RsvpReply.GOING)
        stored = [held.event.id for held in await date_queries.stored(tx, series.id)]
        await tx.execute("delete from publications")
        await administration.ban(tx, olga, group.slug, gil.user_id)
        assert await due(tx) == [gil.user_id]
    answered = stored if knows == "as an invited guest" else [event.id, *stored]
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == len(answered)
    async with db.reader() as reader:
        mine = await queries.of_user(reader, gil.user_id, [event.id, own.id, elsewhere.id, *stored])
        assert {mine[one].status for one in answered} == {DECLINED}
        assert [mine[one.id].status for one in (own, elsewhere)] == [GOING, GOING]
        assert await follower_queries.standing_rsvp_of(reader, series.id, gil.user_id) is None
        assert (
            await reader.fetch("select subject_id from publications where subject_id = :id", id=mine[event.id].id) == []
        )
        if knows == "as an invited guest":
            assert mine[event.id].status is AttendanceStatus.INVITED
        else:
            next_one = await queries.find(reader, event.id, nan.user_id)
            assert next_one.status is GOING or next_one.offered_until is not None
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0


@pytest.mark.parametrize("visibility", ["private", "unlisted"])
async def test_a_group_that_becomes_private_ends_former_members_places(db, visibility):
    """Former members can no longer see the group's events and lose their places. Members keep theirs, and so do guests
    whom the host approved.
    """
    async with db.transaction() as tx:
        olga, stranger = await person(tx, "Olga"), await person(tx, "Sam")
        group = await group_by(tx, olga)
        gil, ban, nan = [await add_member(tx, group, olga, name) for name in ("Gil", "Ban", "Nan")]
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        series = await series_actions.create(
            tx, olga, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        for one in (gil, ban, nan, stranger):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await standing_rsvps.answer_all(tx, gil, series.slug, RsvpReply.GOING)
        await groups.leave(tx, gil, group.slug)
        await administration.ban(tx, olga, group.slug, ban.user_id)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs where kind = 'left_group'")
        await group_hosting.revise(tx, olga, group.slug, replace(group.details, visibility=GroupVisibility(visibility)))
        assert await due(tx) == ([] if visibility == "unlisted" else sorted([gil.user_id, ban.user_id]))
    for one in (gil, ban):
        await standing_rsvps.end_rsvps(db, one.user_id)
    async with db.reader() as reader:
        kept = {
            one.user_id: (await queries.find(reader, event.id, one.user_id)).status for one in (gil, ban, nan, stranger)
        }
        is_private = visibility == "private"
        assert kept == {
            gil.user_id: DECLINED if is_private else GOING,
            ban.user_id: DECLINED,
            nan.user_id: GOING,
            stranger.user_id: GOING,
        }
        assert (await follower_queries.standing_rsvp_of(reader, series.id, gil.user_id) is None) is is_private


async def test_an_event_that_becomes_private_ends_former_members_places(db):
    """If the host restricts a single event of the group to members, former members lose their places at that event."""
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga)
        gil, nan = await add_member(tx, group, olga, "Gil"), await add_member(tx, group, olga, "Nan")
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        for one in (gil, nan):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await groups.leave(tx, gil, group.slug)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs where kind = 'left_group'")
        await event_hosting.revise(tx, olga, event.slug, details(visibility="private"))
        assert await due(tx) == [gil.user_id]
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 1


async def test_a_series_that_becomes_private_ends_former_members_places(db):
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga)
        gil = await add_member(tx, group, olga, "Gil")
        series = await series_actions.create(
            tx, olga, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        await standing_rsvps.answer_all(tx, gil, series.slug, RsvpReply.GOING)
        await groups.leave(tx, gil, group.slug)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs where kind = 'left_group'")
        held = await date_queries.stored(tx, series.id)
        private = replace(series.content, visibility=Visibility.PRIVATE)
        locked = await series_actions.lock_managed(tx, olga, series.slug)
        await apply_edits.apply_plan(tx, locked, plan_all(locked, private, series.timing, held, tx.now))
        assert await due(tx) == [gil.user_id]
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == len(held)


async def test_returning_before_the_job_runs_keeps_all_places(db):
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga, visibility="private")
        gil = await add_member(tx, group, olga, "Gil")
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
        await groups.leave(tx, gil, group.slug)
        link = await administration.invite_by_link(tx, olga, group.slug, uses=1)
        await administration.accept(tx, gil, link.id)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == 0


async def test_leaving_the_group_ends_standing_rsvps(db):
    async with db.transaction() as tx:
        olga = await person(tx, "Olga")
        group = await group_by(tx, olga, visibility="private")
        gil = await add_member(tx, group, olga, "Gil")
        series = await series_actions.create(
            tx, olga, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        await standing_rsvps.answer_all(tx, gil, series.slug, RsvpReply.GOING)
        stored = [held.event.id for held in await date_queries.stored(tx, series.id)]
        await administration.remove(tx, olga, group.slug, gil.user_id)
    assert await standing_rsvps.end_rsvps(db, gil.user_id) == len(stored)
    async with db.reader() as reader:
        assert await follower_queries.standing_rsvp_of(reader, series.id, gil.user_id) is None
        assert {one.status for one in (await queries.of_user(reader, gil.user_id, stored)).values()} == {DECLINED}


async def test_a_place_at_an_invisible_event_can_be_given_up(db):
    """A person can give up a place at an event that they can no longer see. Nobody else learns that it exists, and no
    other answer is accepted.
    """
    async with db.transaction() as tx:
        olga, eve = await person(tx, "Olga"), await person(tx, "Eve")
        group = await group_by(tx, olga, visibility="private")
        gil = await add_member(tx, group, olga, "Gil")
        series = await series_actions.create(
            tx, olga, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
        await standing_rsvps.answer_all(tx, gil, series.slug, RsvpReply.GOING)
        stored = len(await date_queries.stored(tx, series.id))
        await administration.remove(tx, olga, group.slug, gil.user_id)
        for who, reply in ((gil, RsvpReply.GOING), (gil, RsvpReply.INTERESTED), (eve, RsvpReply.DECLINED)):
            with pytest.raises(NotFound):
                await attendance.answer(tx, who, event.slug, reply)
        given_back = await attendance.answer(tx, gil, event.slug, RsvpReply.DECLINED)
        again = await attendance.answer(tx, gil, event.slug, RsvpReply.DECLINED)
        with pytest.raises(NotFound):
            await standing_rsvps.stop(tx, eve, series.slug, declines=True)
        assert await standing_rsvps.stop(tx, gil, series.slug, declines=True) == stored
    assert (given_back.status, again.revision) == (DECLINED, given_back.revision)


@pytest.mark.parametrize("way", ["page", "api"])
async def test_a_place_is_given_up_by_page_and_by_api(make_sqlite, clock, way):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser:
        headers = {} if way == "page" else await api_session(browser, "gil@example.org", "Gil")
        if way == "page":
            await sign_up(browser, "gil@example.org", "Gil")
        async with site.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where display_name = 'Gil'")
            gil, olga = Caller(UserId(row["id"]), "Gil"), await person(tx, "Olga")
            group = await group_by(tx, olga, visibility="private")
            event = await actions.create(tx, olga, details(), group=group_of_event.as_group_of_event(group))
        path = f"/events/{event.slug}/answer"

        async def decline():
            if way == "page":
                return await browser.post(path, data={"reply": "declined"})
            return await browser.put(f"/api{path}", json={"reply": "declined"}, headers=headers)

        assert (await decline()).status_code == 404, "there is no answer to withdraw"
        async with site.db.transaction() as tx:
            link = await administration.invite_by_link(tx, olga, group.slug, uses=1)
            await administration.accept(tx, gil, link.id)
            await attendance.answer(tx, gil, event.slug, RsvpReply.GOING)
            await administration.remove(tx, olga, group.slug, gil.user_id)
        given_back = await decline()
        assert given_back.status_code == (303 if way == "page" else 200)
        if way == "page":
            assert given_back.headers["location"].startswith("/my/events")
            assert (await browser.get(given_back.headers["location"])).status_code == 200
        async with site.db.reader() as reader:
            assert (await queries.find(reader, event.id, gil.user_id)).status is DECLINED
