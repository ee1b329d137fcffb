"""The JSON API as clients see it, and its documentation."""

import json
import re
from http import HTTPStatus

import msgspec
import pytest

from openmeet.domain.search.filters import FILTERS
from openmeet.routes import operations
from openmeet.web.events.api import AttendeeList, EventList
from openmeet.web.events.schemas import EventDetail
from tests.openmeet.site_under_test import api_session, site_on

EVENT = {
    "title": "Board games",
    "startsLocal": "2026-07-04T18:00",
    "endsLocal": "2026-07-04T20:00",
    "timeZone": "Europe/Berlin",
    "venue": {"name": "Town library", "locality": "Berlin"},
}


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


@pytest.fixture
async def client(site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client):
    return await api_session(client, "ana@example.org", "Ana")


@pytest.fixture
async def ben(client):
    return await api_session(client, "ben@example.org", "Ben")


async def make(client, who, **changes: object):
    answer = await client.post("/api/events", json=EVENT | changes, headers=who)
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_created_event_is_read_back_as_documented(client, ana):
    made = await make(client, ana)
    shown = msgspec.json.decode(made.content, type=EventDetail)
    assert (shown.starts_at, shown.starts_local, shown.revision) == ("2026-07-04T16:00:00Z", "2026-07-04T18:00:00", 1)
    read = await client.get(made.headers["location"])
    detail = msgspec.json.decode(read.content, type=EventDetail)
    assert (detail.host_name, detail.counts.going, detail.publication) == ("Ana", 0, None)
    assert made.headers["etag"] == '"1"'
    assert re.fullmatch(r'"1-[0-9a-f]{16}"', read.headers["etag"])


async def test_the_host_sees_the_state_of_publishing(client, ana):
    made = await make(client, ana)
    detail = (await client.get(made.headers["location"], headers=ana)).json()
    assert detail["publication"]["state"] == "due"


async def test_the_same_idempotency_key_creates_one_event(client, ana):
    headers = ana | {"idempotency-key": "k1"}
    first = await client.post("/api/events", json=EVENT, headers=headers)
    second = await client.post("/api/events", json=EVENT, headers=headers)
    assert first.json()["slug"] == second.json()["slug"]
    assert len((await client.get("/api/events")).json()["events"]) == 1


async def test_the_same_idempotency_key_with_another_body_is_refused(client, ana):
    headers = ana | {"idempotency-key": "k1"}
    await client.post("/api/events", json=EVENT, headers=headers)
    second = await client.post("/api/events", json=EVENT | {"title": "Chess"}, headers=headers)
    assert (second.status_code, second.json()["title"]) == (422, "KeyReused")


async def test_a_start_in_the_past_needs_confirmation(client, ana):
    """Neither a new event nor an edit gets a start in the past by mistake. An event that has begun can still be edited."""
    past = {"startsLocal": "2025-07-04T18:00", "endsLocal": None}
    refused = await client.post("/api/events", json=EVENT | past, headers=ana)
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["startsLocal"])
    path = (await make(client, ana, **past, allowPast=True)).headers["location"]
    assert (await client.put(path, json=EVENT | past | {"title": "Chess"}, headers=ana)).status_code == 200
    earlier = EVENT | past | {"startsLocal": "2025-07-03T18:00"}
    assert (await client.put(path, json=earlier, headers=ana)).status_code == 400


async def test_a_lost_update_is_refused(client, ana):
    made = await make(client, ana)
    path, tag = made.headers["location"], made.headers["etag"]
    first = await client.put(path, json=EVENT | {"title": "Chess"}, headers=ana | {"if-match": tag})
    second = await client.put(path, json=EVENT | {"title": "Go"}, headers=ana | {"if-match": tag})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    assert second.status_code == 412
    assert (await client.get(path)).json()["title"] == "Chess"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"endsLocal": "2026-07-04T17:00"}, "endsLocal"),
        ({"startsLocal": "2026-07-04T18:00Z"}, "startsLocal"),
        ({"timeZone": ""}, "timeZone"),
        ({"capacity": 0}, "capacity"),
        ({"capacity": "many"}, "capacity"),
        ({"mode": "telepathy"}, "mode"),
        ({"venue": {"name": "x" * 300}}, "venue.name"),
        ({"onlineUrl": "javascript:alert(1)"}, "onlineUrl"),
    ],
)
async def test_bad_input_names_its_field(client, ana, change, field):
    answer = await client.post("/api/events", json=EVENT | change, headers=ana)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in answer.json()["fields"], answer.text
    assert (await client.get("/api/events")).json()["events"] == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"title": NaN}', b'{"a":1,"a":2}', b"\xff", b'{"unknown": 1}'])
async def test_an_invalid_event_is_refused(client, ana, body):
    answer = await client.post("/api/events", content=body, headers=ana | {"content-type": "application/json"})
    assert answer.status_code == 400


