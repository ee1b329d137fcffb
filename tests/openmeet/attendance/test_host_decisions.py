"""How hosts manage RSVPs; on both engines."""

import csv
import io
from dataclasses import replace

import pytest

from groundwork.clock import HOUR
from groundwork.errors import Forbidden, InvalidForm, NotFound, PreconditionFailed, Refused
from openmeet.domain.attendance import (
    actions,
    attendee_list,
    event_hosting,
    history,
    host_decisions,
    host_list,
    invitations,
    queries,
    registration,
    rsvp_details,
    rsvp_list,
    rsvp_list_texts,
)
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import (
    MAX_PARTY,
    AttendanceStatus,
    ChangeChannel,
    ReplyDetails,
    RsvpCounts,
    RsvpReply,
)
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import (
    EventRegistration,
    RegistrationQuestion,
    RegistrationSettings,
    RegistrationSubmission,
    SubmittedQuestion,
    check_settings,
)
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.users import actions as users
from openmeet.domain.users import guests
from openmeet.domain.users.model import UserKind, unnamed
from openmeet.domain.users.queries import by_id
from openmeet.web.attendance import attendees_csv
from tests.openmeet.site_under_test import details, event_by, person

GOING = RsvpReply.GOING
S = AttendanceStatus


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


@pytest.fixture
async def full_event(db):
    """Ana's event with one place: Ben has it, Cleo is on the waitlist."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        await actions.answer(tx, ben, event.slug, GOING)
        await actions.answer(tx, cleo, event.slug, GOING)
    return ana, ben, cleo, event


async def table_of(db, event):
    """The rows of the CSV file."""
    text = "".join([part async for part in attendees_csv.csv_parts(db, event)])
    return list(csv.reader(io.StringIO(text)))


async def of(reader, event, who):
    return await queries.find(reader, event.id, who.user_id)


async def kinds_received(reader, who):
    return [one.kind for one in await newest(reader, who.user_id, 50)]


async def test_a_removed_person_is_told_and_stays_out(db, full_event):
    ana, ben, cleo, event = full_event
    async with db.transaction() as tx:
        mine = await of(tx, event, ben)
        assert await host_decisions.reject(tx, ana, event.slug, [mine.id]) == host_decisions.DecisionCounts(rejected=1)
        assert event_kinds.ANSWER_REJECTED in await kinds_received(tx, ben)
        assert (await of(tx, event, cleo)).has_offer(tx.now)
        with pytest.raises(Refused):
            await actions.answer(tx, ben, event.slug, GOING)


async def test_a_host_gives_a_place_from_the_waitlist_to_whom_they_choose(db, full_event):
    """A place that is free or held for the person is theirs at once. Otherwise they are first, and get the next one."""
    ana, _, cleo, event = full_event
    async with db.transaction() as tx:
        dora = await person(tx, "Dora")
        await actions.answer(tx, dora, event.slug, GOING)
        ids = [(await of(tx, event, dora)).id]
        counts = await host_decisions.give_places(tx, ana, event.slug, ids)
        assert counts == host_decisions.DecisionCounts(waiting=1), "invariant 4: no more places than the limit"
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
        assert (await of(tx, event, dora)).has_offer(tx.now)
        assert not (await of(tx, event, cleo)).has_offer(tx.now)
        assert await host_decisions.give_places(tx, ana, event.slug, ids) == host_decisions.DecisionCounts(seated=1)
        assert (await of(tx, event, dora)).status is S.ATTENDING
        assert event_kinds.MOVED_UP in await kinds_received(tx, dora)
        # Nothing is left to do, and people who are not on the waitlist stay as they are.
        assert await host_decisions.give_places(tx, ana, event.slug, ids) == host_decisions.DecisionCounts()
        last = (await history.of_rsvp(tx, ids[0], ALL_ROWS))[-1]
        assert (last.after, last.through, last.actor_id) == (S.ATTENDING, ChangeChannel.HOST, ana.user_id)


async def test_undo_restores_the_seat_or_the_head_of_the_waitlist(db, full_event):
    ana, ben, cleo, event = full_event
    async with db.transaction() as tx:
        seat, wait = await of(tx, event, ben), await of(tx, event, cleo)
        await host_decisions.reject(tx, ana, event.slug, [wait.id])
        await host_decisions.restore(tx, ana, event.slug, wait.id)
        assert (await of(tx, event, cleo)).status is S.WAITLISTED
        await host_decisions.reject(tx, ana, event.slug, [seat.id])
        # Cleo has been offered the place meanwhile. She keeps the offer, and Ben is next.
        back = await host_decisions.restore(tx, ana, event.slug, seat.id)
        assert (back.status, (await of(tx, event, cleo)).has_offer(tx.now)) == (S.WAITLISTED, True)
        await actions.answer(tx, cleo, event.slug, RsvpReply.DECLINED)
        assert (await of(tx, event, ben)).has_offer(tx.now)


async def test_an_immediate_undo_leaves_no_trace(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, capacity="1")
        mine = await actions.answer(tx, ben, event.slug, GOING)
        await host_decisions.reject(tx, ana, event.slug, [mine.id])
        assert (await host_decisions.restore(tx, ana, event.slug, mine.id)).status is S.ATTENDING
        lines = await history.of_rsvp(tx, mine.id, ALL_ROWS)
    assert [(one.before, one.after, one.through) for one in lines] == [
        (None, S.ATTENDING, ChangeChannel.PAGE),
        (S.ATTENDING, S.REJECTED, ChangeChannel.HOST),
        (S.REJECTED, S.ATTENDING, ChangeChannel.HOST),
    ]
    assert {one.actor_id for one in lines} == {ana.user_id, ben.user_id}


async def test_adding_by_name_needs_a_place(db, full_event):
    ana, _, _, event = full_event
    async with db.transaction() as tx:
        with pytest.raises(Refused) as full_up:
            await host_decisions.add(tx, ana, event.slug, "Grandma")
        assert full_up.value.name == "EventFull"


async def test_a_host_can_add_more_people_than_a_guest_can_bring_but_no_coach_party(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        assert (await host_decisions.add(tx, ana, event.slug, "Choir", party=MAX_PARTY)).party == MAX_PARTY
        for party in (0, MAX_PARTY + 1):
            with pytest.raises(InvalidForm) as refused:
                await host_decisions.add(tx, ana, event.slug, "Coach", party=party)
            assert refused.value.problems == {"party": AttendanceReason.PARTY_OUT_OF_RANGE(most=MAX_PARTY)}


async def test_added_people_are_visible_to_hosts_only(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await host_decisions.add(tx, ana, event.slug, "Grandma", party=2)
        with pytest.raises(InvalidForm):
            await host_decisions.add(tx, ana, event.slug, " ")
        assert await attendee_list.attendees(tx, event.id, list(S), limit=9) == []
        (one,) = await host_list.entries(tx, event.id, HostListFilter(list(S), "GRAND"), None, 9)
        assert (one.display_name, one.party, one.is_guest) == ("Grandma", 2, True)
        assert (await queries.counts(tx, [event.id]))[event.id] == RsvpCounts(going=2, seats=2)


async def test_an_invitation_reveals_nothing_about_the_address(db):
    """Hosts see the address that they typed, whether it has an account or not, until the person answers."""
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, visibility="private")
        for address in ("Ben@example.org", "stranger@example.org", "ben@example.org"):
            await invitations.invite(tx, ana, event.slug, address)
        rows = await host_list.entries(tx, event.id, HostListFilter(list(S)), None, 9)
        names = dict.fromkeys([one.user_id for one in rows], unnamed())
        shown = [rsvp_list_texts.text_of(one, names) for one in rows]
        assert [(one.name, one.status) for one in shown] == [
            ("ben@example.org", S.INVITED),
            ("stranger@example.org", S.INVITED),
        ]
        known, unknown = (replace(one, attendance_id="", user_id="", name="") for one in shown)
        assert known == unknown
        assert event_kinds.INVITED in await kinds_received(tx, ben)
        # People whom the host invited need no approval.
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        assert (await actions.answer(tx, ben, event.slug, GOING)).status is S.ATTENDING


async def test_walk_ins_are_visible_to_hosts_only(db, clock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await person(tx, "Ben")
        event = await event_by(tx, ana)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
        clock.turn(event.starts_at - clock.now())
    async with db.transaction() as tx:
        (one,) = await host_list.entries(tx, event.id, HostListFilter(list(S)), None, 9)
        saved = await host_decisions.check_in(tx, ana, event.slug, one.attendance_id)
        assert (saved.status, saved.is_private) == (S.ATTENDED, True)
        assert await attendee_list.attendees(tx, event.id, list(S), limit=9) == []
        assert (await queries.counts(tx, [event.id]))[event.id].going == 1


async def test_a_guest_who_signs_up_is_the_same_person(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        invited = await invitations.invite(tx, ana, event.slug, "eve@example.org")
        user_id = await users.create_person(tx, display_name="Eve", email="eve@example.org")
        assert user_id == invited.user_id
        assert await guests.find(tx, user_id) is None
        user = await by_id(tx, user_id)
    assert (user.kind, user.display_name, user.email) == (UserKind.PERSON, "Eve", "eve@example.org")


async def test_check_in_counts_and_can_be_undone(db, full_event, clock):
    ana, ben, cleo, event = full_event
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        seat, wait = await of(tx, event, ben), await of(tx, event, cleo)
        assert (await host_decisions.check_in(tx, ana, event.slug, seat.id)).status is S.ATTENDED
        again = await host_decisions.check_in(tx, ana, event.slug, seat.id)
        assert again.revision == (await of(tx, event, ben)).revision
        with pytest.raises(Refused):
            await host_decisions.check_in(tx, ana, event.slug, wait.id)
        with pytest.raises(Refused):
            await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        assert (await host_decisions.undo_check_in(tx, ana, event.slug, seat.id)).status is S.ATTENDING
        with pytest.raises(NotFound):
            await host_decisions.check_in(tx, ana, event.slug, "nobody")


async def test_a_checked_in_person_gets_no_more_places_than_are_free(db, clock):
    """There are never more confirmed attendees than places (invariant 4)."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="3")
        await registration.put(tx, event.id, RegistrationSettings(max_party=3))
        await actions.answer(tx, ben, event.slug, GOING)
        await actions.answer(tx, cleo, event.slug, GOING)
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        await host_decisions.check_in(tx, ana, event.slug, (await of(tx, event, ben)).id)
        with pytest.raises(Refused) as refused:
            await actions.answer(tx, ben, event.slug, GOING, ReplyDetails(party=3))
        assert refused.value.name == "NotEnoughPlaces"
        saved = await actions.answer(tx, ben, event.slug, GOING, ReplyDetails(party=2))
        assert (saved.status, saved.party) == (S.ATTENDED, 2)


