"""Offers, parties, ways to attend and deadlines; on both engines."""

import asyncio
import contextlib
import random

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, SECOND
from groundwork.errors import InvalidForm, NotFound, Refused
from openmeet.domain.attendance import actions, event_hosting, host_decisions, queries, registration, seats, waitlist
from openmeet.domain.attendance.answer_bar_inputs import bar_inputs_of
from openmeet.domain.attendance.model import AttendanceMode, AttendanceStatus, ReplyDetails, RsvpCounts, RsvpReply
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration, RegistrationQuestion, RegistrationSettings
from openmeet.domain.attendance.tasks import end_expired_offers
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.safety import actions as safety
from openmeet.domain.users import erasure_requests
from openmeet.emails.rsvp_confirmation import answer_sentence
from openmeet.web.attendance.forms import fields_of
from tests.openmeet.site_under_test import details, event_by, person

GOING, DECLINED = RsvpReply.GOING, RsvpReply.DECLINED
S = AttendanceStatus


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def people(tx, count):
    return [await person(tx, f"Person {number}") for number in range(count)]


async def reply_as(tx, who, event, reply=GOING, **reply_details: object):
    return await actions.answer(tx, who, event.slug, reply, ReplyDetails(**reply_details))


async def place_of(reader, event, who):
    """The status of an answer, or ``offered``."""
    found = await queries.find(reader, event.id, who.user_id)
    return "offered" if found.offered_until else found.status.value


async def counts(reader, event):
    return (await queries.counts(reader, [event.id]))[event.id]


async def test_an_unaccepted_offer_goes_to_the_next_person(db, clock):
    """An offer expires after a day, and the next person gets one. The person who missed the offer reads that it has
    expired, and can still come later.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
    clock.turn(DAY - 1)
    assert await end_expired_offers(db) == 0
    clock.turn(1)
    assert await asyncio.gather(end_expired_offers(db), end_expired_offers(db)) in ([1, 0], [0, 1])
    async with db.transaction() as tx:
        assert [await place_of(tx, event, who) for who in (cleo, dora)] == ["invited", "offered"]
        assert (await reply_as(tx, dora, event)).status is S.ATTENDING
        assert (await reply_as(tx, cleo, event)).status is S.WAITLISTED
        assert event_kinds.SEAT_OFFERED in [one.kind for one in await newest(tx, dora.user_id, 9)]


async def test_an_answer_notices_an_expired_offer(db, clock):
    """An offer expires even if no scheduler runs: the next answer passes the place to the next person in line instead
    of the person who answered.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
    clock.turn(DAY)
    async with db.transaction() as tx:
        assert (await reply_as(tx, eve, event)).status is S.WAITLISTED
        assert (await reply_as(tx, cleo, event)).status is S.WAITLISTED
        assert await place_of(tx, event, dora) == "offered"


async def test_the_hidden_holder_of_an_offer_is_not_taken_off_those_who_wait(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora, eve):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
        assert await place_of(tx, event, cleo) == "offered"
        await erasure_requests.put(tx, cleo.user_id, due_at=tx.now)
        assert await counts(tx, event) == RsvpCounts(waitlisted=2, waiting=2, seats=1, offered=1)


async def test_an_expired_offer_cannot_be_accepted(db, clock):
    """When an offer has expired, its holder has no right to the place, even if they are the first to answer afterwards."""
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
    clock.turn(DAY)
    async with db.transaction() as tx:
        assert (await reply_as(tx, cleo, event)).status is S.WAITLISTED
        assert await place_of(tx, event, dora) == "offered"
        assert await counts(tx, event) == RsvpCounts(waitlisted=2, waiting=1, seats=1, offered=1)


