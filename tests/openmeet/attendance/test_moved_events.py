"""When an event is moved, people who have answered are asked whether the new time works; on both engines."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from groundwork.clock import DAY, HOUR, HandClock, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.domain.attendance import (
    actions,
    event_hosting,
    history,
    host_decisions,
    host_list,
    merge,
    queries,
    registration,
    rsvp_list_texts,
)
from openmeet.domain.attendance.answer_badges import badge_of
from openmeet.domain.attendance.answer_bar import AnswerBarInput, AnswerState, answer_bar_of
from openmeet.domain.attendance.answer_bar_inputs import bar_input_of
from openmeet.domain.attendance.answer_texts import sentence_of, time_before_move_sentence
from openmeet.domain.attendance.model import AttendanceStatus, ReplyDetails, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.moved_dates import moved_dates
from openmeet.domain.attendance.registration import RegistrationSettings, registration_of
from openmeet.domain.events import record_changes
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event, EventStatus, NetworkEvent
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.values import Mode
from openmeet.domain.moderation import blocks
from openmeet.domain.notifications.queries import newest
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.search.my_event_lists import waiting_for
from openmeet.domain.series import date_queries, undo
from openmeet.domain.series import edits as series_edits
from openmeet.domain.series.apply_edits import apply_plan
from openmeet.domain.series.model import EditScope
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from openmeet.outbox import publication_status, publications
from openmeet.recurrence import wall_time
from tests.databases import MakeDatabase
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.series.practice import NOW, create_weekly_series, dates, lock_series, move_all_dates
from tests.openmeet.site_under_test import details, event_by, person

GOING, DECLINED = RsvpReply.GOING, RsvpReply.DECLINED
SATURDAY, SUNDAY, MONDAY = [f"2026-07-0{day}T18:00" for day in (4, 5, 6)]


def in_berlin(text: str) -> Instant:
    return wall_time.instant_of(datetime.fromisoformat(text), "Europe/Berlin")


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@dataclass(frozen=True)
class Evening:
    """Ana's event, which Ben has said yes to."""

    ana: Caller
    ben: Caller
    event: Event


async def evening(tx: Transaction, **typed: str) -> Evening:
    ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    event = await event_by(tx, ana, **typed)
    await actions.answer(tx, ben, event.slug, GOING)
    return Evening(ana, ben, event)


async def case(reader: Reader, event: Event, who: Caller) -> AnswerBarInput:
    now = await by_id(reader, event.id)
    assert now is not None
    mine = await queries.find(reader, event.id, who.user_id)
    return await bar_input_of(reader, await registration_of(reader, now), who.user_id, rsvp=mine)


async def state(reader: Reader, event: Event, who: Caller) -> AnswerState:
    return answer_bar_of(await case(reader, event, who)).state


Step = Callable[[Transaction, Evening], Awaitable[object]]


def moves_to(starts: str) -> Step:
    return lambda tx, one: event_hosting.revise(
        tx, one.ana, one.event.slug, details(starts=starts, ends=starts.replace("18:00", "20:00"))
    )


def changes(**typed: str) -> Step:
    return lambda tx, one: event_hosting.revise(tx, one.ana, one.event.slug, details(**typed))


def says(reply: RsvpReply) -> Step:
    return lambda tx, one: actions.answer(tx, one.ben, one.event.slug, reply)


STEPS: dict[str, Step] = {
    "move": moves_to(SUNDAY),
    "move again": moves_to(MONDAY),
    "move back": moves_to(SATURDAY),
    "other title": changes(title="Card games"),
    "other place": changes(venue_name="Town hall"),
    "ends later": changes(ends="2026-07-04T22:00"),
    "other zone": changes(time_zone="Europe/Lisbon"),
    "still works": says(GOING),
    "withdraw": says(DECLINED),
    "cancel": lambda tx, one: event_hosting.cancel(tx, one.ana, one.event.slug, "Rain"),
    "bring back": lambda tx, one: event_hosting.reinstate(tx, one.ana, one.event.slug),
}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("move", AnswerState.MOVED),
        ("move, move again", AnswerState.MOVED),
        ("move, move back", AnswerState.GOING),
        ("move, move again, move back", AnswerState.GOING),
        ("move, still works", AnswerState.GOING),
        ("move, still works, still works", AnswerState.GOING),
        ("move, still works, move again", AnswerState.MOVED),
        ("move, still works, move back", AnswerState.MOVED),
        ("move, withdraw", AnswerState.DECLINED),
        ("move, withdraw, still works", AnswerState.GOING),
        ("withdraw, move", AnswerState.DECLINED),
        ("other title", AnswerState.GOING),
        ("other place", AnswerState.GOING),
        ("ends later", AnswerState.GOING),
        ("other zone", AnswerState.MOVED),
        ("cancel", AnswerState.CANCELLED),
        ("cancel, bring back", AnswerState.GOING),
        ("move, cancel", AnswerState.CANCELLED),
        ("move, cancel, bring back", AnswerState.MOVED),
        ("cancel, move, bring back", AnswerState.MOVED),
    ],
)
async def test_people_who_answered_for_another_time_are_asked_again(
    db: Database, steps: str, expected: AnswerState
) -> None:
    """Attendees are asked again if the event's time differs from the time of their last answer, even if the event was
    moved several times in between.
    """
    async with db.transaction() as tx:
        one = await evening(tx)
        for name in steps.split(", "):
            await STEPS[name](tx, one)
        assert await state(tx, one.event, one.ben) is expected
        waits = [event.id for event in await waiting_for(tx, one.ben.user_id, 9)]
    assert waits == ([one.event.id] if expected is AnswerState.MOVED else [])