async def test_undoing_a_check_in_does_not_restore_an_expired_offer(db, full_event, clock):
    """Cleo's offer expired before she was checked in. After the check-in is undone, she is invited again but not on the
    waitlist.
    """
    ana, ben, cleo, event = full_event
    clock.turn(event.starts_at - clock.now() - 2 * HOUR)
    async with db.transaction() as tx:
        await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        offered = await of(tx, event, cleo)
    clock.turn(offered.offered_until - clock.now())
    async with db.transaction() as tx:
        await host_decisions.check_in(tx, ana, event.slug, offered.id)
        arrival = await history.latest_change_to(tx, offered.id, S.ATTENDED)
        undone = await host_decisions.undo_check_in(tx, ana, event.slug, offered.id)
    assert (arrival.before, undone.status, undone.is_private) == (S.INVITED, S.INVITED, False)


async def test_undoing_the_check_in_of_an_invited_person_does_not_hide_their_reply(db, clock):
    """A check-in hides people who never replied. Once it is undone, their own reply is shown like any other. Tom has no
    account, so his invitation was private from the start.
    """
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana)
        ben_id = (await invitations.invite(tx, ana, event.slug, "ben@example.org")).id
        tom_id = (await invitations.invite(tx, ana, event.slug, "tom@example.org")).id
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        for one in (ben_id, tom_id):
            assert (await host_decisions.check_in(tx, ana, event.slug, one)).is_private
            assert (await host_decisions.undo_check_in(tx, ana, event.slug, one)).status is S.INVITED
        assert not (await actions.answer(tx, ben, event.slug, GOING)).is_private
        assert (await queries.by_id(tx, tom_id)).is_private


