"""Past events are deleted some time after their end, if their host chose so; on both engines."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groundwork.clock import DAY, HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidForm
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, tasks
from openmeet.domain.attendance.event_changes import make_rsvp_records_due
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions, drafts, queries
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import Submission
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.events.values import RemovalDelay
from openmeet.domain.users.model import Caller
from openmeet.outbox import publication_status, publications
from tests.databases import MakeDatabase
from tests.openmeet.events.hosted_event import create_event_with_co_host
from tests.openmeet.site_under_test import details, edited_details, event_by, person

# The end of ``details()``: 2026-07-04, 20:00 in Berlin.
END = Instant(1_783_188_000_000_000)
LENGTHS = {RemovalDelay.DAY: DAY, RemovalDelay.WEEK: 7 * DAY, RemovalDelay.MONTH: 30 * DAY}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


def go_to(clock: HandClock, moment: int) -> None:
    clock.turn(moment - clock.now())


async def read(db: Database, event: Event) -> Event:
    async with db.reader() as reader:
        found = await queries.by_id(reader, event.id)
    assert found is not None
    return found


async def choose(tx: Transaction, host: Caller, event: Event, delay: RemovalDelay) -> Event:
    return await event_hosting.revise(tx, host, event.slug, edited_details(event, remove_after=delay))


@pytest.mark.parametrize("delay", LENGTHS)
async def test_an_event_is_removed_this_time_after_its_end(db: Database, clock: HandClock, delay: RemovalDelay):
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), remove_after=delay.value)
        kept = await event_by(tx, await person(tx, "Ben"))
    assert (event.removes_at, kept.removes_at) == (END + LENGTHS[delay], None)
    go_to(clock, END + LENGTHS[delay] - 1)
    assert await tasks.remove_past_events(db) == 0
    clock.turn(1)
    assert [await tasks.remove_past_events(db), await tasks.remove_past_events(db)] == [1, 0]
    gone = await read(db, event)
    assert (gone.deleted_at, gone.revision, gone.was_removed_as_chosen) == (clock.now(), 2, True)
    assert not (await read(db, kept)).is_gone


async def test_an_event_without_an_end_counts_as_over_after_an_hour(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), ends="", remove_after="day")
    assert event.removes_at == END - 2 * HOUR + HOUR + DAY


async def test_a_removal_has_the_effects_of_a_deletion_and_notifies_nobody(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, remove_after="week")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    go_to(clock, END + 7 * DAY)
    counted = (
        "select (select count(*) from notifications) as news, (select count(*) "
        "from outbox_jobs) as jobs, (select count(*) from fan_outs) as rounds"
    )
    async with db.reader() as reader:
        before = await reader.fetch_one(counted)
    assert await tasks.remove_past_events(db) == 1
    async with db.reader() as reader:
        after = await reader.fetch_one(counted)
        event_status = await publication_status.statuses(reader, publications.PublicationKind.EVENT, [event.id])
    assert before is not None
    assert after is not None
    assert [after[name] for name in ("news", "jobs", "rounds")] == [before[name] for name in ("news", "jobs", "rounds")]
    assert (event_status[event.id].state, event_status[event.id].revision) == (publications.PublicationState.DUE, 2)


async def test_a_change_postpones_the_removal_by_a_day(db: Database, clock: HandClock):
    """A wrong choice, or a wrong year, can be corrected."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
    go_to(clock, END + 100 * DAY)
    async with db.transaction() as tx:
        chosen = await choose(tx, ana, event, RemovalDelay.DAY)
    assert chosen.removes_at == clock.now() + DAY
    clock.turn(DAY - 1)
    assert await tasks.remove_past_events(db) == 0
    async with db.transaction() as tx:
        withdrawn = await choose(tx, ana, chosen, RemovalDelay.NEVER)
    assert withdrawn.removes_at is None
    clock.turn(100 * DAY)
    assert await tasks.remove_past_events(db) == 0


