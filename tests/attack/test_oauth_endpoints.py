"""Every OAuth endpoint for apps, called with hostile forms, proofs and assertions, returns a result or an OAuth error,
never 500, and reads hostile tokens in bounded time.
"""

import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from at_protocol.crypto import base64url
from at_protocol.crypto.jwk import to_jwk
from aurora_locus.oauth.routes import INTROSPECT, PAR, REVOKE, TOKEN
from tests.attack.garbage import SEED, TEXTS, Garbage, internals_in
from tests.aurora_locus.conftest import deployment, make_deployment, pds_url
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import App, fresh_key, localhost_id

__all__ = ["deployment", "make_deployment", "pds_url"]

ROUNDS = 60
_ENDPOINTS = (PAR, TOKEN, REVOKE, INTROSPECT)


def _part(value: Any) -> str:
    return base64url.encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def _hostile_tokens(app: App) -> list[str]:
    """Tokens that are too deep, too large, of another algorithm, or signed with a key that is none."""
    good = app.proof("POST", PAR)
    _, claims, signature = good.split(".")
    key = dict(to_jwk(app.key.public))
    headers: list[Any] = [
        b"[" * 5_000,
        b'{"a":' * 3_000,
        b"\xff\xfe",
        b"null",
        {"typ": "dpop+jwt", "alg": "none", "jwk": key},
        {"typ": "dpop+jwt", "alg": "HS256", "jwk": {"kty": "oct", "k": "AA"}},
        {"typ": "dpop+jwt", "alg": ["ES256"], "jwk": key},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**key, "x": "A" * 20_000}},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**key, "x": "", "y": ""}},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**key, "crv": "secp256k1"}},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": {**key, "d": "AA"}},
        {"typ": "dpop+jwt", "alg": "RS256", "jwk": {"kty": "RSA", "n": "A" * 20_000, "e": "AQAB"}},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": [key]},
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": key, "crit": ["b64"], "b64": False},
    ]
    bodies: list[Any] = [b"[" * 5_000, {"htm": ["POST"], "htu": 5, "iat": "now", "jti": None}, {"iat": 1e308}, []]
    return [
        good,
        "",
        ".",
        "..",
        "." * 5_000,
        "A" * 20_000,
        *(f"{_part(header)}.{claims}.{signature}" for header in headers),
        *(f"{good.partition('.')[0]}.{_part(body)}.{signature}" for body in bodies),
    ]


def _form(garbage: Garbage, app: App, tokens: list[str]) -> dict[str, str]:
    """A form of any endpoint: mostly the right fields, each of them hostile at times."""
    fields = {
        **app.wish(),
        "grant_type": garbage.dice.choice(("authorization_code", "refresh_token", "client_credentials")),
        "code": "cod-" + "a" * 40,
        "code_verifier": app.verifier,
        "refresh_token": "ref-" + "a" * 40,
        "token": garbage.dice.choice(tokens),
        "prompt": "login consent",
        "ui_locales": "de en",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": garbage.dice.choice(tokens),
        "request": garbage.dice.choice(tokens),
    }
    hostile = (*TEXTS, "https://app.example.com/client.json", "http://localhost?scope=" + "a%20" * 500, *tokens[:4])
    return {
        name: garbage.dice.choice(hostile) if garbage.is_hurt(0.12) else value
        for name, value in fields.items()
        if not garbage.is_hurt(0.3)
    }


@pytest.mark.parametrize("endpoint", _ENDPOINTS)
async def test_no_endpoint_for_apps_fails_with_a_server_error(deployment: Deployment, endpoint: str) -> None:
    print(f"seed {SEED}")
    garbage = Garbage(SEED + _ENDPOINTS.index(endpoint))
    app = App(deployment, localhost_id(), fresh_key())
    await app.push()
    wrong = []
    for _ in range(ROUNDS):
        tokens = _hostile_tokens(app)
        form = urlencode(_form(garbage, app, tokens)).encode("utf-8", "surrogatepass")
        body = (
            garbage.dice.choice((b"\xff=%ff", b"a=1&" * 5_000, b"=&&=", b"%", b"{}")) if garbage.is_hurt(0.1) else form
        )
        proof = app.proof("POST", endpoint) if garbage.is_hurt(0.5) else garbage.dice.choice(tokens)
        headers = {"content-type": "application/x-www-form-urlencoded", "dpop": proof}
        answer = await deployment.http.post(endpoint, content=body, headers=headers)
        app.nonce = answer.headers.get("dpop-nonce", app.nonce)
        if answer.status_code >= 500 and answer.json().get("error") != "temporarily_unavailable":
            wrong.append(f"broken: {answer.status_code} {answer.text[:200]} for {body[:500]!r} {proof[:200]}")
        elif answer.status_code >= 400 and not {"error", "error_description"} >= answer.json().keys():
            wrong.append(f"not an OAuth error: {answer.text[:200]}")
        elif found := internals_in(answer.content, body.decode("latin-1")):
            wrong.append(f"says {found}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


async def test_hostile_tokens_are_refused_quickly(deployment: Deployment) -> None:
    """Tokens are read before anybody is authenticated. Each of these is refused, and in a fraction of a second."""
    app = App(deployment, localhost_id(), fresh_key())
    await app.push()
    for token in filter(None, _hostile_tokens(app)[1:]):
        for headers in (
            {"authorization": f"Bearer {token}"},
            {"authorization": f"DPoP {token}", "dpop": app.proof("GET", "/xrpc/com.atproto.server.getSession")},
            {"authorization": f"DPoP {app.proof('POST', PAR)}", "dpop": token},
        ):
            began = time.process_time()
            answer = await deployment.http.get("/xrpc/com.atproto.server.getSession", headers=headers)
            assert answer.status_code in {400, 401, 431}, (answer.text, token[:100])
            assert time.process_time() - began < 0.5
