"""Requests with an idempotency key are carried out once, even if they are lost, repeated or sent concurrently."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import httpx
import pytest

from groundwork.clock import DAY, HandClock
from openmeet.domain.api_tokens.idempotency import forget_requests
from openmeet.domain.api_tokens.scopes import FOR_SERVICES
from openmeet.routes import operations
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, api_session, site_on

EVENT = {"title": "Board games", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
KEY = {"idempotency-key": "a key of mine"}


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


async def titles(client: httpx.AsyncClient, who: dict[str, str]) -> list[str]:
    found = await client.get("/api/my/events?which=hosting", headers=who)
    return [one["title"] for one in found.json()["events"]]


async def test_a_repeated_request_gets_the_same_response(client, ana):
    first = await client.post("/api/events", json=EVENT, headers=ana | KEY)
    second = await client.post("/api/events", json=EVENT, headers=ana | KEY)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["idempotency-replayed"] == "true"
    assert [second.headers[name] for name in ("etag", "location")] == [
        first.headers[name] for name in ("etag", "location")
    ]
    assert await titles(client, ana) == ["Board games"]


@pytest.mark.parametrize("change", ["body", "address", "method"])
async def test_reusing_a_key_for_another_request_is_refused(client, ana, change):
    made = await client.post("/api/events", json=EVENT, headers=ana | KEY)
    path = made.headers["location"]
    other = {
        "body": ("POST", "/api/events", EVENT | {"title": "Chess"}),
        "address": ("POST", f"{path}/cancel", {}),
        "method": ("PUT", path, EVENT),
    }[change]
    refused = await client.request(other[0], other[1], json=other[2], headers=ana | KEY)
    assert (refused.status_code, refused.json()["title"]) == (422, "KeyReused")
    assert "new key" in refused.json()["detail"]
    assert await titles(client, ana) == ["Board games"]


async def test_concurrent_requests_have_one_effect(client, ana):
    answers = await asyncio.gather(*(client.post("/api/events", json=EVENT, headers=ana | KEY) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {HTTPStatus.CREATED}
    assert len({answer.json()["slug"] for answer in answers}) == 1
    assert await titles(client, ana) == ["Board games"]


async def test_failures_are_not_stored(client, ana):
    """A failed request has no effect, so its key can be used again, even with a corrected request."""
    refused = await client.post("/api/events", json=EVENT | {"title": ""}, headers=ana | KEY)
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert (await client.post("/api/events", json=EVENT, headers=ana | KEY)).status_code == HTTPStatus.CREATED


async def test_keys_of_different_people_do_not_collide(client, ana):
    ben = await api_session(client, "ben@example.org", "Ben")
    first = await client.post("/api/events", json=EVENT, headers=ana | KEY)
    second = await client.post("/api/events", json=EVENT, headers=ben | KEY)
    assert first.json()["slug"] != second.json()["slug"]


async def test_a_key_is_deleted_after_a_day(site, client, ana, clock):
    await client.post("/api/events", json=EVENT, headers=ana | KEY)
    clock.turn(DAY - 1)
    assert "idempotency-replayed" in (await client.post("/api/events", json=EVENT, headers=ana | KEY)).headers
    clock.turn(1)
    again = await client.post("/api/events", json=EVENT, headers=ana | KEY)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)
    clock.turn(DAY)
    async with site.db.transaction() as tx:
        assert await forget_requests(tx) == 1


async def test_a_response_with_a_token_is_stored_encrypted(site, client, ana):
    body = {"name": "A script", "scopes": ["read"]}
    made = await client.post("/api/tokens", json=body, headers=ana | KEY)
    again = await client.post("/api/tokens", json=body, headers=ana | KEY)
    assert again.json()["token"] == made.json()["token"]
    async with site.db.reader() as reader:
        (row,) = await reader.fetch("select answer from idempotency_keys")
    assert made.json()["token"].encode() not in bytes(row["answer"])


@pytest.mark.parametrize("key", ["", "x" * 201, "snow\u2603".encode()])
async def test_an_invalid_key_is_refused(client, ana, key):
    refused = await client.post("/api/events", json=EVENT, headers=ana | {"idempotency-key": key})
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert await titles(client, ana) == []


async def test_deleting_twice_with_one_key_is_done_once(client, ana):
    """Repeating a deletion with the same key returns the first response. Without a key the response would be that there
    is no such event.
    """
    path = (await client.post("/api/events", json=EVENT, headers=ana)).headers["location"]
    first = await client.delete(path, headers=ana | KEY)
    assert (await client.delete(path, headers=ana | KEY)).status_code == first.status_code == HTTPStatus.NO_CONTENT
    assert (await client.delete(path, headers=ana)).status_code == HTTPStatus.NOT_FOUND


def test_every_write_operation_accepts_a_key():
    """Every operation that changes something for a signed-in person accepts a key. Without a session the key could
    belong to nobody.
    """
    persons = [one for one in operations() if one.name not in FOR_SERVICES]
    without = {one.name for one in persons if one.needs_session and one.method != "GET" and not one.takes_key}
    plans = {"Edit", "Cancellation", "Pause", "Removal", "Deletion"}
    computing = {"planGroupDeletion", "checkConflicts", "previewMessage", *(f"planSeries{one}" for one in plans)}
    asking_elsewhere = {
        "subscribeToCalendar",
        "refreshMyCalendar",
        "putEventPicture",
        "putGroupPicture",
        "putMyPicture",
        "putSeriesPicture",
        "addPhoto",
        "uploadChatPicture",
        "syncEvent",
        "answerPublishingConsent",
    }
    in_pieces = {"moveMyRecords"}
    ending = {"deleteMe"}
    assert without == computing | asking_elsewhere | in_pieces | ending, (
        "set changes_nothing=True or is_idempotent=True only where it is true, and list the operation here"
    )
