"""One node of the tree: its bytes, and what is refused."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.at_protocol.repo.trees import EXAMPLE_KEYS
from tests.external_dependencies import fixture_path, needs

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.build import build_nodes
from at_protocol.repo.node import EMPTY_NODE, key_height, links_of, make_node, parse_node, shared_prefix

VALUE = Cid.for_cbor(b"\xa0")


def _cases(name: str) -> list[Any]:
    path = fixture_path(f"vectors/interop/mst/{name}")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


@pytest.mark.parametrize("case", _cases("key_heights.json"), ids=lambda case: case["key"] or "empty")
def test_height_of_a_key_equals_the_vector(case):
    assert key_height(case["key"].encode()) == case["height"]


@pytest.mark.parametrize("case", _cases("common_prefix.json"), ids=lambda case: f"{case['left']!r} {case['right']!r}")
def test_common_prefix_equals_the_vector(case):
    assert shared_prefix(case["left"].encode(), case["right"].encode()) == case["len"]


@needs("fixtures")
def test_vector_counts():
    """Every case of the files is run."""
    assert (len(_cases("key_heights.json")), len(_cases("common_prefix.json")), len(EXAMPLE_KEYS)) == (9, 13, 156)


@pytest.mark.parametrize("key", EXAMPLE_KEYS)
def test_example_key_has_the_height_in_its_name(key):
    """The height of each example key is the level in its name."""
    assert key_height(key.encode()) == int(key[1])


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_shared_prefix_is_maximal(left, right):
    length = shared_prefix(left, right)
    assert left[:length] == right[:length]
    assert length in {len(left), len(right)} or left[length] != right[length]


def test_empty_node_has_the_known_cid():
    assert EMPTY_NODE.hex() == "a2616580616cf6"
    assert str(make_node(None, [], [], [None]).cid) == "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"


def _entry(**changed: Any) -> dict[str, Any]:
    return {"k": b"asdf", "p": 0, "t": None, "v": VALUE} | changed


def _node(*entries: dict[str, Any], left: Cid | None = None, **more: Any) -> bytes:
    return cbor.encode({"e": list(entries), "l": left, **more})


def _without(name: str) -> dict[str, Any]:
    return {field: value for field, value in _entry().items() if field != name}


def _parsed(block: bytes):
    return parse_node(block, Cid.for_cbor(block))


def test_node_with_one_entry():
    node = _parsed(_node(_entry(t=VALUE), left=VALUE))
    assert (node.height, node.keys, node.values, node.children) == (0, (b"asdf",), (VALUE,), (VALUE, VALUE))


def test_long_keys_and_prefixes_round_trip():
    """Keys and prefixes with lengths below 24, below 256 and above (heads of one, two and three bytes) survive a round
    trip.
    """
    keys = sorted(
        key
        for size in (5, 23, 24, 25, 200, 255, 256, 257, 1023, 1024)
        for number in range(9)
        if key_height(key := (b"k" * (size - 1) + b"%d" % number)[:1024]) == 0
    )
    node = make_node(0, keys, [VALUE] * len(keys), [None] * (len(keys) + 1))
    again = parse_node(node.block, node.cid)
    assert again.keys == tuple(keys)
    assert cbor.decode(node.block)["e"][0]["k"] == keys[0]


RAW = Cid.for_raw(b"")
REFUSED = {
    "keys of two levels": _node(_entry(), _entry(k=b"blue")),
    "keys not sorted": _node(_entry(k=b"b"), _entry(k=b"a")),
    "a key twice": _node(_entry(), _entry(p=4, k=b"")),
    "prefix too short": _node(_entry(), _entry(k=b"asdz", p=0)),
    "prefix longer than the key before": _node(_entry(), _entry(p=5)),
    "first entry with a prefix": _node(_entry(p=1)),
    "negative prefix": _node(_entry(p=-1)),
    "prefix beyond 64 bits": _node(_entry(p=2**62)),
    "t missing": _node(_without("t")),
    "v missing": _node(_without("v")),
    "v null": _node(_entry(v=None)),
    "k as text": _node(_entry(k="asdf")),
    "t as bytes": _node(_entry(t=bytes(VALUE))),
    "t as a raw link": _node(_entry(t=RAW)),
    "extra field in an entry": _node(_entry(x=1)),
    "extra field in the node": _node(_entry(), x=1),
    "l missing": cbor.encode({"e": [_entry()]}),
    "l as false": cbor.encode({"e": [], "l": False}),
    "e as a map": cbor.encode({"e": {}, "l": None}),
    "entry as a list": cbor.encode({"e": [[1]], "l": None}),
    "empty key": _node(_entry(k=b"")),
    "key of 1,025 bytes": _node(_entry(k=b"k" * 1025)),
    "trailing byte": _node(_entry()) + b"\x00",
    "not a map": b"\x80",
    "nothing": b"",
    "257 entries": cbor.encode({"e": [_entry()] * 257, "l": None}),
    "entry count beyond the input": b"\xa2ae\x9a\xff\xff\xff\xff",
    "indefinite list": b"\xa2ae\x9f\xff\x61l\xf6",
    "a megabyte": _node(_entry(k=b"k" * 1_000_001)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_nodes_are_refused(name):
    block = REFUSED[name]
    with pytest.raises(Malformed):
        _parsed(block)


def test_every_truncation_is_refused():
    block = _node(_entry(t=VALUE), left=VALUE)
    for length in range(len(block)):
        with pytest.raises(Malformed):
            _parsed(block[:length])


@given(st.binary(max_size=200))
def test_garbage_is_malformed(block):
    """Bytes that are not a node raise the documented error and nothing else."""
    with contextlib.suppress(Malformed):
        _parsed(block)


@given(st.data())
def test_one_changed_byte_is_refused_or_canonical(data):
    """A node with one changed byte is refused or is itself the canonical form of what was parsed."""
    block = bytearray(_node(_entry(t=VALUE), _entry(k=b"z", p=3), left=VALUE))
    block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    try:
        node = _parsed(bytes(block))
    except Malformed:
        return
    assert make_node(node.height, node.keys, node.values, node.children).block == bytes(block)


def test_links_in_pre_order_are_those_of_the_parsed_node():
    """The links are in pre-order: the leftmost subtree, then each entry's record and the subtree after it."""
    for node in build_nodes((path, VALUE) for path in sorted(EXAMPLE_KEYS)):
        expected = [] if node.children[0] is None else [(bytes(node.children[0]), True)]
        for value, child in zip(node.values, node.children[1:], strict=True):
            expected.append((bytes(value), False))
            expected += [] if child is None else [(bytes(child), True)]
        assert links_of(node.block) == expected
    assert links_of(EMPTY_NODE) == []


@pytest.mark.parametrize("block", [b"", b"\xa0", b"\x01", cbor.encode({"e": [{"v": 1}], "l": None}), EMPTY_NODE + b"x"])
def test_links_of_an_invalid_node_are_refused(block: bytes):
    with pytest.raises(Malformed):
        links_of(block)