async def test_an_offer_is_for_its_original_party_size(db):
    """People who accept an offer for a larger party than it was made for are refused, and can still accept the offer
    with the original size.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="2")
        await registration.put(tx, event.id, RegistrationSettings(max_party=2))
        for who in (ben, dora, cleo):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
        assert await place_of(tx, event, cleo) == "offered"
        with pytest.raises(Refused) as refused:
            await reply_as(tx, cleo, event, party=2)
        assert refused.value.name == "NotEnoughPlaces"
        assert await counts(tx, event) == RsvpCounts(going=1, waitlisted=1, seats=2, offered=1)
        assert (await reply_as(tx, cleo, event)).status is S.ATTENDING
        assert await counts(tx, event) == RsvpCounts(going=2, seats=2)


async def test_an_offer_survives_a_cancellation(db, clock):
    """An offer at a cancelled event cannot be accepted. The place stays reserved for the same person until the event is
    restored.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        for who in (ben, cleo, dora):
            await reply_as(tx, who, event)
        await reply_as(tx, ben, event, DECLINED)
        await event_hosting.cancel(tx, ana, event.slug, "")
    clock.turn(DAY)
    await end_expired_offers(db)
    async with db.transaction() as tx:
        assert [await place_of(tx, event, who) for who in (cleo, dora)] == ["waitlisted", "waitlisted"]
        await event_hosting.reinstate(tx, ana, event.slug)
        assert [await place_of(tx, event, who) for who in (cleo, dora)] == ["offered", "waitlisted"]


async def test_an_offered_seat_is_not_free(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="1")
        await reply_as(tx, ben, event)
        await reply_as(tx, cleo, event)
        await reply_as(tx, ben, event, DECLINED)
        assert (await reply_as(tx, dora, event)).status is S.WAITLISTED
        assert await counts(tx, event) == RsvpCounts(waitlisted=2, waiting=1, seats=1, offered=1)
        assert await waitlist.people_ahead(tx, await queries.find(tx, event.id, dora.user_id)) == 0


async def test_offers_are_shorter_close_to_the_start(db, clock):
    async with db.transaction() as tx:
        (ana,) = await people(tx, 1)
        event = await event_by(tx, ana)
    lives = {10 * DAY: DAY, 2 * DAY: DAY, DAY: DAY // 2, HOUR: 30 * MINUTE, MINUTE: 30 * MINUTE, -HOUR: 30 * MINUTE}
    for left, life in lives.items():
        now = type(event.starts_at)(event.starts_at - left)
        assert seats.offer_expires_at(event, now) - now == life, left
        # People read the time without seconds, so it ends on a minute.
        assert seats.offer_expires_at(event, type(now)(now + SECOND)) - now == life + MINUTE, left
    last = type(event.starts_at)(event.over_at - MINUTE)
    assert seats.offer_expires_at(event, last) == event.over_at


async def test_a_party_stays_together_and_keeps_its_position(db, clock):
    """A party gets all of its places or none, and keeps its position."""
    async with db.transaction() as tx:
        ana, ben, cleo, couple, dora = await people(tx, 5)
        event = await event_by(tx, ana, capacity="2")
        await registration.put(tx, event.id, RegistrationSettings(max_party=3))
        for who in (ben, cleo):
            await reply_as(tx, who, event)
        await reply_as(tx, couple, event, party=2)
        await reply_as(tx, dora, event)
        await reply_as(tx, ben, event, DECLINED)
        assert [await place_of(tx, event, who) for who in (couple, dora)] == ["waitlisted", "waitlisted"]
        await reply_as(tx, cleo, event, DECLINED)
        assert [await place_of(tx, event, who) for who in (couple, dora)] == ["offered", "waitlisted"]
        assert await counts(tx, event) == RsvpCounts(waitlisted=3, waiting=1, seats=2, offered=2)
        with pytest.raises(InvalidForm):
            await reply_as(tx, couple, event, party=4)
        assert (await reply_as(tx, couple, event, party=2)).status is S.ATTENDING
        with pytest.raises(Refused) as more:
            await reply_as(tx, couple, event, party=3)
        assert (more.value.name, (await counts(tx, event)).going) == ("NotEnoughPlaces", 2)
        # Fewer people come than were announced, so a place becomes free.
        await reply_as(tx, couple, event, party=1)
        assert await place_of(tx, event, dora) == "offered"


async def test_a_party_larger_than_the_limit_is_refused_at_the_field(db):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, 3)
        event = await event_by(tx, ana, capacity="3", mode="hybrid", online_url="https://meet.example/x")
        await registration.put(tx, event.id, RegistrationSettings(max_party=4, limit_online=2))
        for mode, party, why in (
            (AttendanceMode.IN_PERSON, 4, AttendanceReason.FEWER_PLACES_IN_PERSON(places=3)),
            (AttendanceMode.ONLINE, 3, AttendanceReason.FEWER_PLACES_ONLINE(places=2)),
        ):
            with pytest.raises(InvalidForm) as refused:
                await reply_as(tx, ben, event, party=party, mode=mode)
            assert list(refused.value.problems) == ["party"]
            assert refused.value.problems["party"] == why
        assert (await reply_as(tx, ben, event, RsvpReply.INTERESTED, party=4)).status is S.INTERESTED
        assert (await reply_as(tx, ben, event, party=3)).status is S.ATTENDING
        assert (await reply_as(tx, cleo, event, party=3)).status is S.WAITLISTED, "the limit may allow them later"