async def test_after_several_moves_the_bar_shows_the_answered_time(db: Database) -> None:
    async with db.transaction() as tx:
        one = await evening(tx)
        for name in ("move", "move again"):
            await STEPS[name](tx, one)
        seen = await case(tx, one.event, one.ben)
    assert "now Mon 6 Jul, 18:00" in sentence_of(answer_bar_of(seen), seen)
    assert time_before_move_sentence(seen).startswith("It was Saturday 4 July, 18:00")


async def test_an_all_day_event_moves_only_by_date(db: Database) -> None:
    """An all-day event counts as moved only if its date changes. Another time zone changes the instant, but not the
    day.
    """
    whole = {"all_day": "yes", "starts": "2026-07-04", "ends": "2026-07-04"}
    async with db.transaction() as tx:
        one = await evening(tx, **whole)
        await event_hosting.revise(tx, one.ana, one.event.slug, details(**whole, time_zone="America/New_York"))
        assert await state(tx, one.event, one.ben) is AnswerState.GOING
        next_day = whole | {"starts": "2026-07-05", "ends": "2026-07-05"}
        await event_hosting.revise(tx, one.ana, one.event.slug, details(**next_day))
        assert await state(tx, one.event, one.ben) is AnswerState.MOVED


async def test_waitlisted_people_are_asked_and_keep_their_position(db: Database) -> None:
    async with db.transaction() as tx:
        one = await evening(tx, capacity="1")
        cleo, dora = [await person(tx, name) for name in ("Cleo", "Dora")]
        for who in (cleo, dora):
            await actions.answer(tx, who, one.event.slug, GOING)
        before = await queries.find(tx, one.event.id, cleo.user_id)
        await event_hosting.revise(tx, one.ana, one.event.slug, details(starts=SUNDAY, ends="", capacity="1"))
        seen = await case(tx, one.event, cleo)
        bar = answer_bar_of(seen)
        assert (bar.state, str(getattr(badge_of(bar), "words", ""))) == (AnswerState.MOVED, "New time")
        assert "on the waitlist" in sentence_of(bar, seen)
        after = await actions.answer(tx, cleo, one.event.slug, GOING)
        assert await state(tx, one.event, cleo) is AnswerState.WAITLISTED
    assert before is not None
    assert (after.status, after.waitlist_number) == (AttendanceStatus.WAITLISTED, before.waitlist_number)


async def test_approval_does_not_confirm_the_new_time(db: Database) -> None:
    async with db.transaction() as tx:
        one = await evening(tx)
        await registration.put(tx, one.event.id, RegistrationSettings(needs_approval=True))
        cleo = await person(tx, "Cleo")
        asked = await actions.answer(tx, cleo, one.event.slug, GOING)
        await STEPS["move"](tx, one)
        assert await state(tx, one.event, cleo) is AnswerState.MOVED
        await host_decisions.approve(tx, one.ana, one.event.slug, [asked.id])
        seen = await queries.find(tx, one.event.id, cleo.user_id)
        assert seen is not None
        assert seen.status is AttendanceStatus.ATTENDING
        assert await state(tx, one.event, cleo) is AnswerState.MOVED


async def test_confirming_the_new_time_notifies_nobody_and_writes_no_record(db: Database) -> None:
    """Confirming the new time does not notify the hosts or write a record, because the answer has not changed."""
    async with db.transaction() as tx:
        one = await evening(tx)
        await STEPS["move"](tx, one)
        before = await queries.find(tx, one.event.id, one.ben.user_id)
        assert before is not None
        news = await newest(tx, one.ana.user_id, 10)
        kind = publications.PublicationKind.RSVP
        published = await publication_status.statuses(tx, kind, [before.id])
        after = await actions.answer(tx, one.ben, one.event.slug, GOING)
        assert await newest(tx, one.ana.user_id, 10) == news
        assert len(await history.of_rsvp(tx, after.id, ALL_ROWS)) == 1
        assert await publication_status.statuses(tx, kind, [before.id]) == published
    starts_at = in_berlin(SUNDAY)
    assert after == replace(before, known_starts_at=starts_at, revision=before.revision + 1)


