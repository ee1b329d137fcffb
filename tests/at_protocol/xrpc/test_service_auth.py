"""Service authentication tokens: those that we make are accepted, and nothing else is."""

import json

import pytest

from at_protocol.crypto import base64url, jwt, k256, p256
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.xrpc.service_auth import (
    BadServiceToken,
    ServiceToken,
    check_signature,
    make_service_token,
    read_service_token,
)

ISSUER = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
AUDIENCE = "did:web:pds.example.com"
METHOD = parse_nsid("com.atproto.repo.uploadBlob")
NOW = 1_700_000_000
KEYS: list[k256.K256PrivateKey | p256.P256PrivateKey] = [
    k256.K256PrivateKey.from_bytes(b"\x01" * 32),
    p256.P256PrivateKey.from_bytes(b"\x01" * 32),
]
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 60, "iat": NOW, "lxm": METHOD, "jti": "abc"}


def read(text: str, **changed: object) -> ServiceToken:
    return read_service_token(text, **{"audiences": {AUDIENCE}, "method": METHOD, "now_seconds": NOW, **changed})


def refusal(text: str, **changed: object) -> str:
    with pytest.raises(BadServiceToken) as refused:
        read(text, **changed)
    return refused.value.name


@pytest.mark.parametrize("key", KEYS, ids=["k256", "p256"])
def test_issued_token_is_accepted(key):
    text = make_service_token(key, issuer=ISSUER, audience=AUDIENCE, method=METHOD, now_seconds=NOW, token_id="abc")
    token = read(text)
    check_signature(token, key.public)
    assert (token.issuer, token.audience, token.method, token.expires_at) == (ISSUER, AUDIENCE, METHOD, NOW + 60)
    assert (token.issued_at, token.token_id, token.key_id) == (NOW, "abc", "#atproto")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"aud": AUDIENCE + "#atproto_pds"}, "BadJwtAudience"),
        ({"aud": "did:web:other.example.com"}, "BadJwtAudience"),
        ({"aud": [AUDIENCE]}, "BadJwt"),
        ({"lxm": "com.atproto.repo.getRecord"}, "BadJwtLexiconMethod"),
        ({"lxm": METHOD.lower()}, "BadJwtLexiconMethod"),
        ({"lxm": None}, "BadJwtLexiconMethod"),
        ({"exp": NOW - 1}, "JwtExpired"),
        ({"exp": str(NOW + 60)}, "BadJwt"),
        ({"exp": True}, "BadJwt"),
        ({"exp": None}, "BadJwt"),
        ({"iat": NOW + 61}, "BadJwt"),
        ({"iss": "alice.example.com"}, "BadJwtIss"),
        ({"iss": 1}, "BadJwt"),
        ({"iss": ISSUER + "#atproto_labeler"}, "UntrustedIss"),
        ({"jti": 5}, "BadJwt"),
        ({"cnf": {"jkt": "x"}}, "BadJwtType"),
    ],
)
def test_wrong_claim_is_named(claims, name):
    assert refusal(jwt.sign({**CLAIMS, **claims}, KEYS[0])) == name


@pytest.mark.parametrize("type_", ["at+jwt", "refresh+jwt", "dpop+jwt"])
def test_tokens_of_other_kinds_are_refused(type_):
    """An access token is not accepted as a service token, even with the right claims."""
    assert refusal(jwt.sign(CLAIMS, KEYS[0], header={"typ": type_})) == "BadJwtType"


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "", None])
def test_only_two_algorithms_are_accepted(algorithm):
    """Only two algorithms are accepted: a token can be neither unsigned nor "signed" with the public key as a secret."""
    header = base64url.encode(json.dumps({"typ": "JWT", "alg": algorithm}).encode())
    body = base64url.encode(json.dumps(CLAIMS).encode())
    assert refusal(f"{header}.{body}.{base64url.encode(b'x' * 32)}") == "BadJwtSignature"


def test_other_curve_under_the_same_name():
    """A token whose algorithm does not match the curve of the key is refused."""
    token = read(jwt.sign(CLAIMS, KEYS[0]))
    with pytest.raises(BadServiceToken) as refused:
        check_signature(token, KEYS[1].public)
    assert refused.value.name == "BadJwtSignature"


def test_a_token_signed_by_another_key_is_refused():
    other = k256.K256PrivateKey.from_bytes(b"\x02" * 32)
    with pytest.raises(BadServiceToken):
        check_signature(read(jwt.sign(CLAIMS, other)), KEYS[0].public)


def test_changed_claims_break_the_signature():
    header, _, signature = jwt.sign(CLAIMS, KEYS[0]).split(".")
    changed = base64url.encode(json.dumps({**CLAIMS, "iss": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}).encode())
    with pytest.raises(BadServiceToken):
        check_signature(read(f"{header}.{changed}.{signature}"), KEYS[0].public)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "....", "x" * 20_000, "e30.e30.e30", "e30.W10.", "{}.{}.{}"])
def test_garbage_is_refused(text):
    assert refusal(text) == "BadJwt"


def test_old_tokens_have_no_iat():
    text = jwt.sign({key: claim for key, claim in CLAIMS.items() if key not in {"iat", "jti"}}, KEYS[0])
    assert read(text).issued_at is None
    assert read(text).token_id is None


def test_key_id_may_only_be_the_account_key():
    assert read(jwt.sign(CLAIMS, KEYS[0], header={"kid": "#atproto"})).key_id == "#atproto"
    assert refusal(jwt.sign(CLAIMS, KEYS[0], header={"kid": "#other"})) == "BadJwtSignature"
    assert refusal(jwt.sign(CLAIMS, KEYS[0], header={"kid": 7})) == "BadJwtSignature"


def test_labeler_key_is_accepted_only_where_expected():
    """A labeler's key is accepted only by endpoints that expect labelers."""
    token = read(jwt.sign({**CLAIMS, "iss": ISSUER + "#atproto_labeler"}, KEYS[0]), allow_labeler=True)
    assert (token.issuer, token.key_id) == (ISSUER, "#atproto_label")
    assert refusal(jwt.sign({**CLAIMS, "iss": ISSUER + "#x"}, KEYS[0]), allow_labeler=True) == "UntrustedIss"


def test_expiry_is_inclusive():
    """A token is still valid in the second of its expiry."""
    read(jwt.sign({**CLAIMS, "exp": NOW}, KEYS[0]))
