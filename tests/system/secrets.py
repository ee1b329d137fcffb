"""Secrets that are used in a running installation, and a search for each of them in the data that is left behind."""

import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import httpx

from tests.system.servers import Account
from tests.system.tour.polling import eventually

SERVER = "com.atproto.server"
START = "2037-06-01T18:00"
# Any JOSE token, which has three parts. Nobody else ever learns the tokens of our sessions at people's servers.
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{40,}")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\"d\": ?\"[A-Za-z0-9_-]{43}\"")
# Shorter strings can occur by chance.
LEAST_CHARACTERS = 8

Mails = Callable[[], Awaitable[str]]


@dataclass
class Planted:
    """Secrets by name."""

    values: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, value: str) -> str:
        assert len(value) >= LEAST_CHARACTERS, what
        self.values[what] = value
        return value


def forms_of(secret: str) -> Iterator[bytes]:
    """The byte strings in which a secret is readable: as it is, in a URL, as hexadecimal digits, and in base64 at any
    offset.
    """
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield raw.hex().encode()
    for before in range(3):
        for coded in (base64.b64encode, base64.urlsafe_b64encode):
            whole = coded(b"\0" * before + raw)
            # Leave out the digits that also depend on the bytes before and after.
            yield whole[(0, 2, 3)[before] : -4]


def found_in(planted: Planted, places: Iterable[tuple[str, bytes]]) -> list[str]:
    """The names of the secrets that are readable, and where."""
    forms = {what: set(forms_of(value)) for what, value in planted.values.items()}
    found: list[str] = []
    for place, body in places:
        found += [f"{what} in {place}" for what, each in forms.items() if any(one in body for one in each)]
        found += [f"a token in {place}: {match[0][:40]!r} …" for match in _JWT.finditer(body)]
        found += [f"a private key in {place}" for _ in _PRIVATE_KEY.finditer(body)]
    return found


def files_below(folder: Path, *without: str) -> Iterator[tuple[str, bytes]]:
    """Every file and its content, except files and folders with these names."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not set(inside.parts) & set(without):
            yield str(inside), path.read_bytes()


async def tables_of(url: str, schemas: Iterable[str]) -> list[tuple[str, bytes]]:
    """Every row of these schemas as text, with bytes as hexadecimal digits, as in a dump."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "select table_schema, table_name from information_schema.tables where table_schema = any($1::text[])",
            list(schemas),
        )
        assert tables, "no tables to search"
        found = []
        for schema, table in tables:
            rows = await connection.fetch(f'select row_to_json(one)::text as row from "{schema}"."{table}" one')
            found.append((f"{schema}.{table}", "\n".join(row["row"] for row in rows).encode()))
        return found
    finally:
        await connection.close()


def part_behind(url: str, before: str) -> str:
    """The secret segment of a URL."""
    return urlsplit(url).path.partition(before)[2].removesuffix(".ics")


async def use_the_pds(url: str, name: str, planted: Planted) -> Account:
    """Create an account and everything that grants access to it: password, sessions, app password, and tokens for other
    services and by e-mail.
    """
    password = planted.add("password of the account", f"correct horse battery {name}")
    async with httpx.AsyncClient(base_url=f"{url}/xrpc/", timeout=60, trust_env=False) as http:

        async def call(method: str, body: Any = None, token: str = "") -> dict[str, Any]:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            answer = await http.post(f"{SERVER}.{method}", json=body, headers=headers)
            assert answer.is_success, f"{method}: {answer.text}"
            return dict(answer.json()) if answer.content else {}

        body = {"handle": f"{name}.test", "email": f"{name}@example.test", "password": password}
        made = await call("createAccount", body)
        opened = await call("createSession", {"identifier": f"{name}.test", "password": password})
        for when, session in (("sign-up", made), ("sign-in", opened)):
            planted.add(f"access token of the {when}", session["accessJwt"])
            planted.add(f"refresh token of the {when}", session["refreshJwt"])
        renewed = await call("refreshSession", token=opened["refreshJwt"])
        planted.add("refresh token that was renewed", renewed["refreshJwt"])
        token = str(renewed["accessJwt"])
        app = await call("createAppPassword", {"name": "phone"}, token)
        planted.add("app password", app["password"])
        wrong = planted.add("password that was mistyped", "corect hrose batery staple")
        for identifier in (f"{name}.test", wrong):
            refused = await http.post(f"{SERVER}.createSession", json={"identifier": identifier, "password": wrong})
            assert refused.status_code == 401
        await call("requestPasswordReset", {"email": f"{name}@example.test"})
        await call("requestEmailConfirmation", token=token)
        # A password that a script puts in a URL by mistake.
        await http.get(f"{SERVER}.getSession", params={"password": password}, headers={"authorization": "Bearer x"})
    return Account(url, made["did"], token, name)


async def use_the_platform(http: httpx.AsyncClient, account: Account, mails: Mails, planted: Planted) -> None:
    """Sign in with that account and create everything that grants access. Each secret is used once, so that it could
    appear in logs.
    """

    async def call(method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json()) if answer.content else {}

    who = {"handle": f"{account.name}.test", "password": planted.values["password of the account"]}
    session = await call("POST", "/api/session", who)
    http.headers["authorization"] = f"Bearer {planted.add('session of OpenMeet', session['token'])}"
    other = {"handle": f"{account.name}.test", "password": planted.values["password that was mistyped"]}
    assert (await http.post("/api/session", json=other)).is_client_error
    made = await call("POST", "/api/tokens", {"name": "a program", "scopes": ["read"]})
    planted.add("token of a program", made["token"])
    assert (await http.get("/api/me", headers={"authorization": f"Bearer {made['token']}"})).is_success
    feed = await call("POST", "/api/calendar-feed")
    planted.add("address of the own calendar", part_behind(feed["url"], "/calendar/"))
    group = await call("POST", "/api/groups", {"name": "Chess club", "timeZone": "Europe/Vienna"})
    slug = group["slug"]
    link = await call("POST", f"/api/groups/{slug}/invitations", {})
    planted.add("link into the group", link["token"])
    shared = await call("POST", f"/api/groups/{slug}/calendar-feed")
    planted.add("address of the group's calendar", part_behind(shared["url"], "/group-calendars/"))
    event = {"title": "Tea", "startsLocal": START, "timeZone": "Europe/Vienna", "visibility": "public"}
    await call("POST", "/api/events", event)
    paths = (urlsplit(feed["url"]).path, urlsplit(shared["url"]).path, f"/groups/invitations/{link['token']}")
    for path in paths:
        assert (await http.get(path)).is_success, path
    hook = await call("POST", "/api/webhooks", {"url": f"{account.url}/hook", "kinds": ["event.changed"]})
    planted.add("secret of a webhook", hook["secret"])
    await call("POST", f"/api/webhooks/{hook['id']}/ping")
    await call("POST", "/api/session/code", {"email": "mia@example.org"})

    async def code() -> str | None:
        match = re.search(r"\b([2-9A-Y]{4} [2-9A-Y]{4})\b", await mails())
        return match[1] if match else None

    mailed = await eventually(code)
    planted.add("code by mail", mailed)
    planted.add("code by mail, as it is kept", mailed.replace(" ", ""))
