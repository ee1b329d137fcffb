"""Random histories of rules: rules of any shape replace each other, and no meeting with attendees or its own values is
lost.

``plain_repetition``, which imports none of our code, has the conditions. On both engines.
"""

import ast
import asyncio
import sys
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
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
from openmeet.domain.series import actions, apply_edits, date_queries, existing_events, queries, undo
from openmeet.domain.series.model import Timing
from openmeet.domain.series.plan import plan_all, plan_following
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.series import reference_recurrence
from tests.openmeet.series.conftest import Fresh
from tests.openmeet.series.random_histories import OnDatabases, run_histories
from tests.openmeet.series.reference_recurrence import Meeting, Shape, after_new_rule
from tests.openmeet.site_under_test import details, edited_details, person

# 2026-11-20 12:00 UTC, computed without our code. Dates of the next sixty days are stored at once.
NOW_US = 1_795_176_000_000_000
FIRST = datetime(2026, 11, 24, 18)  # noqa: DTZ001
STORED_UNTIL = datetime(2027, 1, 19)  # noqa: DTZ001
SECOND = 1_000_000
ZONE = "Europe/Berlin"
HOURS = timedelta(hours=2)
NAMES = st.sampled_from(["Ben", "Cleo", "Dan"])
WORDS = st.sampled_from(["Practice", "Rehearsal", "Concert"])
NUMBERS = st.integers(0, 30)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    base = FIRST + timedelta(days=draw(st.integers(0, 20)), minutes=draw(st.sampled_from([0, 0, 90])))
    freq = draw(st.sampled_from(["WEEKLY", "WEEKLY", "DAILY", "MONTHLY"]))
    weekdays = st.lists(st.integers(0, 6), min_size=1, max_size=1 if freq == "MONTHLY" else 3, unique=True)
    shape = Shape(
        base,
        freq,
        # Daily rules would have more dates than are stored at once.
        draw(st.integers(2 if freq == "DAILY" else 1, 4)),
        days=() if freq == "DAILY" else tuple(sorted(draw(weekdays))),
        nth=draw(st.integers(1, 4)) if freq == "MONTHLY" else 0,
    )
    match draw(st.sampled_from(["never", "count", "until"])):
        case "count":
            shape = replace(shape, count=draw(st.integers(3, 12)))
        case "until":
            shape = replace(shape, until=shape.start + timedelta(days=draw(st.integers(21, 70))))
    # Extra dates have a separate hour, because the model does not cover a time that is both excluded and added.
    added = draw(st.lists(st.integers(0, 50), max_size=3, unique=True))
    first = FIRST.replace(hour=11)
    return replace(
        shape,
        left_out=tuple(draw(st.lists(st.integers(1, 6), max_size=2, unique=True))),
        added=tuple(sorted(first + timedelta(days=number) for number in added)),
    )


def timing_of(shape: Shape) -> Timing:
    return Timing(
        pattern(shape.start, ZONE, parse_rule(shape.rule), left_out=shape.without(), added=shape.added), HOURS
    )


