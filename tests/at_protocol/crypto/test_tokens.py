"""JSON Web Keys and signed tokens, compared with another JOSE implementation."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk as witness_jwk
from joserfc import jwt as witness_jwt
from joserfc.jws import JWSRegistry

from at_protocol.crypto import base64url, jwk, jwt, k256, p256
from at_protocol.failures import Malformed

curves = pytest.mark.parametrize("curve", [pytest.param(k256, id="k256"), pytest.param(p256, id="p256")])
PRIVATE: dict[Any, Any] = {k256: k256.K256PrivateKey, p256: p256.P256PrivateKey}
ENTROPY = bytes(range(40))
CLAIMS = {"iss": "did:plc:44ybard66vv44zksje25o7dz", "aud": "did:web:example.com", "exp": 2_000_000_000}


def _witness(text, public):
    key = witness_jwk.import_key(jwk.to_jwk(public))
    return witness_jwt.decode(text, key, registry=JWSRegistry(algorithms=["ES256", "ES256K"])), key


@curves
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_another_library_reads_our_tokens_and_thumbprints(curve):
    private = PRIVATE[curve].from_random(ENTROPY)
    told, key = _witness(jwt.sign(CLAIMS, private), private.public)
    assert told.claims == CLAIMS
    assert told.header == {"typ": "JWT", "alg": private.algorithm}
    assert key.thumbprint() == jwk.thumbprint(private.public)


@curves
def test_signed_tokens_and_keys_read_back(curve):
    private = PRIVATE[curve].from_random(ENTROPY)
    token = jwt.verify(jwt.sign(CLAIMS, private, header={"typ": "at+jwt", "kid": "1"}), private.public)
    assert token.claims == CLAIMS
    assert token.header == {"typ": "at+jwt", "kid": "1", "alg": private.algorithm}
    assert jwk.from_jwk(jwk.to_jwk(private.public)) == private.public


def _with_header(text, changes):
    header, claims, signature = text.split(".")
    members = {**json.loads(base64url.decode(header)), **changes}
    return f"{base64url.encode(json.dumps(members).encode())}.{claims}.{signature}"


@curves
def test_key_determines_the_algorithm(curve):
    """The key determines the algorithm: a header with ``none``, the other curve's name or a number is refused."""
    private = PRIVATE[curve].from_random(ENTROPY)
    text = jwt.sign(CLAIMS, private)
    for name in ("none", "ES256" if curve is k256 else "ES256K", "HS256", 1, None):
        changed = _with_header(text, {"alg": name})
        assert jwt.read(changed).claims == CLAIMS
        with pytest.raises(Malformed, match="signed"):
            jwt.verify(changed, private.public)
    # The header may name a wrong algorithm even if the signature is good.
    lying = _with_header(text, {"alg": "none"}).rsplit(".", 1)[0]
    with pytest.raises(Malformed, match="signed"):
        jwt.verify(f"{lying}.{base64url.encode(private.sign(lying.encode()))}", private.public)


@curves
def test_another_key_and_changed_claims(curve):
    private = PRIVATE[curve].from_random(ENTROPY)
    header, _, signature = jwt.sign(CLAIMS, private).split(".")
    changed = f"{header}.{base64url.encode(json.dumps({**CLAIMS, 'exp': 1}).encode())}.{signature}"
    with pytest.raises(Malformed, match="signed"):
        jwt.verify(changed, private.public)
    with pytest.raises(Malformed, match="signed"):
        jwt.verify(jwt.sign(CLAIMS, private), PRIVATE[curve].from_random(b"!" * 40).public)


@curves
def test_high_s_is_allowed_only_when_asked_for(curve):
    private = PRIVATE[curve].from_random(ENTROPY)
    signed, signature = jwt.sign(CLAIMS, private).rsplit(".", 1)
    raw = base64url.decode(signature)
    high = raw[:32] + (curve.ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    text = f"{signed}.{base64url.encode(high)}"
    assert jwt.verify(text, private.public, allow_high_s=True).claims == CLAIMS
    with pytest.raises(Malformed):
        jwt.verify(text, private.public)


PART = base64url.encode(b"{}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        f"{PART}=.{PART}.AA",
        f" {PART}.{PART}.AA",
        f"{PART}.{PART}.AA\n",
        f"{PART}.{PART}.AB",
        f"{base64url.encode(b'[]')}.{PART}.AA",
        f"{PART}.{base64url.encode(b'1')}.AA",
        f"{PART}.{base64url.encode(b'{' * 3)}.AA",
        f"{PART}.{base64url.encode(bytes([255]))}.AA",
        f"{PART}.{base64url.encode(b'[' * 5000)}.AA",
        f"{PART}.{base64url.encode(b'1' * 5000)}.AA",
        base64url.encode(b'{"alg":"ES256","alg":"none"}') + f".{PART}.AA",
        f"{PART}.{base64url.encode(b'x' * 20_000)}.AA",
    ],
)
def test_malformed_tokens_are_refused(text):
    """A token with padding, spaces, stray bits, non-object parts, duplicate members, deep nesting or a large size is
    refused.
    """
    with pytest.raises(Malformed) as raised:
        jwt.read(text)
    assert raised.value.kind == "jwt"


@given(st.text() | st.lists(st.binary().map(base64url.encode), min_size=3, max_size=3).map(".".join))
def test_garbage_is_malformed_and_nothing_else(text):
    try:
        jwt.read(text)
    except Malformed:
        return


@given(st.binary())
def test_base64url_has_one_text_for_each_content(content):
    text = base64url.encode(content)
    assert base64url.decode(text) == content
    for other in (text + "=", text + "\n", " " + text, text + "\u00e9"):
        with pytest.raises(Malformed):
            base64url.decode(other)


GOOD = jwk.to_jwk(p256.P256PrivateKey.from_random(ENTROPY).public)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": None},
        {"x": None},
        {"x": "AA"},
        {"y": "!"},
        {"y": GOOD["x"]},
        {"d": "AA"},
    ],
)
def test_unusable_public_keys_are_refused(change):
    """Other key types and curves, coordinates off the curve or too short, and private keys are refused."""
    with pytest.raises(Malformed) as raised:
        jwk.from_jwk({**GOOD, **change})
    assert raised.value.kind == "jwk"


def test_unknown_members_are_ignored():
    assert jwk.to_jwk(jwk.from_jwk({**GOOD, "kid": "1", "use": "sig", "alg": "ES256"})) == GOOD


def test_thumbprint_of_rfc_7638_form():
    """The thumbprint hashes the required members in order, without spaces. The published example of RFC 7638 is RSA."""
    assert list(GOOD) == ["crv", "kty", "x", "y"]
    assert len(base64url.decode(jwk.thumbprint(jwk.from_jwk(GOOD)))) == 32
