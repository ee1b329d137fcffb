"""API tokens: permissions, creation, expiry and revocation. No token is stored in plain text."""

import re
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
import pytest

from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.token_hash import hash_token
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import (
    AREAS,
    EXCEPTIONS,
    FOR_OPERATORS,
    FOR_SERVICES,
    FOR_SESSIONS,
    SCOPE_DESCRIPTIONS,
    SERVICE_DESCRIPTIONS,
    ServiceScope,
    TokenScope,
)
from openmeet.domain.api_tokens.tokens import MAX_TOKENS, forget_old_access
from openmeet.domain.users.model import Caller, UserId
from openmeet.routes import operations
from openmeet.web.account.tokens_pages import SCOPE_NAMES
from openmeet.web.api.operations import ApiOperation
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, h1_of, inputs_of, sign_up, site_on

PATH, API = "/settings/tokens", "/api/tokens"
EVENT = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock, api_requests_per_minute=0)


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


async def token_with(
    client: httpx.AsyncClient, who: dict[str, str], *scopes: TokenScope, days: int | None = 90
) -> httpx.Response:
    body = {"name": "A script", "scopes": list(scopes), "expiresInDays": days}
    made = await client.post(API, json=body, headers=who)
    assert made.status_code == HTTPStatus.CREATED, made.text
    return made


def as_bearer(made: httpx.Response) -> dict[str, str]:
    return {"authorization": f"Bearer {made.json()['token']}"}


def test_every_operation_has_its_scope():
    """Every operation has a scope. An endpoint with a new first path segment is closed to tokens until somebody assigns
    one.
    """
    for one in operations():
        assert one.name in FOR_SERVICES or one.area in {*AREAS, *FOR_SESSIONS}, (
            f"{one.name}: say which scope changes {one.area!r} in AREAS of openmeet/domain/api_tokens/scopes.py"
        )
    names = {one.name for one in operations()}
    assert set(EXCEPTIONS) <= names, f"no such operations: {set(EXCEPTIONS) - names}"
    assert set(SCOPE_DESCRIPTIONS) == set(TokenScope)
    assert set(SCOPE_NAMES) == set(TokenScope)
    assert set(FOR_SERVICES) <= names, f"no such operations: {set(FOR_SERVICES) - names}"
    assert set(SERVICE_DESCRIPTIONS) == set(ServiceScope)


def test_an_endpoint_without_a_scope_is_closed_to_tokens():
    """An endpoint without an assigned scope is closed to all tokens, even for reading."""
    for method in ("GET", "POST"):
        unknown = ApiOperation(method, "/api/wonders", "wonder", "", None, {200: None})  # type: ignore[arg-type]
        assert unknown.scope is None


async def test_each_scope_allows_what_the_table_says_and_nothing_else(client, ana):
    """Every scope is tried on every operation, and each refusal names the missing scope."""
    wrong = []
    for scope in TokenScope:
        headers = as_bearer(await token_with(client, ana, scope))
        for one in operations():
            path = re.sub(r"\{\w+\}", "nowhere", one.path)
            answer = await client.request(one.method, path, headers=headers)
            needed = one.scope
            title = answer.json().get("title") if answer.content else None
            if one.name in FOR_OPERATORS and scope is not TokenScope.OPERATING:
                is_right = (answer.status_code, title) == (403, "InsufficientScope")
            elif one.name in FOR_SERVICES:
                is_right = (answer.status_code, title) == (403, "Forbidden")
            elif needed is None:
                is_right = (answer.status_code, title) == (403, "SessionNeeded")
            elif needed is scope:
                is_right = title not in {"SessionNeeded", "InsufficientScope", "AuthenticationRequired"}
            else:
                is_right = (answer.status_code, title) == (403, "InsufficientScope")
                is_right &= f'scope="{needed}"' in answer.headers.get("www-authenticate", "")
            if not is_right:
                wrong.append(f"{scope} {one.name}: {answer.status_code} {title}")
    assert not wrong, "\n".join(wrong)


async def test_a_token_acts_for_its_person(client, ana):
    made = await token_with(client, ana, TokenScope.READ, TokenScope.EVENTS)
    event = await client.post("/api/events", json=EVENT, headers=as_bearer(made))
    assert event.status_code == HTTPStatus.CREATED
    hosting = await client.get("/api/my/events?which=hosting", headers=as_bearer(made))
    assert [one["title"] for one in hosting.json()["events"]] == ["Board games"]


