"""Merging two users merges their RSVPs; on both engines."""

import pytest

from groundwork.clock import MINUTE, Instant
from openmeet.domain.attendance import (
    actions,
    activity,
    history,
    host_decisions,
    host_list,
    invitations,
    queries,
    registration,
)
from openmeet.domain.attendance.activity import RecentChanges
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.merge import lock_events, merge_events, reassign
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.attendance.network_answers import apply_network_answer, insert_strangers
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import StatementCounter

S = AttendanceStatus


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.mark.parametrize(
    ("theirs", "mine", "kept"),
    [
        (RsvpReply.GOING, None, S.ATTENDING),
        (RsvpReply.GOING, RsvpReply.INTERESTED, S.INTERESTED),
        (RsvpReply.DECLINED, RsvpReply.GOING, S.ATTENDING),
        (RsvpReply.GOING, RsvpReply.DECLINED, S.DECLINED),
        (RsvpReply.GOING, RsvpReply.GOING, S.ATTENDING),
    ],
)
@pytest.mark.parametrize("mine_is_later", [True, False])
async def test_a_merge_keeps_the_later_answer_and_both_histories(db, clock, theirs, mine, kept, mine_is_later):
    """The later answer counts, and the history of both is kept. If both had a place, the place that becomes free is
    offered to the waitlist.
    """
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="2")
        shadow = Caller(await users.create_shadow(tx), "")
    first, later = (shadow, theirs), (ben, mine)
    if not mine_is_later:
        first, later = later, first
        kept = {RsvpReply.GOING: S.ATTENDING, RsvpReply.DECLINED: S.DECLINED}[theirs]
    for who, reply in (first, later):
        clock.turn(MINUTE)
        if reply:
            async with db.transaction() as tx:
                await actions.answer(tx, who, event.slug, reply)
    async with db.transaction() as tx:
        await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await lock_events(tx, shadow.user_id)
        assert await reassign(tx, shadow.user_id, ben.user_id) == 1
        found = await queries.find(tx, event.id, ben.user_id)
        assert found.status is kept
        assert await queries.find(tx, event.id, shadow.user_id) is None
        lines = await history.of_rsvp(tx, found.id, ALL_ROWS)
        assert len(lines) == (2 if mine else 1)
        assert {one.actor_id for one in lines} == {ben.user_id}
        third = await queries.find(tx, event.id, cleo.user_id)
        assert third.status is S.ATTENDING or third.offered_until
        assert await queries.seats_held(tx, event.id) == (2 if kept is S.ATTENDING else 1)


async def test_a_large_party_that_a_merge_drops_no_longer_holds_up_smaller_ones(db, clock):
    """Eight of ten places are taken. A party of four is first on the waitlist, and a couple is behind it."""
    async with db.transaction() as tx:
        ana, ben, cleo, dora = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")]
        event = await event_by(tx, ana, capacity="10")
        await registration.put(tx, event.id, RegistrationSettings(max_party=8))
        shadow = Caller(await users.create_shadow(tx), "")
        for who, party in ((dora, 8), (shadow, 4), (cleo, 2)):
            await actions.answer(tx, who, event.slug, RsvpReply.GOING, ReplyDetails(party=party))
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        await reassign(tx, shadow.user_id, ben.user_id)
        couple = await queries.find(tx, event.id, cleo.user_id)
        assert (couple.status, couple.has_offer(tx.now)) == (S.WAITLISTED, True)


