"""Series of other repositories are read-only, with the author's rule and their events as dates, in any order. No event
of this site becomes one of their dates.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from at_protocol.syntax.record_key import parse_record_key
from groundwork.database.transaction import Database, Row
from groundwork.errors import NotFound
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.series import date_queries, materialize, queries
from openmeet.domain.series.model import Series
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.ingestion import remote_series
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.remote_series import claimed_dates_handler
from openmeet.network.records.collections import SERIES, SERIES_LINK_KEY
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.openmeet.ingestion.group_and_series_messages import WEEKLY_URI, date_message, flags_on, series_message
from tests.openmeet.ingestion.network import HERE, deletion_of, did, event
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT

__all__ = ["flags_on"]


async def known(db: Database, uri: str = WEEKLY_URI) -> tuple[Series, list[str]]:
    async with db.reader() as reader:
        found = await queries.by_record_uri(reader, uri)
        assert found is not None
        held = await date_queries.stored(reader, found.id)
    return found, [one.event.position_in_series.original_date for one in held if one.event.position_in_series]


@pytest.mark.usefixtures("flags_on")
async def test_a_series_and_its_dates_in_any_order(db: Database):
    await apply_messages(db, date_message("a", 1, "2026-03-07"), series_message(2), date_message("b", 3, "2026-03-21"))
    found, names = await known(db)
    assert (found.content.title, found.is_read_only, found.zone_name) == ("Games", True, "Europe/Vienna")
    assert str(found.timing.pattern.rule) == "FREQ=WEEKLY"
    assert len(found.timing.pattern.left_out) == 1
    assert names == ["2026-03-07T18:00:00", "2026-03-21T18:00:00"]


@pytest.mark.usefixtures("flags_on")
async def test_a_remote_series_creates_no_dates(db: Database):
    await apply_messages(db, series_message(1))
    found, names = await known(db)
    assert names == []
    async with db.transaction() as tx:
        assert await materialize.store_window(tx, found) == []
        with pytest.raises(NotFound):
            await materialize.ensure_stored(tx, found, "2026-03-21T18:00:00")
        queued = await tx.fetch("select kind from publications")
    assert list(queued) == []


@pytest.mark.usefixtures("flags_on")
async def test_a_changed_rule_is_adopted_and_removed_dates_become_single_events(db: Database):
    weekly = series_message(2)
    await apply_messages(
        db, date_message("a", 1, "2026-03-07"), weekly, series_message(3, rrule=["FREQ=MONTHLY"], name="Big games")
    )
    found, names = await known(db)
    assert (found.content.title, str(found.timing.pattern.rule), names) == (
        "Big games",
        "FREQ=MONTHLY",
        ["2026-03-07T18:00:00"],
    )
    await apply_messages(db, deletion_of(weekly, 4))
    found, names = await known(db)
    assert (found.deleted_at is not None, names) == (True, [])
    async with db.reader() as reader:
        rows = await reader.fetch("select series_id from events where removed_at is null")
    assert [row["series_id"] for row in rows] == [None]
    await apply_messages(db, series_message(5))
    assert (await known(db))[1] == ["2026-03-07T18:00:00"]


@pytest.mark.usefixtures("flags_on")
async def test_nobody_puts_an_event_into_anothers_series(db: Database):
    await apply_messages(db, series_message(1), date_message("a", 2, "2026-03-07", author=2))
    assert (await known(db))[1] == []


@pytest.mark.usefixtures("flags_on")
async def test_older_spellings_are_read(db: Database):
    older = "net.openmeet.series"
    await apply_messages(db, series_message(1, collection=older))
    found, _ = await known(db, f"at://{did(1)}/{older}/weekly")
    assert found.content.title == "Games"


@pytest.mark.usefixtures("flags_on")
@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Mars/Olympus"},
        {"dtstart": "soon"},
        {"rrule": ["FREQ=SECONDLY"]},
        {"name": ""},
        {"rrule": ["FREQ=DAILY", "FREQ=WEEKLY"]},
    ],
)
async def test_what_cannot_be_understood_is_kept_raw_with_the_reason(db: Database, wrong: dict):
    assert await apply_messages(db, series_message(1, **wrong)) == [IngestResult.RAW]
    async with db.reader() as reader:
        row = await reader.fetch_one("select reason from records")
        assert row is not None
        assert row["reason"]
        assert await queries.by_record_uri(reader, WEEKLY_URI) is None


async def test_without_the_flag_nothing_is_read(db: Database):
    assert await apply_messages(db, series_message(1)) == [IngestResult.SWITCHED_OFF]


@pytest.mark.usefixtures("flags_on")
async def test_a_rule_in_an_event_record_starts_a_series(db: Database):
    tea = event(
        1,
        "tea",
        1,
        startsAt="2026-03-07T17:00:00Z",
        timezone="Europe/Vienna",
        rrule="FREQ=WEEKLY",
        exdate=["2026-03-14T17:00:00Z"],
    )
    await apply_messages(db, tea)
    found, names = await known(db, f"at://{did(1)}/{EVENT}/tea")
    assert (str(found.timing.pattern.rule), names) == ("FREQ=WEEKLY", ["2026-03-07T18:00:00"])
    assert [at.isoformat() for at in found.timing.pattern.left_out] == ["2026-03-14T18:00:00"]


RULED = {"rrule": "FREQ=WEEKLY;UNTIL=20260509T160000Z"}


def ruled(rkey: str, at: int, day: str, *, is_named: bool = False, has_rule: bool = True) -> RecordMessage:
    """A date as this site writes it while records contain rules: the record of the next date has the rule."""
    more = {
        SERIES_LINK_KEY: {"$type": SERIES_LINK_KEY, "series": {"uri": WEEKLY_URI}, "recurrenceId": f"{day}T18:00:00"}
    }
    return event(
        1,
        rkey,
        at,
        "Games",
        startsAt=f"{day}T17:00:00Z",
        timezone="Europe/Vienna",
        **(RULED if has_rule else {}),
        **(more if is_named else {}),
    )


async def shown(db: Database) -> list[tuple[str, list[str]]]:
    """Every visible series: its record's URI and the names of its dates."""
    async with db.reader() as reader:
        rows = await reader.fetch("select record_uri from event_series where deleted_at is null order by record_uri")
        found = []
        for row in rows:
            one = await queries.by_record_uri(reader, row["record_uri"])
            assert one is not None
            held = await date_queries.stored(reader, one.id)
            names = [each.event.position_in_series.original_date for each in held if each.event.position_in_series]
            found.append((row["record_uri"].rpartition("/")[2], names))
        return found