async def test_a_draft_is_not_removed(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await drafts.begin(tx, ana, submission_of({**values_of_event(details()), "remove_after": "day"}), {})
    go_to(clock, END + 100 * DAY)
    assert await tasks.remove_past_events(db) == 0
    async with db.transaction() as tx:
        published = await drafts.publish(tx, ana, draft.slug, details(remove_after="day"))
    assert published.removes_at == clock.now() + DAY
    clock.turn(DAY)
    assert await tasks.remove_past_events(db) == 1


async def test_two_schedulers_remove_each_event_once(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        events = [await event_by(tx, ana, remove_after="day") for _ in range(5)]
    go_to(clock, END + DAY)
    assert sum(await asyncio.gather(*(tasks.remove_past_events(db) for _ in range(3)))) == len(events)
    assert {(await read(db, one)).revision for one in events} == {2}


async def test_a_removal_that_fails_changes_nothing_and_does_not_stop_the_others(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """Not even if there are as many of them as the scheduler reads at once. It is tried again a little later."""
    monkeypatch.setattr(tasks, "REMOVALS_READ_AT_ONCE", 1)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        broken, whole = [await event_by(tx, ana, remove_after="day") for _ in range(2)]
    go_to(clock, END + DAY)

    async def breaks(tx: Transaction, event_ids: Any) -> None:
        if event_ids == [broken.id]:
            raise RuntimeError("stopped in the middle")
        await make_rsvp_records_due(tx, event_ids)

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "make_rsvp_records_due", breaks)
        assert await tasks.remove_past_events(db) == 1
    assert [(await read(db, one)).is_gone for one in (broken, whole)] == [False, True]
    assert (await read(db, broken)).revision == 1
    clock.turn(MINUTE)
    assert await tasks.remove_past_events(db) == 1


async def test_a_clock_that_goes_back_neither_restores_nor_removes(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        first, second = [await event_by(tx, ana, remove_after=delay) for delay in ("day", "week")]
    go_to(clock, END + DAY)
    assert await tasks.remove_past_events(db) == 1
    clock.turn(-30 * DAY)
    assert await tasks.remove_past_events(db) == 0
    assert [(await read(db, one)).is_gone for one in (first, second)] == [True, False]
    go_to(clock, END + 7 * DAY)
    assert await tasks.remove_past_events(db) == 1


async def test_only_people_who_may_delete_the_event_choose_its_removal(db: Database):
    """A co-host may keep the host’s choice, or choose that the page stays. Nothing else changes with a refusal."""
    async with db.transaction() as tx:
        ana, ben, event = await create_event_with_co_host(tx, remove_after="month")
        with pytest.raises(InvalidForm) as refused:
            await choose(tx, ben, event, RemovalDelay.DAY)
        assert list(refused.value.problems) == ["remove_after"]
        same = await actions.revise(tx, ben, event.slug, replace(edited_details(event, title="Chess")))
        assert (same.title, same.content.remove_after) == ("Chess", RemovalDelay.MONTH)
        kept = await choose(tx, ben, same, RemovalDelay.NEVER)
        with pytest.raises(InvalidForm):
            await choose(tx, ben, kept, RemovalDelay.MONTH)
        again = await choose(tx, ana, kept, RemovalDelay.WEEK)
    assert again.content.remove_after is RemovalDelay.WEEK


async def test_a_co_host_cannot_choose_the_removal_of_a_draft(db: Database):
    async with db.transaction() as tx:
        _, ben, draft = await create_event_with_co_host(tx, draft=True)
        typed = {**values_of_event(details()), "remove_after": "day"}
        with pytest.raises(InvalidForm):
            await drafts.keep(tx, ben, draft.slug, submission_of(typed), {})
        kept = await drafts.keep(tx, ben, draft.slug, Submission(**values_of_event(details())), {})
    assert kept.content.remove_after is RemovalDelay.NEVER


# What hosts, moderators of time and schedulers do to an event. The number chooses a delay, a day or a length.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("choose", "move", "cancel", "reinstate", "to draft", "publish", "delete", "wait", "wait", "remove due")
        ),
        st.integers(0, 7),
    ),
    min_size=3,
    max_size=14,
)
DELAYS = tuple(RemovalDelay)
NUMBERS = {RemovalDelay.NEVER: None, **LENGTHS}