@pytest.mark.parametrize(("change", "words"), [({"mode": "x"}, "in_person"), ({"visibility": "x"}, "unlisted")])
async def test_an_unknown_enum_value_is_answered_with_the_known_ones(client, ana, change, words):
    answer = await client.post("/api/events", json=EVENT | change, headers=ana)
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "known"), [("/api/events?form=2026-07-04", "q, from, to, category"), ("/api/me?full=1", "take any")]
)
async def test_an_unknown_parameter_is_answered_with_the_known_ones(client, ana, path, known):
    answer = await client.get(path, headers=ana)
    assert answer.status_code == 400
    assert known in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "query", "known"),
    [
        ("PUT", "joining?scope=Series", "event, series"),
        ("PUT", "joining?confirmLowerLimit=yes", "true, false"),
        ("GET", "attendances?status=Attending", "attending"),
    ],
)
async def test_an_unknown_value_of_a_parameter_is_answered_with_the_known_ones(client, ana, method, query, known):
    event = (await make(client, ana)).headers["location"]
    answer = await client.request(method, f"{event}/{query}", json={} if method == "PUT" else None, headers=ana)
    assert answer.status_code == 400
    assert known in answer.json()["detail"]


@pytest.mark.parametrize("decision", ["remove", "place"])
async def test_decisions_other_than_approval_name_the_people(client, ana, decision):
    event = (await make(client, ana)).headers["location"]
    answer = await client.post(f"{event}/attendances/decisions", json={"decision": decision}, headers=ana)
    assert answer.status_code == 400
    assert answer.json()["fields"] == {"attendanceIds": "Choose at least one person."}


async def test_nothing_is_created_without_a_session(client):
    answer = await client.post("/api/events", json=EVENT)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_an_unknown_token_is_refused_even_if_none_is_needed(client):
    answer = await client.get("/api/events", headers={"authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.json()["title"]) == (401, "InvalidToken")


async def test_api_does_not_accept_cookies(client, ana):
    token = ana["authorization"].removeprefix("Bearer ")
    answer = await client.get("/api/me", headers={"cookie": f"openmeet_session={token}"})
    assert answer.status_code == 401


async def test_answering_and_the_waitlist(client, ana, ben):
    cleo = await api_session(client, "cleo@example.org", "Cleo")
    made = await make(client, ana, capacity=1)
    path = made.headers["location"]
    assert (await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana)).json()["status"] == "attending"
    waiting = (await client.put(f"{path}/answer", json={"reply": "confirmed"}, headers=ben)).json()
    assert (waiting["status"], waiting["waitingBefore"]) == ("waitlisted", 0)
    going, waits = ("Ana", "attending"), ("Ben", "waitlisted")
    # Only the person and the host can see that the person got no place. Everyone can see the length of the waitlist.
    for headers, shown in ((ana, [going, waits]), (ben, [going, waits]), (cleo, [going]), ({}, [going])):
        answer = await client.get(f"{path}/attendees", headers=headers)
        people = msgspec.json.decode(answer.content, type=AttendeeList)
        assert [(one.display_name, one.status) for one in people.attendees] == shown
        assert people.counts.waitlisted == 1
    await client.put(f"{path}/answer", json={"reply": "declined"}, headers=ana)
    offered = (await client.get(f"{path}/answer", headers=ben)).json()
    assert (offered["status"], offered["offeredUntil"][:10]) == ("waitlisted", "2026-03-02")
    taken = await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    assert taken.json()["status"] == "attending"


async def test_the_join_link_is_for_attendees(client, ana, ben):
    made = await make(client, ana, mode="online", onlineUrl="https://meet.example/secret")
    path = made.headers["location"]
    assert (await client.get(path)).json()["onlineUrl"] is None
    assert (await client.get(path, headers=ben)).json()["onlineUrl"] is None
    assert "meet.example" not in (await client.get("/api/events")).text
    assert (await client.get("/api/events?q=meet.example")).json()["events"] == []
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    assert (await client.get(path, headers=ben)).json()["onlineUrl"] == "https://meet.example/secret"
    assert (await client.get(path, headers=ana)).json()["onlineUrl"] == "https://meet.example/secret"


async def test_an_event_is_cancelled_reinstated_and_deleted(client, ana, ben):
    path = (await make(client, ana)).headers["location"]
    assert (await client.post(f"{path}/cancel", json={"reason": "Rain"}, headers=ben)).status_code == 403
    assert (await client.post(f"{path}/cancel", json={"reason": "Rain"}, headers=ana)).json()["status"] == "cancelled"
    assert (await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)).status_code == 422
    assert (await client.post(f"{path}/reinstate", headers=ana)).json()["status"] == "scheduled"
    assert (await client.delete(path, headers=ana)).status_code == 204
    assert (await client.get(path, headers=ana)).status_code == 410


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
async def test_private_events_are_in_no_list_and_no_search(client, ana, visibility):
    path = (await make(client, ana, title="Secret supper", visibility=visibility)).headers["location"]
    assert "Secret" not in (await client.get("/api/events")).text
    assert "Secret" not in (await client.get("/api/events?q=supper")).text
    expected = HTTPStatus.OK if visibility == "unlisted" else HTTPStatus.NOT_FOUND
    assert (await client.get(path)).status_code == expected
    assert (await client.get(path, headers=ana)).status_code == HTTPStatus.OK