@pytest.mark.usefixtures("flags_on")
@pytest.mark.parametrize("first", ["series", "date", "date without a link"])
async def test_a_rule_next_to_a_series_link_makes_no_second_series(db: Database, first: str):
    weekly = series_message(2, rrule=["FREQ=WEEKLY;COUNT=10"], exdate=[])
    named = ruled("a", 3, "2026-03-07", is_named=True)
    said = {
        "series": [weekly, named],
        "date": [named, weekly],
        "date without a link": [ruled("a", 1, "2026-03-07"), named, weekly],
    }
    for one in said[first]:
        await apply_messages(db, one)
    assert await shown(db) == [("weekly", ["2026-03-07T18:00:00"])]


@pytest.mark.usefixtures("flags_on")
@pytest.mark.parametrize("is_new_first", [True, False])
async def test_a_rule_that_moves_on_to_the_next_date_stays_one_series(db: Database, is_new_first: bool):
    """The URL of the series does not change, so its followers stay."""
    await apply_messages(db, ruled("a", 1, "2026-03-07"))
    async with db.reader() as reader:
        before = await queries.by_record_uri(reader, f"at://{did(1)}/{EVENT}/a")
    moves = [ruled("b", 2, "2026-03-14"), ruled("a", 3, "2026-03-07", has_rule=False)]
    for one in moves if is_new_first else moves[::-1]:
        await apply_messages(db, one)
    ((where, names),) = await shown(db)
    assert (where, "2026-03-14T18:00:00" in names) == ("b", True)
    async with db.reader() as reader:
        after = await queries.by_record_uri(reader, f"at://{did(1)}/{EVENT}/b")
    assert before is not None
    assert after is not None
    assert (after.id, after.slug) == (before.id, before.slug)


