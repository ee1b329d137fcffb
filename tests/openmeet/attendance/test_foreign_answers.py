"""RSVPs of people who have never signed in to this site, are not members and were not invited."""

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import (
    actions,
    attendee_list,
    history,
    host_decisions,
    host_list,
    locked_event,
    queries,
    reevaluation,
    registration,
    rsvp_list_texts,
    rsvp_records,
)
from openmeet.domain.attendance.model import (
    ATTENDEE_STATUSES,
    AttendanceStatus,
    ChangeChannel,
    PendingFor,
    RecordedRsvp,
    RsvpCounts,
    RsvpRecordStatus,
    RsvpReply,
)
from openmeet.domain.attendance.registration import ForeignRsvpPolicy, RegistrationSettings
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users import actions as users
from tests.openmeet.attendance.network_answers import apply_answers_of, insert_strangers
from tests.openmeet.site_under_test import event_by, person

# As many as a script writes in an afternoon. Neither the counts nor the number of notifications grows with them.
MANY = 10_000


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def counts(reader, event):
    return (await queries.counts(reader, [event.id]))[event.id]


async def counted(decision):
    """The numbers of people who got a place or wait, without the times of the decision."""
    decided = await decision
    return decided.seated, decided.waiting


async def kinds_received(reader, who):
    return [one.kind for one in await newest(reader, who.user_id, 50)]


async def test_many_strangers_take_no_place_and_cause_one_notification(make_sqlite, clock):
    """However many people known only by DID answer, the confirmed count does not change, the host gets one
    notification, and a member can take the last place.
    """
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="2")
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        ids = await insert_strangers(tx, MANY)
    for start in range(0, MANY, 100):
        async with db.transaction() as tx:
            await apply_answers_of(tx, event, ids[start : start + 100])
        # While the notification is unread, it covers all of them, also on later days.
        clock.turn(DAY // 2)
    async with db.transaction() as tx:
        assert await counts(tx, event) == RsvpCounts(going=1, seats=1, pending_people=MANY, pending_rsvps=MANY)
        assert (await kinds_received(tx, ana)).count(event_kinds.FOREIGN_ANSWERS) == 1
        assert (await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)).status is AttendanceStatus.ATTENDING


@pytest.mark.parametrize(
    ("policy", "status", "why"),
    [
        (ForeignRsvpPolicy.COUNT, AttendanceStatus.ATTENDING, None),
        (ForeignRsvpPolicy.APPROVE, AttendanceStatus.PENDING, PendingFor.APPROVAL),
        (ForeignRsvpPolicy.UNCONFIRMED, AttendanceStatus.PENDING, PendingFor.UNCONFIRMED),
        (None, AttendanceStatus.PENDING, PendingFor.UNCONFIRMED),
    ],
)
async def test_the_host_chooses_how_strangers_count(db, policy, status, why):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="5")
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=policy))
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
        mine = await queries.find(tx, event.id, stranger)
        assert (mine.status, mine.pending_for) == (status, why)
        # A repeated record does not change the status, even if the host has changed the setting meanwhile.
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=ForeignRsvpPolicy.COUNT))
        await apply_answers_of(tx, event, [stranger])
        assert await queries.find(tx, event.id, stranger) == mine


async def test_a_late_record_of_a_local_person_is_named_as_such(db, clock):
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=1))
    clock.turn(event.starts_at - clock.now())
    async with db.transaction() as tx:
        await apply_answers_of(tx, event, [ben.user_id])
        mine = await queries.find(tx, event.id, ben.user_id)
        (shown,) = await host_list.entries_by_ids(tx, event.id, [mine.id])
    assert mine.pending_for is PendingFor.UNCONFIRMED
    assert "late" in rsvp_list_texts.text_of(shown, {ben.user_id: "Ben"}).status_words


async def test_without_a_limit_they_count(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await apply_answers_of(tx, event, await insert_strangers(tx, 3))
        assert await counts(tx, event) == RsvpCounts(going=3, seats=3)


async def test_the_host_confirms_one_or_all(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="2")
        ids = await insert_strangers(tx, 4)
        await apply_answers_of(tx, event, ids)
        third = await queries.find(tx, event.id, ids[2])
        assert await counted(host_decisions.approve(tx, ana, event.slug, [third.id])) == (1, 0)
        assert await counted(host_decisions.approve_next(tx, ana, event.slug)) == (1, 2)
        found = [(await queries.find(tx, event.id, one)).status for one in ids]
    assert found == ["attending", "waitlisted", "attending", "waitlisted"]


async def test_an_unknown_status_is_not_confirmed_in_bulk(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="2")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger], RsvpRecordStatus.UNCLEAR)
        assert await host_decisions.approve_next(tx, ana, event.slug) == host_decisions.DecisionCounts(0, 0)


