"""Pushed authorization requests, token requests and revocations of apps, each with one error."""

import secrets
import time
from typing import Any
from urllib.parse import urlencode

from at_protocol.crypto import jwt
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.oauth import pkce
from at_protocol.oauth.dpop import make_proof
from tests.interop.parity.sides import Side

_REDIRECT = "http://127.0.0.1/callback"
_SCOPE = "atproto transition:generic"
_VERIFIER = secrets.token_urlsafe(48)


class _App:
    """An app under development, which proves its key and repeats a request with the nonce that it got."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.key = P256PrivateKey.from_random(secrets.token_bytes(48))
        self.nonce: str | None = None
        self.issuer = str(side.http.base_url).rstrip("/")

    def proof(self, path: str, times: dict[str, Any] | None = None, **changes: Any) -> str:
        wish: dict[str, Any] = {
            "method": "POST",
            "url": self.issuer + path,
            "token_id": secrets.token_hex(16),
            "now_seconds": int(time.time()),
            "nonce": self.nonce,
            **changes,
        }
        made = make_proof(wish.get("key", self.key), **{name: value for name, value in wish.items() if name != "key"})
        if times is None:
            return made
        token = jwt.read(made)
        return jwt.sign({**token.claims, **times}, wish.get("key", self.key), header=token.header)

    async def send(self, label: str, path: str, form: dict[str, str], proof: str | None = None, **headers: str) -> Any:
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        sent = sent if proof == "" else {**sent, "dpop": proof or self.proof(path)}
        answer = await self.side.ask(label, "POST", path, content=urlencode(form).encode(), headers=sent)
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer


def _client_id(scope: str = _SCOPE, redirect: str = _REDIRECT) -> str:
    return "http://localhost?" + urlencode({"scope": scope, "redirect_uri": redirect})


def _wish(**changes: str | None) -> dict[str, str]:
    wish: dict[str, str | None] = {
        "client_id": _client_id(),
        "response_type": "code",
        "redirect_uri": _REDIRECT,
        "scope": _SCOPE,
        "state": "a state",
        "code_challenge": pkce.challenge_of(_VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in wish.items() if value is not None}


async def pushed_requests(side: Side) -> None:
    """Pushed requests with one error each."""
    app = _App(side)
    await app.send("without a nonce", "/oauth/par", _wish())
    await app.send("right", "/oauth/par", _wish())
    for label, changes in {
        "without client_id": {"client_id": None},
        "a client_id that is none": {"client_id": "nonsense"},
        "a client_id with a path": {"client_id": "http://localhost/path"},
        "a client_id with a port": {"client_id": "http://localhost:3000"},
        "another client_id": {"client_id": "https://127.0.0.1:9/client.json"},
        "without response_type": {"response_type": None},
        "response_type token": {"response_type": "token"},
        "response_mode form_post": {"response_mode": "form_post"},
        "response_mode nonsense": {"response_mode": "nonsense"},
        "response_mode fragment": {"response_mode": "fragment"},
        "without redirect_uri": {"redirect_uri": None},
        "another redirect_uri": {"redirect_uri": "http://127.0.0.1/other"},
        "a port in redirect_uri": {"redirect_uri": "http://127.0.0.1:8080/callback"},
        "localhost as redirect_uri": {"redirect_uri": "http://localhost/callback"},
        "without scope": {"scope": None},
        "an empty scope": {"scope": ""},
        "scope without atproto": {"scope": "transition:generic"},
        "a scope that is not registered": {"scope": "atproto transition:email"},
        "a scope that nobody knows": {"scope": "atproto nonsense"},
        "a scope twice": {"scope": "atproto atproto"},
        "without state": {"state": None},
        "without code_challenge": {"code_challenge": None},
        "a short code_challenge": {"code_challenge": "short"},
        "plain": {"code_challenge_method": "plain"},
        "without code_challenge_method": {"code_challenge_method": None},
        "a login_hint": {"login_hint": "nobody.test"},
        "a login_hint that is none": {"login_hint": "not right at all!"},
        "prompt none": {"prompt": "none"},
        "prompt nonsense": {"prompt": "nonsense"},
        "prompt consent": {"prompt": "consent"},
        "prompt create": {"prompt": "create"},
        "a nonce": {"nonce": "n"},
        "display touch": {"display": "touch"},
        "display nonsense": {"display": "nonsense"},
        "max_age": {"max_age": "-1"},
        "ui_locales": {"ui_locales": "de en"},
        "a request_uri": {"request_uri": "urn:ietf:params:oauth:request_uri:req-0"},
        "a request": {"request": "a.b.c"},
        "an assertion": {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "a.b.c",
        },
        "a secret": {"client_secret": "secret"},
        "something else": {"something": "else"},
    }.items():
        await app.send(label, "/oauth/par", _wish(**changes))
    await app.send("as JSON", "/oauth/par", _wish(), **{"content-type": "application/json"})
    await app.send("as text", "/oauth/par", _wish(), **{"content-type": "text/plain"})
    for label, changes in {
        "of another path": {"url": app.issuer + "/oauth/token"},
        "of another method": {"method": "GET"},
        "that is old": {"now_seconds": int(time.time()) - 3600},
        "of the future": {"now_seconds": int(time.time()) + 3600},
        "with a wrong nonce": {"nonce": "nonsense"},
        "with a query": {"url": app.issuer + "/oauth/par?a=b"},
    }.items():
        await app.send(f"a proof {label}", "/oauth/par", _wish(), app.proof("/oauth/par", **changes))
    now = int(time.time())
    for label, times in {
        "that expires": {"exp": now + 60},
        "that has expired": {"exp": now - 200},
        "that has just expired": {"exp": now - 100},
        "that expires never": {"exp": 1e20},
        "with a text as expiry": {"exp": "tomorrow"},
        "with null as expiry": {"exp": None},
        "that begins": {"nbf": now},
        "that begins later": {"nbf": now + 200},
        "that begins soon": {"nbf": now + 100},
        "with true as beginning": {"nbf": True},
        "of two minutes ago": {"iat": now - 120},
        "with a fraction": {"iat": now + 0.5},
        "with fractions everywhere": {"iat": now - 0.5, "nbf": now - 1.5, "exp": now + 1.5},
    }.items():
        await app.send(f"a proof {label}", "/oauth/par", _wish(), app.proof("/oauth/par", times))
    await app.send("a proof that is none", "/oauth/par", _wish(), "nonsense")
    same = app.proof("/oauth/par")
    await app.send("a proof once", "/oauth/par", _wish(), same)
    await app.send("a proof twice", "/oauth/par", _wish(), same)


async def tokens(side: Side) -> None:
    """Token requests, revocations and introspections with one error each."""
    app = _App(side)
    code = {
        "grant_type": "authorization_code",
        "client_id": _client_id(),
        "redirect_uri": _REDIRECT,
        "code_verifier": _VERIFIER,
        "code": "cod-" + "a" * 64,
    }
    refresh = {"grant_type": "refresh_token", "client_id": _client_id(), "refresh_token": "ref-" + "a" * 64}
    await app.send("without a nonce", "/oauth/token", code)
    for label, form in {
        "a code that nobody gave": code,
        "a code that is none": {**code, "code": "nonsense"},
        "without code": {k: v for k, v in code.items() if k != "code"},
        "without code_verifier": {k: v for k, v in code.items() if k != "code_verifier"},
        "without client_id": {k: v for k, v in code.items() if k != "client_id"},
        "a refresh token that nobody gave": refresh,
        "a refresh token that is none": {**refresh, "refresh_token": "nonsense"},
        "without refresh token": {k: v for k, v in refresh.items() if k != "refresh_token"},
        "without grant_type": {k: v for k, v in code.items() if k != "grant_type"},
        "a password": {"grant_type": "password", "client_id": _client_id(), "username": "ana.test", "password": "x"},
        "client credentials": {"grant_type": "client_credentials", "client_id": _client_id()},
        "nothing": {},
    }.items():
        await app.send(label, "/oauth/token", form)
    await app.send("without a proof", "/oauth/token", code, "")
    for label, form in {
        "an access token that is none": {"client_id": _client_id(), "token": "nonsense"},
        "a refresh token that nobody gave, revoked": {"client_id": _client_id(), "token": "ref-" + "a" * 64},
        "revoking nothing": {"client_id": _client_id()},
        "revoking without client_id": {"token": "nonsense"},
        "revoking with a hint": {"client_id": _client_id(), "token": "nonsense", "token_type_hint": "access_token"},
        "revoking with a hint that nobody knows": {
            "client_id": _client_id(),
            "token": "nonsense",
            "token_type_hint": "x",
        },
    }.items():
        await app.send(label, "/oauth/revoke", form)


def _loopback(*parameters: tuple[str, str]) -> str:
    return "http://localhost" + ("?" + urlencode(parameters) if parameters else "")


async def loopback_clients(side: Side) -> None:
    """Apps under development, which describe themselves in their client_id."""
    app = _App(side)
    await app.send("without a nonce", "/oauth/par", _wish())
    scope, redirect = ("scope", _SCOPE), ("redirect_uri", _REDIRECT)
    for label, client_id in {
        "nothing": _loopback(),
        "a slash": "http://localhost/",
        "an empty query": "http://localhost?",
        "a slash and a query": "http://localhost/?" + urlencode([scope, redirect]),
        "a fragment": _loopback(scope, redirect) + "#more",
        "a user": "http://me@localhost?" + urlencode([scope, redirect]),
        "capitals": "http://LOCALHOST?" + urlencode([scope, redirect]),
        "an address": "http://127.0.0.1?" + urlencode([scope, redirect]),
        "https": "https://localhost?" + urlencode([scope, redirect]),
        "a scope alone": _loopback(scope),
        "a redirect_uri alone": _loopback(redirect),
        "a scope twice": _loopback(scope, scope, redirect),
        "an empty scope": _loopback(("scope", ""), redirect),
        "a scope without atproto": _loopback(("scope", "transition:generic"), redirect),
        "a scope that nobody knows": _loopback(("scope", "atproto nonsense"), redirect),
        "a scope with a word twice": _loopback(("scope", "atproto atproto transition:generic"), redirect),
        "a scope with two spaces": _loopback(("scope", "atproto  transition:generic"), redirect),
        "several redirect_uris": _loopback(scope, redirect, ("redirect_uri", "http://[::1]/callback")),
        "a redirect_uri twice": _loopback(scope, redirect, redirect),
        "an empty redirect_uri": _loopback(scope, ("redirect_uri", "")),
        "a redirect_uri of localhost": _loopback(scope, redirect, ("redirect_uri", "http://localhost/callback")),
        "a redirect_uri elsewhere": _loopback(scope, redirect, ("redirect_uri", "https://example.org/callback")),
        "a redirect_uri of an app": _loopback(scope, redirect, ("redirect_uri", "org.example.app:/callback")),
        "a redirect_uri with https": _loopback(scope, redirect, ("redirect_uri", "https://127.0.0.1/callback")),
        "a redirect_uri with a port": _loopback(scope, ("redirect_uri", "http://127.0.0.1:8080/callback")),
        "a redirect_uri with a query": _loopback(scope, redirect, ("redirect_uri", "http://127.0.0.1/callback?a=b")),
        "a redirect_uri with a fragment": _loopback(scope, redirect, ("redirect_uri", "http://127.0.0.1/callback#a")),
        "a redirect_uri with a user": _loopback(scope, redirect, ("redirect_uri", "http://me@127.0.0.1/callback")),
        "a name": _loopback(scope, redirect, ("client_name", "an app")),
        "a logo": _loopback(scope, redirect, ("logo_uri", "https://example.org/logo.png")),
        "a type": _loopback(scope, redirect, ("application_type", "web")),
        "a key": _loopback(scope, redirect, ("jwks_uri", "https://example.org/keys")),
        "a long query": _loopback(scope, redirect, *((f"x{number}", "y" * 50) for number in range(60))),
    }.items():
        await app.send(f"a client_id with {label}", "/oauth/par", _wish(client_id=client_id))
    for redirect_uri in (
        "http://127.0.0.1",
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:99999/",
        "http://[::1]/",
        "http://[::1]:8080/",
        "http://localhost/",
        "http://127.0.0.2/",
        "http://127.0.0.1/?",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1/#",
        "http://127.0.0.1/callback",
        "HTTP://127.0.0.1/",
        "//127.0.0.1/",
        "nonsense",
        "",
        "javascript:alert(1)",
    ):
        for client_id in (_loopback(scope), _loopback(scope, ("redirect_uri", "http://127.0.0.1:3000/"))):
            label = f"{redirect_uri!r} of {'any' if client_id == _loopback(scope) else 'one'}"
            await app.send(label, "/oauth/par", _wish(client_id=client_id, redirect_uri=redirect_uri))


async def permissions(side: Side) -> None:
    """Requested permissions, right and wrong, with sets of permissions that can and cannot be found."""
    app = _App(side)
    await app.send("without a nonce", "/oauth/par", _wish())
    for each in (
        "transition:chat.bsky",
        "transition:nonsense",
        "repo:*",
        "repo:org.example.note",
        "repo:org.example.note?action=create",
        "repo:org.example.note?action=nonsense",
        "repo?collection=org.example.note&collection=org.example.other",
        "repo:nonsense",
        "repo",
        "rpc:*?aud=*",
        "rpc:app.bsky.feed.getTimeline?aud=*",
        "rpc:app.bsky.feed.getTimeline?aud=did:web:x.test%23service",
        "rpc:app.bsky.feed.getTimeline",
        "rpc:*?aud=did:web:x.test%23service",
        "blob:*/*",
        "blob:image/*",
        "blob:nonsense",
        "account:email",
        "account:email?action=manage",
        "account:nonsense",
        "identity:*",
        "identity:handle",
        "identity:nonsense",
        "include:org.example.nothing",
        "include:org.example.nothing?aud=did:web:x.test%23service",
        "include:nonsense",
        "include:",
        "include:*",
        "include:org.example.nothing include:org.example.other",
        "REPO:*",
        "repo:*?",
        "repo:%2A",
        "a" * 3000,
        "openid",
        "email",
        'a"b',
    ):
        wish = f"atproto {each}"
        client_id = _loopback(("scope", wish), ("redirect_uri", _REDIRECT))
        await app.send(f"asking for {each[:60]}", "/oauth/par", _wish(client_id=client_id, scope=wish))


GROUPS = {
    "apps, loopback clients": loopback_clients,
    "apps, permissions": permissions,
    "apps, pushed requests": pushed_requests,
    "apps, tokens": tokens,
}
