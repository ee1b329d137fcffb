"""Long values encrypted with a passphrase: decryption gives the original or nothing."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.sealed_stream import PIECE_BYTES, OpeningStream, SealingStream, keyed_name, master_key, sealed_size
from groundwork.sealing import CannotUnseal

KEY = bytes(range(32))


def sealed(value: bytes, name: str = "a", key: bytes = KEY) -> bytes:
    stream = SealingStream(key, name)
    return stream.feed(value) + stream.finish()


def opened(value: bytes, name: str = "a", key: bytes = KEY, step: int = 10_007) -> bytes:
    stream = OpeningStream(key, name)
    parts = [stream.feed(value[start : start + step]) for start in range(0, len(value), step)]
    return b"".join(parts) + stream.finish()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 200_001])
def test_any_length_round_trips(size: int):
    value = os.urandom(size)
    assert opened(sealed(value)) == value
    assert len(sealed(value)) == sealed_size(size)


@given(st.lists(st.binary(max_size=90_000), max_size=4), st.integers(1, 100_000))
def test_piece_boundaries_do_not_matter(parts: list[bytes], step: int):
    stream = SealingStream(KEY, "a")
    value = b"".join([*(stream.feed(part) for part in parts), stream.finish()])
    assert opened(value, step=step) == b"".join(parts)


@given(st.data())
def test_any_changed_byte_is_detected(data: st.DataObject):
    value = bytearray(sealed(b"x" * (PIECE_BYTES + 10)))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CannotUnseal):
        opened(bytes(value))


@given(st.integers(0, 3 * (PIECE_BYTES + 16) + 20))
def test_truncation_is_detected(length: int):
    """Truncation at any position is detected, also between two pieces."""
    whole = sealed(b"x" * (3 * PIECE_BYTES))
    with pytest.raises(CannotUnseal):
        opened(whole[: min(length, len(whole) - 1)])


def test_swapped_pieces_are_detected():
    whole = sealed(b"a" * PIECE_BYTES + b"b" * PIECE_BYTES + b"c")
    one, two = whole[20 : 20 + PIECE_BYTES + 16], whole[20 + PIECE_BYTES + 16 : 20 + 2 * (PIECE_BYTES + 16)]
    with pytest.raises(CannotUnseal):
        opened(whole[:20] + two + one + whole[20 + 2 * (PIECE_BYTES + 16) :])


def test_another_name_or_key_cannot_decrypt():
    with pytest.raises(CannotUnseal):
        opened(sealed(b"x", "a"), "b")
    with pytest.raises(CannotUnseal):
        opened(sealed(b"x"), key=bytes(32))


def test_keyed_names_are_stable_and_depend_on_the_key():
    assert keyed_name(KEY, "did:plc:x") == keyed_name(KEY, "did:plc:x")
    assert keyed_name(KEY, "did:plc:x") != keyed_name(bytes(32), "did:plc:x")


def test_a_passphrase_makes_one_key_per_salt():
    assert master_key("correct horse", b"s" * 16) == master_key("correct horse", b"s" * 16)
    assert master_key("correct horse", b"s" * 16) != master_key("correct horsf", b"s" * 16)