async def test_a_host_cannot_turn_an_unknown_status_into_going(db):
    """Also if the host approves this RSVP alone, or together with others."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=ForeignRsvpPolicy.APPROVE))
        unclear, going = await insert_strangers(tx, 2)
        await apply_answers_of(tx, event, [unclear], RsvpRecordStatus.UNCLEAR)
        await apply_answers_of(tx, event, [going])
        ids = [(await queries.find(tx, event.id, one)).id for one in (unclear, going)]
        assert await counted(host_decisions.approve(tx, ana, event.slug, ids[:1])) == (0, 0)
        assert await counted(host_decisions.approve(tx, ana, event.slug, ids)) == (1, 0)
        found = await queries.by_ids(tx, ids)
    assert [(found[one].status, found[one].pending_for) for one in ids] == [
        (AttendanceStatus.PENDING, PendingFor.UNCLEAR),
        (AttendanceStatus.ATTENDING, None),
    ]
    assert found[ids[0]].approved_at is None


async def test_only_hosts_see_an_unknown_status(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="2")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger], RsvpRecordStatus.UNCLEAR)
        assert [one.user_id for one in await attendee_list.attendees(tx, event.id, ATTENDEE_STATUSES, limit=9)] == []
        seen = await attendee_list.attendees(tx, event.id, ATTENDEE_STATUSES, limit=9, for_hosts=True)
        assert [one.user_id for one in seen] == [stranger]
        own = await attendee_list.attendees(tx, event.id, ATTENDEE_STATUSES, limit=9, viewer=stranger)
        assert [one.user_id for one in own] == [stranger]


async def test_a_stranger_who_signs_in_can_take_a_place(db):
    """When such a person signs in and answers on this site, they get a place if one is free."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="1")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
        await users.claim_shadow(tx, stranger, display_name="Ben")
        caller = type(ana)(stranger, "Ben")
        assert (await actions.answer(tx, caller, event.slug, RsvpReply.GOING)).status is AttendanceStatus.ATTENDING


async def test_nobody_made_the_change_when_a_known_person_gets_a_place(db):
    """The host's settings gave the record no place as long as its author was unknown. Signing in is no reply."""
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="1")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
        await users.claim_shadow(tx, stranger, display_name="Ben")
        assert await reevaluation.reevaluate_pending_rsvp(tx, event.id, stranger)
        mine = await queries.find(tx, event.id, stranger)
        last = (await history.of_rsvp(tx, mine.id, ALL_ROWS))[-1]
        assert (mine.status, last.through, last.actor_id) == (AttendanceStatus.ATTENDING, ChangeChannel.NETWORK, None)


@pytest.mark.parametrize("needs_approval", [False, True])
async def test_who_signs_in_after_the_deadline_has_answered_before_it(db, clock, needs_approval):
    """The deadline is for the reply. Signing in, and merging accounts later, are none."""
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="1")
        settings = RegistrationSettings(closes_hours_before=2, needs_approval=needs_approval)
        await registration.put(tx, event.id, settings)
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        await users.claim_shadow(tx, stranger, display_name="Ben")
        assert await reevaluation.reevaluate_pending_rsvp(tx, event.id, stranger)
        mine = await queries.find(tx, event.id, stranger)
        expected = (
            (AttendanceStatus.PENDING, PendingFor.APPROVAL) if needs_approval else (AttendanceStatus.ATTENDING, None)
        )
        assert (mine.status, mine.pending_for) == expected
    clock.turn(DAY // 48)
    async with db.transaction() as tx:
        assert not await reevaluation.reevaluate_pending_rsvp(tx, event.id, stranger)


@pytest.mark.parametrize("earlier", [RsvpRecordStatus.NOT_GOING, RsvpRecordStatus.UNCLEAR])
async def test_a_record_that_says_going_only_after_the_deadline_is_late(db, clock, earlier):
    """That the same record was first seen before the deadline, with another reply, changes nothing."""
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=2))
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger], earlier)
        first_seen = tx.now
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        record = RecordedRsvp(event.id, stranger, f"at://{stranger}", RsvpRecordStatus.GOING, first_seen)
        await rsvp_records.apply_from_network(tx, record)
        await users.claim_shadow(tx, stranger, display_name="Ben")
        assert not await reevaluation.reevaluate_pending_rsvp(tx, event.id, stranger)
        assert (await queries.find(tx, event.id, stranger)).pending_for is PendingFor.UNCONFIRMED


async def test_the_end_of_the_waitlist_is_not_read_without_a_limit(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        unlimited, limited = await event_by(tx, ana), await event_by(tx, ana, capacity="1")
        ends = [await locked_event.lock_by_slug(tx, one.slug, ana.user_id) for one in (unlimited, limited)]
        assert [one.seats.last_waitlist_number for one in ends] == [None, 0]


async def test_an_approved_stranger_who_answers_again_takes_a_free_place(db):
    """A host has approved them, so a new record after a deleted one needs no decision."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="2")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
        await host_decisions.approve_next(tx, ana, event.slug)
        await rsvp_records.apply_deletion_from_network(tx, record_uri=f"at://{stranger}")
        await apply_answers_of(tx, event, [stranger])
        assert (await queries.find(tx, event.id, stranger)).status is AttendanceStatus.ATTENDING


async def test_an_approved_stranger_who_answers_again_waits_if_no_place_is_free(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, capacity="1")
        (stranger,) = await insert_strangers(tx, 1)
        await apply_answers_of(tx, event, [stranger])
        await host_decisions.approve_next(tx, ana, event.slug)
        await rsvp_records.apply_deletion_from_network(tx, record_uri=f"at://{stranger}")
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await apply_answers_of(tx, event, [stranger])
        assert (await queries.find(tx, event.id, stranger)).status is AttendanceStatus.WAITLISTED