async def test_hosts_see_how_many_know_the_new_time(db: Database) -> None:
    """Hosts see how many people know the new time: those who answered after the move, and the hosts themselves."""
    async with db.transaction() as tx:
        one = await evening(tx)
        await registration.put(tx, one.event.id, RegistrationSettings(max_party=3))
        cleo, dora = [await person(tx, name) for name in ("Cleo", "Dora")]
        answers = [
            await actions.answer(tx, one.ana, one.event.slug, GOING),
            await actions.answer(tx, one.ben, one.event.slug, GOING),
            await actions.answer(tx, cleo, one.event.slug, GOING, ReplyDetails(party=3)),
        ]
        assert await host_list.count_new_time_unconfirmed(tx, one.event) == 0
        await STEPS["move"](tx, one)
        moved = await by_id(tx, one.event.id)
        assert moved is not None
        assert await host_list.count_new_time_unconfirmed(tx, moved) == 4
        unconfirmed = await host_list.new_time_unconfirmed_among(tx, moved, [one.id for one in answers])
        assert unconfirmed == {answers[1].id, answers[2].id}
        await actions.answer(tx, dora, one.event.slug, GOING)
        await actions.answer(tx, one.ben, one.event.slug, GOING)
        assert await host_list.count_new_time_unconfirmed(tx, moved) == 3
        await actions.answer(tx, cleo, one.event.slug, DECLINED)
        assert await host_list.count_new_time_unconfirmed(tx, moved) == 0
    assert rsvp_list_texts.new_time_sentence(6, 3) == "3 of 6 have confirmed the new time."
    assert rsvp_list_texts.new_time_sentence(4, 4) == "Nobody has confirmed the new time yet."
    assert rsvp_list_texts.new_time_sentence(4, 0) == ""


RECORD = NetworkEvent(
    name="Party",
    description="",
    starts_at=in_berlin(SATURDAY),
    ends_at=None,
    starts_text="",
    ends_text="",
    time_zone="Europe/Berlin",
    mode=Mode.IN_PERSON,
    status=EventStatus.SCHEDULED,
    venues=(),
    online_url="",
    links=(),
    is_discoverable=True,
    created_at=Instant(0),
)


async def test_a_record_asks_only_if_it_changes_the_time(db: Database) -> None:
    """Attendees are asked when a record changes the time of the event. A status of "rescheduled" alone is not enough."""
    uri = "at://did:plc:abc/community.lexicon.calendar.event/3k"
    async with db.transaction() as tx:
        host, ben = await users.create_shadow(tx), await person(tx, "Ben")

        async def record(number: int, **changes: object) -> Event:
            read = replace(RECORD, **changes)
            event_id = await record_changes.apply_from_network(
                tx, uri=uri, cid=f"c{number}", author_id=host, event=read
            )
            found = await by_id(tx, event_id)
            assert found is not None
            return found

        event = await record(1)
        await actions.answer(tx, ben, event.slug, GOING)
        await record(2, status=EventStatus.RESCHEDULED)
        assert await state(tx, event, ben) is AnswerState.GOING
        later = Instant((RECORD.starts_at or 0) + HOUR)
        await record(3, status=EventStatus.RESCHEDULED, starts_at=later)
        assert await state(tx, event, ben) is AnswerState.MOVED
        # Seeing the same record again is not a new answer, and neither is an older record that is read now.
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.GOING)
        assert await state(tx, event, ben) is AnswerState.MOVED
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.NOT_GOING)
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.GOING)
        assert await state(tx, event, ben) is AnswerState.GOING