@pytest.mark.usefixtures("flags_on")
async def test_removing_the_rule_leaves_a_single_event(db: Database):
    await apply_messages(db, ruled("a", 1, "2026-03-07"))
    assert len(await shown(db)) == 1
    await apply_messages(db, ruled("a", 2, "2026-03-07", has_rule=False))
    assert await shown(db) == []


@pytest.mark.usefixtures("flags_on")
@pytest.mark.parametrize("is_alone", [True, False])
async def test_a_series_is_deleted_with_the_record_that_started_it(db: Database, *, is_alone: bool):
    """The series is restored under the same URL if the record is."""
    weekly, other = ruled("a", 1, "2026-03-07"), event(2, "walk", 1)
    await apply_messages(db, weekly, other)
    async with db.reader() as reader:
        before = await queries.by_record_uri(reader, weekly.uri)
    await apply_messages(
        db, *([deletion_of(weekly, 2)] if is_alone else [deletion_of(weekly, 2), deletion_of(other, 3)])
    )
    assert await shown(db) == []
    await apply_messages(db, ruled("a", 4, "2026-03-07"))
    assert await shown(db) == [("a", ["2026-03-07T18:00:00"])]
    async with db.reader() as reader:
        after = await queries.by_record_uri(reader, weekly.uri)
    assert before is not None
    assert after is not None
    assert (after.id, after.slug) == (before.id, before.slug)


async def pay_claimed_dates(db: Database) -> int:
    """Deliver every job of this kind, as the publisher does, and return their number."""
    return await run_once(db, {JobKind.CLAIMED_DATES: one_job_per_call(claimed_dates_handler(db))})


@pytest.mark.usefixtures("flags_on")
async def test_dates_behind_many_other_events_are_found_in_batches(db: Database, monkeypatch: pytest.MonkeyPatch):
    """An author has more events than one transaction reads. The newest are checked at once and the others by a job, in
    order and in batches.
    """
    monkeypatch.setattr(remote_series, "BATCH", 3)
    old = [date_message(f"a{number}", 1, day) for number, day in enumerate(("2026-03-07", "2026-03-21"))]
    others = [event(1, f"b{number}", 1, "Tea") for number in range(7)]
    await apply_messages(db, *old, *others, date_message("c", 1, "2026-03-28"))
    await apply_messages(db, series_message(2))
    assert (await known(db))[1] == ["2026-03-28T18:00:00"]
    assert await pay_claimed_dates(db) == 1
    assert (await known(db))[1] == ["2026-03-07T18:00:00", "2026-03-21T18:00:00", "2026-03-28T18:00:00"]
    assert await pay_claimed_dates(db) == 0


