"""A hostile relay: every frame is counted and stored, even a malformed one, and later frames are read."""

from collections import deque
from collections.abc import Mapping

import pytest

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.sync.frames import encode_message, summarize
from openmeet.network.firehose import cursors, repo_stream
from tests.attack.garbage import SEED, Garbage
from tests.external_dependencies import needs
from tests.openmeet.firehose.conftest import Bench, bench, captured_documents, captured_frames
from tests.openmeet.firehose.frames import follow_frames_until
from tests.simulation.relay import Relay

__all__ = ["bench"]

pytestmark = needs("fixtures")

_DID = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
_HEAD_OF_NUMBER = b"\x1b"  # CBOR: an integer of eight bytes follows


def _frame(kind: str, **fields: Value) -> bytes:
    return encode_message(kind, fields)


def _account(number: int, **fields: Value) -> bytes:
    return _frame("#account", **{"did": _DID, "time": "2026-07-04T00:00:00Z", "active": False, "seq": number, **fields})


def _commit() -> tuple[dict[str, Value], bytes]:
    """The payload of a captured commit, and its frame."""
    frame = next(frame for frame in captured_frames() if summarize(frame).kind == "#commit" and len(frame) < 20_000)
    _, start = cbor.decode_first(frame)
    payload = cbor.decode(frame[start:])
    assert isinstance(payload, dict)
    return payload, frame


def _like(payload: Mapping[str, Value], **changes: Value) -> bytes:
    return encode_message("#commit", {**payload, **changes})


def _hostile(number: int) -> list[bytes]:
    """Frames with every kind of defect, with the sequence number ``number`` if they have one."""
    good, _ = _commit()
    operation = {"action": "create", "path": "community.lexicon.calendar.event/x\x00", "cid": None}
    return [
        b"",
        b"\xff",
        b"\x00" * 100,
        b"\x81" * 100_000,
        b"\xff" * 6_000_000,
        _like(good, seq=number, blocks=b"\x00" * 6_000_000),
        _like(good, seq=number, blocks=b"\x00" * 4_900_000),
        cbor.encode({"op": 1, "t": "#commit"}),
        cbor.encode({"op": 1, "t": "#commit"}) * 3,
        cbor.encode({"op": 7, "t": "#commit"}) + cbor.encode({}),
        cbor.encode({"op": -1}) + cbor.encode({"error": "x\x00"}),
        cbor.encode({"op": -1}) + cbor.encode({}),
        _frame("#info", name="x\x00", message="\u202e"),
        _frame("#nonsense", seq=number),
        _account(2**40).replace(_HEAD_OF_NUMBER + (2**40).to_bytes(8), _HEAD_OF_NUMBER + b"\xff" * 8),
        _account(2**62),
        _account(-1),
        _account(number, did="did:plc:\x00"),
        _account(number, did="x" * 3000),
        _account(number, status="taken\x00down"),
        _account(number, active="yes"),
        _frame("#identity", did=_DID, time="", handle="\x00", seq=number),
        _frame("#sync", did=_DID, time="", rev="\x00", blocks=b"", seq=number),
        _like(good, seq=number, repo="did:plc:\x00bc"),
        _like(good, seq=number, repo=_DID),
        _like(good, seq=number, rev="jzzzzzzzzzzzz"),
        _like(good, seq=number, rev="\x00"),
        _like(good, seq=number, since="\x00"),
        _like(good, seq=number, blocks=b""),
        _like(good, seq=number, blocks=b"\xff" * 1000),
        _like(good, seq=number, ops=[operation]),
        _like(good, seq=number, ops=[{**operation, "action": "\x00"}]),
        _like(good, seq=number, ops=[]),
        _like(good, seq=number, ops="none"),
        _like(good, seq=number, time="\x00"),
    ]


@pytest.mark.parametrize("index", range(35))
async def test_no_frame_stops_the_stream(bench: Bench, index: int) -> None:
    """No hostile frame stops the stream: after two identical ones a good commit is still read."""
    good, frame = _commit()
    number = summarize(frame).seq
    bench.directory.documents = captured_documents()
    bench.interested_in(("did", str(good["repo"])), ("did", _DID), ("did", "did:plc:\x00bc"), ("did", "did:plc:\x00"))
    bad = _hostile(number - 1)[index]
    async with Relay([bad, bad, frame], [number - 2, number - 1, number]) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == number)
    async with bench.db.reader() as reader:
        state = await cursors.account_state_of(reader, str(good["repo"]))
    assert state.last_head is not None


async def test_random_frames_do_not_stop_the_stream(bench: Bench) -> None:
    print(f"seed {SEED}")
    garbage = Garbage(SEED)
    good, frame = _commit()
    number = summarize(frame).seq
    bench.interested_in(("did", str(good["repo"])))
    frames = []
    for _ in range(300):
        payload = dict(good)
        for name in garbage.dice.sample(sorted(payload), 2):
            payload[name] = garbage.dice.choice(
                [None, "", "\x00", 2**62, -5, b"\x00", [], {}, [None], "x" * 5000, payload["commit"]]
            )
        payload["seq"] = number - 1
        raw = bytearray(encode_message("#commit", payload))
        if garbage.is_hurt(0.5):
            raw[garbage.dice.randrange(len(raw))] ^= 1 << garbage.dice.randrange(8)
        frames.append(bytes(raw))
    async with Relay([*frames, frame], [number - 1] * len(frames) + [number]) as relay:
        await follow_frames_until(
            bench, relay.url, lambda source: source.cursor is not None and source.cursor >= number
        )
    async with bench.db.reader() as reader:
        assert len(await cursors.rejected(reader, limit=1000)) > 50


async def test_garbage_waits_for_queue_space(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage waits for space in the queue like other messages, so that a host that sends it faster than it can be
    stored cannot fill the memory.
    """
    monkeypatch.setattr(repo_stream, "MAX_PENDING", 20)
    most = 0

    class Counted(deque[object]):
        def append(self, item: object) -> None:
            nonlocal most
            super().append(item)
            most = max(most, len(self))

    monkeypatch.setattr(repo_stream, "deque", Counted)
    _, frame = _commit()
    number = summarize(frame).seq
    async with Relay([*[b"\xff"] * 500, frame], [*[number - 1] * 500, number]) as relay:
        await follow_frames_until(bench, relay.url, lambda source: source.cursor == number)
    assert most == 20