class Rules(OnDatabases):
    """The series of one host, each a list of dates, and the meetings of each by the ids of their events."""

    @initialize(shape=shapes(), is_there=st.booleans(), going=st.sets(NAMES))
    def begin(self, shape: Shape, is_there: bool, going: set[str]) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = HandClock(Instant(NOW_US))
        self.past: tuple[Any, ...] | None = None
        self.dates: dict[str, list[datetime]] = {}
        self.titles: dict[str, str] = {}
        self.meetings: dict[str, dict[str, Meeting]] = {}
        url, schema = self.loop.run_until_complete(self.fresh())
        self.db: Database = self.loop.run_until_complete(open_database(url, schema=schema, clock=self.clock))
        series, first = self.run(lambda tx: self._begin(tx, shape, is_there=is_there, going=going))
        names = self.run(lambda tx: self._names(tx, series))
        known = {first: Meeting(shape.start, "Practice", going=set(going))} if first else {}
        self.dates[series], self.titles[series] = shape.dates(), "Practice"
        self.meetings[series] = after_new_rule(known, self.dates[series], names, "Practice", STORED_UNTIL)

    async def _begin(self, tx: Any, shape: Shape, *, is_there: bool, going: set[str]) -> tuple[str, str | None]:
        self.host = await person(tx, "Ana")
        self.people = {name: await person(tx, name) for name in ("Ben", "Cleo", "Dan")}
        if not is_there:
            return (await actions.create(tx, self.host, Content("Practice"), timing_of(shape))).id, None
        said = {"starts": shape.start.isoformat(), "ends": (shape.start + HOURS).isoformat(), "time_zone": ZONE}
        event = await events.create(tx, self.host, details(title="Practice", **said))
        for name in sorted(going):
            await attendance.answer(tx, self.people[name], event.slug, RsvpReply.GOING)
        made = await existing_events.start_series_with(tx, self.host, event.slug, lambda _: timing_of(shape))
        return made.id, event.id

    async def _held(self, tx: Any, series: str) -> list[Any]:
        return [held.event for held in await date_queries.stored(tx, series) if not held.event.is_gone]

    async def _names(self, tx: Any, series: str) -> dict[str, datetime]:
        return {
            event.id: datetime.fromisoformat(event.position_in_series.original_date)
            for event in await self._held(tx, series)
        }

    def remember(self, series: str) -> None:
        self.past = (series, *deepcopy((self.dates, self.titles, self.meetings)))

    def _chosen(self, number: int) -> str:
        return sorted(self.dates)[number % len(self.dates)]

    def _meeting(self, number: int) -> tuple[str, Meeting] | None:
        everything = [one for some in self.meetings.values() for one in some.items()]
        return (
            sorted(everything, key=lambda one: (one[1].name, one[0]))[number % len(everything)] if everything else None
        )

    @rule(number=NUMBERS, name=NAMES, yes=st.booleans())
    def answer(self, number: int, name: str, yes: bool) -> None:
        found = self._meeting(number)
        if found is None:
            return
        event_id, meeting = found

        async def work(tx: Any) -> None:
            slug = await tx.fetch_one("select slug from events where id = :id", id=event_id)
            reply = RsvpReply.GOING if yes else RsvpReply.DECLINED
            await attendance.answer(tx, self.people[name], slug["slug"], reply)

        # People who declined have answered too, so the product also keeps their meetings. The model does not contain
        # these people.
        if yes or name in meeting.going:
            self.run(work)
            (meeting.going.add if yes else meeting.going.discard)(name)

    @rule(number=NUMBERS, title=WORDS)
    def retitle_one(self, number: int, title: str) -> None:
        found = self._meeting(number)
        if found is None:
            return
        event_id, meeting = found
        # Undo would lose this edit and is therefore refused.
        self.past = None

        async def work(tx: Any) -> None:
            for series in self.dates:
                for event in await self._held(tx, series):
                    if event.id == event_id:
                        await events.revise(tx, self.host, event.slug, edited_details(event, title=title))

        self.run(work)
        if meeting.title != title:
            meeting.title, meeting.own_title = title, True

    @rule(number=NUMBERS, shape=shapes(), title=st.none() | WORDS)
    def another_rule(self, number: int, shape: Shape, title: str | None) -> None:
        series = self._chosen(number)
        self.remember(series)
        said = title or self.titles[series]

        async def work(tx: Any) -> bool:
            locked = await queries.lock(tx, series)
            held = await date_queries.stored(tx, series)
            template = replace(locked.content, title=said)
            timing = timing_of(shape)
            await apply_edits.apply_plan(tx, locked, plan_all(locked, template, timing, held, tx.now))
            return locked.timing.pattern == timing.pattern

        is_same_rule = self.run(work)
        self.dates[series], self.titles[series] = shape.dates(), said
        self._learn(series, self.meetings[series])
        if is_same_rule:
            # A date that is not in the rule is still a date of the series and follows its edits. Only a new rule leaves
            # it unchanged.
            self.meetings[series] = {key: one.at(one.name, said) for key, one in self.meetings[series].items()}

    @rule(number=NUMBERS, where=NUMBERS, title=WORDS)
    def split(self, number: int, where: int, title: str) -> None:
        series = self._chosen(number)
        dates = [at for at in self.dates[series] if at < STORED_UNTIL]
        if len(dates) < 2:
            return
        at = dates[1 + where % (len(dates) - 1)]
        self.remember(series)

        async def work(tx: Any) -> Any:
            locked = await queries.lock(tx, series)
            held = await date_queries.stored(tx, series)
            template = replace(locked.content, title=title)
            plan = plan_following(locked, at.isoformat(), template, None, held, tx.now)
            return (await apply_edits.apply_plan(tx, locked, plan)).id

        behind = self.run(work)
        before = self.meetings[series]
        self.dates[behind] = [one for one in self.dates[series] if one >= at]
        self.dates[series] = [one for one in self.dates[series] if one < at]
        self.titles[behind] = title
        self._learn(behind, {key: one for key, one in before.items() if one.name >= at})
        self.meetings[series] = {key: one for key, one in before.items() if one.name < at}

    def _learn(self, series: str, before: dict[str, Meeting]) -> None:
        names = self.run(lambda tx: self._names(tx, series))
        # People who declined have answered too. In the model these meetings can be removed.
        kept = {
            key
            for key, name in names.items()
            if key in before and name not in self.dates[series] and not before[key].is_special
        }
        assert self.run(lambda tx: self._kept_for(tx, series, kept)) == kept, "an unexpected date exists"
        learned = after_new_rule(
            {key: one for key, one in before.items() if key not in kept},
            self.dates[series],
            {key: name for key, name in names.items() if key not in kept},
            self.titles[series],
            STORED_UNTIL,
        )
        self.meetings[series] = learned | {key: before[key].left_over() for key in kept}

    async def _kept_for(self, tx: Any, series: str, ids: set[str]) -> set[str]:
        rows = await tx.fetch("select distinct event_id from attendances")
        own = {event.id for event in await self._held(tx, series) if event.position_in_series.overridden}
        return (own | {row["event_id"] for row in rows}) & ids

    @precondition(lambda self: self.past is not None)
    @rule()
    def undo(self) -> None:
        assert self.past is not None
        series, dates, titles, meetings = self.past
        known = {key for some in meetings.values() for key in some}
        now = {key: one for some in self.meetings.values() for key, one in some.items()}
        # Dates of the restored rule may stay: a part has more of its dates stored than the undivided series had.
        going = {key for key, one in now.items() if key not in known and one.name not in dates[series]}

        async def work(tx: Any) -> dict[str, datetime] | None:
            locked = await queries.lock(tx, series)
            rows = await tx.fetch("select distinct event_id from attendances")
            if going & {row["event_id"] for row in rows}:
                with pytest.raises(Refused, match=r"series\.date_answered_since"):
                    await undo.undo(tx, locked)
                return None
            await undo.undo(tx, locked)
            return await self._names(tx, series)

        names = self.run(work)
        self.past = None
        if names is None:
            return
        for some in meetings.values():
            for key, one in some.items():
                # People who answered meanwhile keep their answers.
                one.going = now[key].going if key in now else one.going
        more = {key: name for key, name in names.items() if key not in known}
        assert set(more.values()) <= set(dates[series]) - {one.name for one in meetings[series].values()}
        for key, name in more.items():
            meetings[series][key] = Meeting(name, titles[series], going=set(now[key].going))
        self.dates, self.titles, self.meetings = dates, titles, meetings

    @precondition(lambda self: hasattr(self, "meetings"))
    @invariant()
    def both_tell_the_same(self) -> None:
        async def work(tx: Any) -> dict[str, Any]:
            going = await tx.fetch(
                "select a.event_id, u.display_name from attendances a join users u on u.id = a.user_id"
                " where a.status = 'attending'"
            )
            return {
                event.id: (
                    series,
                    event.position_in_series.original_date,
                    event.starts_local,
                    event.title,
                    {row["display_name"] for row in going if row["event_id"] == event.id},
                )
                for series in self.dates
                for event in await self._held(tx, series)
            }

        assert self.run(work) == {
            key: (series, one.name.isoformat(), one.starts.isoformat(), one.title, one.going)
            for series, some in self.meetings.items()
            for key, one in some.items()
        }


