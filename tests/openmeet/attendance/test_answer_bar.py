"""The answer bar: one test per row of its table, and no button for an answer that the rules would refuse."""

from dataclasses import replace
from itertools import product

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import rules
from openmeet.domain.attendance.answer_badges import badge_in_list, badge_of
from openmeet.domain.attendance.answer_bar import (
    ROW_OF_STATE,
    AnswerAction,
    AnswerBarInput,
    AnswerState,
    GoingOutcome,
    answer_bar_of,
)
from openmeet.domain.attendance.answer_texts import AnswerFigures, label_of, sentence_of
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    PendingFor,
    RsvpReply,
    RsvpSource,
)
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.attendance.rules import EventRelationship
from openmeet.domain.attendance.transitions import ACTION_OF_REPLY
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event, EventId, EventSlug, EventStatus, GroupOfEvent, RecordOrigin
from openmeet.domain.events.values import Mode, Visibility
from openmeet.domain.groups.model import GroupId, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.web.components.pages import answer_bars

NOW = Instant(1_783_000_000_000_000)
A = AnswerAction
S = AttendanceStatus


def event(**changed: object) -> Event:
    """An event that starts in three days and takes two hours."""
    starts_at = Instant(NOW + 3 * DAY)
    made = Event(
        id=EventId("e"),
        slug=EventSlug("games"),
        content=Content(title="Games", visibility=Visibility.PUBLIC),
        starts_at=starts_at,
        ends_at=Instant(starts_at + 2 * HOUR),
        starts_local="2026-07-05T18:00",
        starts_text="",
        ends_text="",
        time_zone="Europe/Berlin",
        status=EventStatus.SCHEDULED,
        status_reason="",
        author_id=UserId("ana"),
        origin=RecordOrigin.HERE,
        record_uri=None,
        record_cid=None,
        record_did=None,
        revision=1,
        is_read_only=False,
        is_held=False,
        external_source=None,
        removed_at=None,
        deleted_at=None,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **changed)


def starting(apart: int, **changed: object) -> Event:
    return event(starts_at=Instant(NOW + apart), ends_at=Instant(NOW + apart + 2 * HOUR), **changed)


def mine(status: AttendanceStatus, **changed: object) -> Attendance:
    made = Attendance(
        AttendanceId("a"), EventId("e"), UserId("ben"), status, None, RsvpSource.HERE, 1, None, NOW, Instant(NOW - DAY)
    )
    return replace(made, **changed)


ASKS = RegistrationSettings(needs_approval=True, questions=(RegistrationQuestion("q", "Meal?"),))
CLOSED = RegistrationSettings(closes_hours_before=24 * 5)
ONLINE = Content(title="Games", mode=Mode.ONLINE, online_url="https://meet.example/x")
GROUP = GroupOfEvent(GroupId("g"), GroupVisibility.PUBLIC, PromotionLevel.PUBLIC)
GOING = mine(S.ATTENDING)

