"""Frames: byte-identical both ways, and what is refused."""

import contextlib
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.sync import captured
from tests.at_protocol.sync.captured import Author
from tests.external_dependencies import needs

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed, Misuse
from at_protocol.sync import events, frames
from at_protocol.sync.events import AccountMessage, CommitMessage, IdentityMessage, InfoMessage


@needs("fixtures")
def test_kinds_of_captured_frames():
    kinds = [type(events.read(frame)) for frame in captured.frames()]
    assert len(kinds) == 82
    assert (kinds.count(CommitMessage), kinds.count(IdentityMessage), kinds.count(AccountMessage)) == (80, 1, 1)


@pytest.mark.parametrize("number", range(len(captured.frames())))
def test_captured_frame_is_written_byte_identically(number):
    """A captured frame is rewritten byte for byte: as a frame, as a message, and with its sequence number inserted
    later.
    """
    data = captured.frames()[number]
    frame = frames.decode(data)
    assert isinstance(frame, frames.Frame)
    assert frames.encode_message(frame.kind, frame.payload) == data
    message = events.read(data)
    assert message is not None
    assert not isinstance(message, InfoMessage | frames.ErrorFrame)
    assert events.encode(message) == data
    assert events.encode_unsequenced(message).with_seq(message.seq) == data


@pytest.mark.parametrize("number", range(len(captured.frames())))
def test_quick_summary_agrees_with_full_decoding(number):
    """A quick look at a frame finds the same values as full decoding."""
    data = captured.frames()[number]
    message, seen = events.read(data), frames.summarize(data)
    match message:
        case CommitMessage():
            paths = tuple(operation.path for operation in message.operations)
            assert seen == frames.FrameSummary("#commit", message.repo, message.seq, paths)
        case IdentityMessage() | AccountMessage():
            assert seen == frames.FrameSummary(events.kind_of(message), message.did, message.seq, ())
        case _:
            pytest.fail("another kind")


