"""People who can no longer create events in a group cannot publish there, by hand or at a set time, but can still
cancel.
"""

import pytest

from groundwork.clock import HOUR
from groundwork.errors import Forbidden
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import actions, drafts, group_of_event, queries
from openmeet.domain.events.content import Content
from openmeet.domain.events.rules import Submission
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import cancel_dates, date_queries, existing_events
from openmeet.domain.series import queries as series_queries
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import details, inputs_of, person, sign_up, site_on

FULL = Submission(title="Board games", starts="2026-07-04T18:00", time_zone="Europe/Berlin")
TYPED = {"title": "Board games", "starts": "2026-07-04T18:00", "time_zone": "Europe/Berlin", "mode": "in_person"} | {
    "visibility": "public",
    "online_url_audience": "attendees",
}


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def moderated(tx, name="Mo"):
    """Olga's group, and a moderator who creates events in it."""
    olga = await person(tx, "Olga")
    group = await group_by(tx, olga)
    return olga, group, await add_member(tx, group, olga, name, GroupRole.MODERATOR)


async def ended(tx, olga, group, who, way):
    match way:
        case "banned":
            await administration.ban(tx, olga, group.slug, who.user_id)
        case "removed":
            await administration.remove(tx, olga, group.slug, who.user_id)
        case "demoted":
            await administration.change_role(tx, olga, group.slug, who.user_id, GroupRole.MEMBER)
        case "left":
            await groups.leave(tx, who, group.slug)


WAYS = ["banned", "removed", "demoted", "left"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_draft_in_the_group_is_not_published_by_hand(db, way):
    """The event stays a draft. It can be edited, and copied as an event without a group."""
    async with db.transaction() as tx:
        olga, group, mo = await moderated(tx)
        draft = await drafts.begin(tx, mo, FULL, {}, group=group_of_event.as_group_of_event(group))
        await ended(tx, olga, group, mo, way)
        with pytest.raises(Forbidden, match=r"event\.not_in_its_group"):
            await drafts.publish(tx, mo, draft.slug, details())
        with pytest.raises(Forbidden):
            await drafts.keep(tx, mo, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
        kept = await drafts.keep(tx, mo, draft.slug, FULL, {})
    assert kept.is_draft


@pytest.mark.parametrize("way", WAYS)
async def test_a_draft_in_the_group_is_not_published_by_the_clock(db, clock, way):
    async with db.transaction() as tx:
        olga, group, mo = await moderated(tx)
        draft = await drafts.begin(tx, mo, FULL, {}, group=group_of_event.as_group_of_event(group))
        await drafts.keep(tx, mo, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
        await ended(tx, olga, group, mo, way)
    clock.turn(HOUR)
    assert await drafts.publish_due(db) == 0
    async with db.reader() as reader:
        event = await queries.by_id(reader, draft.id)
    assert (event.is_draft, event.publish_at) == (True, None)


async def test_events_of_a_deleted_group_belong_to_their_hosts(db):
    async with db.transaction() as tx:
        olga, group, mo = await moderated(tx)
        draft = await drafts.begin(tx, mo, FULL, {}, group=group_of_event.as_group_of_event(group))
        series = await series_actions.create(
            tx, mo, Content("Practice"), weekly(), group=group_of_event.as_group_of_event(group)
        )
        await groups.delete(tx, olga, group.slug)
        event = await drafts.publish(tx, mo, draft.slug, details())
        assert (await series_actions.lock_to_change(tx, mo, series.slug)).id == series.id
    assert not event.is_draft


@pytest.mark.parametrize("way", WAYS)
async def test_a_series_in_the_group_can_only_be_cancelled(db, way):
    """The person cannot edit dates, add or restore dates, or turn an event of the group into a series. Cancelling stays
    possible.
    """
    async with db.transaction() as tx:
        olga, group, mo = await moderated(tx)
        inside = group_of_event.as_group_of_event(group)
        series = await series_actions.create(tx, mo, Content("Practice"), weekly(), group=inside)
        single = await actions.create(tx, mo, details(), group=inside)
        (date, *_) = [held.event for held in await date_queries.stored(tx, series.id)]
        await ended(tx, olga, group, mo, way)
        for refused in (
            series_actions.lock_to_change(tx, mo, series.slug),
            existing_events.start_series_with(tx, mo, single.slug, lambda _: weekly()),
            actions.revise(tx, mo, date.slug, details(title="Mine")),
            event_hosting.reinstate(tx, mo, date.slug),
        ):
            with pytest.raises(Forbidden):
                await refused
        await cancel_dates.cancel(tx, await series_actions.lock_managed(tx, mo, series.slug), "No more.")
        assert (await series_queries.by_id(tx, series.id)).status.value == "cancelled"


@pytest.mark.parametrize(
    ("way", "may_edit"), [("banned", False), ("removed", False), ("left", False), ("demoted", True)]
)
async def test_members_can_edit_their_own_single_events(db, way, may_edit):
    """A member without the right to create events can own an event that was handed over to them. Former members can
    only cancel.
    """
    async with db.transaction() as tx:
        olga, group, mo = await moderated(tx)
        event = await actions.create(tx, mo, details(), group=group_of_event.as_group_of_event(group))
        await ended(tx, olga, group, mo, way)
        if may_edit:
            assert (await actions.revise(tx, mo, event.slug, details(title="Ours"))).title == "Ours"
        else:
            with pytest.raises(Forbidden):
                await actions.revise(tx, mo, event.slug, details(title="Mine"))
        cancelled = await event_hosting.cancel(tx, mo, event.slug, "No more.")
    assert cancelled.is_cancelled


async def test_the_form_keeps_the_input_and_the_draft_says_why(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser:
        await sign_up(browser, "mo@example.org", "Mo")
        async with site.db.transaction() as tx:
            olga = await person(tx, "Olga")
            group = await group_by(tx, olga)
            row = await tx.fetch_one("select id from users where display_name = 'Mo'")
            mo = Caller(UserId(row["id"]), "Mo")
            await administration.accept(tx, mo, (await administration.invite_by_link(tx, olga, group.slug, uses=1)).id)
            await administration.change_role(tx, olga, group.slug, mo.user_id, GroupRole.MODERATOR)
        form = inputs_of((await browser.get(f"/events/new?group={group.slug}")).text) | {"group": group.slug}
        saved = await browser.post("/events/new", data=form | TYPED | {"save": "draft"})
        assert saved.status_code == 303, saved.text
        path = saved.headers["location"]
        later = inputs_of((await browser.get(path)).text) | TYPED | {"save": "later", "publish_at": "2026-07-04T17:00"}
        assert (await browser.post(path, data=later)).status_code == 303
        async with site.db.transaction() as tx:
            await administration.ban(tx, olga, group.slug, mo.user_id)
        refused = await browser.post(path, data=inputs_of((await browser.get(path)).text) | TYPED | {"title": "Blitz"})
        assert (refused.status_code, inputs_of(refused.text)["title"]) == (403, "Blitz")
        assert "You can no longer create events in this group." in refused.text
        async with site.db.transaction() as tx:
            await tx.execute("update events set publish_at = :now", now=tx.now)
        assert await drafts.publish_due(site.db) == 0
        assert (
            "We couldn’t publish it on time. You can no longer create events in this group"
            in (await browser.get(path)).text
        )
        page = (await browser.get(path.removesuffix("/draft"))).text
        assert "you can’t publish this draft there" in page
        assert (await browser.get(f"{path.removesuffix('/draft')}/duplicate")).status_code == 200
