"""Compares with the reference PDS: which documents of OAuth clients are valid."""

import subprocess
from typing import Any

import msgspec
import pytest

from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId
from at_protocol.oauth.client_metadata import parse_client_metadata
from checks import reference
from tests.external_dependencies import needs

pytestmark = needs("reference")

CLIENT_ID = ClientId("https://app.example.com/oauth/client.json")
_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "k1",
    "alg": "ES256",
    "use": "sig",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
_RIGHT: dict[str, Any] = {
    "client_id": CLIENT_ID,
    "application_type": "web",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "redirect_uris": ["https://app.example.com/callback"],
    "scope": "atproto transition:generic",
    "token_endpoint_auth_method": "none",
    "dpop_bound_access_tokens": True,
    "client_name": "An app",
    "client_uri": "https://app.example.com",
}
_KEYS_AT = "https://app.example.com/keys"
_BY_KEY = {
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "ES256",
    "jwks": {"keys": [_KEY]},
}


def _by_keys(*keys: dict[str, Any]) -> dict[str, Any]:
    return {**_BY_KEY, "jwks": {"keys": [*keys]}}


def _native(redirect: str) -> dict[str, Any]:
    return {"application_type": "native", "redirect_uris": [redirect]}


def _key_without(name: str) -> dict[str, Any]:
    return {key: value for key, value in _KEY.items() if key != name}


