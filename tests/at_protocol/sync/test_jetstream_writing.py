"""Jetstream events written from frames: the captured frames give the captured lines."""

import json

from tests.at_protocol.sync import captured
from tests.external_dependencies import fixture_path, needs

from at_protocol.sync import events
from at_protocol.sync.events import InfoMessage, SyncMessage
from at_protocol.sync.jetstream_writing import lines_of


def _comparable(event: dict[str, object]) -> str:
    """The event without each server's own time and cursor."""
    return json.dumps(
        {name: value for name, value in event.items() if name not in {"time_us", "cursor"}}, sort_keys=True
    )


@needs("fixtures")
def test_captured_frames_produce_the_captured_lines():
    path = fixture_path("data/firehose/relay-2026-07-04-a.jetstream.jsonl")
    captured_lines = {_comparable(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()}
    written = set()
    for frame in captured.frames():
        message = events.read(frame)
        assert isinstance(message, events.Sequenced)
        written |= {_comparable(json.loads(line.text)) for line in lines_of(message)}
    assert len(written & captured_lines) >= 82
    assert {json.loads(line)["kind"] for line in written} == {"commit", "identity", "account"}


@needs("fixtures")
def test_partly_received_commit_is_sent_again_completely():
    (message,) = (message for message in captured.commits() if len(message.operations) == 3)
    cursors = [json.loads(line.text)["cursor"] for line in lines_of(message)]
    assert cursors == [message.seq - 1, message.seq - 1, message.seq]


def test_messages_without_an_event():
    assert lines_of(InfoMessage("OutdatedCursor")) == []
    assert lines_of(SyncMessage(1, "did:web:a.example", "2026-01-01T00:00:00.000Z", "3mptbyp63ih2m", b"")) == []
