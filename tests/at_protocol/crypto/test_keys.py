"""Keys and signatures: the published cases on both curves, and almost valid signatures."""

import base64
import json
from typing import Any

import base58 as witness
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.external_dependencies import fixture_path, needs

from at_protocol.crypto import base58, k256, p256
from at_protocol.crypto.did_key import (
    format_did_key,
    format_multikey,
    parse_did_key,
    parse_legacy_multibase,
    parse_multikey,
)
from at_protocol.crypto.k256 import der_signature
from at_protocol.failures import Malformed, Misuse

FOLDER = "vectors/interop/crypto"
curves = pytest.mark.parametrize("curve", [pytest.param(k256, id="k256"), pytest.param(p256, id="p256")])
PRIVATE: dict[Any, Any] = {k256: k256.K256PrivateKey, p256: p256.P256PrivateKey}
PUBLIC = {k256: k256.K256PublicKey, p256: p256.P256PublicKey}
ENTROPY = bytes(range(40))


def _cases(name):
    path = fixture_path(f"{FOLDER}/{name}")
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [pytest.param(case, id=f"{name}:{number}") for number, case in enumerate(found)]


SIGNATURES = _cases("signature-fixtures.json")
K256_KEYS = _cases("w3c_didkey_K256.json")
P256_KEYS = _cases("w3c_didkey_P256.json")


def _base64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _high_s(curve, signature):
    s = curve.ORDER - int.from_bytes(signature[32:], "big")
    return signature[:32] + s.to_bytes(32, "big")


@needs("fixtures")
def test_every_case_of_every_file_is_run():
    assert {path.name for path in fixture_path(FOLDER).glob("*.json")} == {
        "signature-fixtures.json",
        "w3c_didkey_K256.json",
        "w3c_didkey_P256.json",
    }
    assert (len(SIGNATURES), len(K256_KEYS), len(P256_KEYS)) == (6, 5, 1)


@pytest.mark.parametrize("case", SIGNATURES)
def test_signatures_of_the_vectors_verify_or_not(case):
    """Valid signatures verify, high-S and DER ones do not, and both text forms of a key give the same key."""
    key = parse_did_key(case["publicKeyDid"])
    assert key == parse_legacy_multibase(case["publicKeyMultibase"], case["didDocSuite"])
    assert format_did_key(key) == case["publicKeyDid"]
    assert key.algorithm == case["algorithm"]
    assert key.verify(_base64(case["messageBase64"]), _base64(case["signatureBase64"])) is case["validSignature"]


@pytest.mark.parametrize("case", SIGNATURES)
def test_high_s_signature_is_valid_only_if_allowed(case):
    allowed = case["validSignature"] or "high-s" in case["tags"]
    key = parse_did_key(case["publicKeyDid"])
    message, signature = _base64(case["messageBase64"]), _base64(case["signatureBase64"])
    assert key.verify(message, signature, allow_high_s=True) is allowed


@pytest.mark.parametrize("case", K256_KEYS)
def test_k256_key_has_the_did_key_of_the_vector(case):
    private = k256.K256PrivateKey.from_bytes(bytes.fromhex(case["privateKeyBytesHex"]))
    assert format_did_key(private.public) == case["publicDidKey"]


@pytest.mark.parametrize("case", P256_KEYS)
def test_p256_key_has_the_did_key_of_the_vector(case):
    private = p256.P256PrivateKey.from_bytes(base58.decode(case["privateKeyBytesBase58"]))
    assert format_did_key(private.public) == case["publicDidKey"]


@curves
@settings(max_examples=40)
@given(entropy=st.binary(min_size=32, max_size=48), content=st.binary(max_size=100))
def test_sign_and_verify(curve, entropy, content):
    """A signature has 64 bytes and low S, and verifies only with this key and this content."""
    private = PRIVATE[curve].from_random(entropy)
    signature = private.sign(content)
    assert len(signature) == 64
    assert 0 < int.from_bytes(signature[32:], "big") <= curve.ORDER // 2
    assert private.public.verify(content, signature)
    assert not private.public.verify(content + b"!", signature)
    assert not PRIVATE[curve].from_random(entropy + b"!" * 9).public.verify(content, signature)


@curves
def test_almost_valid_signatures_are_refused(curve):
    """High-S, DER, 63-byte and 65-byte signatures, zeros and out-of-range numbers do not verify."""
    private = PRIVATE[curve].from_random(ENTROPY)
    signature = private.sign(b"x")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    order = curve.ORDER.to_bytes(32, "big")
    for other in (
        _high_s(curve, signature),
        der_signature(r, s),
        signature[:63],
        signature + b"\0",
        b"",
        bytes(32) + signature[32:],
        signature[:32] + bytes(32),
        bytes(64),
        order + signature[32:],
        signature[:32] + order,
        b"\xff" * 64,
        signature[32:] + signature[:32],
    ):
        assert not private.public.verify(b"x", other)
    assert private.public.verify(b"x", _high_s(curve, signature), allow_high_s=True)