# The state, its input, the two buttons and whether the first one shows the state, their labels, and the sentence.
CASES = [
    (
        AnswerState.NOT_PUBLISHED,
        AnswerBarInput(event(is_draft=True, is_held=True), None, NOW),
        (None, None),
        (),
        "People can answer once",
    ),
    (
        AnswerState.CANCELLED,
        AnswerBarInput(event(status=EventStatus.CANCELLED), GOING, NOW, has_next_date=True),
        (A.NEXT_DATE, A.DECLINED),
        ("See next date", "Withdraw my answer"),
        "This event is cancelled. You were going.",
    ),
    (
        AnswerState.OVER,
        AnswerBarInput(starting(-DAY), GOING, NOW, has_next_date=True, sees_photos=True),
        (A.NEXT_DATE, A.PHOTOS),
        ("See next date", "Photos"),
        "This event is over. You were going.",
    ),
    (
        AnswerState.NEEDS_DECISIONS,
        AnswerBarInput(event(), None, NOW, is_hosting=True, pending_people=9, pending_rsvps=8, may_edit=True),
        (A.DECIDE, A.EDIT),
        ("Review 8 requests", "Edit"),
        "9 people are waiting for you.",
    ),
    (
        AnswerState.HOSTING,
        AnswerBarInput(event(content=Content(title="Games", capacity=12)), None, NOW, is_hosting=True),
        (A.INVITE, None),
        ("Invite people",),
        "7 of 12 places taken.",
    ),
    (
        AnswerState.REJECTED,
        AnswerBarInput(event(), mine(S.REJECTED), NOW, may_message=True),
        (A.ASK_HOSTS, None),
        ("Message the host",),
        "declined your answer",
    ),
    (
        AnswerState.NOT_WELCOME,
        AnswerBarInput(event(), mine(S.INTERESTED), NOW, is_welcome=False),
        (None, A.DECLINED),
        ("Withdraw my answer",),
        "You can’t answer this event.",
    ),
    (
        AnswerState.CHECKED_IN,
        AnswerBarInput(starting(-HOUR), mine(S.ATTENDED), NOW),
        (A.TICKET, None),
        ("Show ticket",),
        "You’re checked in.",
    ),
    (
        AnswerState.JOIN_NOW,
        AnswerBarInput(starting(-4 * MINUTE, content=ONLINE), GOING, NOW, may_join=True),
        (A.JOIN, A.CHANGE),
        ("Join online", "Change"),
        "Started 4 minutes ago.",
    ),
    (
        AnswerState.TODAY,
        AnswerBarInput(starting(HOUR), GOING, NOW, has_directions=True),
        (A.TICKET, A.DIRECTIONS),
        ("Show ticket", "Directions"),
        "You’re going. Starts at",
    ),
    (
        AnswerState.MOVED,
        AnswerBarInput(event(), mine(S.ATTENDING, known_starts_at=Instant(NOW + 2 * DAY)), NOW),
        (A.GOING, A.DECLINED),
        ("Still works", "Can’t go"),
        "Moved since you answered: now Sun 5 Jul, ",
    ),
    (
        AnswerState.GOING,
        AnswerBarInput(event(), mine(S.ATTENDING, party=2), NOW),
        (A.GOING, A.CHANGE),
        ("Going", "Change"),
        "You’re going with 1 guest.",
    ),
    (
        AnswerState.PLACE_HELD,
        AnswerBarInput(event(), mine(S.WAITLISTED, offered_until=Instant(NOW + HOUR)), NOW),
        (A.GOING, A.DECLINED),
        ("Take the place", "Give up the place"),
        "A place is held for you until",
    ),
    (
        AnswerState.WAITLISTED,
        AnswerBarInput(event(), mine(S.WAITLISTED, offered_until=Instant(NOW - 1)), NOW, is_full=True),
        (A.GOING, A.DECLINED),
        ("On the waitlist", "Leave"),
        "with 2 people before you",
    ),
    (
        AnswerState.REQUESTED,
        AnswerBarInput(event(), mine(S.PENDING, pending_for=PendingFor.APPROVAL), NOW, ASKS),
        (A.GOING, A.DECLINED),
        ("Request sent", "Withdraw"),
        "You asked to join 1 day ago. Ana hasn’t decided yet.",
    ),
    (
        AnswerState.UNCONFIRMED,
        AnswerBarInput(event(), mine(S.PENDING, pending_for=PendingFor.UNCONFIRMED), NOW),
        (A.GOING, A.DECLINED),
        ("Not confirmed yet", "Withdraw"),
        "You don’t have a place yet",
    ),
    (
        AnswerState.MEMBERS_ONLY,
        AnswerBarInput(event(group=GROUP), None, NOW, RegistrationSettings(is_members_only=True), sees_group=True),
        (A.SEE_GROUP, None),
        ("See the group",),
        "Only members",
    ),
    (
        AnswerState.CLOSED,
        AnswerBarInput(event(), mine(S.INTERESTED), NOW, CLOSED, may_message=True),
        (A.ASK_HOSTS, None),
        ("Message the host",),
        "Answers closed on Tue 30 Jun, 15:46.",
    ),
    (
        AnswerState.MAYBE,
        AnswerBarInput(event(), mine(S.INTERESTED), NOW),
        (A.GOING, A.DECLINED),
        ("I’m going", "Can’t go"),
        "You said maybe.",
    ),
    (
        AnswerState.DECLINED,
        AnswerBarInput(event(), mine(S.DECLINED), NOW, is_full=True),
        (A.GOING, A.INTERESTED),
        ("Join waitlist", "Maybe"),
        "You said you can’t go.",
    ),
    (
        AnswerState.OFFER_EXPIRED,
        AnswerBarInput(event(), mine(S.INVITED), NOW, is_full=True, has_missed_offer=True),
        (A.GOING, A.DECLINED),
        ("Join waitlist", "Can’t go"),
        "The place is no longer held for you.",
    ),
    (
        AnswerState.INVITED,
        AnswerBarInput(event(), mine(S.INVITED), NOW, ASKS),
        (A.GOING, A.DECLINED),
        ("I’m going", "Can’t go"),
        "You’re invited.",
    ),
    (
        AnswerState.APPROVAL,
        AnswerBarInput(event(), None, NOW, ASKS, is_full=True),
        (A.GOING, A.INTERESTED),
        ("Ask to join", "Maybe"),
        "Ana approves every guest and asks 1 question.",
    ),
    (
        AnswerState.FULL,
        AnswerBarInput(event(), None, NOW, is_full=True),
        (A.GOING, A.INTERESTED),
        ("Join waitlist", "Maybe"),
        "Full, 4 on the waitlist.",
    ),
    (AnswerState.OPEN, AnswerBarInput(event(), None, NOW), (A.GOING, A.INTERESTED), ("I’m going", "Maybe"), ""),
]


