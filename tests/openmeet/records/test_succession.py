"""Changes of ownership in records: written once, read from any repository, and without effects beyond what the protocol
allows.
"""

import pytest

from at_protocol.lexicon.catalog import Catalog
from groundwork.clock import Instant
from openmeet.network.records.collections import EVENT, SERIES, SUCCESSION_KEY, SUCCESSION_KEYS
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.succession import (
    MAX_PREDECESSORS,
    Predecessors,
    RecordSuccession,
    put_predecessors,
    read_succession,
    write_superseded,
)

URIS = [f"at://did:plc:{letter * 24}/{EVENT}/tea" for letter in "abcdefghijkl"]
NEXT = URIS[0]


def said(**fields: object) -> dict:
    return {SUCCESSION_KEY: {"$type": SUCCESSION_KEY, **fields}}


def test_the_old_record_is_unchanged_but_for_its_successor():
    record = {"name": "Tea", "com.example.color": "red", **said(**{"com.example.mood": "sad"})}
    after = write_superseded(NEXT, record)
    assert after == record | said(**{"com.example.mood": "sad", "successor": NEXT})
    assert write_superseded(NEXT, after) == after


def test_the_new_record_names_its_latest_predecessor():
    record = {"name": "Tea", **said(successor=URIS[3], other=1)}
    put_predecessors(record, Predecessors(tuple(URIS), frozenset(URIS)))
    assert record == {"name": "Tea", **said(other=1, predecessors=URIS[-MAX_PREDECESSORS:])}
    put_predecessors(record, Predecessors())
    assert record == {"name": "Tea", **said(other=1)}


def test_an_event_that_never_changed_hands_has_neither_field():
    record: dict = {"name": "Tea"}
    put_predecessors(record, Predecessors())
    assert record == {"name": "Tea"}


@pytest.mark.parametrize(("written", "stays"), [(said(successor=NEXT), False), ({}, True)])
def test_a_successor_named_by_another_installation_stays(written: dict, stays: bool):
    record = {"name": "Tea", **said(successor=NEXT)}
    put_predecessors(record, Predecessors(), written)
    assert (record.get(SUCCESSION_KEY, {}).get("successor") == NEXT) is stays


@pytest.mark.parametrize("key", SUCCESSION_KEYS)
def test_every_spelling_is_read(key: str):
    record = {key: {"successor": NEXT, "predecessors": [URIS[1], URIS[1], URIS[2]]}}
    assert read_succession(record) == RecordSuccession(NEXT, (URIS[1], URIS[2]))


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        [NEXT],
        {"successor": 7, "predecessors": "x"},
        {"successor": "https://example.org", "predecessors": [None, {}, "at://", f"at://ana.test/{EVENT}/tea"]},
        {"successor": f"at://did:plc:{'a' * 24}", "predecessors": [f"at://did:plc:{'a' * 24}/{SERIES}/tea"]},
    ],
)
def test_values_that_are_not_event_uris_are_ignored(value: object):
    assert read_succession({SUCCESSION_KEY: value}) == RecordSuccession()


def test_the_object_is_in_the_reader_and_in_the_lexicons():
    record = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00Z", **said(successor=NEXT)}
    notes = read_event(EVENT, record, rkey="", indexed_at=Instant(0)).notes
    assert SUCCESSION_KEY not in str(notes)
    assert Catalog().find(SUCCESSION_KEY) is not None
