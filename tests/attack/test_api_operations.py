"""Every operation of the JSON API, called with nearly valid bodies, returns a result or a problem with a sentence,
never 500.
"""

from typing import Any

import httpx
import msgspec

from groundwork.clock import HandClock
from openmeet.routes import operations
from openmeet.web.api.operations import ApiOperation
from tests.attack.garbage import SEED, Garbage, internals_in
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import Site, api_session, site_on

ROUNDS = 15

_EVENT = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
_TYPES = ("text/plain", "application/json; charset=utf-16", "", "application/x-www-form-urlencoded")
_HOSTILE_HEADERS = ("If-Match", "Idempotency-Key", "Content-Encoding", "X-Forwarded-For", "Origin", "Cookie")

# Plausible values for a field of this name.
_KNOWN = {
    "title": ["東京パーティー", "☃", "Board games"],
    "startsLocal": ["2026-07-04T18:00", "2026-03-29T02:30", "1900-01-01T00:00:00", "2200-12-31T23:59"],
    "endsLocal": ["2026-07-04T20:00", "2026-07-04T17:00"],
    "timeZone": ["Europe/Berlin", "+14:00", "-23:59", "+24:00", "localtime", "UTC"],
    "reply": ["going", "interested", "declined"],
    "visibility": ["public", "unlisted", "private"],
    "mode": ["online", "hybrid"],
    "onlineUrl": ["https://meet.example/a", "javascript:alert(1)"],
    "displayName": ["Ada", "\u202eadA"],
    "email": ["ada@example.org", "bad@", "a@ünï.example"],
    "which": ["going", "hosting", "waiting", "past"],
    "limit": ["1", "100"],
    "from": ["2026-01-01", "2026-W01-1"],
    "to": ["2200-12-31"],
}


def _near(garbage: Garbage, kind: Any, name: str = "") -> Any:
    """A value for a msgspec type, mostly of the right shape, with arbitrary leaves."""
    if garbage.is_hurt(0.05):
        return garbage.anything()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {
            field.encode_name: _near(garbage, field.type, field.encode_name)
            for field in msgspec.structs.fields(kind)
            if garbage.is_hurt(0.97 if field.required else 0.5)
        }
    if name == "capacity":
        return garbage.dice.choice((None, 1, 7, 0, -1, 10**6, 2**63))
    return garbage.text(name)


def _address(garbage: Garbage, operation: ApiOperation, slugs: list[str]) -> httpx.URL:
    slug = garbage.dice.choice(slugs) if garbage.is_hurt(0.7) else garbage.text()
    asked = {
        one.name: garbage.text(one.name)
        for one in operation.parameters
        if one.where == "query" and garbage.is_hurt(0.5)
    }
    if slug in {".", ".."}:
        slug = "…"  # an HTTP client normalizes this to another path
    path = operation.path.replace("{slug}", str(httpx.QueryParams({"": slug}))[1:].replace("+", "%20"))
    return httpx.URL(path, params=asked)


async def _ask(
    browser: httpx.AsyncClient, garbage: Garbage, operation: ApiOperation, callers: list[Any], slugs: list[str]
) -> tuple[str, httpx.Response]:
    headers = dict(garbage.dice.choice(callers))
    content = b""
    if operation.body is not None:
        content = garbage.encoded(_near(garbage, operation.body))
        headers["content-type"] = garbage.dice.choice(_TYPES) if garbage.is_hurt(0.05) else "application/json"
    if garbage.is_hurt(0.2):
        name = garbage.dice.choice(_HOSTILE_HEADERS)
        headers[name] = (
            garbage.text()
            .encode("latin-1", "replace")
            .decode("latin-1")
            .replace("\n", "")
            .replace("\r", "")
            .replace("\x00", "")
        )
    address = _address(garbage, operation, slugs)
    sent = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
    answer = await browser.request(operation.method, address, content=content, headers=sent)
    return f"{operation.method} {address} {content[:1000]!r} {headers}", answer


async def test_no_operation_fails_with_a_server_error(make_database: MakeDatabase, clock: HandClock) -> None:
    print(f"seed {SEED}")
    db = await make_database("openmeet")
    async with offline_publishing(clock) as publishing:
        wrong = await _wrong_answers(site_on(db, clock, publishing=publishing, api_requests_per_minute=0))
    assert not wrong, "\n".join(wrong)


