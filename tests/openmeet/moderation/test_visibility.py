"""Withheld content is in no list and no search and has no page. After the action is lifted, all of it is visible again.
On both engines.
"""

from datetime import UTC, datetime

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.events import event_access, group_of_event, queries
from openmeet.domain.events.content import Content
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.moderation import blocks, visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.series import actions as series
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import visibility as series_visibility
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.moderation.network_party import PARTY_DID, found_and_visible, insert_network_event
from tests.openmeet.site_under_test import details, event_by, person


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        *(
            (kind, SubjectVisibility.HIDDEN)
            for kind in (ModeratedKind.EVENT, ModeratedKind.DID, ModeratedKind.PERSON, ModeratedKind.HOST)
        ),
        *(
            (kind, state)
            for kind in (ModeratedKind.EVENT, ModeratedKind.DID)
            for state in (SubjectVisibility.BURST, SubjectVisibility.ARRIVAL)
        ),
    ],
)
async def test_a_network_event_is_hidden_with_anything_that_it_belongs_to(db, kind, state):
    async with db.transaction() as tx:
        event, author = await insert_network_event(tx)
        mo = await person(tx, "Mo")
        subject = Subject(
            kind,
            {
                ModeratedKind.EVENT: event.id,
                ModeratedKind.DID: PARTY_DID,
                ModeratedKind.PERSON: author,
                ModeratedKind.HOST: "https://pds.example",
            }[kind],
        )
        assert await found_and_visible(tx, event) == (True, True)
        await visibility.change(tx, subject, SubjectVisibility.SHOWN, state, reason="", by=mo.user_id)
        assert await found_and_visible(tx, event) == (False, False)
        await visibility.change(tx, subject, state, SubjectVisibility.SHOWN, reason="", by=mo.user_id)
        assert await found_and_visible(tx, event) == (True, True)


async def test_a_hidden_event_is_visible_to_its_host_only(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await visibility.change(
            tx,
            Subject(ModeratedKind.EVENT, event.id),
            SubjectVisibility.SHOWN,
            SubjectVisibility.HIDDEN,
            reason="",
            by=ben.user_id,
        )
        assert await found_and_visible(tx, event, ben) == (False, False)
        assert (await found_and_visible(tx, event, ana))[1]


async def test_a_held_newcomer_can_still_use_private_events(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        public = await event_by(tx, ana)
        unlisted = await event_by(tx, ana, visibility="unlisted")
        await visibility.hold(tx, [Subject(ModeratedKind.PERSON, ana.user_id)], SubjectVisibility.FIRST_EVENT)
        assert await found_and_visible(tx, public) == (False, False)
        assert (await found_and_visible(tx, unlisted))[1]


async def test_hiding_a_series_hides_its_dates_and_hiding_a_group_its_events(db, clock):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        rule = parse_rule("FREQ=WEEKLY;COUNT=3")
        when = Timing(pattern(datetime(2026, 7, 7, 18, 0, tzinfo=UTC), "Europe/Berlin", rule), None)
        made = await series.create(tx, ana, Content(title="Tea"), when)
        group = await group_by(tx, ana)
        inside = await add_member(tx, group, ana, "Cleo")
        event = await event_by_group(tx, ana, group)
        for subject in (Subject(ModeratedKind.SERIES, made.id), Subject(ModeratedKind.GROUP, group.id)):
            await visibility.change(
                tx, subject, SubjectVisibility.SHOWN, SubjectVisibility.HIDDEN, reason="", by=ben.user_id
            )
        found = {one.title for one in await search.coming(tx, SearchQuery(), None, 50)}
        assert found == set()
        now = await series_queries.by_id(tx, made.id)
        assert not await series_visibility.may_see(tx, now, ben.user_id)
        assert await series_visibility.may_see(tx, now, ana.user_id)
        assert not await event_access.may_see(
            tx, await queries.by_id(tx, event.id), inside.user_id, has_rsvp_access=True
        )
        assert await membership_queries.listed(tx, [], None, after=None, limit=9) == []
        assert await membership_queries.of_user(tx, inside.user_id, limit=9) == []
        assert [one.group.id for one in await membership_queries.of_user(tx, ana.user_id, limit=9)] == [group.id]
        for subject in (Subject(ModeratedKind.SERIES, made.id), Subject(ModeratedKind.GROUP, group.id)):
            await visibility.change(
                tx, subject, SubjectVisibility.HIDDEN, SubjectVisibility.SHOWN, reason="", by=ben.user_id
            )
        assert len(await search.coming(tx, SearchQuery(), None, 50)) >= 2
        assert len(await membership_queries.listed(tx, [], None, after=None, limit=9)) == 1


async def event_by_group(tx, host, group):
    return await events.create(tx, host, details(title="Chess"), group=group_of_event.as_group_of_event(group))


async def test_a_blocked_person_sees_nothing_private_and_neither_finds_the_other(db):
    """Public content stays visible, because a blocked person can read it after signing out."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        public, private = await event_by(tx, ana), await event_by(tx, ana, visibility="private")
        of_ben = await event_by(tx, ben)

        async def invited(viewer):
            now = await queries.by_id(tx, private.id)
            one = await event_access.may_see(tx, now, viewer.user_id, has_rsvp_access=True)
            assert bool(await event_access.seen(tx, [now], viewer.user_id, {private.id})) is one
            return one

        assert await invited(ben)
        await blocks.block(tx, ana.user_id, ben.user_id)
        assert not await invited(ben)
        assert await found_and_visible(tx, public, ben) == (False, True)
        assert await found_and_visible(tx, of_ben, ana) == (False, True)
        await blocks.unblock(tx, ana.user_id, ben.user_id)
        assert await invited(ben)
        assert await found_and_visible(tx, public, ben) == (True, True)


async def test_members_who_blocked_each_other_are_in_no_list_of_the_other(db):
    async with db.transaction() as tx:
        owner, eve = await person(tx, "Owner"), await person(tx, "Eve")
        group = await group_by(tx, owner, visibility="private")
        ana = await add_member(tx, group, owner, "Ana", role=GroupRole.ADMIN)
        ben = await add_member(tx, group, owner, "Ben")
        event = await event_by_group(tx, ana, group)

        async def finds(who):
            mine = await search.coming(tx, SearchQuery(of_groups_of=who.user_id, viewer=who.user_id), None, 9)
            return [one.id for one in mine] == [event.id]

        assert await finds(ben)
        await blocks.block(tx, ana.user_id, ben.user_id)
        await blocks.block(tx, ana.user_id, owner.user_id)
        assert not await finds(ben)
        now = await queries.by_id(tx, event.id)
        assert not await event_access.may_see(tx, now, ben.user_id, has_rsvp_access=True)
        # The people who run the group are responsible for its content.
        assert await event_access.may_see(tx, now, owner.user_id, has_rsvp_access=False)
        assert not await event_access.may_see(tx, now, eve.user_id, has_rsvp_access=False)


async def test_a_mute_affects_only_the_person_who_muted(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await blocks.mute(tx, ben.user_id, Subject(ModeratedKind.PERSON, ana.user_id))
        assert await found_and_visible(tx, event, ben) == (False, True)
        assert await found_and_visible(tx, event, ana) == (True, True)
        await blocks.unmute(tx, ben.user_id, ana.user_id)
        assert await found_and_visible(tx, event, ben) == (True, True)