@curves
@settings(max_examples=30)
@given(signature=st.binary(max_size=80) | st.binary(min_size=64, max_size=64))
def test_garbage_signature_is_refused(curve, signature):
    public = PRIVATE[curve].from_random(ENTROPY).public
    assert not public.verify(b"x", signature)
    assert not public.verify(b"x", signature, allow_high_s=True)


@curves
def test_private_key_has_32_bytes_and_a_redacted_repr(curve):
    private = PRIVATE[curve].from_random(ENTROPY)
    secret = private.to_bytes()
    assert len(secret) == 32
    assert PRIVATE[curve].from_bytes(secret).public == private.public
    assert secret.hex() not in repr(private)


@curves
def test_private_keys_out_of_range(curve):
    for secret in (bytes(32), curve.ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33, b""):
        with pytest.raises(Malformed) as raised:
            PRIVATE[curve].from_bytes(secret)
        assert secret == b"" or repr(secret) not in str(raised.value)
    with pytest.raises(Misuse):
        PRIVATE[curve].from_random(bytes(31))


@curves
def test_equal_keys_are_equal(curve):
    public = PRIVATE[curve].from_random(ENTROPY).public
    again = PUBLIC[curve](bytes(public))
    assert public == again
    assert hash(public) == hash(again)
    assert public != PRIVATE[curve].from_random(b"!" * 40).public
    assert bytes(public).hex() in repr(public)


@curves
def test_uncompressed_and_compressed_are_one_key(curve):
    public = PRIVATE[curve].from_random(ENTROPY).public
    x, y = public.coordinates()
    uncompressed = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    assert PUBLIC[curve](uncompressed) == public
    assert len(bytes(PUBLIC[curve](uncompressed))) == 33
    hybrid = bytes((6 + y % 2,)) + uncompressed[1:]
    off_curve = uncompressed[:-1] + bytes((uncompressed[-1] ^ 1,))
    for other in (
        hybrid,
        off_curve,
        uncompressed[:-1],
        b"",
        b"\x00",
        b"\x02" + b"\xff" * 32,
        b"\x05" + uncompressed[1:33],
    ):
        with pytest.raises(Malformed):
            PUBLIC[curve](other)


@curves
def test_legacy_multibase_of_both_lengths(curve):
    public = PRIVATE[curve].from_random(ENTROPY).public
    x, y = public.coordinates()
    kind = {k256: "EcdsaSecp256k1VerificationKey2019", p256: "EcdsaSecp256r1VerificationKey2019"}[curve]
    for point in (bytes(public), b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")):
        assert parse_legacy_multibase("z" + base58.encode(point), kind) == public
    with pytest.raises(Malformed):
        parse_legacy_multibase("z" + base58.encode(bytes(public)), "Multikey")


GOOD = "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        GOOD[1:],
        "m" + GOOD[1:],
        GOOD[:-1],
        GOOD + "1",
        GOOD + "\n",
        GOOD[:-1] + "0",
        GOOD[:-1] + "O",
        "z" + base58.encode(b"\xed\x01" + b"\x02" * 33),
        "z" + base58.encode(b"\xe7\x01" + b"\x02" + b"\xff" * 32),
        "z" + "2" * 10_000,
    ],
)
def test_invalid_multikeys_are_refused(text):
    """A text with a wrong base, alphabet, length or curve, or that is not a point, is refused. A megabyte of digits is
    not even converted.
    """
    with pytest.raises(Malformed) as raised:
        parse_multikey(text)
    assert raised.value.kind == "key"
    with pytest.raises(Malformed):
        parse_did_key("did:key:" + text)
    with pytest.raises(Malformed):
        parse_did_key(text)


def test_multikey_round_trip():
    assert format_multikey(parse_multikey(GOOD)) == GOOD


@given(st.text() | st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz").map("z".__add__))
def test_garbage_is_malformed_and_nothing_else(text):
    with pytest.raises(Malformed):
        parse_multikey(text)


@given(st.binary(max_size=80))
def test_base58_agrees_with_another_library(content):
    """Base58 encoding agrees with another library, including leading zero bytes."""
    assert base58.encode(content) == witness.b58encode(content).decode()
    assert base58.decode(base58.encode(content)) == content