async def test_only_hosts_can_decide(db, full_event):
    ana, ben, _, event = full_event
    async with db.transaction() as tx:
        mine = await of(tx, event, ben)
        other = await event_by(tx, ana, visibility="private")
    attempts = (
        lambda tx: host_decisions.approve_next(tx, ben, event.slug),
        lambda tx: host_decisions.reject(tx, ben, event.slug, [mine.id]),
        lambda tx: host_decisions.restore(tx, ben, event.slug, mine.id),
        lambda tx: host_decisions.add(tx, ben, event.slug, "Eve"),
        lambda tx: invitations.invite(tx, ben, event.slug, "eve@example.org"),
        lambda tx: host_decisions.check_in(tx, ben, event.slug, mine.id),
        lambda tx: event_hosting.change_registration_settings(tx, ben, event.slug, RegistrationSettings()),
    )
    for attempt in attempts:
        with pytest.raises(Forbidden):
            async with db.transaction() as tx:
                await attempt(tx)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await host_decisions.approve_next(tx, ben, other.slug)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await host_decisions.reject(tx, ana, other.slug, [mine.id])


async def test_a_private_answer_is_counted_but_not_shown(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, GOING, ReplyDetails(is_private=True))
        assert await attendee_list.attendees(tx, event.id, list(S), limit=9) == []
        assert len(await attendee_list.attendees(tx, event.id, list(S), limit=9, for_hosts=True)) == 1
        assert (await queries.counts(tx, [event.id]))[event.id].going == 1
        await actions.answer(tx, ben, event.slug, GOING, ReplyDetails(is_private=False))
        assert len(await attendee_list.attendees(tx, event.id, list(S), limit=9)) == 1