async def test_a_waiting_party_above_the_limit_blocks_nobody(db):
    """A waiting party larger than the lowered limit is skipped and notified. It keeps its position and is considered
    again when the limit is raised.
    """
    async with db.transaction() as tx:
        ana, ben, four, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, capacity="4")
        registration_settings = await registration.put(tx, event.id, RegistrationSettings(max_party=4))
        await reply_as(tx, ben, event, party=2)
        await reply_as(tx, four, event, party=4)
        assert await waitlist.is_full_now(tx, EventRegistration(event, registration_settings)), (
            "nobody overtakes a party that may fit later"
        )
        revised = await event_hosting.revise(tx, ana, event.slug, details(capacity="3"))
        lowered = EventRegistration(revised, registration_settings)
        assert not await waitlist.is_full_now(tx, lowered)
        assert (await reply_as(tx, dora, event)).status is S.ATTENDING
        assert (await reply_as(tx, eve, event)).status is S.WAITLISTED
        mine = await queries.find(tx, event.id, four.user_id)
        assert "Answer again with fewer people" in answer_sentence(lowered, mine, 0, tx.now)
        assert [number for number, _ in fields_of(lowered, mine).party_options] == ["1", "2", "3"]
        with pytest.raises(InvalidForm):
            await reply_as(tx, four, event)
        await reply_as(tx, dora, event, DECLINED)
        assert [await place_of(tx, event, who) for who in (four, eve)] == ["waitlisted", "offered"]
        await reply_as(tx, eve, event, DECLINED)
        await reply_as(tx, ben, event, DECLINED)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="4"))
        assert await place_of(tx, event, four) == "offered"


