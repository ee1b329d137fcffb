"""Private keys as text, in the form that other AT Protocol tools use."""

import pytest

from at_protocol.crypto import base58, k256, p256
from at_protocol.crypto.did_key import PrivateKey
from at_protocol.crypto.private_multikey import format_private_multikey, parse_private_multikey
from at_protocol.failures import Malformed


@pytest.mark.parametrize(
    ("kind", "begins"), [(p256.P256PrivateKey, "z42t"), (k256.K256PrivateKey, "z3vL")], ids=["p256", "k256"]
)
@pytest.mark.parametrize("secret", [bytes(31) + b"\x01", b"\x7f" * 32], ids=["one", "large"])
def test_key_survives_a_round_trip(kind: type[PrivateKey], begins: str, secret: bytes) -> None:
    text = format_private_multikey(kind.from_bytes(secret))
    assert text.startswith(begins)
    read = parse_private_multikey(text)
    assert isinstance(read, kind)
    assert read.to_bytes() == secret


@pytest.mark.parametrize(
    "text",
    ["", "z", "hello", "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF", "z0OIl", "z42tmxhUUtkFLGHmKqPQcBQxMgFJfV"],
    ids=["nothing", "z", "words", "a public key", "no base58", "cut off"],
)
def test_invalid_private_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(Malformed) as refused:
        parse_private_multikey(text)
    assert len(text) < 3 or text not in str(refused.value)


def test_a_number_beyond_the_curve_is_refused() -> None:
    text = format_private_multikey(p256.P256PrivateKey.from_bytes(b"\x01" * 32))
    assert parse_private_multikey(text)
    with pytest.raises(Malformed):
        parse_private_multikey("z" + base58.encode(b"\x86\x26" + b"\xff" * 32))
