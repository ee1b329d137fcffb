"""A replace request without visibility or admission settings leaves them as they are. One that contains them changes
them.
"""

import pytest

from tests.openmeet.site_under_test import api_session, site_on

EVENT = {"title": "Pond walk", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"}
CLOSED = {
    "visibility": "private",
    "placeAudience": "attendees",
    "onlineUrlAudience": "attendees",
    "doorAudience": "attendees",
}
GROUP = {"name": "Chess club", "timeZone": "Europe/Berlin"}
CLOSED_GROUP = {"visibility": "private", "joinPolicy": "request", "promotionLevel": "private"}
CLOSED_LIST = {"needsApproval": True, "listAudience": "hosts", "foreignAnswers": "apart"}


@pytest.fixture
async def client(make_database, clock):
    async with site_on(await make_database("openmeet"), clock).browser() as browser:
        yield browser


@pytest.fixture
async def ana(client):
    return await api_session(client, "ana@example.org", "Ana")


async def replaced(client, ana, path: str, body: dict[str, object], looked_at: dict[str, object]) -> dict[str, object]:
    answer = await client.put(path, json=body, headers=ana)
    assert answer.status_code == 200, answer.text
    return {name: answer.json()[name] for name in looked_at}


async def test_a_private_event_stays_private(client, ana):
    path = (await client.post("/api/events", json=EVENT | CLOSED, headers=ana)).headers["location"]
    assert await replaced(client, ana, path, EVENT | {"title": "Lake walk"}, CLOSED) == CLOSED
    assert (await client.get(path)).status_code == 404
    opened = {**CLOSED, "visibility": "public", "placeAudience": "everyone"}
    assert await replaced(client, ana, path, EVENT | opened, CLOSED) == opened


async def test_a_private_group_stays_private(client, ana):
    path = (await client.post("/api/groups", json=GROUP | CLOSED_GROUP, headers=ana)).headers["location"]
    assert await replaced(client, ana, path, GROUP | {"description": "Mondays"}, CLOSED_GROUP) == CLOSED_GROUP
    assert (await client.get(path)).status_code == 404
    opened = {"visibility": "public", "joinPolicy": "open", "promotionLevel": "public"}
    assert await replaced(client, ana, path, GROUP | opened, CLOSED_GROUP) == opened


async def test_names_visible_to_hosts_only_stay_so(client, ana):
    path = (await client.post("/api/events", json=EVENT, headers=ana)).headers["location"] + "/joining"
    assert await replaced(client, ana, path, CLOSED_LIST, CLOSED_LIST) == CLOSED_LIST
    assert await replaced(client, ana, path, {"maxParty": 2}, CLOSED_LIST) == CLOSED_LIST
    opened = {"needsApproval": False, "listAudience": "everyone", "foreignAnswers": None}
    assert await replaced(client, ana, path, opened, CLOSED_LIST) == opened
