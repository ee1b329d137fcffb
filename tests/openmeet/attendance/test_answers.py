"""Answers, places and the waitlist; on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from openmeet.domain.attendance import (
    actions,
    event_hosting,
    host_decisions,
    notify,
    queries,
    rsvp_records,
    waitlist,
)
from openmeet.domain.attendance.model import (
    AttendanceStatus,
    ReplyDetails,
    RsvpCounts,
    RsvpRecordStatus,
    RsvpReply,
)
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.outbox import publication_status, publications
from tests.openmeet.attendance.network_answers import ANSWER_URI, apply_network_answer
from tests.openmeet.site_under_test import details, event_by, person

GOING, INTERESTED, DECLINED = RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED
ATTENDING, WAITLISTED, PENDING = AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING
MAX_STATEMENTS = {"sqlite": 8, "postgresql": 5}


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def people(tx, count):
    return [await person(tx, f"Person {number}") for number in range(count)]


async def counts(reader, event):
    return (await queries.counts(reader, [event.id]))[event.id]


async def status(reader, event, who):
    found = await queries.find(reader, event.id, who.user_id)
    return found and found.status


async def test_an_rsvp_enqueues_its_record_and_notifies_the_host(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
        saved = await actions.answer(tx, ben, event.slug, GOING)
        publication = (await publication_status.statuses(tx, publications.PublicationKind.RSVP, [saved.id]))[saved.id]
        news = await newest(tx, ana.user_id, 10)
    assert (saved.status, publication.revision) == (ATTENDING, 1)
    assert [one.kind for one in news] == [event_kinds.NEW_ANSWER]


async def test_simultaneous_answers_notify_separately(db):
    """The host is notified of each answer, even if several people answer in the same microsecond and one changes their
    mind.
    """
    async with db.transaction() as tx:
        ana, *others = await people(tx, 4)
        event = await event_by(tx, ana)
        for who in others:
            await actions.answer(tx, who, event.slug, GOING)
        await actions.answer(tx, others[0], event.slug, DECLINED)
        news = await newest(tx, ana.user_id, 10)
    told = sorted((one.payload.person_id, one.payload.answer) for one in news)  # type: ignore[attr-defined]  # the payload of its kind
    assert told == sorted([*((who.user_id, ATTENDING) for who in others), (others[0].user_id, DECLINED)])


async def test_each_answer_of_a_batch_notifies(db):
    """A batch of strangers' answers creates one notification for each, even if two of them have the same notification
    number.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        those = [UserId(f"person {number}") for number in range(10_000)]
        by_number = {notify.notification_revision(tx.now, who, ATTENDING): who for who in those}
        one = next(who for who in those if by_number[notify.notification_revision(tx.now, who, ATTENDING)] != who)
        other = by_number[notify.notification_revision(tx.now, one, ATTENDING)]
        await notify.notify_hosts_of_each(tx, event, [ana.user_id], [(one, ATTENDING), (other, ATTENDING)])
        news = await newest(tx, ana.user_id, 10)
    assert {told.payload.person_id for told in news} == {one, other}
    assert 0 < min(by_number) <= max(by_number) < 2**63


async def test_the_same_answer_again_changes_nothing(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
        first = await actions.answer(tx, ben, event.slug, GOING)
        again = await actions.answer(tx, ben, event.slug, GOING)
    assert again == first


async def test_double_click_creates_one_answer(db):
    """Two simultaneous replies by one person leave one attendance row at its first revision."""
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)

    async def reply():
        async with db.transaction() as tx:
            return await actions.answer(tx, ben, event.slug, GOING)

    first, second = await asyncio.gather(reply(), reply())
    assert (first.id, first.revision) == (second.id, second.revision)


async def test_the_last_place_goes_to_exactly_one_of_many(db):
    """However many people answer at once, there are never more confirmed attendees than places (invariant 4)."""
    async with db.transaction() as tx:
        ana, *guests = await people(tx, 25)
        event = await event_by(tx, ana, capacity="3")

    async def reply(guest):
        async with db.transaction() as tx:
            await actions.answer(tx, guest, event.slug, GOING)

    await asyncio.gather(*(reply(guest) for guest in guests))
    async with db.reader() as reader:
        found = await counts(reader, event)
        waiting = await waitlist.first_waitlisted(reader, event.id, 100)
    assert found == RsvpCounts(going=3, waitlisted=21, waiting=21, seats=3)
    assert len({one.waitlist_number for one in waiting}) == 21


async def test_two_hundred_concurrent_answers_fill_every_place(db):
    """With two hundred concurrent requests, those that wait hold no connection, and the waitlist is in order of
    arrival.
    """
    async with db.transaction() as tx:
        ana, *guests = await people(tx, 201)
        event = await event_by(tx, ana, capacity="150")

    async def reply(guest):
        return await db.batch(lambda tx: actions.answer(tx, guest, event.slug, GOING), key=event.slug)

    saved = await asyncio.gather(*(reply(guest) for guest in guests))
    async with db.reader() as reader:
        found = await counts(reader, event)
    assert found == RsvpCounts(going=150, waitlisted=50, waiting=50, seats=150)
    assert sorted(one.waitlist_number for one in saved if one.waitlist_number) == list(range(1, 51))