async def on_its_dates(db: Database) -> list[str]:
    """Record keys of the visible events that are dates of the series."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select record_uri from events where series_id is not null and removed_at is null order by record_uri"
        )
    return [str(row["record_uri"]).rpartition("/")[2] for row in rows]


@pytest.mark.usefixtures("flags_on")
async def test_a_date_whose_event_is_deleted_gets_another_event_that_claims_it(
    db: Database, monkeypatch: pytest.MonkeyPatch
):
    await apply_messages(
        db, series_message(1), holder := date_message("a", 2, "2026-03-07"), date_message("b", 2, "2026-03-07")
    )
    await apply_messages(db, *(event(1, f"c{number}", 2, "Tea") for number in range(4)))
    monkeypatch.setattr(remote_series, "BATCH", 3)
    await apply_messages(db, deletion_of(holder, 3))
    assert await on_its_dates(db) == []
    assert await pay_claimed_dates(db) == 1
    assert await on_its_dates(db) == ["b"]


class ReadingRecords(StatementCounter):
    """Also counts how often the newest records of the author are read."""

    times = 0

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        self.times += "order by rkey desc" in sql
        return await super().fetch(sql, **parameters)


async def what_it_takes(db: Database, *messages: RecordMessage) -> tuple[int, int]:
    """Return the number of statements that apply these messages as one batch, and how often the author's records were
    read.
    """
    async with db.transaction() as tx:
        counting = ReadingRecords(tx)
        await apply(counting, replace(HERE, flags=Switchboard()), messages)
        return counting.statements, counting.times


def days(first: int, count: int) -> list[str]:
    return [f"2027-{number // 28 + 1:02}-{number % 28 + 1:02}" for number in range(first, first + count)]


@pytest.mark.usefixtures("flags_on")
async def test_deleting_several_dates_reads_the_others_once(db: Database):
    """The number of statements does not depend on the number of other dates, because none of them refers to a deleted
    one.
    """
    await apply_messages(db, series_message(1), series_message(1, collection="net.openmeet.series"))
    older = f"at://{did(1)}/net.openmeet.series/weekly"
    dates = [date_message(f"a{number:02}", 2, day) for number, day in enumerate(days(0, 6))]
    dates += [date_message(f"b{number:02}", 2, day, uri=older) for number, day in enumerate(days(0, 6))]
    await apply_messages(db, *dates)
    few, times = await what_it_takes(db, *(deletion_of(one, 3) for one in dates[:3] + dates[6:9]))
    assert times == 1
    await apply_messages(db, *(date_message(f"c{number:02}", 4, day) for number, day in enumerate(days(10, 30))))
    assert await what_it_takes(db, *(deletion_of(one, 5) for one in dates[3:6] + dates[9:12])) == (few, 1)


def named(key: str, at: int) -> RecordMessage:
    """Another weekly series of the same author."""
    return replace(series_message(at), rkey=parse_record_key(key))


def of_series(key: str, rkey: str, at: int, day: str) -> RecordMessage:
    return date_message(rkey, at, day, uri=f"at://{did(1)}/{SERIES}/{key}")


@pytest.mark.usefixtures("flags_on")
async def test_several_series_in_a_batch_read_the_events_once(db: Database):
    """The events are read once for any number of series by one author in a batch. Each series gets its dates, both
    earlier ones and those in the batch.
    """
    keys = [f"s{number}" for number in range(20)]
    await apply_messages(db, *(of_series(key, f"a{key}", 1, "2026-03-07") for key in keys))
    beside = [of_series(key, f"b{key}", 2, "2026-03-21") for key in keys]
    _, times = await what_it_takes(db, *(named(key, 2) for key in keys), *beside)
    assert times == 1
    for key in keys:
        _, names = await known(db, f"at://{did(1)}/{SERIES}/{key}")
        assert names == ["2026-03-07T18:00:00", "2026-03-21T18:00:00"], key


@pytest.mark.usefixtures("flags_on")
async def test_a_series_created_and_deleted_in_one_batch_has_no_dates(db: Database):
    weekly = series_message(2)
    await apply_messages(db, date_message("a", 1, "2026-03-07"), weekly, deletion_of(weekly, 3))
    assert await on_its_dates(db) == []
    await apply_messages(db, series_message(4))
    assert await on_its_dates(db) == ["a"]


@pytest.mark.usefixtures("flags_on")
async def test_dates_deleted_or_moved_in_one_batch_pass_to_other_events_that_claim_them(db: Database):
    held = [date_message(f"a{number}", 2, day) for number, day in enumerate(days(0, 3))]
    await apply_messages(
        db, series_message(1), *held, *(date_message(f"b{number}", 2, day) for number, day in enumerate(days(0, 3)))
    )
    assert await on_its_dates(db) == ["a0", "a1", "a2"]
    await apply_messages(
        db,
        deletion_of(held[0], 3),
        date_message("a1", 3, "2027-02-01"),
        deletion_of(held[2], 3),
        date_message("a2", 4, days(2, 1)[0]),
    )
    assert await on_its_dates(db) == ["a1", "a2", "b0", "b1"]


@pytest.mark.usefixtures("flags_on")
async def test_authors_with_few_events_need_no_job(db: Database):
    await apply_messages(db, series_message(1), date_message("a", 2, "2026-03-07"))
    assert await pay_claimed_dates(db) == 0


@pytest.mark.usefixtures("flags_on")
async def test_a_series_deleted_meanwhile_gets_no_dates(db: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote_series, "BATCH", 1)
    weekly = series_message(2)
    await apply_messages(db, date_message("a", 1, "2026-03-07"), event(1, "b", 1, "Tea"), weekly)
    await apply_messages(db, deletion_of(weekly, 3))
    assert await pay_claimed_dates(db) == 1
    async with db.reader() as reader:
        assert await reader.fetch("select 1 from events where series_id is not null") == []