MESSAGES = [
    Author().write(("com.example.thing/a", {"x": 1})),
    Author().sync(),
    IdentityMessage(1, captured.DID, "2027-01-15T08:00:00Z", "alice.example"),
    IdentityMessage(2, captured.DID, "2027-01-15T08:00:00Z"),
    AccountMessage(3, captured.DID, "2027-01-15T08:00:00Z", active=False, status="something new"),
    AccountMessage(4, captured.DID, "2027-01-15T08:00:00Z", active=False),
    InfoMessage("OutdatedCursor", "the oldest message is 17"),
    InfoMessage("OutdatedCursor"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=events.kind_of)
def test_message_round_trip(message):
    assert events.read(events.encode(message)) == message


@pytest.mark.parametrize("seq", [1, 23, 24, 255, 256, 65_536, 2**32, 2**53 - 1], ids=str)
@pytest.mark.parametrize(
    "message", [message for message in MESSAGES if not isinstance(message, InfoMessage)], ids=events.kind_of
)
def test_late_sequence_numbers_of_every_size(message, seq):
    late = events.encode_unsequenced(message).with_seq(seq)
    read = events.read(late)
    assert read is not None
    assert not isinstance(read, InfoMessage | frames.ErrorFrame)
    assert read.seq == seq
    assert events.encode(read) == late


@given(st.dictionaries(st.text("abcdefghijst", min_size=1, max_size=9), st.integers(0, 99), max_size=15))
def test_late_sequence_number_among_any_fields(payload):
    payload.pop("seq", None)
    assert frames.encode_unsequenced("#x", payload).with_seq(7) == frames.encode_message("#x", {**payload, "seq": 7})


@pytest.mark.parametrize("seq", [0, -1, 2**53])
def test_sequence_number_out_of_range_is_a_programming_error(seq):
    with pytest.raises(Misuse):
        events.encode_unsequenced(MESSAGES[2]).with_seq(seq)  # type: ignore[arg-type]


def test_second_sequence_number_is_a_programming_error():
    with pytest.raises(Misuse):
        frames.encode_unsequenced("#x", {"seq": 1})
    with pytest.raises(Misuse):
        frames.encode_unsequenced("#x", {f"k{number}": 1 for number in range(23)})


def test_headers_have_the_known_bytes():
    assert frames.encode_message("#commit", {}).startswith(bytes.fromhex("a261746723636f6d6d6974626f7001"))
    assert frames.encode_error("FutureCursor").startswith(bytes.fromhex("a1626f7020"))


def test_error_frames_read_back():
    assert events.read(frames.encode_error("FutureCursor", "cursor in the future")) == frames.ErrorFrame(
        "FutureCursor", "cursor in the future"
    )
    assert events.read(frames.encode_error("ConsumerTooSlow")) == frames.ErrorFrame("ConsumerTooSlow")
    assert frames.summarize(frames.encode_error("FutureCursor")).kind == ""


def _raw(*items: Any) -> bytes:
    return b"".join(cbor.encode(item) for item in items)


@pytest.mark.parametrize(
    "data",
    [_raw({"op": 1, "t": "#new"}, {}), _raw({"op": 2, "t": "#commit"}, {}), _raw({"op": 0}, {"a": [1]})],
    ids=["unknown t", "unknown op", "op 0"],
)
def test_unknown_frames_are_skipped(data):
    assert events.read(data) is None


def test_unknown_fields_are_kept():
    """Fields of a later version are kept when a message is rewritten."""
    data = _raw(
        {"op": 1, "t": "#account"}, {"seq": 1, "did": "did:web:a.example", "time": "", "active": True, "new": [1]}
    )
    message = events.read(data)
    assert isinstance(message, AccountMessage)
    assert message.rest == {"new": [1]}
    assert events.encode(message) == frames.encode_message(
        "#account", {"seq": 1, "did": "did:web:a.example", "time": "", "active": True, "new": [1]}
    )


def test_message_without_obsolete_fields_is_accepted():
    """A message without the obsolete fields rebase, tooBig or blobs, or with null in them, is accepted."""
    for rest in ({}, {"blobs": None}, {"tooBig": True}):
        payload = {**events.to_payload(MESSAGES[0]), "seq": 1}
        for relic in ("blobs", "rebase", "tooBig"):
            del payload[relic]
        message = events.read(frames.encode_message("#commit", payload | rest))
        assert isinstance(message, CommitMessage)
        assert message.rest == rest


HEADER = {"op": 1, "t": "#commit"}
GOOD = {**events.to_payload(MESSAGES[0]), "seq": 1}
OPERATION = GOOD["ops"][0]
LINK = Cid.for_cbor(b"")


def _commit(**changed: Any) -> bytes:
    return _raw(HEADER, {**GOOD, **changed})


def _operation(**changed: Any) -> bytes:
    return _commit(ops=[{**OPERATION, **changed}])


BROKEN = {
    "nothing": b"",
    "no payload": _raw(HEADER),
    "three items": _raw(HEADER, GOOD, {}),
    "trailing byte": _raw(HEADER, GOOD) + b"\x00",
    "header is a list": _raw([1], GOOD),
    "payload is a list": _raw(HEADER, [1]),
    "op missing": _raw({"t": "#commit"}, GOOD),
    "op true": _raw({"op": True, "t": "#commit"}, GOOD),
    "op as text": _raw({"op": "1", "t": "#commit"}, GOOD),
    "t missing": _raw({"op": 1}, GOOD),
    "t is a number": _raw({"op": 1, "t": 1}, GOOD),
    "error without name": _raw({"op": -1}, {"message": "x"}),
    "text": b'{"op":1}',
    "6 MB": bytes(6_000_000),
    "deep": b"\x81" * 100_000,
    **{f"{name} missing": _raw(HEADER, {n: v for n, v in GOOD.items() if n != name}) for name in
       ("seq", "repo", "time", "rev", "commit", "blocks", "ops")},
    "seq 0": _commit(seq=0),
    "seq true": _commit(seq=True),
    "seq 2^53": _commit(seq=2**53),
    "repo is no DID": _commit(repo="alice"),
    "rev is a number": _commit(rev=1),
    "since is a number": _commit(since=1),
    "commit is text": _commit(commit=str(LINK)),
    "prevData is bytes": _commit(prevData=bytes(LINK)),
    "blocks is text": _commit(blocks="x"),
    "blocks over 2 MB": _commit(blocks=bytes(2_000_001)),
    "ops is a map": _commit(ops={}),
    "201 operations": _commit(ops=[OPERATION] * 201),
    "operation is text": _commit(ops=["x"]),
    "unknown action": _operation(action="move"),
    "path is a number": _operation(path=1),
    "creation without cid": _operation(cid=None),
    "deletion with cid": _operation(action="delete"),
    "cid is text": _operation(cid="x"),
    "prev is text": _operation(prev="x"),
    "sync blocks over 10,000 bytes": _raw(
        {"op": 1, "t": "#sync"}, {"seq": 1, "did": "did:web:a.example", "time": "", "rev": "", "blocks": bytes(10_001)}
    ),
    "account without active": _raw({"op": 1, "t": "#account"}, {"seq": 1, "did": "did:web:a.example", "time": ""}),
    "active as a number": _raw({"op": 1, "t": "#account"}, {"seq": 1, "did": "did:web:a.example", "time": "", "active": 1}),
    "handle is a number": _raw({"op": 1, "t": "#identity"}, {"seq": 1, "did": "did:web:a.example", "time": "", "handle": 1}),
    "info without name": _raw({"op": 1, "t": "#info"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_frames_are_refused(name):
    with pytest.raises(Malformed):
        events.read(BROKEN[name])


@pytest.mark.parametrize("name", BROKEN)
def test_quick_summary_raises_no_other_exception(name):
    with contextlib.suppress(Malformed):
        frames.summarize(BROKEN[name])


@given(st.binary(max_size=100))
def test_garbage_is_malformed(data):
    for start in (b"", cbor.encode(HEADER)):
        for reader in (events.read, frames.summarize):
            try:
                reader(start + data)
            except Malformed:
                continue


@given(st.data())
def test_a_changed_byte_raises_nothing_else(data):
    frame = bytearray(events.encode(MESSAGES[0]))
    frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    for reader in (events.read, frames.summarize):
        try:
            reader(bytes(frame))
        except Malformed:
            continue


def _list_head(count: int) -> bytes:
    return b"\x9a" + count.to_bytes(4, "big")


@pytest.mark.parametrize("item", [b"\x00", b"\x80", b"\xa0", b"\x81\x00", b"\xa1\x60\x00"], ids=bytes.hex)
@pytest.mark.parametrize("read", [frames.summarize, frames.decode])
def test_megabytes_of_tiny_items_are_refused_before_they_are_decoded(read, item):
    """Megabytes of tiny items are refused before decoding. Each would become an object, costing seconds and hundreds of
    megabytes per frame.
    """
    count = 4_900_000 // len(item)
    header = cbor.encode({"t": "#commit", "op": 1})
    frame = header + b"\xa1" + cbor.encode("ops") + _list_head(count) + item * count
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match="10000 items"):
            read(frame)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_commits_are_limited_to_200_operations():
    operation = {"action": "create", "path": "com.example.thing/a", "cid": None}
    payload = {"repo": captured.DID, "seq": 1, "blocks": bytes(20_000)}
    whole = frames.encode_message("#commit", {**payload, "ops": [operation] * 200})
    assert len(frames.summarize(whole).paths) == 200
    with pytest.raises(Malformed, match="at most 200 operations"):
        frames.summarize(frames.encode_message("#commit", {**payload, "ops": [operation] * 201}))


@given(st.binary(max_size=40), st.integers(0, 255))
def test_large_garbage_is_refused(garbage, filler):
    """Large garbage is refused like any other, when its items are counted."""
    with pytest.raises(Malformed):
        frames.summarize(garbage + bytes((filler,)) * 20_000)
