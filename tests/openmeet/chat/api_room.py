"""The chat room of an event in the JSON API, with its host, a guest and somebody else."""

import pytest

from tests.openmeet.site_under_test import api_session, site_on

EVENT_JSON = {
    "title": "Board games",
    "startsLocal": "2026-07-04T18:00",
    "endsLocal": "2026-07-04T20:00",
    "timeZone": "Europe/Berlin",
}


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet", clock=clock), clock)


class ApiRoom:
    """Ana hosts, Ben is going, Cleo is not involved."""

    def __init__(self, client, ana, ben, cleo, slug, room) -> None:
        self.client, self.ana, self.ben, self.cleo, self.slug, self.room = client, ana, ben, cleo, slug, room
        self.sent = 0

    async def ask(self, who, method, path, body=None, **headers: str):
        return await self.client.request(method, f"/api{path}", json=body, headers={**(who or {}), **headers})

    async def say(self, who, text, **further: object):
        self.sent += 1
        return await self.ask(
            who, "POST", f"/chat/rooms/{self.room}/messages", {"clientId": f"c{self.sent}", "text": text, **further}
        )


@pytest.fixture
async def chat(site):
    async with site.browser() as client:
        ana, ben, cleo = [
            await api_session(client, f"{name}@example.org", name.title()) for name in ("ana", "ben", "cleo")
        ]
        made = await client.post("/api/events", json=EVENT_JSON, headers=ana)
        slug = made.json()["slug"]
        answered = await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
        assert answered.status_code == 200, answered.text
        opened = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ben)
        assert opened.status_code == 201, opened.text
        again = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)
        assert (again.status_code, again.json()["id"]) == (200, opened.json()["id"])
        yield ApiRoom(client, ana, ben, cleo, slug, opened.json()["id"])