async def test_each_way_to_attend_has_its_limit(db):
    """When all places in person are taken, people can still attend online. Switching takes a free place of the other
    kind, or the end of its waitlist.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/x")
        await registration.put(tx, event.id, RegistrationSettings(limit_in_person=1, limit_online=2))
        room, screen = AttendanceMode.IN_PERSON, AttendanceMode.ONLINE
        assert (await reply_as(tx, ben, event)).mode is room
        assert (await reply_as(tx, cleo, event, mode=room)).status is S.WAITLISTED
        assert (await reply_as(tx, dora, event, mode=screen)).status is S.ATTENDING
        assert (await counts(tx, event)).online == 1
        # A person who waits for a place in person can attend online meanwhile, which removes them from the waitlist in
        # person.
        assert (await reply_as(tx, cleo, event, mode=screen)).status in {S.ATTENDING, S.WAITLISTED}
        assert await place_of(tx, event, cleo) in {"attending", "offered"}
        with pytest.raises(Refused):
            await reply_as(tx, dora, event, mode=room)
        assert (await reply_as(tx, eve, event, mode=room)).status is S.WAITLISTED
        await reply_as(tx, ben, event, DECLINED)
        assert await place_of(tx, event, eve) == "offered"


async def test_lists_and_event_page_agree_about_full_events(db):
    """Lists and the event page agree for limits per way to attend, a large party at the head of the waitlist, and
    events without a limit.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        mode = {"mode": "hybrid", "online_url": "https://meet.example/x"}
        room, screen = AttendanceMode.IN_PERSON, AttendanceMode.ONLINE
        events, settings = [], {}
        for title, limits in (
            ("Both full", RegistrationSettings(limit_in_person=1, limit_online=1)),
            ("Screen free", RegistrationSettings(limit_in_person=1, limit_online=3)),
            ("No limit", RegistrationSettings()),
        ):
            event = await event_by(tx, ana, title=title, **mode)
            settings[event.id] = await registration.put(tx, event.id, limits)
            await reply_as(tx, ben, event, mode=room)
            await reply_as(tx, cleo, event, mode=screen)
            await reply_as(tx, dora, event, mode=room)
            events.append(event)
        queue = await event_by(tx, ana, title="A couple waits", capacity="2")
        settings[queue.id] = await registration.put(tx, queue.id, RegistrationSettings(max_party=2))
        await reply_as(tx, ben, queue)
        await reply_as(tx, cleo, queue, party=2)
        events.append(queue)
        full = await waitlist.full_event_ids(tx, [EventRegistration(one, settings[one.id]) for one in events])
        assert [event.title for event in events if event.id in full] == ["Both full", "A couple waits"]
        for event in events:
            bar_inputs = await bar_inputs_of(tx, [event], None, own_rsvps={}, counts={}, hosted=())
            is_full = await waitlist.is_full_now(tx, EventRegistration(event, settings[event.id]))
            assert bar_inputs[event.id].is_full == is_full, event.title


async def test_questions_deadline_and_approval(db, clock):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, 3)
        event = await event_by(tx, ana)
        asked = (
            RegistrationQuestion("q1", "Diet?", ("none", "vegan"), is_required=True),
            RegistrationQuestion("q2", "Anything else?"),
        )
        wanted = RegistrationSettings(
            needs_approval=True, closes_hours_before=24, max_party=2, asks_names=True, questions=asked
        )
        await registration.put(tx, event.id, wanted)
        with pytest.raises(InvalidForm) as missing:
            await reply_as(tx, ben, event, party=2)
        assert set(missing.value.problems) == {"q1", "guest_names"}
        with pytest.raises(InvalidForm):
            await reply_as(tx, ben, event, form_responses={"q1": "meat"})
        saved = await reply_as(tx, ben, event, party=2, companion_names=("Tom",), form_responses={"q1": "vegan"})
        assert (saved.status, saved.form_responses, saved.companion_names) == (S.PENDING, {"q1": "vegan"}, ("Tom",))
        approved = await host_decisions.approve(tx, ana, event.slug, [saved.id])
        assert (approved.seated, approved.waiting) == (1, 0)
        assert await place_of(tx, event, ben) == "attending"
        # A person approved once does not need approval again.
        await reply_as(tx, ben, event, DECLINED)
        assert (await reply_as(tx, ben, event)).status is S.ATTENDING
    clock.turn(event.starts_at - clock.now() - DAY)
    async with db.transaction() as tx:
        with pytest.raises(Refused) as late:
            await reply_as(tx, cleo, event, form_responses={"q1": "none"})
        assert late.value.name == "AnswersClosed"
        assert (await reply_as(tx, ben, event, DECLINED)).status is S.DECLINED