async def test_a_hosts_decision_survives_a_merge(db, clock):
    """A host's decision is kept in a merge: a removed person does not get back in by merging with another account."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        shadow = Caller(await users.create_shadow(tx), "")
        out = await actions.answer(tx, shadow, event.slug, RsvpReply.GOING)
        await host_decisions.reject(tx, ana, event.slug, [out.id])
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await reassign(tx, shadow.user_id, ben.user_id)
        assert (await queries.find(tx, event.id, ben.user_id)).status is S.REJECTED


@pytest.mark.parametrize("later_is_kept", [True, False])
async def test_merging_two_events_takes_the_same_number_of_statements_for_many_people(db, clock, later_is_kept):
    """Everybody who answered both events has one RSVP afterwards: their later reply."""
    statements = []
    for people in (2, 50):
        async with db.transaction() as tx:
            ana = await person(tx, f"Host of {people}")
            gone, kept = await event_by(tx, ana), await event_by(tx, ana)
            strangers = await insert_strangers(tx, people)
        replies = [(gone, RsvpRecordStatus.INTERESTED), (kept, RsvpRecordStatus.GOING)]
        for event, status in replies if later_is_kept else reversed(replies):
            clock.turn(MINUTE)
            async with db.transaction() as tx:
                for one in strangers:
                    await apply_network_answer(tx, event, one, status, uri=f"at://{one}/{event.id}")
        async with db.transaction() as tx:
            counting = StatementCounter(tx)
            assert await merge_events(counting, gone.id, kept.id) == sorted(strangers)
            statements.append(counting.statements)
            found = [await queries.find(tx, kept.id, one) for one in strangers]
            assert {one.status for one in found} == {S.ATTENDING if later_is_kept else S.INTERESTED}
            assert not await queries.has_rsvps(tx, gone.id)
    assert statements[0] == statements[1]


async def test_the_history_of_an_answer_moves_with_it_to_another_event(db):
    """Hosts of the remaining event see how many people answered, and when."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        gone, kept = await event_by(tx, ana), await event_by(tx, ana)
        await actions.answer(tx, ben, gone.slug, RsvpReply.GOING)
        await merge_events(tx, gone.id, kept.id)
        assert await activity.recent_changes(tx, [kept.id], Instant(0)) == RecentChanges(answered=1)
        assert await activity.count_first_rsvps(tx, gone.id, Instant(0)) == {}


async def listed(tx, event):
    """The rows of the host's list: the address, if the person is known by it only, the status, and who made changes."""
    rows = []
    for one in await host_list.entries(tx, event.id, HostListFilter(list(S)), None, 9):
        address = one.invited_as if one.is_unanswered_invitation else ""
        changes = await history.of_rsvp(tx, one.attendance_id, ALL_ROWS)
        rows.append((address, one.status, [entry.through for entry in changes]))
    return sorted(rows)


@pytest.mark.parametrize("address_is_merged", [True, False])
@pytest.mark.parametrize("status", [S.INVITED, S.REJECTED])
async def test_a_merge_does_not_reveal_who_owns_an_invited_address(db, clock, address_is_merged, status):
    """The host's list is as before: the address that has not answered, and the other account's own reply."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        shadow = Caller(await users.create_shadow(tx), "")
        await actions.answer(tx, shadow, event.slug, RsvpReply.GOING)
        rsvp = await invitations.invite(tx, ana, event.slug, "ben@example.org")
        if status is S.REJECTED:
            await host_decisions.reject(tx, ana, event.slug, [rsvp.id])
        before = await listed(tx, event)
    assert [(address, status) for address, status, _ in before] == [("", S.ATTENDING), ("ben@example.org", status)]
    clock.turn(MINUTE)
    merged, remaining = (ben, shadow) if address_is_merged else (shadow, ben)
    async with db.transaction() as tx:
        await lock_events(tx, merged.user_id)
        await reassign(tx, merged.user_id, remaining.user_id)
    async with db.transaction() as tx:
        assert await listed(tx, event) == before
        assert (await queries.find(tx, event.id, remaining.user_id)).status is S.ATTENDING
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert [one[0] for one in await listed(tx, event)] == ["", "ben@example.org"]


async def test_two_invited_addresses_of_merged_accounts_both_stay_in_the_list(db):
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for name in ("ben", "cleo"):
            await invitations.invite(tx, ana, event.slug, f"{name}@example.org")
        before = await listed(tx, event)
        await reassign(tx, ben.user_id, cleo.user_id)
        assert await listed(tx, event) == before
        assert (await queries.find(tx, event.id, cleo.user_id)).status is S.INVITED


async def test_merging_two_events_keeps_invited_addresses_apart_from_replies(db):
    """An address that was invited to both events is listed once."""
    async with db.transaction() as tx:
        ana, ben, _ = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        gone, kept = await event_by(tx, ana), await event_by(tx, ana)
        await actions.answer(tx, ben, gone.slug, RsvpReply.GOING)
        await invitations.invite(tx, ana, kept.slug, "ben@example.org")
        for event in (gone, kept):
            await invitations.invite(tx, ana, event.slug, "cleo@example.org")
        await merge_events(tx, gone.id, kept.id)
        assert [one[:2] for one in await listed(tx, kept)] == [
            ("", S.ATTENDING),
            ("ben@example.org", S.INVITED),
            ("cleo@example.org", S.INVITED),
        ]
        assert (await queries.find(tx, kept.id, ben.user_id)).status is S.ATTENDING
