"""Dispatch of XRPC queries: names, HTTP methods, CORS, caching, rate limits."""

import httpx
import pytest

from at_protocol.lexicon.authority import own_name
from at_protocol.lexicon.document import PermissionSetType
from openmeet.domain.identities.permissions import COLLECTIONS
from openmeet.web.xrpc.dispatch import QUERIES
from tests.openmeet.site_under_test import ORIGIN, event_by, person, signed_in, site_on
from tests.openmeet.xrpc.query_client import CATALOG, People, app, body_of

LIST = f"/xrpc/{own_name('listEvents')}"


@pytest.fixture
async def make_site(make_sqlite, clock, people: People):
    db = await make_sqlite("openmeet")

    def make(**settings: object):
        return site_on(db, clock, service_callers=people.callers(), **settings)

    return make


@pytest.fixture
async def client(make_site):
    async with app(make_site()) as opened:
        yield opened


async def test_every_query_has_its_lexicon_and_every_lexicon_its_query():
    published = {name for name in CATALOG.names() if name.startswith(own_name("")) and CATALOG.find_method(name)}
    assert published == {own_name(query.name) for query in QUERIES}


@pytest.mark.parametrize(("name", "writes"), [("authRead", False), ("authManage", True)])
async def test_permission_sets_hold_every_query_and_our_own_collections(name, writes):
    """Apps can request the same permissions as the site itself, for the project's own collections."""
    ours = {one for several in COLLECTIONS.values() for one in several if one.startswith(own_name(""))}
    document = CATALOG.definition(own_name(name))
    assert isinstance(document, PermissionSetType)
    found = {entry["resource"]: set(entry.get("lxm") or entry["collection"]) for entry in document.permissions}
    queries = {own_name(query.name) for query in QUERIES}
    assert found == {"rpc": queries} | ({"repo": ours} if writes else {})


async def test_names_and_http_methods(client):
    for path, status, error in (
        ("/xrpc/openmeet.lexicon.nothing", 501, "MethodNotImplemented"),
        ("/xrpc/com.atproto.repo.getRecord", 501, "MethodNotImplemented"),
        ("/xrpc/not-an-nsid", 400, "InvalidRequest"),
        ("/xrpc/", 400, "InvalidRequest"),
        (f"{LIST}/more", 400, "InvalidRequest"),
        (f"/xrpc/{own_name('LISTEVENTS')}", 501, "MethodNotImplemented"),
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["error"]) == (status, error), path
    for method in ("POST", "PUT", "DELETE"):
        answer = await client.request(method, LIST)
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")
    head = await client.head(LIST)
    assert (head.status_code, head.content) == (200, b"")


async def test_scripts_of_any_origin_can_call_and_read_errors(client):
    asked = {
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization,atproto-accept-labelers",
    }
    preflight = await client.options(LIST, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "authorization,atproto-accept-labelers"
    for path in (LIST, "/xrpc/openmeet.lexicon.nothing", f"{LIST}?limit=0", "/.well-known/did.json"):
        answer = await client.get(path)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    # Pages still send no CORS headers.
    assert "access-control-allow-origin" not in (await client.get("/")).headers


async def test_unchanged_content_is_not_sent_again(make_site):
    site = make_site()
    async with app(site) as client:
        first = await client.get(LIST)
        assert first.headers["cache-control"] == "public, no-cache"
        assert first.headers["vary"] == "authorization"
        known = {"if-none-match": first.headers["etag"]}
        again = await client.get(LIST, headers=known)
        assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "authorization")
        async with site.db.transaction() as tx:
            await event_by(tx, await person(tx, "Ana"))
        changed = await client.get(LIST, headers=known)
        assert (changed.status_code, len(changed.json()["events"])) == (200, 1)


async def test_responses_for_one_caller_are_not_cached_for_others(client, people):
    token = people.token(people.account("somebody"), "listEvents")
    answer = await client.get(LIST, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-cache")
    assert answer.headers["vary"] == "authorization"


async def test_the_operators_namespace_works_in_addition_to_ours(make_site):
    async with app(make_site(lexicon_authority="org.example.events")) as client:
        for nsid in ("org.example.events.listEvents", "openmeet.lexicon.listEvents", "net.openmeet.listEvents"):
            assert (await client.get(f"/xrpc/{nsid}")).status_code == 200
        assert (await client.get("/xrpc/org.example.other.listEvents")).status_code == 501


async def test_limits_count_addresses_and_callers(make_site, people):
    """Anonymous callers are counted by IP address, signed-in ones individually whatever server proxies them, and failed
    tokens by IP address.
    """

    async def statuses(client: httpx.AsyncClient, number: int, *, token=lambda: "") -> list[int]:
        found = []
        for _ in range(number):
            headers = {"authorization": f"Bearer {text}"} if (text := token()) else {}
            found.append((await client.get(LIST, headers=headers)).status_code)
        return found

    async with app(make_site(api_requests_per_minute=2)) as client:
        assert await statuses(client, 9) == [200] * 8 + [429]
        ana, bo = people.account("ana"), people.account("bo")
        assert await statuses(client, 3, token=lambda: people.token(ana, "listEvents")) == [200, 200, 429]
        assert await statuses(client, 3, token=lambda: people.token(bo, "listEvents")) == [200, 200, 429]
        assert await statuses(client, 36, token=lambda: "guessed") == [401] * 34 + [429] * 2
        refused = await client.get(LIST)
        assert (refused.json()["error"], refused.headers["ratelimit-remaining"]) == ("RateLimitExceeded", "0")
        assert int(refused.headers["retry-after"]) > 0


async def test_session_cookies_do_not_authenticate(make_site):
    """A browser's session cookie does not authenticate a call, because a script of another app could send it too."""
    site = make_site()
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, visibility="private")
    async with signed_in(site, ana.user_id) as browser:
        answer = await browser.get(f"/xrpc/{own_name('getEvent')}", params={"uri": f"{ORIGIN}/events/{event.slug}"})
    assert answer.json()["error"] == "EventNotFound"
    async with app(site) as client:
        assert (await body_of(client, "listEvents"))["events"] == []