async def act_as_host(tx, chance, host, event, typed):
    """Change the event or its settings, cancel or reinstate it, or approve everyone."""
    what = chance.choice(("capacity", "mode", "settings", "settings", "cancel", "reinstate", "approve"))
    match what:
        case "capacity" | "mode":
            typed[what] = chance.choice(
                ("", "1", "4", "6") if what == "capacity" else ("hybrid", "hybrid", "in_person")
            )
            await event_hosting.revise(tx, host, event.slug, details(**typed))
        case "settings":
            limits = {name: chance.choice((None, 1, 4)) for name in ("limit_in_person", "limit_online")}
            needs_approval = chance.random() < 0.3
            new_settings = RegistrationSettings(**limits, max_party=3, needs_approval=needs_approval)
            await event_hosting.change_registration_settings(tx, host, event.slug, new_settings)
        case "cancel":
            await event_hosting.cancel(tx, host, event.slug, "Rain")
        case "reinstate":
            await event_hosting.reinstate(tx, host, event.slug)
        case "approve":
            await host_decisions.approve_next(tx, host, event.slug)


async def act_as_attendee(tx, chance, host, event, who):
    """Give a reply, or lose the place to a decision of the host or a block."""
    act = chance.random()
    mine = await queries.find(tx, event.id, who.user_id)
    if act < 0.85:
        reply = chance.choice((GOING, GOING, GOING, DECLINED, RsvpReply.INTERESTED))
        await reply_as(tx, who, event, reply, party=chance.randint(1, 3), mode=chance.choice(list(AttendanceMode)))
    elif act < 0.93 and mine is not None:
        if mine.status is S.REJECTED:
            await host_decisions.restore(tx, host, event.slug, mine.id)
        else:
            await host_decisions.reject(tx, host, event.slug, [mine.id])
    elif act < 0.97:
        await safety.block(tx, host, who.user_id)
    else:
        await safety.unblock(tx, host, who.user_id)


@pytest.mark.parametrize("seed", range(6))
async def test_places_are_exact_after_any_sequence_of_actions(make_sqlite, clock, seed):
    """Nobody gets a place beyond a limit, and the first party of each waitlist never waits while enough places for it
    are free. Only a host who lowers a limit can make an event overfull, and nobody joins until there is room again.
    """
    chance = random.Random(seed)
    db = await make_sqlite("openmeet")
    typed = {"capacity": "6", "mode": "hybrid", "online_url": "https://meet.example/x"}
    async with db.transaction() as tx:
        ana, *crowd = await people(tx, 9)
        event = await event_by(tx, ana, **typed)
        await registration.put(tx, event.id, RegistrationSettings(limit_in_person=4, limit_online=4, max_party=3))
    held = seats.SeatsHeld({})
    for step in range(80):
        with contextlib.suppress(InvalidForm, NotFound, Refused):
            async with db.transaction() as tx:
                if chance.random() < 0.15:
                    await act_as_host(tx, chance, ana, event, typed)
                else:
                    await act_as_attendee(tx, chance, ana, event, chance.choice(crowd))
        if chance.random() < 0.1:
            clock.turn(DAY)
            if chance.random() < 0.5:
                await end_expired_offers(db)
        before = held
        async with db.reader() as reader:
            now = await event_by_id(reader, event.id)
            held = await queries.seats_by_mode(reader, event.id)
            waits = await waitlist.first_waitlisted(reader, event.id, 99)
            limits = seats.limits_of(await registration.registration_of(reader, now))
            has_expired = await waitlist.events_with_expired_offers(reader)
        where = f"seed {seed} step {step}"
        assert held.total <= max(limits.total or held.total, before.total), where
        assert all(held.of(mode) <= max(limit, before.of(mode)) for mode, limit in limits.of_mode.items()), where
        waits = [one for one in waits if not seats.is_too_large(limits, one)]
        if waits and not (now.is_cancelled or now.is_over(clock.now()) or has_expired):
            assert not seats.fits(limits, held, waits[0].party, waits[0].mode), where