async def test_no_cell_of_the_file_is_a_formula(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await registration.put(
            tx, event.id, RegistrationSettings(max_party=2, questions=(RegistrationQuestion("q1", "=1+1"),))
        )
        evil = type(ana)(await users.create_person(tx, display_name='=HYPERLINK("http://x")'), "")
        reply_details = ReplyDetails(party=2, companion_names=("\uff20SUM(A1)",), form_responses={"q1": "+1;DROP\n-2"})
        await actions.answer(tx, evil, event.slug, GOING, reply_details)
    head, row = await table_of(db, event)
    assert (head[0], head[-1], row[0]) == ("Name", "'=1+1", '\'=HYPERLINK("http://x")')
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff20")) for cell in (*head, *row))


async def test_answers_keep_the_wording_of_their_question(db):
    """If the host changes or removes a question, each answer stays with the original wording of its question."""
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for words, who, text in (("Do you bring children?", ben, "no"), ("Do you bring a dog?", cleo, "yes")):
            await registration.put(tx, event.id, RegistrationSettings(questions=(RegistrationQuestion("q1", words),)))
            await actions.answer(tx, who, event.slug, GOING, ReplyDetails(form_responses={"q1": text}))
    head, *rows = await table_of(db, event)
    assert head[-2:] == ["Do you bring a dog?", "Do you bring children?"]
    assert [row[-2:] for row in rows] == [["", "no"], ["yes", ""]]
    async with db.transaction() as tx:
        # The guest changes their RSVP later without touching the answers.
        await actions.answer(tx, ben, event.slug, GOING, ReplyDetails(is_private=True))
        await registration.put(tx, event.id, RegistrationSettings())
        mine = await of(tx, event, ben)
        found = await rsvp_details.details_for_hosts(tx, EventRegistration(event), [mine.id])
        assert found[mine.id].responses == (rsvp_details.FormResponse("q1", "Do you bring children?", "no"),)
        # Answers from the time when the wording of questions was not stored.
        await tx.execute("update attendances set reply_words = '{}'")
        found = await rsvp_details.details_for_hosts(tx, EventRegistration(event), [mine.id])
        assert found[mine.id].responses == (rsvp_details.FormResponse("q1", "An earlier question", "no"),)
    head, *_ = await table_of(db, event)
    assert head[-1] == "An earlier question"


async def test_list_pages_join_without_gaps(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="3")
        for number in range(7):
            await actions.answer(tx, await person(tx, f"P{number}"), event.slug, GOING)
        found, after = [], None
        while rows := await host_list.entries(tx, event.id, HostListFilter(list(S)), after, 2):
            found += [one.display_name for one in rows]
            after = rsvp_list.parse_cursor(rsvp_list.format_cursor(rows[-1]))
    assert found == [f"P{number}" for number in range(7)]


async def test_concurrent_settings_changes_are_not_overwritten(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await event_hosting.change_registration_settings(
            tx, ana, event.slug, RegistrationSettings(max_party=3), expected_revision=0
        )
        with pytest.raises(PreconditionFailed):
            await event_hosting.change_registration_settings(
                tx, ana, event.slug, RegistrationSettings(), expected_revision=0
            )
        assert (await registration.settings_of(tx, event)).max_party == 3


async def test_limits_per_way_to_attend_need_a_hybrid_event(db):
    """A limit for one way to attend is refused unless the event is hybrid, because it would have no effect. An existing
    limit may stay.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        here = await event_by(tx, ana)
        both = await event_by(tx, ana, mode="hybrid", online_url="https://meet.example/x")
    with pytest.raises(InvalidForm) as wrong:
        check_settings(RegistrationSubmission(limit_online="5"), here)
    assert set(wrong.value.problems) == {"limit_online"}
    assert (
        check_settings(
            RegistrationSubmission(limit_online="5"), here, RegistrationSettings(limit_online=5)
        ).limit_online
        == 5
    )
    assert check_settings(RegistrationSubmission(limit_online="5"), both).limit_online == 5


async def test_every_wrong_setting_is_named(db):
    typed = RegistrationSubmission(
        limit_in_person="0",
        limit_online="many",
        closes_hours_before="-1",
        max_party="21",
        is_members_only="yes",
        list_audience="cats",
        foreign_answers="dogs",
        questions=[
            SubmittedQuestion("q1", choices="a\nb"),
            SubmittedQuestion("q2", "Diet?", "one"),
            SubmittedQuestion("q3", "x" * 201),
        ],
    )
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    with pytest.raises(InvalidForm) as wrong:
        check_settings(typed, event)
    assert set(wrong.value.problems) == {
        "limit_in_person",
        "limit_online",
        "closes_hours_before",
        "max_party",
        "is_members_only",
        "list_audience",
        "foreign_answers",
        "question_1",
        "choices_2",
        "question_3",
    }


async def test_approving_all_takes_several_transactions(db, monkeypatch):
    """A crowd does not fit into one transaction. Everyone is approved once, in order of arrival."""
    monkeypatch.setattr(host_decisions, "DECIDED_AT_ONCE", 2)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="4")
        asks = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, ana, event.slug, asks)
        people = [await person(tx, f"Guest {number}") for number in range(5)]
        for one in people:
            await actions.answer(tx, one, event.slug, GOING)
        rejected = await actions.answer(tx, await person(tx, "Zoe"), event.slug, GOING)
        await host_decisions.reject(tx, ana, event.slug, [rejected.id])
    approve_next, transactions = host_decisions.approve_next, set()

    async def noting(tx, caller, slug):
        transactions.add(tx)
        return await approve_next(tx, caller, slug)

    monkeypatch.setattr(host_decisions, "approve_next", noting)
    approved = await host_decisions.approve_all(db, ana, event.slug)
    assert (approved.seated, approved.waiting) == (4, 1)
    assert len(transactions) == 3
    async with db.reader() as reader:
        statuses = [(await queries.find(reader, event.id, one.user_id)).status for one in people]
        assert statuses == [*4 * [S.ATTENDING], S.WAITLISTED]
        assert (await queries.by_id(reader, rejected.id)).status is S.REJECTED