async def test_a_token_is_shown_once_and_kept_as_a_hash(site, client, ana, capsys):
    """The token's plain text is not in the list, the database or any log line (invariant 8)."""
    made = await token_with(client, ana, TokenScope.READ)
    token = made.json()["token"]
    assert made.headers["cache-control"] == "no-store"
    await client.get("/api/me", headers=as_bearer(made))
    listed = await client.get(API, headers=ana)
    assert "token" not in listed.json()["tokens"][0]
    async with site.db.reader() as reader:
        rows = await reader.fetch("select * from api_tokens")
    assert hash_token(token) == bytes(rows[0]["token_hash"])
    assert token not in str([tuple(row) for row in rows]) + listed.text + capsys.readouterr().out


async def test_a_revoked_token_stops_working_at_once(client, ana):
    made = await token_with(client, ana, TokenScope.READ)
    assert (await client.get("/api/me", headers=as_bearer(made))).status_code == HTTPStatus.OK
    assert (await client.delete(f"{API}/{made.json()['id']}", headers=ana)).status_code == HTTPStatus.NO_CONTENT
    refused = await client.get("/api/me", headers=as_bearer(made))
    assert (refused.status_code, refused.json()["title"]) == (401, "InvalidToken")
    assert "Create a new one in your settings." in refused.json()["detail"]
    without_prefix = await client.get("/api/me", headers={"authorization": f"Bearer {made.json()['token'][4:]}"})
    assert "check that you copied all of it" in without_prefix.json()["detail"]
    (listed,) = (await client.get(API, headers=ana)).json()["tokens"]
    assert listed["revokedAt"] is not None


async def test_an_expired_token_stops_working_and_is_deleted_later(site, client, ana, clock):
    made = await token_with(client, ana, TokenScope.READ, days=1)
    clock.turn(DAY - 1)
    assert (await client.get("/api/me", headers=as_bearer(made))).status_code == HTTPStatus.OK
    clock.turn(1)
    assert (await client.get("/api/me", headers=as_bearer(made))).status_code == HTTPStatus.UNAUTHORIZED
    assert await forget_old_access(site.db) == 0
    clock.turn(31 * DAY)
    assert await forget_old_access(site.db) == 1


async def test_last_use_is_noted_about_every_ten_minutes(client, ana, clock):
    made = await token_with(client, ana, TokenScope.READ)

    async def last_used() -> str | None:
        found: str | None = (await client.get(API, headers=ana)).json()["tokens"][0]["lastUsedAt"]
        return found

    assert await last_used() is None
    await client.get("/api/me", headers=as_bearer(made))
    first = await last_used()
    clock.turn(MINUTE)
    await client.get("/api/me", headers=as_bearer(made))
    assert await last_used() == first is not None
    clock.turn(10 * MINUTE)
    await client.get("/api/me", headers=as_bearer(made))
    assert await last_used() != first


async def test_nobody_revokes_the_token_of_somebody_else(client, ana):
    ben = await api_session(client, "ben@example.org", "Ben")
    made = await token_with(client, ana, TokenScope.READ)
    assert (await client.delete(f"{API}/{made.json()['id']}", headers=ben)).status_code == HTTPStatus.NOT_FOUND
    assert (await client.get(API, headers=ben)).json()["tokens"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 367}, "expiresInDays"),
        ({"expiresInDays": -1}, "expiresInDays"),
    ],
)
async def test_an_invalid_value_is_refused_at_its_field(client, ana, change, field):
    body = {"name": "A script", "scopes": ["read"], "expiresInDays": 30} | change
    answer = await client.post(API, json=body, headers=ana)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert any(name.startswith(field) for name in answer.json()["fields"]), answer.text


@pytest.mark.parametrize("path", ["/api/my/attendance-proofs", "/api/events/tea/attendance-proof"])
async def test_reading_does_not_reveal_secret_addresses_of_proofs(client, ana, path):
    """Whoever has one can show it to everybody, which a token that only reads must not be able to."""
    for scope, statuses in (("read", {403}), ("answers:write", {200, 404})):
        made = (await client.post(API, json={"name": "A script", "scopes": [scope]}, headers=ana)).json()
        answer = await client.get(path, headers={"authorization": f"Bearer {made['token']}"})
        assert answer.status_code in statuses, answer.text


async def test_the_number_of_tokens_is_limited(site: Site, client, ana):
    wanted = tokens.check(name="One of many", scopes=[TokenScope.READ], days="")
    me = (await client.get("/api/me", headers=ana)).json()["id"]
    async with site.db.transaction() as tx:
        for _ in range(MAX_TOKENS):
            await tokens.make(tx, Caller(UserId(me), "Ana"), wanted)
    one_more = await client.post(API, json={"name": "One more", "scopes": ["read"]}, headers=ana)
    assert (one_more.status_code, one_more.json()["title"]) == (422, "TooManyTokens")


