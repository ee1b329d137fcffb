"""Random histories of edits, compared with a plain model that imports none of our code.

The model has a weekly meeting as a list of weeks. For each week it has the start, zone, title, whether it is cancelled,
and the people who go. It also has the weeks at which the series was split, the standing RSVPs of each part, and the
state before the last action.
"""

import asyncio
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from groundwork.clock import HandClock, Instant
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database, Engine
from groundwork.errors import Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, queries, standing_rsvps, undo
from openmeet.domain.series.model import Timing
from openmeet.domain.series.plan import moved, plan_all, plan_following
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.series.conftest import Fresh
from tests.openmeet.series.random_histories import OnDatabases, run_histories
from tests.openmeet.site_under_test import edited_details, person

# 2026-11-20 12:00 UTC and the Tuesday after it, computed without our code.
NOW_US = 1_795_176_000_000_000
FIRST = datetime(2026, 11, 24, 18)  # noqa: DTZ001
SECOND = 1_000_000
WEEKS = 8
# Two months ahead, less one day because of time zones. Later dates are not stored at once.
STORED_UNTIL = datetime(2027, 1, 19)  # noqa: DTZ001
WORDS = st.sampled_from(["Practice", "Rehearsal", "Concert", "Picnic"])


@dataclass
class Week:
    """One meeting of the model."""

    starts: datetime
    title: str
    own_title: bool = False
    is_off: bool = False
    is_off_with_all: bool = False
    zone: str = "Europe/Berlin"
    going: set[str] = field(default_factory=set)


@dataclass
class Past:
    """The state before the last action: the machine's lists, and the series that the action concerned."""

    model: list[Week]
    halves: list[int]
    titles: list[str]
    series: list[Any]
    is_off: list[bool]
    standing_rsvps: list[set[str]]
    about: Any


