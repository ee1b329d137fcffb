"""From a click on our page to the repository and back, with real programs: an answer that is changed on the site and in
another app, and one date of a published series.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.simulation.oracle import EVENT, RSVP
from tests.system.single_process import Up, get, post, running_up
from tests.system.tour.polling import eventually

START = "2037-06-06T18:00"


async def in_repository(up: Up, did: str, collection: str) -> dict[str, dict[str, Any]]:
    answer = (
        await get(f"{up.pds}/xrpc/com.atproto.repo.listRecords", repo=did, collection=collection, limit="100")
    ).json()
    return {one["uri"]: {**one["value"], "cid": one["cid"]} for one in answer["records"]}


async def signed_in(up: Up, browser: httpx.AsyncClient, person: int) -> str:
    """Sign in as one of the ready-made accounts with handle and password, and agree to publishing. Returns the DID."""
    who = up.ready["people"][person]
    came_in = await browser.post("/sign-in/handle", data={"handle": who["handle"], "password": who["password"]})
    assert came_in.status_code == 303, came_in.text
    agreed = await browser.post("/settings/publishing", data={"publish": "yes", "handle": who["handle"]})
    assert agreed.status_code == 303, agreed.text
    return str((await up.pds_session(person))["did"])


def browser_of(up: Up) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=up.openmeet, trust_env=False, headers={"origin": up.openmeet})


async def test_answers_and_dates_are_published_to_the_repository(tmp_path: Path) -> None:
    async with running_up(tmp_path, "--ephemeral") as up, browser_of(up) as ana, browser_of(up) as ben:
        anas, bens = await signed_in(up, ana, 0), await signed_in(up, ben, 1)
        await _a_cancelled_answer(up, ana, anas, ben, bens)
        await _one_date_of_a_series(up, ana, anas)


async def _a_cancelled_answer(up: Up, ana: httpx.AsyncClient, anas: str, ben: httpx.AsyncClient, bens: str) -> None:
    form = {"title": "Tea", "starts": START, "time_zone": "Europe/Vienna", "mode": "in_person", "visibility": "public"}
    made = await ana.post("/events/new", data=form)
    assert made.status_code == 303, made.text
    path = urlsplit(made.headers["location"]).path

    async def published() -> str | None:
        return next((uri for uri, one in (await in_repository(up, anas, EVENT)).items() if one["name"] == "Tea"), None)

    about = await eventually(published)

    async def visible() -> bool | None:
        return (await ben.get(path)).status_code == 200 or None

    # On a slow machine, the event is held until the site has stored that the PDS has its record.
    await eventually(visible)

    async def says(word: str) -> dict[str, Any] | None:
        found = await in_repository(up, bens, RSVP)
        return next((one for one in found.values() if one["status"] == f"{RSVP}#{word}"), None)

    async def answer(reply: str, word: str) -> None:
        clicked = await ben.post(f"{path}/answer", data={"reply": reply})
        assert clicked.status_code == 303, clicked.text
        record = await eventually(lambda: says(word))
        assert record["subject"]["uri"] == about

    await answer("going", "going")
    await _change_in_another_app(up, bens, status=f"{RSVP}#interested")

    async def shown() -> bool | None:
        return "<strong>1</strong> maybe" in (await ben.get(path)).text or None

    await eventually(shown)
    await answer("declined", "notgoing")
    assert len(await in_repository(up, bens, RSVP)) == 1


async def _change_in_another_app(up: Up, did: str, **fields: str) -> None:
    """Change the owner's only answer with an app that has their password."""
    ((uri, record),) = (await in_repository(up, did, RSVP)).items()
    record.pop("cid")
    body = {"repo": did, "collection": RSVP, "rkey": uri.rpartition("/")[2], "record": {**record, **fields}}
    await post(f"{up.pds}/xrpc/com.atproto.repo.putRecord", body, (await up.pds_session(1))["accessJwt"])


async def _one_date_of_a_series(up: Up, ana: httpx.AsyncClient, anas: str) -> None:
    session = await up.openmeet_session(0)
    token = {"authorization": f"Bearer {session['token']}"}
    wanted = {
        "title": "Chess",
        "startsLocal": START,
        "timeZone": "Europe/Vienna",
        "recurrence": {"frequency": "weekly"},
        "publish": "window",
    }
    made = await ana.post("/api/series", json=wanted, headers=token)
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]

    async def published() -> dict[str, dict[str, Any]] | None:
        found = {uri: one for uri, one in (await in_repository(up, anas, EVENT)).items() if one["name"] == "Chess"}
        settings = (await ana.get(f"/api/events/{slug}/bluesky-settings", headers=token)).json()
        stand = [one["state"] for one in settings["publications"]]
        return found if len(found) >= 2 and set(stand) == {"published"} and len(stand) == len(found) else None

    before = await eventually(published)
    dates = (await ana.get(f"/api/events/{slug}/bluesky-settings", headers=token)).json()["publications"]
    one = dates[1]
    shown = (await ana.get(f"/api/events/{one['slug']}", headers=token)).json()
    edited = {name: shown[name] for name in ("title", "startsLocal", "timeZone", "description")} | {
        "title": "Chess in the hall"
    }
    saved = await ana.put(f"/api/events/{one['slug']}", json=edited, headers=token)
    assert saved.status_code == 200, saved.text

    async def changed() -> dict[str, dict[str, Any]] | None:
        now = await in_repository(up, anas, EVENT)
        return now if now[one["recordUri"]]["name"] == "Chess in the hall" else None

    after = await eventually(changed)
    assert {uri for uri, record in before.items() if after.get(uri) != record} == {one["recordUri"]}