async def test_a_refused_answer_does_not_affect_the_others(db):
    """When several answers share a commit, one that is refused does not affect the others."""
    async with db.transaction() as tx:
        ana, *guests = await people(tx, 21)
        event = await event_by(tx, ana, capacity="30")

    async def reply(guest, party):
        return await db.batch(
            lambda tx: actions.answer(tx, guest, event.slug, GOING, ReplyDetails(party=party)), key=event.slug
        )

    said = await asyncio.gather(
        *(reply(guest, 99 if number % 2 else 1) for number, guest in enumerate(guests)), return_exceptions=True
    )
    assert [isinstance(one, InvalidForm) for one in said] == [bool(number % 2) for number in range(20)]
    async with db.reader() as reader:
        assert await counts(reader, event) == RsvpCounts(going=10, seats=10)


async def test_an_answer_holds_the_event_for_few_statements(db, monkeypatch):
    """An answer executes few statements while it holds the event's lock, because everyone else waits for them. Add a
    statement only for a good reason.
    """
    async with db.transaction() as tx:
        ana, ben, eve = await people(tx, 3)
        event = await event_by(tx, ana, capacity="5")
        await actions.answer(tx, eve, event.slug, GOING)
    async with db.transaction() as tx:
        asked = []
        for verb in ("fetch", "fetch_one", "execute"):
            real = getattr(type(tx), verb)

            async def counting(self, sql, /, _real=real, **parameters: object):
                # Servers that last for the whole session use the same class.
                if self is tx:
                    asked.append(sql)
                return await _real(self, sql, **parameters)

            monkeypatch.setattr(type(tx), verb, counting)
        await actions.answer(tx, ben, event.slug, GOING)
        # On one engine ``fetch_one`` calls ``fetch``, so the same text twice in a row is one statement.
        count = sum(one != other for one, other in zip(asked, ["", *asked], strict=False))
    assert count <= MAX_STATEMENTS[db.engine], "\n".join(asked)


async def test_concurrent_withdrawals_neither_oversell_nor_leave_seats_empty(db):
    async with db.transaction() as tx:
        ana, *guests = await people(tx, 17)
        event = await event_by(tx, ana, capacity="4")
        for guest in guests:
            await actions.answer(tx, guest, event.slug, GOING)

    async def reply(guest, what):
        async with db.transaction() as tx:
            await actions.answer(tx, guest, event.slug, what)

    await asyncio.gather(
        *(reply(guest, DECLINED) for guest in guests[:8]), *(reply(guest, GOING) for guest in guests[8:])
    )
    async with db.reader() as reader:
        found = await counts(reader, event)
    assert (found.seats, found.going + found.waitlisted) == (4, 8)


async def test_the_longest_waiting_person_gets_the_offer(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo, dora):
            await actions.answer(tx, guest, event.slug, GOING)
        await actions.answer(tx, ben, event.slug, DECLINED)
        assert await waitlist.first_waitlisted(tx, event.id, 10) == [await queries.find(tx, event.id, dora.user_id)]
        assert [one.kind for one in await newest(tx, cleo.user_id, 10)] == [event_kinds.SEAT_OFFERED]
        assert (await actions.answer(tx, cleo, event.slug, GOING)).status is ATTENDING
        assert await status(tx, event, dora) is WAITLISTED


async def test_leaving_and_returning_means_the_end_of_the_waitlist(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo, dora):
            await actions.answer(tx, guest, event.slug, GOING)
        await actions.answer(tx, cleo, event.slug, DECLINED)
        await actions.answer(tx, cleo, event.slug, GOING)
        waiting = [one.user_id for one in await waitlist.first_waitlisted(tx, event.id, 10)]
    assert waiting == [dora.user_id, cleo.user_id]


async def test_a_raised_limit_lets_people_move_up(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for guest in (ben, cleo, dora):
            await actions.answer(tx, guest, event.slug, GOING)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
        assert await counts(tx, event) == RsvpCounts(going=1, waitlisted=2, waiting=1, seats=2, offered=1)
        await event_hosting.revise(tx, ana, event.slug, details())
        assert await counts(tx, event) == RsvpCounts(going=3, seats=3)


async def test_a_lowered_limit_keeps_confirmed_seats(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="2")
        await actions.answer(tx, ben, event.slug, GOING)
        await actions.answer(tx, cleo, event.slug, GOING)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
        await actions.answer(tx, dora, event.slug, GOING)
        await actions.answer(tx, ben, event.slug, DECLINED)
        assert await counts(tx, event) == RsvpCounts(going=1, waitlisted=1, waiting=1, seats=1)


async def test_a_cancelled_event_takes_no_answers_but_lets_people_withdraw(db):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, 3)
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, GOING)
        await event_hosting.cancel(tx, ana, event.slug, "Rain")
        with pytest.raises(Refused):
            await actions.answer(tx, cleo, event.slug, GOING)
        withdrawn = await actions.answer(tx, ben, event.slug, DECLINED)
        news = [one.kind for one in await newest(tx, ben.user_id, 10)]
    assert withdrawn.status is AttendanceStatus.DECLINED
    assert news == [event_kinds.EVENT_CANCELLED]