@pytest.mark.parametrize(("state", "bar_input", "actions", "labels", "said"), CASES, ids=[row[0] for row in CASES])
def test_each_row_of_the_table_gives_its_bar(
    state: AnswerState,
    bar_input: AnswerBarInput,
    actions: tuple[AnswerAction | None, AnswerAction | None],
    labels: tuple[str, ...],
    said: str,
) -> None:
    bar = answer_bar_of(bar_input)
    shown = [one for one in (bar.primary, bar.secondary) if one is not None]
    sentence = sentence_of(bar, bar_input, AnswerFigures("Ana", people_ahead=2, waiting=4, going=6, taken=7))
    assert (bar.state, (bar.primary, bar.secondary)) == (state, actions)
    assert tuple(label_of(bar, one, bar_input.pending_rsvps) for one in shown) == labels
    assert said in sentence
    assert bool(sentence) is bool(said)


def test_hosts_check_guests_in_on_the_day_of_the_event() -> None:
    """While requests are waiting, deciding about them comes first. Nobody is checked in online."""

    def buttons(apart: int, **changed: object) -> tuple[AnswerAction | None, AnswerAction | None]:
        content = changed.pop("content", Content(title="Games"))
        bar_input = AnswerBarInput(starting(apart, content=content), None, NOW, is_hosting=True, may_edit=True)
        bar = answer_bar_of(replace(bar_input, **changed))
        return bar.primary, bar.secondary

    assert buttons(HOUR) == buttons(-HOUR) == (A.CHECK_IN, A.EDIT)
    assert buttons(DAY) == buttons(HOUR, content=ONLINE) == (A.INVITE, A.EDIT)
    assert buttons(HOUR, pending_people=2, pending_rsvps=2) == (A.DECIDE, A.CHECK_IN)


def test_the_badge_counts_requests_and_not_the_people_they_are_for() -> None:
    party = AnswerBarInput(event(), None, NOW, is_hosting=True, pending_people=4, pending_rsvps=1)
    badge = badge_in_list(party, answer_bar_of(party))
    assert badge is not None
    assert str(badge.words) == "1 request"


def test_hosts_of_a_hidden_event_are_not_offered_to_invite() -> None:
    """Nobody else can open it."""
    hidden = AnswerBarInput(event(is_hidden=True), None, NOW, is_hosting=True, may_edit=True)
    bar = answer_bar_of(hidden)
    assert (bar.primary, bar.secondary) == (None, A.EDIT)


def test_hosts_thank_the_attendees_after_the_event_and_do_it_again() -> None:
    """The next date of a series exists already, so it needs no copy."""
    over = AnswerBarInput(starting(-DAY), None, NOW, is_hosting=True, may_edit=True)
    single, series = answer_bar_of(over), answer_bar_of(replace(over, has_next_date=True))
    assert (single.primary, single.secondary) == (A.THANK, A.COPY)
    assert (series.primary, series.secondary) == (A.THANK, None)
    assert answer_bar_of(replace(over, is_hosting=False, has_next_date=True)).primary is A.NEXT_DATE


def test_photos_are_offered_to_those_who_see_them() -> None:
    """The others can withdraw their answer instead, and guests can do so below the bar."""
    over = AnswerBarInput(starting(-DAY), GOING, NOW, sees_photos=True)
    guest, host = answer_bar_of(over), answer_bar_of(replace(over, rsvp=None, is_hosting=True))
    assert (guest.secondary, guest.others) == (A.PHOTOS, (RsvpReply.DECLINED,))
    assert (host.primary, host.secondary) == (A.THANK, A.PHOTOS)
    assert answer_bar_of(replace(over, sees_photos=False)).secondary is A.DECLINED
    there = AnswerBarInput(starting(-HOUR), mine(S.ATTENDED), NOW, sees_photos=True)
    assert (answer_bar_of(there).primary, answer_bar_of(there).secondary) == (A.TICKET, A.PHOTOS)


def test_every_row_of_the_table_is_tested_once() -> None:
    assert [row[0] for row in CASES] == list(ROW_OF_STATE) == list(AnswerState)