async def test_a_raised_limit_offers_the_free_places(db):
    async with db.transaction() as tx:
        ana, ben, cleo = await people(tx, 3)
        event = await event_by(tx, ana, capacity="1")
        await reply_as(tx, ben, event)
        await reply_as(tx, cleo, event)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
        assert await place_of(tx, event, cleo) == "offered"


async def test_a_lowered_limit_withdraws_offers_but_no_seats(db):
    """Lowering the limit keeps every confirmed place. People with an offer go back to the head of the waitlist and can
    no longer accept it.
    """
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, capacity="2")
        for who in (ben, cleo, dora, eve):
            await reply_as(tx, who, event)
        await reply_as(tx, cleo, event, DECLINED)
        assert await place_of(tx, event, dora) == "offered"
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
        assert await counts(tx, event) == RsvpCounts(going=1, waitlisted=2, waiting=2, seats=1)
        assert (await reply_as(tx, dora, event)).status is S.WAITLISTED
        found = [one.kind for one in await newest(tx, dora.user_id, 9)]
        assert sorted(one.name for one in found) == ["event_changed", "seat_offered", "seat_withdrawn"]
        assert event_kinds.SEAT_WITHDRAWN not in [one.kind for one in await newest(tx, eve.user_id, 9)]
        await reply_as(tx, ben, event, DECLINED)
        assert [await place_of(tx, event, who) for who in (dora, eve)] == ["offered", "waitlisted"]


async def test_a_place_that_is_left_after_a_lowered_limit_is_offered(db):
    """The party that had the offer is now too large, and the next person comes alone."""
    async with db.transaction() as tx:
        ana, ben, cleo, dora = await people(tx, 4)
        event = await event_by(tx, ana, capacity="2")
        await registration.put(tx, event.id, RegistrationSettings(max_party=2))
        await reply_as(tx, ben, event, party=2)
        await reply_as(tx, cleo, event, party=2)
        await reply_as(tx, dora, event)
        await reply_as(tx, ben, event, DECLINED)
        await event_hosting.revise(tx, ana, event.slug, details(capacity="1"))
        assert [await place_of(tx, event, who) for who in (cleo, dora)] == ["waitlisted", "offered"]


async def test_people_online_move_up_while_the_room_is_overfull(db):
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve = await people(tx, 5)
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/x")
        await registration.put(tx, event.id, RegistrationSettings(limit_in_person=2, limit_online=1))
        for who, mode in ((ben, "in_person"), (cleo, "in_person"), (dora, "online"), (eve, "online")):
            await reply_as(tx, who, event, mode=AttendanceMode(mode))
        lowered = RegistrationSettings(limit_in_person=1, limit_online=1)
        await event_hosting.change_registration_settings(tx, ana, event.slug, lowered)
        await reply_as(tx, dora, event, DECLINED)
        assert await place_of(tx, event, eve) == "offered"


async def test_a_lowered_online_limit_withdraws_no_offer_in_person(db):
    """An offer in person is kept even if it is later than the offer online."""
    async with db.transaction() as tx:
        ana, ben, cleo, dora, eve, finn = await people(tx, 6)
        event = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/x")
        await registration.put(tx, event.id, RegistrationSettings(limit_in_person=1, limit_online=2))
        room, screen = AttendanceMode.IN_PERSON, AttendanceMode.ONLINE
        for who, mode in ((finn, screen), (ben, screen), (cleo, room), (dora, screen), (eve, room)):
            await reply_as(tx, who, event, mode=mode)
        for who in (ben, cleo):
            await reply_as(tx, who, event, DECLINED)
        assert [await place_of(tx, event, who) for who in (dora, eve)] == ["offered", "offered"]
        lowered = RegistrationSettings(limit_in_person=1, limit_online=1)
        await registration.put(tx, event.id, lowered)
        await waitlist.fill_seats(tx, EventRegistration(event, lowered))
        assert [await place_of(tx, event, who) for who in (dora, eve)] == ["waitlisted", "offered"]