async def test_an_edit_without_changes_notifies_nobody(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, GOING)
        await event_hosting.revise(tx, ana, event.slug, details())
        assert await newest(tx, ben.user_id, 10) == []


async def test_an_event_that_is_over_takes_no_answers(make_database, clock):
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
    clock.turn(365 * DAY)
    async with db.transaction() as tx:
        with pytest.raises(Refused):
            await actions.answer(tx, ben, event.slug, GOING)


async def test_somebody_elses_private_event_cannot_be_answered(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana, visibility="private")
        with pytest.raises(NotFound):
            await actions.answer(tx, ben, event.slug, GOING)


async def test_a_shadow_account_is_counted_on_an_open_event_and_enqueues_nothing(db):
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event = await event_by(tx, ana)
        saved = await apply_network_answer(tx, event, await users.create_shadow(tx), RsvpRecordStatus.GOING)
        publication = (await publication_status.statuses(tx, publications.PublicationKind.RSVP, [saved.id]))[saved.id]
        assert await counts(tx, event) == RsvpCounts(going=1, seats=1)
    assert publication is publication_status.NO_PUBLICATION


async def test_a_strangers_answer_takes_no_limited_place_until_confirmed(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana, capacity="1")
        saved = await apply_network_answer(tx, event, await users.create_shadow(tx), RsvpRecordStatus.GOING)
        assert saved.status is PENDING
        with pytest.raises(Forbidden):
            await host_decisions.approve_next(tx, ben, event.slug)
        assert (await host_decisions.approve_next(tx, ana, event.slug)).seated == 1
        assert await counts(tx, event) == RsvpCounts(going=1, seats=1)


async def test_confirming_seats_in_order_and_waitlists_the_rest(db):
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event = await event_by(tx, ana, capacity="2")
        strangers = [await users.create_shadow(tx) for _ in range(4)]
        for stranger in strangers:
            await apply_network_answer(tx, event, stranger, RsvpRecordStatus.GOING, uri=f"{ANSWER_URI}-{stranger}")
        assert (await host_decisions.approve_next(tx, ana, event.slug)).seated == 2
        assert (await host_decisions.approve_next(tx, ana, event.slug)).seated == 0
        rows = [await queries.find(tx, event.id, stranger) for stranger in strangers]
    assert [(row.status, row.waitlist_number, row.revision) for row in rows] == [
        (ATTENDING, None, 2),
        (ATTENDING, None, 2),
        (WAITLISTED, 1, 2),
        (WAITLISTED, 2, 2),
    ]


async def test_a_repeated_message_changes_no_seat(db):
    """The same answer again leaves the row unchanged, even if the limit has changed meanwhile (invariant 10)."""
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event = await event_by(tx, ana)
        shadow = await users.create_shadow(tx)
        first = await apply_network_answer(tx, event, shadow, RsvpRecordStatus.GOING)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
        again = await apply_network_answer(tx, event, shadow, RsvpRecordStatus.GOING)
    assert (again.id, again.status, again.revision) == (first.id, ATTENDING, first.revision)


async def test_withdrawing_one_record_leaves_other_answers(db):
    """Deleting one record affects only the answer that it contains (invariant 9)."""
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event, other = await event_by(tx, ana), await event_by(tx, ana)
        shadow = await users.create_shadow(tx)
        await apply_network_answer(tx, event, shadow, RsvpRecordStatus.GOING)
        await apply_network_answer(tx, other, shadow, RsvpRecordStatus.GOING, uri=ANSWER_URI + "2")
        await rsvp_records.apply_deletion_from_network(tx, record_uri=ANSWER_URI)
        await rsvp_records.apply_deletion_from_network(tx, record_uri=ANSWER_URI)
        assert await counts(tx, event) == RsvpCounts()
        assert await counts(tx, other) == RsvpCounts(going=1, seats=1)


async def test_withdrawing_an_unknown_record_does_nothing(db):
    async with db.transaction() as tx:
        assert await rsvp_records.apply_deletion_from_network(tx, record_uri=ANSWER_URI) is None


async def test_a_seat_freed_from_the_network_goes_to_the_waitlist(db):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, 3)
        event = await event_by(tx, ana, capacity="1")
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.GOING)
        await actions.answer(tx, cleo, event.slug, GOING)
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.NOT_GOING)
        assert (await queries.find(tx, event.id, cleo.user_id)).has_offer(tx.now)


async def test_an_unclear_status_is_kept_but_not_counted(db):
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event = await event_by(tx, ana)
        await apply_network_answer(tx, event, await users.create_shadow(tx), RsvpRecordStatus.UNCLEAR)
        found = await counts(tx, event)
    assert (found.going, found.interested, found.pending_people) == (0, 0, 0)