async def test_on_the_day_the_new_time_is_asked_about_until_it_starts(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        one = await evening(tx)
        await STEPS["move"](tx, one)
    sunday = in_berlin(SUNDAY)
    for at, expected in (
        (sunday - HOUR, AnswerState.MOVED),
        (sunday, AnswerState.TODAY),
        (sunday + DAY, AnswerState.OVER),
    ):
        clock.turn(at - clock.now())
        async with db.reader() as reader:
            assert await state(reader, one.event, one.ben) is expected


@pytest.mark.parametrize(
    ("waits", "lately", "expected"),
    [
        (False, "", 2),
        (False, "blocked", 2),
        (False, "held", 0),
        (True, "", 2),
        (True, "blocked", 0),
        (True, "held", 0),
    ],
)
async def test_nobody_is_asked_about_dates_that_they_cannot_confirm(
    db: Database, clock: HandClock, waits: bool, lately: str, expected: int
) -> None:
    """The number of moved dates of a series counts those that ask by themselves: not the dates that a moderator has yet
    to approve, and for people on the waitlist not those of a host who has blocked them.
    """
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=2", capacity=1 if waits else None)
        ben, cleo = [await person(tx, name) for name in ("Ben", "Cleo")]
        coming = await dates(tx, series)
        for who in (cleo, ben) if waits else (ben,):
            for one in coming:
                await actions.answer(tx, who, one.slug, GOING)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=2))
        if lately == "blocked":
            await blocks.block(tx, ana.user_id, ben.user_id)
        if lately == "held":
            await tx.execute("update events set is_held = 1 where series_id = :series", series=series.id)
        shown = [await state(tx, one, ben) for one in coming]
        moved = (await moved_dates(tx, ben.user_id, [series.id])).get(series.id)
    assert shown.count(AnswerState.MOVED) == expected
    assert (0 if moved is None else moved.count) == expected


@pytest.mark.parametrize("confirms_as", ["the leaving account", "the staying account"])
async def test_a_confirmation_by_either_merged_account_counts(db: Database, confirms_as: str) -> None:
    async with db.transaction() as tx:
        one = await evening(tx)
        shadow = Caller(await users.create_shadow(tx), "")
        await actions.answer(tx, shadow, one.event.slug, GOING)
        await STEPS["move"](tx, one)
        await actions.answer(tx, shadow if confirms_as == "the leaving account" else one.ben, one.event.slug, GOING)
        await merge.lock_events(tx, shadow.user_id)
        await merge.reassign(tx, shadow.user_id, one.ben.user_id)
        assert await state(tx, one.event, one.ben) is AnswerState.GOING


async def test_merged_accounts_that_knew_only_the_old_time_are_still_asked(db: Database) -> None:
    async with db.transaction() as tx:
        one = await evening(tx)
        shadow = Caller(await users.create_shadow(tx), "")
        await actions.answer(tx, shadow, one.event.slug, GOING)
        await STEPS["move"](tx, one)
        await merge.lock_events(tx, shadow.user_id)
        await merge.reassign(tx, shadow.user_id, one.ben.user_id)
        assert await state(tx, one.event, one.ben) is AnswerState.MOVED


async def states(reader: Reader, found: list[Event], who: Caller) -> str:
    """One letter for each date: m for moved, g for going."""
    letters = {AnswerState.MOVED: "m", AnswerState.GOING: "g"}
    return "".join([letters[await state(reader, one, who)] for one in found])


@pytest.mark.parametrize(
    ("scope", "expected"),
    [(EditScope.THIS, "gmgg"), (EditScope.FOLLOWING, "gmmm"), (EditScope.ALL, "mmmm")],
)
async def test_edits_of_a_series_ask_about_the_dates_that_they_move(
    db: Database, clock: HandClock, scope: EditScope, expected: str
) -> None:
    """Editing a series asks about the dates that it moves and no others. Undoing the edit asks nobody."""
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=4")
        ben = await person(tx, "Ben")
        coming = await dates(tx, series)
        for one in coming:
            await actions.answer(tx, ben, one.slug, GOING)
        second = details_in(coming[1])
        later = replace(
            second,
            starts_local="2026-12-01T19:00:00",
            starts_at=Instant(second.starts_at + HOUR),
            ends_at=Instant((second.ends_at or 0) + HOUR),
        )
        held = await lock_series(tx, ana, series)
        stored = await date_queries.stored(tx, held.id)
        named = coming[1].position_in_series
        assert named is not None
        edit = series_edits.Edit(scope, named.original_date, later, frozenset({"starts_local"}))
        await apply_plan(tx, held, series_edits.plan_of(held, edit, stored, tx.now))
        assert await states(tx, coming, ben) == expected
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert await states(tx, coming, ben) == "gggg"


async def test_moving_a_series_does_not_ask_about_a_rescheduled_date(db: Database, clock: HandClock) -> None:
    clock.turn(NOW - clock.now())
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=3")
        ben = await person(tx, "Ben")
        coming = await dates(tx, series)
        third = details_in(coming[2])
        await event_hosting.revise(
            tx, ana, coming[2].slug, replace(third, starts_at=Instant(third.starts_at + HOUR), ends_at=None)
        )
        for one in coming:
            await actions.answer(tx, ben, one.slug, GOING)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=2))
        assert await states(tx, coming, ben) == "mmg"
