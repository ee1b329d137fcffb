"""Two writers of the record of a group and of a series, in every order: the page on this site and another app.

As for events in ``test_two_writers`` there are three edits, each followed at some point by its delivery: a name on the
page, a name in the app, a description on the page. All ninety orders, each with both records at once, a fifth of them
per test.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from groundwork.clock import SECOND
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events.content import Content
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import record_queries
from openmeet.domain.series import actions, apply_edits, date_queries, queries
from openmeet.domain.series.model import Timing
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.deployment import Deployment, switch_flag
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.publishing.two_writers import (
    Writers,
    WriterStep,
    delivered_at,
    edit_orders,
    kept_names,
    write_until_idle,
)
from tests.openmeet.publishing.weekly_series import WEEKLY_RULE


class OfGroup(Writers):
    """A group of Cleo's."""

    async def on_the_page(self, field: str, value: str) -> None:
        async with self.deployment.db.transaction() as tx:
            group = await record_queries.by_record(tx, self.uri)
            assert group is not None
            await group_hosting.revise(tx, self.cleo, group.slug, replace(group.details, **{field: value}))

    async def says(self) -> tuple[str, str]:
        async with self.deployment.db.reader() as reader:
            group = await record_queries.by_record(reader, self.uri)
        assert group is not None
        return group.details.name, group.details.description


class OfSeries(Writers):
    """A series of Cleo's."""

    async def on_the_page(self, field: str, value: str) -> None:
        known = {"name": "title"}.get(field, field)
        async with self.deployment.db.transaction() as tx:
            found = await queries.by_record_uri(tx, self.uri)
            assert found is not None
            series = await actions.lock_managed(tx, self.cleo, found.slug)
            wanted = replace(series.content, **{known: value})
            await apply_edits.apply_plan(
                tx, series, plan_all(series, wanted, series.timing, await date_queries.stored(tx, series.id), tx.now)
            )

    async def says(self) -> tuple[str, str]:
        async with self.deployment.db.reader() as reader:
            series = await queries.by_record_uri(reader, self.uri)
        assert series is not None
        return series.content.title, series.content.description


async def _group(deployment: Deployment, cleo: Caller, name: str) -> str:
    async with deployment.db.transaction() as tx:
        made = await groups.create(tx, cleo, group_details(name=name, sync_enabled="on"))
    return made.id


async def _series(deployment: Deployment, cleo: Caller, name: str) -> str:
    async with deployment.db.transaction() as tx:
        starts = parse_date("2027-03-06T18:00", "Europe/Vienna")
        timing = Timing(pattern(starts, "Europe/Vienna", parse_rule(WEEKLY_RULE)), timedelta(hours=2))
        made = await actions.create(tx, cleo, Content(name), timing)
    return made.id


@pytest.mark.parametrize("part", range(5))
async def test_any_order_of_edits_by_page_and_app_converges(deployment: Deployment, part: int):
    """In the end page and repository are equal, every manual edit is kept or logged, and nobody writes any more."""
    await switch_flag(deployment, Flag.GROUPS, Flag.SERIES_LEXICON)
    cleo = await deployment.connected("cleo")
    for number, order in enumerate([*edit_orders()][part::5]):
        app = await deployment.stranger("cleo")
        subjects = await _group(deployment, cleo, f"Start {number}"), await _series(deployment, cleo, f"Start {number}")
        await deployment.deliver_publications()
        both = [
            kind(deployment, cleo, await _uri(deployment, subject), app)
            for kind, subject in zip((OfGroup, OfSeries), subjects, strict=True)
        ]
        await both[0].read_stream()
        here, there, words = f"Page {number}", f"App {number}", f"Words {number}"
        edits = [
            lambda w, v=here: w.on_the_page("name", v),
            lambda w, v=there: w.in_the_app("name", v),
            lambda w, v=words: w.on_the_page("description", v),
        ]
        # Sending and reading handles both records.
        deliveries: list[WriterStep] = [both[0].send, both[0].read_stream, both[0].send]
        mentioned: set[int] = set()
        for one in order:
            deployment.clock.turn(SECOND)
            if one in mentioned:
                await deliveries[one]()
            else:
                for writers in both:
                    await edits[one](writers)
            mentioned.add(one)
        rounds = await write_until_idle(*both)
        for writers in both:
            name, description = await writers.says()  # type: ignore[attr-defined]  # every one here has it
            record, said = await deployment.record(writers.uri), f"{type(writers).__name__}, order {order}"
            assert (name, description) == (record["name"], record["description"]) == (record["name"], words), said
            assert name in {here, there}, said
            lost = there if name == here else here
            first, second = (1, 0) if lost == there else (0, 1)
            was_read = order.index(second) > delivered_at(order, first)
            assert was_read or {here, there} <= await kept_names(writers), f"{said}: {lost} is lost without a trace"
            assert rounds <= 3, f"{said}: {rounds} rounds"


async def _uri(deployment: Deployment, subject: str) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select uri from publications where subject_id = :id", id=subject)
    assert row is not None
    return str(row["uri"])
