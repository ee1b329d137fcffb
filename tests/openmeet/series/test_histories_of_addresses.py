"""URLs of dates under random histories: after any changes of a host to a series, in any order, every shared URL leads
to its date.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from groundwork.clock import HandClock
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Engine, Transaction
from groundwork.errors import NotFound
from openmeet.domain.series import actions, cancel_dates, date_queries, queries, undo
from openmeet.domain.series.model import Series, SeriesId
from openmeet.recurrence import expansion
from tests.openmeet.series.conftest import Fresh
from tests.openmeet.series.practice import NOW, create_weekly_series, move_all_dates, original_dates, split_series
from tests.openmeet.series.random_histories import OnDatabases, run_histories

NUMBERS = st.integers(0, 30)

# A weekly date moves to the nearest day of the new rule, and a clock change or a new hour can add to that distance.
_MAX_PER_MOVE = timedelta(days=4)

_WEEKS_AHEAD = (40, 41, 60)


@dataclass(frozen=True)
class Address:
    """A shared URL: of a stored date (``event_id``) or of a computed one, and the number of moves since."""

    slug: str
    name: str
    event_id: str | None
    moves: int


class Addresses(OnDatabases):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()

        async def opened() -> None:
            url, schema = await self.fresh()
            self.clock = HandClock(NOW)
            self.db = await open_database(url, schema=schema, clock=self.clock)

        self.loop.run_until_complete(opened())
        self.host, series = self.run(create_weekly_series)
        self.there: list[SeriesId] = [series.id]
        self.last: tuple[SeriesId, list[SeriesId]] | None = None
        self.passed_on: list[Address] = []
        self.moves = 0
        self.removed: set[str] = set()
        # The events that each URL has led to.
        self.led_to: dict[tuple[str, str], str] = {}
        self._pass_on()

    def _pass_on(self) -> None:
        async def addresses(tx: Transaction) -> list[Address]:
            found = []
            for series_id in self.there:
                series = await queries.lock(tx, series_id)
                assert series is not None
                stored = [held.event for held in await date_queries.stored(tx, series.id) if not held.event.is_gone]
                found += [Address(series.slug, original_dates([one])[0], one.id, self.moves) for one in stored]
                known = set(original_dates(stored))
                at = expansion.following(series.timing.pattern, NOW, max(_WEEKS_AHEAD) + 1)
                far = [at[week].original.isoformat() for week in _WEEKS_AHEAD if week < len(at)]
                found += [Address(series.slug, name, None, self.moves) for name in far if name not in known]
            return found

        self.passed_on += [one for one in self.run(addresses) if one not in self.passed_on]

    def _change(self, number: int, work: Any) -> SeriesId:
        series_id = self.there[number % len(self.there)]
        self.last = series_id, list(self.there)

        async def locked(tx: Transaction) -> Series:
            series = await queries.lock(tx, series_id)
            assert series is not None
            done: Series = await work(tx, series)
            return done

        done = self.run(locked).id
        if done not in self.there:
            self.there.append(done)
        return series_id

    @rule(number=NUMBERS, days=st.integers(-6, 6), minutes=st.sampled_from([0, 0, 30, -90]))
    def another_day(self, number: int, days: int, minutes: int) -> None:
        by = timedelta(days=days, minutes=minutes)
        self._change(number, lambda tx, series: move_all_dates(tx, series, by))
        self.moves += 1
        self._pass_on()

    @rule(number=NUMBERS, where=st.integers(1, 5))
    def goes_on_otherwise(self, number: int, where: int) -> None:
        async def parted(tx: Transaction, series: Series) -> Series:
            coming = original_dates([held.event for held in await date_queries.coming(tx, series.id)])
            dates = [one for one in coming if expansion.is_date_of(series.timing.pattern, datetime.fromisoformat(one))]
            return series if len(dates) <= where else await split_series(tx, series, dates[where], "Rehearsal")

        self._change(number, parted)
        self._pass_on()

    @rule(number=NUMBERS, which=NUMBERS)
    def take_out(self, number: int, which: int) -> None:
        async def without(tx: Transaction, series: Series) -> Series:
            coming = [held.event for held in await date_queries.coming(tx, series.id)]
            if len(coming) < 2:
                return series
            gone = coming[which % len(coming)]
            self.removed.add(gone.id)
            return await cancel_dates.remove_dates(tx, series, original_dates([gone]))

        self._change(number, without)

    @precondition(lambda self: getattr(self, "last", None) is not None)
    @rule()
    def undo(self) -> None:
        assert self.last is not None
        series_id, before = self.last
        self.last = None

        async def undone(tx: Transaction) -> bool:
            series = await queries.lock(tx, series_id)
            assert series is not None
            if await undo.open_undo(tx, series) is None:
                return False
            await undo.undo(tx, series)
            return True

        if self.run(undone):
            self.there = before
            self.moves += 1  # a URL shared since the change leads to where the date was before it

    @precondition(lambda self: bool(getattr(self, "passed_on", [])))
    @rule()
    def every_address_leads_to_its_date(self) -> None:
        for one in self.passed_on:
            try:
                event = self.run(lambda tx, one=one: actions.open_date(tx, one.slug, one.name))
            except NotFound:
                assert self.led_to.get((one.slug, one.name), one.event_id) in self.removed, one
                continue
            self.led_to[one.slug, one.name] = event.id
            if one.event_id is None and event.id not in self.removed:
                shift = abs(datetime.fromisoformat(event.starts_local) - datetime.fromisoformat(one.name))
                assert shift <= _MAX_PER_MOVE * (self.moves - one.moves), (one, event.starts_local)


@pytest.mark.hypothesis
def test_random_histories_keep_urls_of_dates(fresh: Fresh, engine: Engine) -> None:
    run_histories(Addresses, fresh, engine, steps=8)