def test_the_page_of_components_shows_the_bar_in_each_state() -> None:
    assert [bar.state for bar in answer_bars(NOW)] == list(AnswerState)


EVENTS = [
    event(),
    event(is_draft=True, is_held=True),
    event(status=EventStatus.CANCELLED),
    event(status=EventStatus.RESCHEDULED),
    event(group=GROUP),
    event(starts_at=None, ends_at=None),
    event(origin=RecordOrigin.NETWORK, is_read_only=True, record_uri="at://did:plc:a/b/c"),
    starting(-DAY),
    starting(HOUR),
    starting(-MINUTE, content=ONLINE),
]
ANSWERS = [
    None,
    *(mine(status) for status in S),
    mine(S.WAITLISTED, offered_until=Instant(NOW + HOUR)),
    mine(S.WAITLISTED, offered_until=Instant(NOW - HOUR)),
    mine(S.DECLINED, approved_at=NOW),
    *(mine(status, known_starts_at=Instant(NOW + 2 * DAY)) for status in S),
    mine(S.PENDING, pending_for=PendingFor.APPROVAL, known_starts_at=Instant(NOW + 2 * DAY)),
    *(mine(S.PENDING, pending_for=why) for why in PendingFor),
]
SETTINGS = [RegistrationSettings(), ASKS, CLOSED, RegistrationSettings(is_members_only=True)]
PEOPLE = [EventRelationship(), EventRelationship(is_host=True), EventRelationship(is_member=True)]


def test_every_reply_that_is_offered_is_accepted_and_leads_where_its_label_says() -> None:
    means = {
        GoingOutcome.PLACE: {S.ATTENDING, S.ATTENDED},
        GoingOutcome.REQUEST: {S.PENDING},
        GoingOutcome.WAITLIST: {S.WAITLISTED},
        GoingOutcome.HELD_PLACE: {S.ATTENDING, S.WAITLISTED},
    }
    seen = set()
    for about, answer, settings, who, is_full, is_welcome, hosts in product(
        EVENTS, ANSWERS, SETTINGS, PEOPLE, (False, True), (False, True), (False, True)
    ):
        bar_input = AnswerBarInput(about, answer, NOW, settings, who, hosts, is_welcome, is_full)
        bar = answer_bar_of(bar_input)
        seen.add(bar.state)
        for reply in bar.replies:
            try:
                rules.require_open(bar_input.event_registration, answer, ACTION_OF_REPLY[reply], who, NOW)
                decided = rules.decide(
                    bar_input.event_registration,
                    answer,
                    ACTION_OF_REPLY[reply],
                    relationship=who,
                    has_room=not is_full,
                    asked_at=NOW,
                )
            except (Refused, NotFound) as refused:
                pytest.fail(f"{bar.state} offers {reply}: {refused}")
            if reply is RsvpReply.GOING:
                assert decided.status in means[bar.going_outcome], bar_input
                assert is_welcome
        assert badge_of(bar) is None or str(getattr(badge_of(bar), "words", ""))
        assert isinstance(sentence_of(bar, bar_input), str)
    assert {AnswerState.NOT_PUBLISHED, AnswerState.NOT_WELCOME, AnswerState.REJECTED, AnswerState.CLOSED} <= seen


def test_drafts_and_cancelled_events_take_no_new_answers() -> None:
    for about in (event(is_draft=True, is_held=True), event(status=EventStatus.CANCELLED), starting(-DAY)):
        assert answer_bar_of(AnswerBarInput(about, None, NOW)).replies == ()


def test_the_button_that_shows_the_answer_is_not_among_the_other_replies() -> None:
    bar = answer_bar_of(AnswerBarInput(event(), GOING, NOW))
    assert (bar.shows_answer, bar.current_reply, bar.others) == (
        True,
        RsvpReply.GOING,
        (RsvpReply.INTERESTED, RsvpReply.DECLINED),
    )


@pytest.mark.parametrize(("settings", "state"), [(None, AnswerState.OPEN), (ASKS, AnswerState.APPROVAL)])
def test_somebody_whose_record_is_unclear_is_asked_for_an_answer(settings, state) -> None:
    """A host cannot confirm a record with an unknown status, so there is no answer to keep or to wait for."""
    unclear = mine(S.PENDING, pending_for=PendingFor.UNCLEAR)
    bar = answer_bar_of(AnswerBarInput(event(), unclear, NOW, settings or RegistrationSettings()))
    assert (bar.state, bar.primary, bar.secondary, bar.current_reply) == (state, A.GOING, A.INTERESTED, None)