async def test_the_page_makes_a_token_shows_it_once_and_revokes_it(client):
    await sign_up(client, "ana@example.org", "Ana")
    typed = {"name": "The club's website", "access": "everything", "expires_in_days": "30"}
    first = (await client.get(PATH)).text
    made = await client.post(PATH, data=typed)
    for form in (first, made.text):
        inputs = inputs_of(form)
        assert (inputs["name"], inputs["access"], "scope_read" in inputs) == ("", "read", True), "the form starts anew"
        assert '<option value="90" selected>' in form
    (token,) = set(re.findall(r"omt_[\w-]{40,}", made.text))
    assert (made.status_code, h1_of(made.text)) == (200, "Apps and tokens")
    assert (await client.get("/api/me", headers={"authorization": f"Bearer {token}"})).status_code == HTTPStatus.OK
    listed = (await client.get(PATH)).text
    assert token not in listed
    assert "website" in listed
    (token_id,) = re.findall(r'name="revoke" value="([^"]+)"', listed)
    gone = await client.post(PATH, data={"revoke": token_id})
    assert gone.status_code == HTTPStatus.SEE_OTHER
    assert (await client.get("/api/me", headers={"authorization": f"Bearer {token}"})).status_code == 401
    assert "Revoked" in (await client.get(PATH)).text


async def test_the_page_offers_only_scopes_that_are_of_use(make_sqlite: MakeDatabase, clock: HandClock):
    """Moderators are offered their scope, and "Everything" contains it; others cannot see or get it."""
    site = site_on(await make_sqlite("openmeet"), clock, moderators=("mo@example.org",))
    async with site.browser() as ana, site.browser() as mo:
        for browser, name, is_offered in ((ana, "ana", False), (mo, "mo", True)):
            await sign_up(browser, f"{name}@example.org", name)
            assert ("scope_moderation" in (await browser.get(PATH)).text) is is_offered
            await browser.post(PATH, data={"name": "All", "access": "everything", "expires_in_days": "30"})
            headers = await api_session(browser, f"{name}@example.org", name)
            (made,) = (await browser.get(API, headers=headers)).json()["tokens"]
            assert ("moderation" in made["scopes"], "events:write" in made["scopes"]) == (is_offered, True)


async def test_the_page_keeps_invalid_input_and_shows_errors(client):
    await sign_up(client, "ana@example.org", "Ana")
    refused = await client.post(PATH, data={"name": "The club", "expires_in_days": "30"})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert inputs_of(refused.text)["name"] == "The club"
    assert "Choose at least one thing" in refused.text
    assert '<option value="30" selected>' in refused.text


async def test_a_token_gives_no_access_to_pages(client, ana):
    made = await token_with(client, ana, *TokenScope)
    answer = await client.get(PATH, headers={"cookie": f"openmeet_session={made.json()['token']}"})
    assert answer.status_code == HTTPStatus.SEE_OTHER


async def test_requests_are_counted_by_token_and_by_address(make_sqlite: MakeDatabase, clock: HandClock):
    """Each response says how many requests are left. Tokens are limited separately, and an address may send four times
    as many requests.
    """
    site = site_on(await make_sqlite("openmeet"), clock, api_requests_per_minute=4)
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        first = await client.get("/api/events/nowhere", headers=ana)
        assert (first.status_code, first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == (
            404,
            "4",
            "3",
        )
        for _ in range(3):
            assert (await client.get("/api/me", headers=ana)).status_code == HTTPStatus.OK
        refused = await client.get("/api/me", headers=ana)
        assert (refused.status_code, refused.headers["ratelimit-remaining"]) == (429, "0")
        assert int(refused.headers["retry-after"]) > 0
        nobody = [(await client.get("/api/groups")).status_code for _ in range(14)]
        assert set(nobody) == {200, 429}, "sixteen per client address, whatever their tokens"
        clock.turn(MINUTE)
        assert (await client.get("/api/me", headers=ana)).status_code == HTTPStatus.OK


async def test_token_guesses_are_limited(make_sqlite: MakeDatabase, clock: HandClock):
    site = site_on(await make_sqlite("openmeet"), clock, api_requests_per_minute=2)
    async with site.browser() as client:
        tries = [
            (await client.get("/api/me", headers={"authorization": f"Bearer omt_{number}"})).status_code
            for number in range(10)
        ]
    assert tries == [401] * 8 + [429] * 2
