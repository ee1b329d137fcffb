"""Histories of edits at random, against a plain model that imports nothing of ours.

The model knows a weekly meeting as a list of weeks: for each its day and hour, title, whether it is called off, and who goes.
"""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from groundwork.clock import HandClock, Instant
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import Reply
from openmeet.events import actions as events
from openmeet.events.differing import details_in
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.series import actions, calling_off, queries
from openmeet.series.model import Template, Timing
from openmeet.series.plan import moved, plan_all, plan_following
from tests.databases import sqlite_url
from tests.openmeet.site_under_test import person

# 2026-11-20 12:00 UTC and the Tuesday after it, without a word of ours.
NOW_US = 1_795_176_000_000_000
FIRST = datetime(2026, 11, 24, 18)  # noqa: DTZ001
WEEKS = 8
WORDS = st.sampled_from(["Practice", "Rehearsal", "Concert", "Picnic"])


@dataclass
class Week:
    """One meeting of the model."""

    starts: datetime
    title: str
    own_title: bool = False
    is_off: bool = False
    going: set[str] = field(default_factory=set)


class Histories(RuleBasedStateMachine):
    """Each rule does the same to the model and to a real database."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.model = [Week(FIRST + timedelta(weeks=number), "Practice") for number in range(WEEKS)]
        # Where each half begins, as numbers of weeks, and what its dates say unless they say otherwise.
        self.halves = [0]
        self.titles = ["Practice"]
        self.clock = HandClock(Instant(NOW_US))
        self.db: Database = self.loop.run_until_complete(self._open())

    async def _open(self) -> Database:
        db = await open_database(await self.fresh_url(), schema="openmeet", clock=self.clock)  # type: ignore[attr-defined]  # set by the test below
        async with db.transaction() as tx:
            self.host = await person(tx, "Ana")
            self.people = {name: await person(tx, name) for name in ("Ben", "Cleo", "Dan")}
            timing = Timing(
                pattern(FIRST, "Europe/Berlin", parse_rule(f"FREQ=WEEKLY;BYDAY=TU;COUNT={WEEKS}")), timedelta(hours=2)
            )
            self.series = [(await actions.create(tx, self.host, Template("Practice"), timing)).id]
        return db

    def run(self, work: Any) -> Any:
        async def inside() -> Any:
            async with self.db.transaction() as tx:
                return await work(tx)

        return self.loop.run_until_complete(inside())

    def half_of(self, week: int) -> int:
        return max(number for number, first in enumerate(self.halves) if first <= week)

    async def _stored(self, tx: Any, half: int) -> list[Any]:
        return [held for held in await queries.stored(tx, self.series[half]) if not held.event.is_gone]

    async def _event(self, tx: Any, week: int) -> Any:
        half = self.half_of(week)
        return (await self._stored(tx, half))[week - self.halves[half]].event

    async def _locked(self, tx: Any, half: int) -> Any:
        found = await queries.lock(tx, self.series[half])
        assert found is not None
        return found

    @rule(week=st.integers(0, WEEKS - 1), name=st.sampled_from(["Ben", "Cleo", "Dan"]), yes=st.booleans())
    def answer(self, week: int, name: str, yes: bool) -> None:
        if self.model[week].is_off:
            return
        reply = Reply.GOING if yes else Reply.DECLINED

        async def work(tx: Any) -> None:
            await attendance.answer(tx, self.people[name], (await self._event(tx, week)).slug, reply)

        self.run(work)
        (self.model[week].going.add if yes else self.model[week].going.discard)(name)

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_one(self, week: int, title: str) -> None:
        async def work(tx: Any) -> None:
            event = await self._event(tx, week)
            await events.revise(tx, self.host, event.slug, replace(details_in(event), title=title))

        self.run(work)
        if self.model[week].title != title:
            self.model[week].title, self.model[week].own_title = title, True

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_all(self, week: int, title: str) -> None:
        half = self.half_of(week)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            held = await queries.stored(tx, series.id)
            plan = plan_all(series, replace(series.template, title=title), series.timing, held, tx.now)
            await actions.apply(tx, series, plan)

        self.run(work)
        self.titles[half] = title
        for meeting in self._weeks(half):
            self._follow(meeting, title)

    @rule(week=st.integers(0, WEEKS - 1), title=WORDS)
    def retitle_following(self, week: int, title: str) -> None:
        if week in self.halves:
            return
        half = self.half_of(week)

        async def work(tx: Any) -> Any:
            series = await self._locked(tx, half)
            event = await self._event(tx, week)
            held = await queries.stored(tx, series.id)
            template = replace(series.template, title=title)
            plan = plan_following(series, event.place_in_series.original_date, template, None, held, tx.now)
            return (await actions.apply(tx, series, plan)).id

        behind = self.run(work)
        for meeting in self._weeks(half)[week - self.halves[half] :]:
            self._follow(meeting, title)
        self.halves.insert(half + 1, week)
        self.titles.insert(half + 1, title)
        self.series.insert(half + 1, behind)

    @rule(week=st.integers(0, WEEKS - 1), hours=st.sampled_from([-1, 1, 24, -24]))
    def move_all(self, week: int, hours: int) -> None:
        half = self.half_of(week)
        shift = timedelta(hours=hours)
        # Into the past, or out of its week, is another question.
        if any(not self._is_in_its_week(number, shift) for number in self._numbers(half)):
            return

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            start = series.timing.pattern.start
            timing = moved(series.timing, start, start + shift, series.timing.length)
            held = await queries.stored(tx, series.id)
            plan = plan_all(series, series.template, timing, held, tx.now)
            assert not plan.stranded
            assert not plan.vanishing
            await actions.apply(tx, series, plan)

        self.run(work)
        for meeting in self._weeks(half):
            meeting.starts += shift
            self._follow(meeting, self.titles[half])

    @rule(week=st.integers(0, WEEKS - 1), off=st.booleans())
    def call_off(self, week: int, off: bool) -> None:
        half = self.half_of(week)

        async def work(tx: Any) -> None:
            series = await self._locked(tx, half)
            name = (await self._event(tx, week)).place_in_series.original_date
            if off:
                await calling_off.cancel_dates(tx, series, [name], "ill")
            else:
                await calling_off.reinstate_dates(tx, series, [name])

        self.run(work)
        self.model[week].is_off = off

    def _numbers(self, half: int) -> range:
        end = self.halves[half + 1] if half + 1 < len(self.halves) else WEEKS
        return range(self.halves[half], end)

    def _weeks(self, half: int) -> list[Week]:
        return [self.model[number] for number in self._numbers(half)]

    def _is_in_its_week(self, number: int, shift: timedelta) -> bool:
        return abs(self.model[number].starts + shift - (FIRST + timedelta(weeks=number))) <= timedelta(days=2)

    def _follow(self, meeting: Week, title: str) -> None:
        """A change of the series reaches a meeting: one of its own title keeps it, unless it says the same by now."""
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
                    found.append((event.starts_local, event.title, event.is_cancelled, names))
            return found

        assert self.run(work) == [(week.starts.isoformat(), week.title, week.is_off, week.going) for week in self.model]

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.loop.run_until_complete(self.db.close())
            self.loop.close()


def test_histories(tmp_path: Path, sqlite_templates: Path) -> None:
    async def fresh_url(_machine: Histories) -> str:
        return await sqlite_url(tmp_path, sqlite_templates, "openmeet")

    machine = type("Machine", (Histories,), {"fresh_url": fresh_url}).TestCase
    machine.settings = settings(
        max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine().runTest()