class Histories(OnDatabases):
    """Each rule makes the same change in the model and in a real database."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.model = [Week(FIRST + timedelta(weeks=number), "Practice") for number in range(WEEKS)]
        # The week at which each part begins, and the title of its dates unless they have their own.
        self.halves = [0]
        self.titles = ["Practice"]
        self.is_off = [False]
        self.standing_rsvps: list[set[str]] = [set()]
        self.past: Past | None = None
        self.clock = HandClock(Instant(NOW_US))
        self.db: Database = self.loop.run_until_complete(self._open())

    async def _open(self) -> Database:
        url, schema = await self.fresh()
        db = await open_database(url, schema=schema, clock=self.clock)
        async with db.transaction() as tx:
            self.host = await person(tx, "Ana")
            self.people = {name: await person(tx, name) for name in ("Ben", "Cleo", "Dan")}
            timing = Timing(
                pattern(FIRST, "Europe/Berlin", parse_rule(f"FREQ=WEEKLY;BYDAY=TU;COUNT={WEEKS}")), timedelta(hours=2)
            )
            self.series = [(await actions.create(tx, self.host, Content("Practice"), timing)).id]
        return db

    def remember(self, half: int) -> None:
        """An action on this part begins. It can be undone, and earlier actions no longer can."""
        lists = (self.model, self.halves, self.titles, self.series, self.is_off, self.standing_rsvps)
        self.past = Past(*deepcopy(lists), self.series[half])

    def half_of(self, week: int) -> int:
        return max(number for number, first in enumerate(self.halves) if first <= week)

    async def _stored(self, tx: Any, half: int) -> list[Any]:
        return [held for held in await date_queries.stored(tx, self.series[half]) if not held.event.is_gone]

    async def _event(self, tx: Any, week: int) -> Any:
        half = self.half_of(week)
        return (await self._stored(tx, half))[week - self.halves[half]].event

    async def _locked(self, tx: Any, half: int) -> Any:
        found = await queries.lock(tx, self.series[half])
        assert found is not None
        return found

    @rule(week=st.integers(0, WEEKS - 1), name=st.sampled_from(["Ben", "Cleo", "Dan"]), yes=st.booleans())
    def answer(self, week: int, name: str, yes: bool) -> None:
        if week >= len(self.model) or self.model[week].is_off:
            return
        reply = RsvpReply.GOING if yes else RsvpReply.DECLINED

        async def work(tx: Any) -> None:
            await attendance.answer(tx, self.people[name], (await self._event(tx, week)).slug, reply)

        self.run(work)
        (self.model[week].going.add if yes else self.model[week].going.discard)(name)

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_one(self, week: int, title: str) -> None:
        if week >= len(self.model):
            return
        # Undo would lose this edit and is therefore refused, which another test covers.
        self.past = None

        async def work(tx: Any) -> None:
            event = await self._event(tx, week)
            await events.revise(tx, self.host, event.slug, edited_details(event, title=title))

        self.run(work)
        if self.model[week].title != title:
            self.model[week].title, self.model[week].own_title = title, True

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_all(self, week: int, title: str) -> None:
        half = self.half_of(week)
        self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            held = await date_queries.stored(tx, series.id)
            plan = plan_all(series, replace(series.content, title=title), series.timing, held, tx.now)
            await apply_edits.apply_plan(tx, series, plan)

        self.run(work)
        self.titles[half] = title
        for meeting in self._weeks(half):
            self._follow(meeting, title)

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_following(self, week: int, title: str) -> None:
        if week in self.halves or week >= len(self.model):
            return
        half = self.half_of(week)
        self.remember(half)

        async def work(tx: Any) -> Any:
            series = await self._locked(tx, half)
            event = await self._event(tx, week)
            held = await date_queries.stored(tx, series.id)
            template = replace(series.content, title=title)
            plan = plan_following(series, event.position_in_series.original_date, template, None, held, tx.now)
            return (await apply_edits.apply_plan(tx, series, plan)).id

        behind = self.run(work)
        for meeting in self._weeks(half)[week - self.halves[half] :]:
            self._follow(meeting, title)
        self.halves.insert(half + 1, week)
        self.titles.insert(half + 1, title)
        self.series.insert(half + 1, behind)
        self.is_off.insert(half + 1, self.is_off[half])
        self.standing_rsvps.insert(half + 1, set(self.standing_rsvps[half]))

    @rule(week=st.integers(0, WEEKS - 1), hours=st.sampled_from([-1, 1, 24, -24]))
    def move_all(self, week: int, hours: int) -> None:
        half = self.half_of(week)
        shift = timedelta(hours=hours)
        # Moves into the past or into another week are not part of the model.
        if any(not self._is_in_its_week(number, shift) for number in self._numbers(half)):
            return
        self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            start = series.timing.pattern.start
            timing = moved(series.timing, start, start + shift, series.timing.length)
            held = await date_queries.stored(tx, series.id)
            plan = plan_all(series, series.content, timing, held, tx.now)
            assert not plan.stranded
            assert not plan.vanishing
            await apply_edits.apply_plan(tx, series, plan)

        self.run(work)
        for meeting in self._weeks(half):
            meeting.starts += shift
            self._follow(meeting, self.titles[half])

    @rule(week=st.integers(0, WEEKS - 1), off=st.booleans())
    def call_off(self, week: int, off: bool) -> None:
        if week >= len(self.model):
            return
        meeting = self.model[week]
        if off and meeting.is_off_with_all:
            return  # it would get its own reason, which the model does not support
        half = self.half_of(week)
        if off is not meeting.is_off:
            # Repeating what is already the case is not an action.
            self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            name = (await self._event(tx, week)).position_in_series.original_date
            if off:
                await cancel_dates.cancel_dates(tx, series, [name], "ill")
            else:
                await cancel_dates.reinstate_dates(tx, series, [name])

        self.run(work)
        if off is not meeting.is_off:
            meeting.is_off, meeting.is_off_with_all = off, False

    @rule(week=st.integers(0, WEEKS - 1), off=st.booleans())
    def call_all_off(self, week: int, off: bool) -> None:
        half = self.half_of(week)
        if off is self.is_off[half]:
            return
        self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            await (cancel_dates.cancel(tx, series, "no trainer") if off else actions.resume(tx, series))

        self.run(work)
        self.is_off[half] = off
        for meeting in self._weeks(half):
            if off and not meeting.is_off:
                meeting.is_off = meeting.is_off_with_all = True
            elif not off and meeting.is_off_with_all:
                meeting.is_off = meeting.is_off_with_all = False

    @rule(week=st.integers(0, WEEKS - 1), zone=st.sampled_from(["Europe/Berlin", "America/New_York"]))
    def move_zone(self, week: int, zone: str) -> None:
        half = self.half_of(week)
        self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            timing = replace(series.timing, pattern=replace(series.timing.pattern, zone_name=zone))
            held = await date_queries.stored(tx, series.id)
            await apply_edits.apply_plan(tx, series, plan_all(series, series.content, timing, held, tx.now))

        self.run(work)
        for meeting in self._weeks(half):
            meeting.zone = zone
            self._follow(meeting, self.titles[half])

    @rule(more=st.booleans())
    def another_count(self, more: bool) -> None:
        """Add a date to the last part or remove one. A date is removed only if nobody answered it and it has no own
        title.
        """
        half = len(self.halves) - 1
        last = self.model[-1]
        is_far = last.starts + timedelta(weeks=1) >= STORED_UNTIL
        if len(self._numbers(half)) < 2 or self.is_off[half] or (more and is_far):
            return
        if not more and (last.going or last.own_title or last.is_off):
            return
        count = len(self._numbers(half)) + (1 if more else -1)
        self.remember(half)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            known = series.timing.pattern
            assert known.rule is not None
            timing = replace(series.timing, pattern=replace(known, rule=replace(known.rule, count=count, until=None)))
            held = await date_queries.stored(tx, series.id)
            await apply_edits.apply_plan(tx, series, plan_all(series, series.content, timing, held, tx.now))

        self.run(work)
        for meeting in self._weeks(half):
            self._follow(meeting, self.titles[half])
        if more:
            fresh = Week(last.starts + timedelta(weeks=1), self.titles[half], zone=last.zone)
            fresh.going = set(self.standing_rsvps[half])
            self.model.append(fresh)
        else:
            self.model.pop()

    @rule(week=st.integers(0, WEEKS - 1), name=st.sampled_from(["Ben", "Cleo", "Dan"]), yes=st.booleans())
    def answer_all(self, week: int, name: str, yes: bool) -> None:
        half = self.half_of(week)

        async def work(tx: Any) -> None:
            series = await queries.by_id(tx, self.series[half])
            assert series is not None
            if yes:
                await standing_rsvps.answer_all(tx, self.people[name], series.slug, RsvpReply.GOING)
            else:
                await standing_rsvps.stop(tx, self.people[name], series.slug, declines=True)

        self.run(work)
        (self.standing_rsvps[half].add if yes else self.standing_rsvps[half].discard)(name)
        for meeting in self._weeks(half):
            if not yes:
                meeting.going.discard(name)
            elif not meeting.is_off:
                meeting.going.add(name)

    @precondition(lambda self: self.past is not None)
    @rule()
    def undo(self) -> None:
        past = self.past
        assert past is not None
        half = self.series.index(past.about)
        gone = self.model[len(past.model) :]
        loses = any(meeting.going - self.standing_rsvps[half] for meeting in gone)

        async def work(tx: Any) -> None:
            series = await queries.lock(tx, past.about)
            assert series is not None
            if loses:
                with pytest.raises(Refused, match=r"series\.date_answered_since"):
                    await undo.undo(tx, series)
            else:
                await undo.undo(tx, series)

        self.run(work)
        if loses:
            return
        # People who answered meanwhile keep their answers. Standing RSVPs of the removed part apply to the remaining
        # one.
        for before, now in zip(past.model, self.model, strict=False):
            before.going = now.going
        standing_rsvps = [set(one) for one in self.standing_rsvps]
        if len(past.halves) < len(self.halves):
            standing_rsvps[half] |= standing_rsvps.pop(half + 1)
        self.model, self.halves, self.titles, self.series = past.model, past.halves, past.titles, past.series
        self.is_off, self.standing_rsvps, self.past = past.is_off, standing_rsvps, None

    def _numbers(self, half: int) -> range:
        end = self.halves[half + 1] if half + 1 < len(self.halves) else len(self.model)
        return range(self.halves[half], end)

    def _weeks(self, half: int) -> list[Week]:
        return [self.model[number] for number in self._numbers(half)]

    def _is_in_its_week(self, number: int, shift: timedelta) -> bool:
        return abs(self.model[number].starts + shift - (FIRST + timedelta(weeks=number))) <= timedelta(days=2)

    def _follow(self, meeting: Week, title: str) -> None:
        """Apply a change of the series to a meeting. A meeting keeps its own title, unless the two are equal by now."""
        if meeting.own_title:
            meeting.own_title = meeting.title != title
        else:
            meeting.title = title

    @precondition(lambda self: hasattr(self, "db"))
    @invariant()
    def both_tell_the_same(self) -> None:
        async def work(tx: Any) -> list[Any]:
            found = []
            for half in range(len(self.series)):
                for held in await self._stored(tx, half):
                    rows = await tx.fetch(
                        "select u.display_name from attendances a join users u on u.id = a.user_id"
                        " where a.event_id = :id and a.status = 'attending'",
                        id=held.event.id,
                    )
                    event = held.event
                    names = {row["display_name"] for row in rows}
                    found.append((event.starts_local, event.time_zone, event.title, event.is_cancelled, names))
            return found

        assert self.run(work) == [
            (week.starts.isoformat(), week.zone, week.title, week.is_off, week.going) for week in self.model
        ]


@pytest.mark.hypothesis
def test_random_histories_match_the_model(fresh: Fresh, engine: Engine) -> None:
    run_histories(Histories, fresh, engine, steps=20)