@pytest.mark.parametrize("value", ["x') or 1=1 --", "'; drop table events; --", '" or ""="', ":now", "%", "{e}"])
@pytest.mark.parametrize("name", [one.name for one in FILTERS])
async def test_the_value_of_a_filter_never_becomes_sql(client, ana, name, value):
    await make(client, ana, title="Secret supper", visibility="private")
    await make(client, ana, title="Picnic")
    answer = await client.get("/api/events", params={name: value}, headers=ana)
    assert answer.status_code in {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
    assert "Secret" not in answer.text
    assert [event["title"] for event in (await client.get("/api/events")).json()["events"]] == ["Picnic"]


async def test_pages_of_a_list_contain_every_event_once_in_order(client, ana):
    for hour in (9, 9, 9, 10, 11, 12, 13):
        await make(client, ana, startsLocal=f"2026-07-04T{hour:02}:00", endsLocal=None)
    seen, cursor = [], ""
    while True:
        page = msgspec.json.decode((await client.get(f"/api/events?limit=2&cursor={cursor}")).content, type=EventList)
        seen += page.events
        if page.cursor is None:
            break
        cursor = page.cursor
    assert len({event.slug for event in seen}) == len(seen) == 7
    assert [event.starts_at for event in seen] == sorted(event.starts_at for event in seen)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=x",
        "cursor=%00",
        "from=July",
        "from=2026-07-04&to=2026-07-03",
        "q=" + "x" * 201,
    ],
)
async def test_invalid_queries_are_refused(client, query):
    assert (await client.get(f"/api/events?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=board+games", True),
        ("q=GAMES+library", True),
        ("q=berlin", True),
        ("q=chess", False),
        ("q=%25", False),
        ("q=_", False),
        ("from=2026-07-04&to=2026-07-04", True),
        ("from=2026-07-05", False),
        ("to=2026-07-03", False),
        ("from=2026-07-04&q=library", True),
    ],
)
async def test_search_by_text_and_day(client, ana, query, found):
    await make(client, ana)
    assert bool((await client.get(f"/api/events?{query}")).json()["events"]) is found


async def test_my_events_are_listed_by_ones_role(client, ana, ben, clock):
    path = (await make(client, ana, capacity=1)).headers["location"]
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana)
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)

    async def titles(who, which):
        return [
            one["title"] for one in (await client.get(f"/api/my/events?which={which}", headers=who)).json()["events"]
        ]

    assert [await titles(ana, which) for which in ("hosting", "going", "waiting", "past")] == [
        ["Board games"],
        ["Board games"],
        [],
        [],
    ]
    assert [await titles(ben, which) for which in ("hosting", "going", "waiting", "past")] == [
        [],
        [],
        ["Board games"],
        [],
    ]
    clock.turn(150 * 24 * 3600 * 1_000_000)
    ana = await api_session(client, "ana@example.org", "Ana")
    assert await titles(ana, "past") == ["Board games"]
    assert await titles(ana, "hosting") == []


async def test_a_closed_session_no_longer_works(client, ana):
    assert (await client.get("/api/session", headers=ana)).json()["displayName"] == "Ana"
    assert (await client.delete("/api/session", headers=ana)).status_code == 204
    assert (await client.get("/api/session", headers=ana)).status_code == 401


async def test_the_profile_is_replaced(client, ana):
    answer = await client.put("/api/me", json={"displayName": " Ana  B ", "timeZone": "Europe/Berlin"}, headers=ana)
    assert answer.json()["displayName"] == "Ana B"
    assert (await client.put("/api/me", json={"displayName": ""}, headers=ana)).status_code == 400
    assert (await client.put("/api/me", json={"displayName": "A", "timeZone": "Moon"}, headers=ana)).status_code == 400


async def test_operations_and_documentation_match(site, client):
    document = (await client.get("/api/openapi.json")).json()
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert documented == {(one.method, one.path) for one in operations()}
    routed = {
        (method, route.path)
        for route in site.app.routes
        if route.path.startswith("/api/") and route.path != "/api/openapi.json"
        for method in route.methods - {"HEAD"}
    }
    assert routed == documented


async def test_every_reference_in_the_document_resolves(client):
    text = (await client.get("/api/openapi.json")).text
    document = json.loads(text)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]
    assert document["openapi"] == "3.1.0"


async def test_documented_failures_are_problems_with_a_request_id(client):
    answer = await client.get("/api/events/none")
    assert answer.status_code == 404
    assert answer.json()["requestId"] == answer.headers["x-request-id"]