@pytest.mark.hypothesis
def test_random_histories_of_rules_match_the_model(fresh: Fresh, engine: Engine) -> None:
    run_histories(Rules, fresh, engine, steps=15)


def test_the_plain_model_imports_none_of_our_code() -> None:
    tree = ast.parse(Path(reference_recurrence.__file__).read_text(encoding="utf-8"))
    modules = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    modules |= {name.name for one in ast.walk(tree) if isinstance(one, ast.Import) for name in one.names}
    assert {module.split(".")[0] for module in modules if module} <= sys.stdlib_module_names


def test_a_left_over_date_follows_edits_of_all_dates(fresh: Fresh) -> None:
    """Ben goes to a Monday that is no longer in any rule. A new title for all dates applies to this date as well, and
    the date keeps its own hour.
    """

    async def another(_machine: Rules) -> tuple[str, str]:
        return await fresh()

    machine = type("Machine", (Rules,), {"fresh": another})()
    machine.begin(shape=Shape(datetime(2026, 11, 30, 18), "WEEKLY", 1, days=(0,)), is_there=False, going=set())  # noqa: DTZ001
    machine.answer(0, "Ben", yes=True)
    every_third = Shape(datetime(2026, 11, 25, 19, 30), "DAILY", 3, count=3, left_out=(1,))  # noqa: DTZ001
    machine.another_rule(0, every_third, None)
    machine.another_rule(0, every_third, "Rehearsal")
    machine.both_tell_the_same()
    assert {one.title for some in machine.meetings.values() for one in some.values() if one.going} == {"Rehearsal"}
    machine.teardown()
