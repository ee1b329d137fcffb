"""Jetstream events: the captured lines agree with the captured frames."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.sync import captured
from tests.external_dependencies import fixture_path, needs

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.sync import jetstream
from at_protocol.sync.events import RecordAction
from at_protocol.sync.jetstream import JetstreamAccount, JetstreamCommit, JetstreamIdentity


def _lines() -> list[str]:
    path = fixture_path("data/firehose/relay-2026-07-04-a.jetstream.jsonl")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


@needs("fixtures")
def test_captured_lines_are_read():
    read = [jetstream.read(line) for line in _lines()]
    actions = [event.action for event in read if isinstance(event, JetstreamCommit)]
    assert len(read) == 84
    assert [actions.count(action) for action in RecordAction] == [80, 1, 1]
    assert sum(isinstance(event, JetstreamIdentity) for event in read) == 1
    assert sum(isinstance(event, JetstreamAccount) for event in read) == 1


@needs("fixtures")
def test_every_operation_of_the_frames_has_one_line():
    """Every operation of the frames has one line, in order; the frame with three operations has three."""
    framed = {
        (message.repo, message.rev, operation.action, operation.path, operation.cid)
        for message in captured.commits()
        for operation in message.operations
    }
    lines = [event for line in _lines() if isinstance(event := jetstream.read(line), JetstreamCommit)]
    assert {(e.did, e.rev, e.action, f"{e.collection}/{e.rkey}", e.cid) for e in lines} == framed


@needs("fixtures")
def test_records_have_the_announced_cid():
    """A record in JSON encodes to the block that was signed, so its CID is the announced one."""
    for line in _lines():
        event = jetstream.read(line)
        if isinstance(event, JetstreamCommit) and event.record is not None:
            assert Cid.for_cbor(cbor.encode(event.record)) == event.cid


COMMIT: dict[str, Any] = {
    "rev": "3mptbyp63ih2m",
    "operation": "delete",
    "collection": "app.bsky.graph.follow",
    "rkey": "3m3q3ut7jsm2m",
}
EVENT: dict[str, Any] = {"did": "did:web:a.example", "time_us": 1783175888112407, "kind": "commit", "commit": COMMIT}
UPSTREAM = {"did": "did:web:a.example", "seq": 1, "time": ""}


def test_position_to_resume_from_depends_on_the_version():
    """Version 1 resumes by time, the rewrite by the cursor that it sends."""
    assert jetstream.read(json.dumps(EVENT)).cursor == 1783175888112407
    assert jetstream.read(json.dumps(EVENT | {"cursor": 42, "unknown": {}})).cursor == 42


@pytest.mark.parametrize("kind", ["sync", "labels", "", None, 1, []])
def test_unknown_kinds_are_skipped(kind):
    assert jetstream.read(json.dumps(EVENT | {"kind": kind})) is None


@pytest.mark.parametrize(
    "event",
    [
        [],
        EVENT | {"did": "alice"},
        EVENT | {"did": None},
        EVENT | {"time_us": "1"},
        EVENT | {"time_us": True},
        EVENT | {"cursor": "1"},
        EVENT | {"commit": None},
        EVENT | {"commit": COMMIT | {"operation": "move"}},
        EVENT | {"commit": COMMIT | {"operation": "create"}},
        EVENT | {"commit": COMMIT | {"operation": "create", "record": {"x": 1.5}, "cid": "x"}},
        EVENT | {"commit": COMMIT | {"operation": "create", "record": [], "cid": str(Cid.for_cbor(b""))}},
        EVENT | {"commit": COMMIT | {"collection": "follow"}},
        EVENT | {"commit": COMMIT | {"rkey": ".."}},
        EVENT | {"commit": COMMIT | {"rev": 1}},
        EVENT | {"kind": "account", "account": UPSTREAM},
        EVENT | {"kind": "account", "account": UPSTREAM | {"active": "yes"}},
        EVENT | {"kind": "identity", "identity": UPSTREAM | {"seq": None}},
        EVENT | {"kind": "identity", "identity": UPSTREAM | {"handle": 1}},
    ],
    ids=str,
)
def test_invalid_events_are_refused(event):
    with pytest.raises(Malformed):
        jetstream.read(json.dumps(event))


@given(st.one_of(st.text(max_size=80), st.binary(max_size=80)))
def test_garbage_is_malformed(text):
    try:
        assert jetstream.read(text) is None
    except Malformed:
        return


def test_query_of_a_subscription_names_every_filter():
    query = jetstream.subscribe_query(
        collections=["community.lexicon.calendar.*", "app.bsky.feed.post"],
        dids=["did:web:a.example"],
        cursor=7,
        max_message_bytes=1000,
    )
    assert query == (
        "wantedCollections=community.lexicon.calendar.%2A&wantedCollections=app.bsky.feed.post"
        "&wantedDids=did%3Aweb%3Aa.example&maxMessageSizeBytes=1000&cursor=7"
    )
    assert jetstream.subscribe_query() == ""


@pytest.mark.parametrize(
    "wanted",
    [
        {"collections": ["follow"]},
        {"collections": ["*"]},
        {"dids": ["alice"]},
        {"collections": ["a.b.c"] * 101},
        {"dids": ["did:web:a.example"] * 10_001},
    ],
    ids=["no NSID", "everything", "no DID", "101 collections", "10,001 accounts"],
)
def test_queries_that_a_server_would_refuse(wanted):
    with pytest.raises(Malformed):
        jetstream.subscribe_query(**wanted)
