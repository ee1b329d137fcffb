"""DPoP proofs and PKCE, with the worked example of the RFC."""

from typing import Any

import pytest

from at_protocol.crypto import base64url, jwt
from at_protocol.crypto.jwk import thumbprint, to_jwk
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.crypto.p256 import ORDER, P256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.oauth import dpop, pkce
from at_protocol.oauth.dpop import TYPE, BadDpopProof, DpopProof, make_proof, normal_address, token_hash, verify_proof

KEY = P256PrivateKey.from_bytes(base64url.decode("aDyYsk4vttF0BiY_jan6MiHl_f5lfQ8b_YYGrwtsSSU"))
URL = "https://pds.test/oauth/par"
NOW = 1_772_366_400


def proof(**changes: Any) -> str:
    wish = {"method": "POST", "url": URL, "token_id": "p1", "now_seconds": NOW, **changes}
    return make_proof(wish.pop("key", KEY), **wish)


def check(text: str, **changes: Any) -> DpopProof:
    wish = {"method": "POST", "address": URL, "access_token": None, "now_seconds": NOW, **changes}
    return verify_proof(text, **wish)


def signed(header: dict[str, object] | None = None, **claims: object) -> str:
    """A proof with members replaced, or left out if None."""
    members = {"jti": "p1", "htm": "POST", "htu": URL, "iat": NOW, **claims}
    head = {"typ": TYPE, "jwk": to_jwk(KEY.public), **(header or {})}
    return jwt.sign({name: value for name, value in members.items() if value is not None}, KEY, header=head)


def test_the_worked_example():
    """Thumbprint, challenge and token hash are those of the worked example."""
    assert thumbprint(KEY.public) == "ia0IDj_lh-5n_7UZMUYOOe94-gsbaSC4RfGMahupavk"
    verifier = "events-app-demo-verifier-0123456789-abcdefghijklmnop"
    assert pkce.challenge_of(verifier) == "gkDNtP1VYLnKYWF9LgQVQKyVgHyLKBIL6AZQAn_Dz5Q"
    assert token_hash("opaque-access-token-A1") == "nT-VBNDVpuc4AZ46BKiqpTq3HijT0gJFOXN2ueQamt0"


@pytest.mark.parametrize("key", [KEY, K256PrivateKey.from_random(bytes(47) + b"\x01")], ids=["P-256", "K-256"])
def test_valid_proof_returns_its_key(key):
    found = check(proof(key=key, nonce="n", access_token="token"), access_token="token")
    assert (found.thumbprint, found.token_id, found.nonce) == (thumbprint(key.public), "p1", "n")


def test_long_headers_take_no_memory():
    """The header of a proof is kept, because clients repeat it, but not one that somebody has made long."""
    check(signed())
    kept = dpop._kept_key.cache_info().currsize
    for number in range(3):
        assert check(signed({"padding": f"{number}" * 5000})).thumbprint == thumbprint(KEY.public)
    assert dpop._kept_key.cache_info().currsize == kept > 0


def test_high_s_signatures_are_accepted():
    """A high-S signature is accepted, because browsers make as many of them as of low-S ones."""
    text = proof()
    head, _, signature = text.rpartition(".")
    content = base64url.decode(signature)
    mirrored = content[:32] + (ORDER - int.from_bytes(content[32:], "big")).to_bytes(32, "big")
    assert check(f"{head}.{base64url.encode(mirrored)}").token_id == "p1"