# Changes of a valid document; a field that is None is left out.
SAME: dict[str, dict[str, Any]] = {
    "right": {},
    "with a key": _BY_KEY,
    "with the address of keys": {**_BY_KEY, "jwks": None, "jwks_uri": _KEYS_AT},
    "with keys and their address": {**_BY_KEY, "jwks_uri": _KEYS_AT},
    "without keys": {**_BY_KEY, "jwks": None},
    "with no key": _by_keys(),
    "with keys over http": {**_BY_KEY, "jwks": None, "jwks_uri": "http://app.example.com/keys"},
    "with keys elsewhere": {**_BY_KEY, "jwks": None, "jwks_uri": "https://other.example.com/keys"},
    "a key without kid": _by_keys(_key_without("kid")),
    "a key without use": _by_keys(_key_without("use")),
    "a private key": _by_keys({**_KEY, "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}),
    "a key that verifies": _by_keys({**_key_without("use"), "key_ops": ["verify"]}),
    "a key of another kind too": _by_keys(_KEY, {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB", "use": "sig"}),
    "keys without authentication": {"jwks": {"keys": [_KEY]}},
    "an address of keys without authentication": {"jwks_uri": _KEYS_AT},
    "an algorithm without authentication": {"token_endpoint_auth_signing_alg": "ES256"},
    "ES256K": {**_BY_KEY, "token_endpoint_auth_signing_alg": "ES256K"},
    "no algorithm": {**_BY_KEY, "token_endpoint_auth_signing_alg": None},
    "no method": {"token_endpoint_auth_method": None},
    "a secret": {"token_endpoint_auth_method": "client_secret_post"},
    "no type": {"application_type": None},
    "an unknown type": {"application_type": "spa"},
    "native at its host": {"application_type": "native"},
    "native with a key": {**_native("com.example.app:/callback"), **_BY_KEY},
    **{
        f"native at {redirect}": _native(redirect)
        for redirect in (
            "com.example.app:/callback",
            "com.example.app://callback",
            "com.example.app:///callback",
            "com.example.app:/",
            "com.example.other:/callback",
            "anapp:/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:8080/callback",
            "http://[::1]/callback",
            "http://localhost/callback",
            "https://127.0.0.1/callback",
        )
    },
    **{
        f"web at {redirect}": {"redirect_uris": [redirect]}
        for redirect in (
            "http://127.0.0.1/callback",
            "com.example.app:/callback",
            "https://other.example.com/callback",
            "http://app.example.com/callback",
            "https://app.local/callback",
            "https://app.example.com/callback?a=b",
            "https://me@app.example.com/callback",
            "https://app.example.com:8443/callback",
            "https://intranet/callback",
            "javascript:alert(1)",
        )
    },
    "no redirect_uris": {"redirect_uris": []},
    "redirect_uris that are a text": {"redirect_uris": "https://app.example.com/callback"},
    "a redirect_uri twice": {"redirect_uris": ["https://app.example.com/callback"] * 2},
    **{
        f"logo {logo}": {"logo_uri": logo}
        for logo in ("http://app.example.com/a.png", "https://cdn.example.net/a.png", "data:,", "nonsense", "", 5)
    },
    "terms over http": {"tos_uri": "http://app.example.com"},
    "a policy that is no address": {"policy_uri": "nonsense"},
    "a page of another host": {"client_uri": "https://other.example.com"},
    "a page of the domain above": {"client_uri": "https://example.com"},
    "no page": {"client_uri": None},
    "no name": {"client_name": None},
    "no scope": {"scope": None},
    "an empty scope": {"scope": ""},
    "a scope without atproto": {"scope": "transition:generic"},
    "a scope twice": {"scope": "atproto atproto"},
    "two spaces": {"scope": "atproto  transition:generic"},
    "a scope that nobody knows": {"scope": "atproto openid"},
    "no grant_types": {"grant_types": None},
    "refreshing alone": {"grant_types": ["refresh_token"]},
    "no refreshing": {"grant_types": ["authorization_code"]},
    "a grant type twice": {"grant_types": ["authorization_code"] * 2},
    "implicit": {"grant_types": ["authorization_code", "implicit"]},
    "no response_types": {"response_types": None},
    "tokens as response": {"response_types": ["token"]},
    "unbound tokens": {"dpop_bound_access_tokens": False},
    "tokens that are bound by a text": {"dpop_bound_access_tokens": "true"},
    "no client_id": {"client_id": None},
    "another client_id": {"client_id": f"{CLIENT_ID}x"},
    "an unknown field": {"unknown": 1},
}
# The algorithms of the protocol; one key for a kid; redirects as the protocol and RFC 6749 3.1.2 want them.
STRICTER: dict[str, dict[str, Any]] = {
    "RS256": {**_BY_KEY, "token_endpoint_auth_signing_alg": "RS256"},
    "no signature": {**_BY_KEY, "token_endpoint_auth_signing_alg": "none"},
    "a key that encrypts": _by_keys({**_KEY, "use": "enc"}),
    "a kid twice": _by_keys(_KEY, _KEY),
    "native at another host": _native("https://other.example.com/callback"),
    "a scheme without a slash": _native("com.example.app:callback"),
    "an IP address": {"redirect_uris": ["https://203.0.113.5/callback"]},
    "a fragment": {"redirect_uris": ["https://app.example.com/callback#a"]},
    "any host": {"redirect_uris": ["https://*.example.com/callback"]},
    "a logo of the own machine": {"logo_uri": "http://127.0.0.1/a.png"},
}
# What this server does not use is not checked.
LESS_STRICT: dict[str, dict[str, Any]] = {
    "keys and their address without authentication": {"jwks": {"keys": [_KEY]}, "jwks_uri": _KEYS_AT},
    "another grant type": {"grant_types": ["authorization_code", "client_credentials"]},
    "another response type": {"response_types": ["code", "nonsense"]},
    "a name that is a number": {"client_name": 5},
    "a page beside the document": {"client_uri": "https://app.example.com/about"},
    "pairwise subjects": {"subject_type": "pairwise"},
    "an age": {"default_max_age": 5},
    "certificates": {"tls_client_certificate_bound_access_tokens": True},
    "details": {"authorization_details_types": ["a"]},
}


def _document(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**_RIGHT, **changes}.items() if value is not None}


def _is_valid(document: dict[str, Any]) -> bool:
    try:
        parse_client_metadata(document, CLIENT_ID)
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    ("cases", "expected"),
    [(SAME, None), (STRICTER, (False, True)), (LESS_STRICT, (True, False))],
    ids=["same", "stricter", "less strict"],
)
def test_documents_are_valid_as_at_the_reference(
    cases: dict[str, dict[str, Any]], expected: tuple[bool, bool] | None
) -> None:
    """Ours and the reference's verdict about each document are equal, or differ as listed."""
    node = reference.node()
    assert node is not None
    sent = msgspec.json.encode([(CLIENT_ID, _document(changes)) for changes in cases.values()])
    script = reference.FOLDER / "client_metadata.mjs"
    done = subprocess.run([node, script], input=sent, stdout=subprocess.PIPE, check=True)
    theirs = dict(zip(cases, msgspec.json.decode(done.stdout), strict=True))
    verdicts = {name: (_is_valid(_document(cases[name])), theirs[name] is None) for name in cases}
    unexpected = {
        name: (verdict, theirs[name])
        for name, verdict in verdicts.items()
        if (verdict[0] != verdict[1] if expected is None else verdict != expected)
    }
    assert unexpected == {}
