"""Every captured record of every app goes through ingestion and becomes a row or is stored with a reason. None is lost."""

import json
from collections import Counter

import pytest

from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.database.transaction import Database
from groundwork.errors import decode_explanation
from openmeet.network.ingestion.submitted_records import SubmissionResult, SubmittedRecord, apply_batch
from openmeet.network.records.collections import CALENDAR
from openmeet.network.records.inspect import LocatedRecord, find_records
from openmeet.network.records.message import RecordOperation
from openmeet.network.records.seen import RecordState
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.ingestion.network import HERE, did, rev

pytestmark = needs("fixtures")

FOLDER = "data/calendar-records"
# The results for each file. An RSVP waits if its event is in none of the files.
EXPECTED = {
    "adapter-event-geo-strings.json": {"applied": 1},
    "atmo-rsvp-event-game-night.json": {"applied": 1},
    "event-all-location-types.json": {"applied": 1},
    "import-guild-london-graphql.json": {"refused": 1},
    "import-guild-react-summit.json": {"refused": 1},
    "nonconforming-shapes.json": {"applied": 1, "awaits_event": 1},
    "repo-events-irregular-monthly.json": {"applied": 28},
    "repo-two-kinds-one-author.json": {"applied": 2},
    "rsvp-going-listrecords.json": {"awaits_event": 1},
    "smokesignal-legacy-event.json": {"applied": 1},
    "smokesignal-style-event-atmosphereconf-2026.json": {"applied": 1},
}


def records_of(name: str) -> list[LocatedRecord]:
    return find_records(json.loads(fixture_path(f"{FOLDER}/{name}").read_bytes()))


def handed_in(found: LocatedRecord, number: int) -> SubmittedRecord:
    """The record as a service would submit it. A record without a URI gets one."""
    author = did(number % 16)
    try:
        author = str(parse_at_uri(found.uri).authority)
    except Malformed:
        assert not found.uri
    return SubmittedRecord(
        RecordOperation.CREATE,
        author,
        found.collection,
        found.rkey or "somekey",
        rev(number),
        None,
        found.cid,
        found.value,
    )


async def take(db: Database, records: list[LocatedRecord]) -> list[SubmissionResult]:
    batch = [handed_in(found, number) for number, found in enumerate(records)]
    return await apply_batch(db, HERE, batch, collections=CALENDAR, is_vouched=False)


def test_every_captured_file_is_expected():
    assert {path.name for path in fixture_path(FOLDER).iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
async def test_captured_file(make_sqlite, name: str):
    """Each record is applied, waits or has a reason. An applied event has a title."""
    db = await make_sqlite("openmeet")
    results = await take(db, records_of(name))
    assert Counter(one.result for one in results) == EXPECTED[name]
    assert all(one.reason for one in results if one.result in {"refused", "raw"})
    async with db.reader() as reader:
        events = await reader.fetch("select record_uri, title from events")
        kept = await reader.fetch("select uri, body, state, reason from records")
    assert {row["record_uri"] for row in events} == {one.uri for one in results if one.result == "applied"}
    assert all(row["title"].strip() for row in events)
    assert len(kept) == sum(number for result, number in EXPECTED[name].items() if result != "refused")
    assert all(row["body"] for row in kept)


async def test_all_at_once_and_again_on_both_engines(db: Database):
    """The whole folder is applied as one batch and then in reverse order. The second time nothing changes."""
    everything = [found for name in EXPECTED for found in records_of(name)]
    results = await take(db, everything)
    async with db.reader() as reader:
        before = await reader.fetch("select record_uri, title, starts_at, removed_at from events order by record_uri")
    assert len(before) == 36
    number = len(everything)
    batch = [handed_in(found, index) for index, found in enumerate(everything)][::-1]
    again = await apply_batch(db, HERE, batch, collections=CALENDAR, is_vouched=False)
    assert len(again) == number
    assert {one.result for one in again} <= {"known", "refused"}
    async with db.reader() as reader:
        after = await reader.fetch("select record_uri, title, starts_at, removed_at from events order by record_uri")
        rows = await reader.fetch("select state, reason from records")
    assert [tuple(row) for row in after] == [tuple(row) for row in before]
    assert all(row["reason"] for row in rows if row["state"] == RecordState.RAW.value)
    assert len(rows) == len(results) - 2


UNMAPPABLE = {
    "no record": [],
    "another type": {"$type": "app.bsky.feed.post", "name": "Tea"},
    "a year nobody plans for": {"name": "Tea", "startsAt": "9999-01-01T00:00:00Z"},
    "an answer to nothing": {"status": "going"},
    "an answer to a post": {"status": "going", "subject": {"uri": f"at://{did(1)}/app.bsky.feed.post/x"}},
}


@pytest.mark.parametrize("case", UNMAPPABLE)
async def test_a_record_without_a_row_has_a_reason(db: Database, case: str):
    """The record is stored with the reason, without an event or an RSVP."""
    value = UNMAPPABLE[case]
    is_answer = isinstance(value, dict) and "status" in value
    collection = "community.lexicon.calendar." + ("rsvp" if is_answer else "event")
    one = SubmittedRecord(RecordOperation.CREATE, did(1), collection, "somekey", rev(1), None, None, value)
    (results,) = await apply_batch(db, HERE, [one], collections=CALENDAR, is_vouched=False)
    assert results.result == "raw"
    assert results.reason
    async with db.reader() as reader:
        assert await reader.fetch("select id from events") == []
        rows = await reader.fetch("select reason from records")
    assert [decode_explanation(row["reason"]) for row in rows] == [results.reason]


NEAR = {
    "decimals as numbers": {"locations": [{"latitude": 52.517, "longitude": 13.402}]},
    "a blob that is none": {"media": [{"role": "header", "content": {"$type": "blob", "ref": {"$link": "fake"}}}]},
    "a link to nothing": {"theme": {"$link": "nothing"}},
    "an integer of many digits": {"additionalData": {"price": 10**30}},
}


@pytest.mark.parametrize("case", NEAR)
async def test_records_that_only_json_can_hold_are_read(db: Database, case: str):
    """An aggregator's JSON that is not valid in a repository still gives an event, with the nearest value that can be
    stored.
    """
    value = {"$type": "community.lexicon.calendar.event", "name": "Tea", "createdAt": "2026-01-01T00:00:00Z"} | NEAR[
        case
    ]
    one = SubmittedRecord(
        RecordOperation.CREATE, did(1), "community.lexicon.calendar.event", "tea", rev(1), None, None, value
    )
    (results,) = await apply_batch(db, HERE, [one], collections=CALENDAR, is_vouched=False)
    assert (results.result, results.reason) == ("applied", None)
    async with db.reader() as reader:
        (row,) = await reader.fetch("select title, latitude from events")
    assert row["title"] == "Tea"
    assert bool(row["latitude"]) is (case == "decimals as numbers")
