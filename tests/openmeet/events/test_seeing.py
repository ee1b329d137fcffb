"""Who can see an event of a group: every cell of the table, by every route."""

import pytest

from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions, event_access, group_of_event, queries, rules
from openmeet.domain.events.model import GroupOfEvent, narrowed
from openmeet.domain.events.rules import GroupEventAccess
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import GroupId, GroupRole, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_status, publications
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.site_under_test import details, event_by, person

PUBLIC, UNLISTED, PRIVATE = Visibility

CELLS = {
    (GroupVisibility.PUBLIC, PUBLIC): PUBLIC,
    (GroupVisibility.PUBLIC, UNLISTED): UNLISTED,
    (GroupVisibility.PUBLIC, PRIVATE): PRIVATE,
    (GroupVisibility.UNLISTED, PUBLIC): UNLISTED,
    (GroupVisibility.UNLISTED, UNLISTED): UNLISTED,
    (GroupVisibility.UNLISTED, PRIVATE): PRIVATE,
    (GroupVisibility.PRIVATE, PUBLIC): PRIVATE,
    (GroupVisibility.PRIVATE, UNLISTED): PRIVATE,
    (GroupVisibility.PRIVATE, PRIVATE): PRIVATE,
}


def of_group(visibility: GroupVisibility) -> GroupOfEvent:
    return GroupOfEvent(GroupId("g"), visibility, PromotionLevel.PUBLIC)


@pytest.mark.parametrize("chosen", Visibility)
@pytest.mark.parametrize("visibility", GroupVisibility)
def test_the_narrower_visibility_wins_in_every_cell(visibility, chosen):
    assert narrowed(chosen, of_group(visibility)) is CELLS[visibility, chosen]
    assert narrowed(chosen, None) is chosen


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def event_in(tx, host, group, **typed: str):
    return await actions.create(tx, host, details(**typed), group=group_of_event.as_group_of_event(group))


@pytest.mark.parametrize("has_rsvp_access", [False, True], ids=["uninvited", "invited"])
@pytest.mark.parametrize("role", [*GroupRole, None])
async def test_members_and_invited_people_see_an_event_for_members(make_sqlite, role, has_rsvp_access):
    """Members and people with an invitation see the event, including invited people who were never in the group. Former
    members do not.
    """
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_in(tx, ana, await group_by(tx, ana, visibility="private"))
    inside = role in {GroupRole.OWNER, GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER}
    out = role in {GroupRole.LEFT, GroupRole.BANNED}
    viewer = UserId("somebody")
    is_seen = rules.may_see(event, viewer, has_rsvp_access=has_rsvp_access, access=rules.access_by(role))
    assert is_seen is (inside or (has_rsvp_access and not out))
    assert not rules.may_see(event, viewer, has_rsvp_access=True), (
        "without a requested role the narrowest view is shown"
    )


@pytest.mark.parametrize("access", GroupEventAccess)
async def test_outside_of_groups_an_invitation_is_what_counts(event_outside, access):
    assert rules.may_see(event_outside, "ben", has_rsvp_access=True, access=access)
    assert not rules.may_see(event_outside, "ben", has_rsvp_access=False, access=access)


@pytest.fixture
async def event_outside(make_sqlite):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        return await event_by(tx, await person(tx, "Ana"), visibility="private")


async def test_visibility_follows_the_groups_current_state(db):
    """The group's visibility is read together with the event, so it can never be stale."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        event = await event_in(tx, ana, group)
        assert (await queries.by_id(tx, event.id)).visibility is PUBLIC
        await group_hosting.revise(tx, ana, group.slug, group_details(visibility="private"))
        after = await queries.by_id(tx, event.id)
    assert (after.visibility, after.content.visibility) == (PRIVATE, PUBLIC)


async def test_a_group_that_becomes_private_makes_its_records_due(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        group = await group_by(tx, ana)
        event = await event_in(tx, ana, group)
        answer = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await tx.execute("update publications set state = 'published'")
        await group_hosting.revise(tx, ana, group.slug, group_details(visibility="private"))
        for kind, subject in (
            (publications.PublicationKind.EVENT, event.id),
            (publications.PublicationKind.RSVP, answer.id),
        ):
            publication = (await publication_status.statuses(tx, kind, [subject]))[subject]
            assert publication.state is publications.PublicationState.DUE


async def test_former_members_no_longer_see_the_members_events(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben")
        event = await event_in(tx, ana, group)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        assert await event_access.seen(tx, [event], ben.user_id, [event.id]) == [event]
        await administration.remove(tx, ana, group.slug, ben.user_id)
        assert await event_access.seen(tx, [event], ben.user_id, [event.id]) == []
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED)


@pytest.mark.parametrize("role", [GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER])
async def test_admins_edit_events_of_others(db, role):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben", role)
        event = await event_in(tx, ana, group)
    if role is not GroupRole.ADMIN:
        with pytest.raises(Forbidden):
            async with db.transaction() as tx:
                await event_hosting.cancel(tx, ben, event.slug, "rain")
        return
    async with db.transaction() as tx:
        after = await event_hosting.revise(tx, ben, event.slug, details(title="Go"))
        assert (after.title, after.author_id, after.group) == ("Go", ana.user_id, event.group)


@pytest.mark.parametrize("role", [GroupRole.MODERATOR, GroupRole.MEMBER, None])
async def test_who_may_make_events_in_a_group(db, role):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben", role) if role else await person(tx, "Ben")
        if role is GroupRole.MODERATOR:
            assert (await group_of_event.group_for(tx, group.slug, ben.user_id)).id == group.id
            return
        with pytest.raises(Forbidden):
            await group_of_event.group_for(tx, group.slug, ben.user_id)


async def test_a_deleted_groups_events_stay_as_restricted_as_before(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben")
        event = await event_in(tx, ana, group)
        await groups.delete(tx, ana, group.slug)
        after = await queries.by_id(tx, event.id)
        assert (after, after.visibility) == (event, PRIVATE)
        assert not await event_access.may_see(tx, after, ben.user_id, has_rsvp_access=False)
        assert await event_access.may_see(tx, after, ana.user_id, has_rsvp_access=False)


async def test_the_same_form_outside_the_group_is_another_event(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = group_of_event.as_group_of_event(await group_by(tx, ana))
        await actions.create(tx, ana, details(), submission_key="k", group=group)
        with pytest.raises(Refused):
            await actions.create(tx, ana, details(), submission_key="k")