BAD = {
    "another type": signed({"typ": "JWT"}),
    "a critical header": signed({"crit": ["x"]}),
    "no key": signed({"jwk": None}),
    "a private key": signed({"jwk": {**to_jwk(KEY.public), "d": "AAAA"}}),
    "a key of another curve": signed({"jwk": {**to_jwk(KEY.public), "crv": "P-384"}}),
    "a symmetric key": signed({"jwk": {"kty": "oct", "k": "AAAA"}}),
    "another method": signed(htm="GET"),
    "the method in lower case": signed(htm="post"),
    "another address": signed(htu="https://pds.test/oauth/token"),
    "another host": signed(htu="https://pds.test.example/oauth/par"),
    "another scheme": signed(htu="http://pds.test/oauth/par"),
    "an address with a name in it": signed(htu="https://user@pds.test/oauth/par"),
    "no address": signed(htu=None),
    "a number as address": signed(htu=5),
    "no identifier": signed(jti=None),
    "a number as identifier": signed(jti=5),
    "a long identifier": signed(jti="j" * 257),
    "no time": signed(iat=None),
    "true as time": signed(iat=True),
    "text as time": signed(iat=str(NOW)),
    "an infinite time": signed(iat=float("inf")),
    "a time that is no number": signed(iat=float("nan")),
    "a time of 400 digits": signed(iat=10**400),
    "an old time": signed(iat=NOW - 181),
    "a time to come": signed(iat=NOW + 181),
    "an expiry long ago": signed(exp=NOW - 181),
    "an expiry that is text": signed(exp=str(NOW + 60)),
    "an expiry that is no number": signed(exp=float("nan")),
    "a beginning to come": signed(nbf=NOW + 180.5),
    "a beginning that is true": signed(nbf=True),
    "the hash of a token": signed(ath=token_hash("token")),
    "a number as nonce": signed(nonce=5),
    "no signature": signed().rpartition(".")[0] + ".",
    "no dots": "proof",
    "nothing": "",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_invalid_dpop_proofs_are_refused(text):
    with pytest.raises(BadDpopProof):
        check(text)


@pytest.mark.parametrize(
    "times",
    [
        {"iat": NOW + 0.5},
        {"iat": NOW - 180},
        {"iat": NOW + 180},
        {"exp": NOW + 10**6},
        {"exp": NOW - 180},
        {"nbf": NOW - 10**6},
        {"nbf": NOW + 179.5},
        {"iat": NOW, "exp": NOW + 60, "nbf": NOW},
    ],
)
def test_times_of_a_proof_may_differ_a_little(times):
    assert check(signed(**times)).issued_at == times.get("iat", NOW) // 1


def test_algorithm_none_is_refused():
    head = base64url.encode(b'{"typ":"dpop+jwt","alg":"none"}')
    with pytest.raises(BadDpopProof):
        check(f"{head}.{signed().split('.')[1]}.")


def test_proof_must_be_bound_to_the_sent_token():
    with pytest.raises(BadDpopProof):
        check(proof(access_token="another"), access_token="token")
    with pytest.raises(BadDpopProof):
        check(proof(), access_token="token")


@pytest.mark.parametrize(
    ("spelling", "normal"),
    [
        ("https://PDS.test:443/a", "https://pds.test/a"),
        ("HTTPS://pds.test", "https://pds.test/"),
        ("https://pds.test/a/./b/../c?x=1#y", "https://pds.test/a/c"),
        ("https://pds.test/../../a/", "https://pds.test/a/"),
        ("https://pds.test/a/..", "https://pds.test/"),
        ("https://pds.test/%61%2f%7Eb", "https://pds.test/a%2F~b"),
        ("https://pds.test:8443/a", "https://pds.test:8443/a"),
        ("http://[::1]:80/a", "http://[::1]/a"),
    ],
)
def test_equivalent_urls_are_equal(spelling, normal):
    assert normal_address(spelling) == normal
    assert normal_address(normal) == normal


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "a" * 42 + "é", "a" * 42 + " ", ""])
def test_invalid_verifiers_are_refused(verifier):
    with pytest.raises(Malformed):
        pkce.challenge_of(verifier)


@pytest.mark.parametrize("challenge", ["a" * 42, "a" * 44, "a" * 42 + "=", ""])
def test_invalid_challenges_are_refused(challenge):
    with pytest.raises(Malformed):
        pkce.parse_challenge(challenge)