async def _wrong_answers(site: Site) -> list[str]:
    async with site.browser() as browser:
        ada = await api_session(browser, "ada@example.org", "Ada")
        ben = await api_session(browser, "ben@example.org", "Ben")
        slugs = [
            (await browser.post("/api/events", json={**_EVENT, "visibility": visibility}, headers=ada)).json()["slug"]
            for visibility in ("public", "unlisted", "private")
        ]
        callers = [ada, ada, ben, {}, {"authorization": "Bearer nobody"}]
        wrong = []
        for number, operation in enumerate(operations()):
            garbage = Garbage(SEED + number, _KNOWN)
            for _ in range(ROUNDS):
                asked, answer = await _ask(browser, garbage, operation, callers, slugs)
                if complaint := _complaint(answer, asked):
                    wrong.append(f"{complaint}: {asked[:600]} -> {answer.status_code} {answer.text[:300]}")
    return wrong


def _complaint(answer: httpx.Response, asked: str) -> str:
    """What is wrong with a response; empty if nothing is."""
    if answer.status_code >= 500:
        return "broken"
    if answer.status_code < 400:
        return ""
    if answer.headers["content-type"] != "application/problem+json":
        return "not a problem document"
    said = answer.json()
    if said["status"] != answer.status_code or not said["title"].isidentifier():
        return "not the shape of a problem"
    if " " not in said["detail"]:
        return "no sentence"
    return "says " + ", ".join(found) if (found := internals_in(answer.content, asked)) else ""


async def test_lists_as_long_as_a_body_can_be(make_database: MakeDatabase, clock: HandClock) -> None:
    """A list of tens of thousands of names fits into a body, and is more than one statement takes."""
    db = await make_database("openmeet")
    wrong, tried = [], 0
    async with offline_publishing(clock) as publishing:
        site = site_on(db, clock, publishing=publishing, api_requests_per_minute=0)
        async with site.browser() as browser:
            ada = await api_session(browser, "ada@example.org", "Ada")
            paths = {
                "/api/events": (await browser.post("/api/events", json=_EVENT, headers=ada)).json()["slug"],
                "/api/series": (
                    await browser.post("/api/series", json={**_EVENT, "recurrence": "FREQ=WEEKLY"}, headers=ada)
                ).json()["slug"],
                "/api/groups": (
                    await browser.post("/api/groups", json={"name": "Chess", "timeZone": "Europe/Berlin"}, headers=ada)
                ).json()["slug"],
            }
            for operation in operations():
                if operation.body is None or operation.path.startswith("/api/sync"):
                    continue
                slug = next((slug for start, slug in paths.items() if operation.path.startswith(start)), "x")
                path = operation.path.replace("{slug}", slug)
                for body in _with_long_lists(operation.body):
                    tried += 1
                    answer = await browser.request(operation.method, path, content=body, headers=ada)
                    if complaint := _complaint(answer, ""):
                        wrong.append(f"{complaint}: {operation.method} {path} {body[:200]!r} -> {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert tried > 50


def _with_long_lists(kind: Any) -> list[bytes]:
    """Bodies of this type in which one list is as long as possible, and the other required fields are plausible."""
    schema = msgspec.json.schema(kind)
    definitions = schema["$defs"]
    shape = definitions[schema["$ref"].rpartition("/")[2]]
    needed = {name: _plausible(shape["properties"][name], name, definitions) for name in shape.get("required", ())}
    bodies = []
    for name, field in shape["properties"].items():
        for one in (field, *field.get("anyOf", ())):
            if one.get("type") == "array":
                items = one.get("items", {})
                item = msgspec.json.encode(_plausible(items, name, definitions))
                entries = b",".join([item] * (149_000 // (len(item) + 1)))
                rest = msgspec.json.encode({key: value for key, value in needed.items() if key != name})
                comma = b"," if len(rest) > 2 else b""
                bodies.append(rest[:-1] + comma + msgspec.json.encode(name) + b":[" + entries + b"]}")
    return bodies


def _plausible(field: dict[str, Any], name: str, definitions: dict[str, Any]) -> Any:
    if "$ref" in field:
        shape = definitions[field["$ref"].rpartition("/")[2]]
        if "enum" in shape:
            return shape["enum"][0]
        return {one: _plausible(shape["properties"][one], one, definitions) for one in shape.get("required", ())}
    if "anyOf" in field:
        return _plausible(field["anyOf"][0], name, definitions)
    if "enum" in field:
        return field["enum"][0]
    return {
        "string": _KNOWN.get(name, [""])[0],
        "integer": 1,
        "boolean": False,
        "array": [],
        "object": {},
        "number": 1,
    }.get(field.get("type", "string"))
