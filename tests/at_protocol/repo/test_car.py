"""CAR files: the fixtures byte for byte, and every way of breaking one."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.external_dependencies import fixture_path, needs

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car


def _fixtures() -> list[Any]:
    path = fixture_path("vectors/atproto-ts/car-file-fixtures.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _file(*blocks: bytes, roots: int = 1) -> bytes:
    named = [(Cid.for_cbor(block), block) for block in blocks]
    return b"".join(car.write([cid for cid, _ in named][:roots], named))


@needs("fixtures")
def test_there_are_fixtures():
    assert len(_fixtures()) >= 1


@pytest.mark.parametrize("case", _fixtures(), ids=lambda case: case["root"][-8:])
class TestFixture:
    def test_written_files_equal_the_fixtures(self, case):
        blocks = [(Cid.parse(block["cid"]), _base64(block["bytes"])) for block in case["blocks"]]
        assert b"".join(car.write([Cid.parse(case["root"])], blocks)) == _base64(case["car"])

    def test_fixtures_are_read(self, case):
        file = car.read(_base64(case["car"]))
        assert str(file.root) == case["root"]
        assert {str(cid): block for cid, block in file.blocks.items()} == {
            block["cid"]: _base64(block["bytes"]) for block in case["blocks"]
        }


def test_header_sizes():
    """With one root the file starts with 3a a2 65 …; without a root, as in getBlocks, the header has 17 bytes."""
    assert _file(b"x").startswith(bytes.fromhex("3aa265726f6f747381d82a58250001711220"))
    assert b"".join(car.write([], [])) == bytes.fromhex("11a265726f6f7473806776657273696f6e01")


@given(st.lists(st.binary(max_size=300), max_size=10), st.integers(1, 200))
def test_any_chunks_give_the_same_blocks(blocks, size):
    data = _file(*blocks)
    reader = car.CarReader()
    found = [pair for at in range(0, len(data), size) for pair in reader.feed(data[at : at + size])]
    reader.finish()
    whole = car.read(data)
    assert reader.roots == whole.roots
    assert found == [(Cid.for_cbor(block), block) for block in blocks]
    assert whole.section_count == len(blocks)


def test_raw_blocks_are_read():
    cid = Cid.for_raw(b"picture")
    assert car.read(b"".join(car.write([cid], [(cid, b"picture")]))).blocks == {cid: b"picture"}


def test_order_and_repetition_do_not_matter():
    blocks = [b"1", b"2", b"3"]
    named = [(Cid.for_cbor(block), block) for block in blocks]
    shuffled = random.Random(1).sample(named, 3) + named[:2]
    file = car.read(b"".join(car.write([named[0][0]], shuffled)))
    assert file.blocks == dict(named)
    assert file.section_count == 5


def test_two_roots_and_none():
    """Additional roots are ignored. A file without a root raises an error when the root is requested."""
    assert car.read(_file(b"1", b"2", roots=2)).root == Cid.for_cbor(b"1")
    with pytest.raises(Malformed, match="no root"):
        _ = car.read(_file(b"1", roots=0)).root


def _stream(reader: car.CarReader, data: bytes) -> None:
    reader.feed(data)
    reader.finish()


def _read_both_ways(data: bytes) -> None:
    reader = car.CarReader()
    with pytest.raises(Malformed):
        car.read(data)
    with pytest.raises(Malformed):
        _stream(reader, data)


def test_every_truncation_is_refused():
    """A file truncated anywhere except between two sections is refused, read at once or as a stream."""
    data = _file(b"1" * 10, b"2" * 200)
    start = 1 + data[0]
    seams = {start, start + 1 + 36 + 10}
    for length in range(len(data)):
        if length not in seams:
            _read_both_ways(data[:length])


@given(st.data())
def test_a_flipped_bit_in_a_block_is_noticed(data):
    file = bytearray(_file(b"1" * 10, b"2" * 20))
    at = data.draw(st.integers(60, len(file) - 1))
    file[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Malformed):
        car.read(bytes(file))


def _header(value: Any) -> bytes:
    encoded = cbor.encode(value)
    return car.encode_varint(len(encoded)) + encoded


GOOD = _header({"roots": [], "version": 1})
ADDRESS = bytes(Cid.for_cbor(b""))
BROKEN = {
    "nothing": b"",
    "header length 0": b"\x00",
    "header is a list": _header([]),
    "header is not CBOR": b"\x01\xff",
    "version 2": _header({"roots": [], "version": 2}),
    "version true": _header({"roots": [], "version": True}),
    "version missing": _header({"roots": []}),
    "roots missing": _header({"version": 1}),
    "root is text": _header({"roots": ["bafy"], "version": 1}),
    "header of 1 GB": car.encode_varint(1 << 30) + b"\xa2",
    "section of 1 GB": GOOD + car.encode_varint(1 << 30) + ADDRESS,
    "section of no bytes": GOOD + b"\x00",
    "section ends in its address": GOOD + b"\x10" + ADDRESS[:16],
    "CID version 0": GOOD + b"\x22\x12\x20" + bytes(32),
    "identity hash": GOOD + b"\x05\x01\x71\x00\x01\x00",
    "other codec": GOOD + b"\x24\x01\x70\x12\x20" + ADDRESS[4:],
    "length in a long form": GOOD + b"\xa4\x00" + ADDRESS,
    "length without end": GOOD + b"\x80" * 20,
    "length of 2^63": GOOD + b"\xff" * 9 + b"\x01",
    "wrong hash": GOOD + b"\x25" + ADDRESS + b"x",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused(name):
    _read_both_ways(BROKEN[name])


def test_a_block_over_the_limit_is_refused_before_it_arrives():
    """A block over the limit is refused by its announced length, before anything is buffered."""
    reader = car.CarReader(max_block_bytes=100)
    with pytest.raises(Malformed, match="at most 100"):
        reader.feed(GOOD + car.encode_varint(300))


@given(st.binary(max_size=200))
def test_garbage_is_malformed(data):
    for start in (b"", GOOD):
        try:
            car.read(start + data)
        except Malformed:
            continue
