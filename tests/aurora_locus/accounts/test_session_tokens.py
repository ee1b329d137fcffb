"""Tokens of one kind are never accepted as another."""

import pytest
from joserfc import jws
from joserfc.jwk import OctKey
from msgspec import json

from at_protocol.syntax.did import Did
from aurora_locus.accounts.model import SessionScope
from aurora_locus.accounts.session_tokens import ACCESS_LIFETIME, REFRESH_LIFETIME, SessionTokenSigner
from groundwork.clock import SECOND, Instant
from groundwork.errors import NotSignedIn

SECRET = bytes(range(32))
AUDIENCE = "did:web:pds.test"
ANA = Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
NOON = Instant(1_800_000_000 * SECOND)

tokens = SessionTokenSigner(SECRET, AUDIENCE)


def refused(call, name: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        call()
    assert caught.value.name == name


def test_access_token_round_trip() -> None:
    read = tokens.read_access(tokens.access(ANA, SessionScope.FULL, NOON), NOON)
    assert (read.did, read.scope, read.issued_at) == (ANA, SessionScope.FULL, NOON)


def test_sessions_survive_a_change_of_the_secret() -> None:
    """Sessions survive a change of the secret while the previous one is configured. Tokens signed after the change do
    not need the previous secret.
    """
    old = tokens.access(ANA, SessionScope.FULL, NOON)
    renewed = SessionTokenSigner(b"n" * 32, AUDIENCE, SECRET)
    assert renewed.read_access(old, NOON).did == ANA
    new = renewed.access(ANA, SessionScope.FULL, NOON)
    assert SessionTokenSigner(b"n" * 32, AUDIENCE).read_access(new, NOON).did == ANA
    refused(lambda: SessionTokenSigner(b"n" * 32, AUDIENCE).read_access(old, NOON), "InvalidToken")
    refused(lambda: tokens.read_access(new, NOON), "InvalidToken")


def test_short_secret_of_an_old_installation_is_used() -> None:
    short = SessionTokenSigner(b"short", AUDIENCE)
    assert short.read_access(short.access(ANA, SessionScope.FULL, NOON), NOON).did == ANA


def test_refresh_token_is_refused_as_access_token() -> None:
    token = tokens.refresh(ANA, "row", NOON, Instant(NOON + REFRESH_LIFETIME))
    refused(lambda: tokens.read_access(token, NOON), "InvalidToken")


def test_access_token_is_refused_as_refresh_token() -> None:
    refused(lambda: tokens.read_refresh(tokens.access(ANA, SessionScope.FULL, NOON), NOON), "InvalidToken")


def test_expiry_has_its_own_name_because_clients_refresh_on_it() -> None:
    token = tokens.access(ANA, SessionScope.FULL, NOON)
    tokens.read_access(token, Instant(NOON + ACCESS_LIFETIME - SECOND))
    refused(lambda: tokens.read_access(token, Instant(NOON + ACCESS_LIFETIME)), "ExpiredToken")


def test_expired_refresh_token_still_signs_out() -> None:
    token = tokens.refresh(ANA, "row", NOON, Instant(NOON + SECOND))
    assert tokens.read_refresh(token, Instant(NOON + 5 * SECOND), even_if_expired=True).id == "row"
    refused(lambda: tokens.read_refresh(token, Instant(NOON + 5 * SECOND)), "ExpiredToken")


@pytest.mark.parametrize(
    "change",
    [
        {"lxm": "com.atproto.repo.createRecord"},
        {"cnf": {"jkt": "x"}},
        {"aud": "did:web:other.test"},
        {"scope": "com.atproto.everything"},
        {"sub": "ana"},
        {"exp": "soon"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_foreign_claims_are_refused(change: dict[str, object]) -> None:
    """A token signed with our own secret but for another purpose opens no session."""
    claims = {
        "scope": SessionScope.FULL,
        "sub": ANA,
        "aud": AUDIENCE,
        "iat": NOON // SECOND,
        "exp": NOON // SECOND + 60,
        **change,
    }
    key = OctKey.import_key(SECRET)
    token = jws.serialize_compact({"alg": "HS256", "typ": "at+jwt"}, json.encode(claims), key)
    refused(lambda: tokens.read_access(token, NOON), "InvalidToken")


@pytest.mark.parametrize(
    "token", ["", "a.b.c", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", "\u00e9.\u00e9.\u00e9", "." * 3]
)
def test_garbage_is_refused_with_the_one_error(token: str) -> None:
    refused(lambda: tokens.read_access(token, NOON), "InvalidToken")


def test_token_signed_with_another_secret_is_refused() -> None:
    forged = SessionTokenSigner(bytes(32), AUDIENCE).access(ANA, SessionScope.FULL, NOON)
    refused(lambda: tokens.read_access(forged, NOON), "InvalidToken")