class Model:
    """The event in plain values: when it ends, what was chosen, when it was changed, and whether it is gone."""

    ends_at = END
    delay: int | None = DAY
    is_draft = is_cancelled = is_gone = False

    def __init__(self, now: int) -> None:
        self.changed_at = now

    def is_due(self, now: int) -> bool:
        if self.is_draft or self.is_gone or self.delay is None:
            return False
        return now >= self.ends_at + self.delay and now >= self.changed_at + DAY


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=STEPS)
@example(history=[("wait", 7), ("move", 3), ("remove due", 0), ("wait", 7), ("remove due", 0)])
@example(history=[("cancel", 0), ("wait", 7), ("reinstate", 0), ("remove due", 0), ("wait", 1), ("remove due", 0)])
@example(history=[("to draft", 0), ("wait", 7), ("remove due", 0), ("publish", 0), ("wait", 1), ("remove due", 0)])
@example(history=[("wait", 7), ("choose", 0), ("wait", 7), ("remove due", 0), ("choose", 1), ("remove due", 0)])
async def test_an_event_is_removed_exactly_when_its_present_state_says_so(
    make_sqlite: MakeDatabase, history: list[tuple[str, int]]
):
    clock = HandClock(Instant(END - 3 * DAY))
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, remove_after="day")
    model = Model(clock.now())
    for act, number in history:
        clock.turn(MINUTE)
        now = await read(db, event)
        await _act(db, clock, ana, now, model, act, number)
        found = await read(db, event)
        assert found.is_gone is model.is_gone, (act, number)
        assert found.removes_at is None or not model.is_gone
    await db.close()


async def _act(db: Database, clock: HandClock, ana: Caller, now: Event, model: Model, act: str, number: int) -> None:
    """One step, in the database and in the model."""
    if act == "wait":
        clock.turn(number * 5 * DAY + HOUR)
    elif act == "remove due":
        assert await tasks.remove_past_events(db) == int(model.is_due(clock.now()))
        model.is_gone = model.is_gone or model.is_due(clock.now())
    elif not model.is_gone:
        async with db.transaction() as tx:
            after = await _edit(tx, ana, now, model, act, number)
        if after is not None and after.revision != now.revision:
            model.changed_at = clock.now()


async def _edit(tx: Transaction, ana: Caller, now: Event, model: Model, act: str, number: int) -> Event | None:
    match act:
        case "choose" if not model.is_draft:
            model.delay = NUMBERS[DELAYS[number % 4]]
            return await choose(tx, ana, now, DELAYS[number % 4])
        case "move" if not model.is_draft:
            by = timedelta(days=4 * number - 12) // timedelta(microseconds=1)
            starts_at, ends_at = Instant((now.starts_at or 0) + by), Instant((now.ends_at or 0) + by)
            model.ends_at = ends_at
            moved = replace(edited_details(now), starts_at=starts_at, ends_at=ends_at)
            return await event_hosting.revise(tx, ana, now.slug, moved)
        case "cancel" if not model.is_draft:
            return await event_hosting.cancel(tx, ana, now.slug, "")
        case "reinstate" if not model.is_draft:
            return await event_hosting.reinstate(tx, ana, now.slug)
        case "to draft":
            model.is_draft = True
            return await event_hosting.unpublish(tx, ana, now.slug)
        case "publish" if model.is_draft:
            model.is_draft = False
            return await drafts.publish(tx, ana, now.slug, edited_details(now))
        case "delete" if number == 0:
            model.is_gone = True
            return await event_hosting.delete(tx, ana, now.slug)
        case _:
            return None
