"""A stolen database file reveals nothing, and a sealed value can be decrypted only in its own row."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.sealing import CannotUnseal, Sealer, fresh_key, keys_of_file, parse_keys

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.binary(max_size=200), st.text(max_size=50))
def test_sealed_value_is_decrypted(plaintext, purpose):
    sealer = Sealer([NEW])
    assert sealer.unseal(sealer.seal(plaintext, purpose), purpose) == plaintext


def test_another_purpose_cannot_decrypt():
    """A value copied into another row cannot be decrypted."""
    sealer = Sealer([NEW])
    with pytest.raises(CannotUnseal):
        sealer.unseal(sealer.seal(b"key", "signing_key/did:plc:a"), "signing_key/did:plc:b")


@given(st.integers(0, 43), st.integers(1, 255))
def test_any_changed_byte_is_detected(position, change):
    sealer = Sealer([NEW])
    sealed = bytearray(sealer.seal(b"eleven byte", "p"))
    sealed[position] ^= change
    with pytest.raises(CannotUnseal):
        sealer.unseal(bytes(sealed), "p")


@given(st.binary(max_size=60))
def test_garbage_raises_the_one_error(garbage):
    with pytest.raises(CannotUnseal):
        Sealer([NEW]).unseal(garbage, "p")


def test_a_new_key_encrypts_and_the_old_one_still_decrypts():
    """After rotation a new key encrypts. The old one still decrypts and marks the value stale; without the old key, old
    values cannot be decrypted.
    """
    sealed = Sealer([OLD]).seal(b"secret", "p")
    rotating = Sealer([NEW, OLD])
    assert rotating.unseal(sealed, "p") == b"secret"
    assert rotating.is_stale(sealed)
    assert not rotating.is_stale(rotating.seal(b"secret", "p"))
    with pytest.raises(CannotUnseal):
        Sealer([NEW]).unseal(sealed, "p")


def test_sealing_twice_gives_different_bytes():
    sealer = Sealer([NEW])
    assert sealer.seal(b"x", "p") != sealer.seal(b"x", "p")


def test_sealing_keys_are_parsed_from_text():
    first, second = fresh_key(), fresh_key()
    assert [len(key) for key in parse_keys(f"{first}, {second}")] == [32, 32]
    for bad in ("", "abc", "!!!", first + "AAAA"):
        with pytest.raises(ValueError, match="sealing key"):
            parse_keys(bad)


@pytest.mark.parametrize("keys", [[], [b"short"]])
def test_no_keys_or_short_ones_are_refused(keys):
    with pytest.raises(ValueError, match="key"):
        Sealer(keys)


def test_key_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "sealing.key"
    first = keys_of_file(path)
    assert keys_of_file(path) == first
    assert path.stat().st_mode & 0o077 == 0
    assert [found.name for found in path.parent.iterdir()] == ["sealing.key"]


def test_damaged_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"
    path.write_text("not a key")
    with pytest.raises(ValueError, match="key"):
        keys_of_file(path)
