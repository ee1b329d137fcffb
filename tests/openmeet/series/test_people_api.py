"""Undo, extra dates, followers, standing RSVPs and ownership offers, as clients of the JSON API see them; on both
engines.
"""

import httpx
import pytest

from openmeet.domain.paging import packed
from tests.openmeet.series.api_client import PRACTICE, SECOND
from tests.openmeet.site_under_test import api_session


@pytest.fixture
async def path(client: httpx.AsyncClient, ana: dict[str, str]) -> str:
    made = await client.post("/api/series", json=PRACTICE, headers=ana)
    assert made.status_code == 201, made.text
    return made.headers["location"]


async def test_the_last_action_can_be_undone_and_is_shown_to_hosts(client, ana, ben, path) -> None:
    assert (await client.get(path, headers=ana)).json()["canUndo"] is None
    await client.post(f"{path}/cancel", json={"dates": [SECOND], "reason": "ill"}, headers=ana)
    offered = (await client.get(path, headers=ana)).json()["canUndo"]
    assert offered == {"act": "cancel_dates", "until": "2026-03-01T12:10:00Z"}
    assert (await client.get(path, headers=ben)).json()["canUndo"] is None
    assert (await client.post(f"{path}/undo", headers=ben)).status_code == 403
    undone = await client.post(f"{path}/undo", headers=ana)
    assert (undone.status_code, undone.json()["canUndo"]) == (200, None)
    dates = (await client.get(f"{path}/dates")).json()["dates"]
    assert {one["status"] for one in dates} == {"scheduled"}
    again = await client.post(f"{path}/undo", headers=ana)
    assert (again.status_code, again.json()["title"]) == (422, "NothingToUndo")


async def test_an_extra_date_is_accepted_once(client, ana, path) -> None:
    wanted = {"startsLocal": "2026-03-05T19:00"}
    added = await client.post(f"{path}/dates", json=wanted, headers=ana)
    assert (added.status_code, added.json()["rdates"]) == (200, ["2026-03-05T19:00:00"])
    twice = await client.post(f"{path}/dates", json=wanted, headers=ana)
    assert (twice.status_code, twice.json()["title"]) == (422, "DateTaken")
    wrong = await client.post(f"{path}/dates", json={"startsLocal": "soon"}, headers=ana)
    assert wrong.status_code == 400


async def test_followers_are_listed_page_by_page(client, ana, ben, path) -> None:
    cleo = await api_session(client, "cleo@example.org", "Cleo")
    for who in (ben, cleo):
        await client.put(f"{path}/follow", json={"notifies": who is ben}, headers=who)
    first = (await client.get(f"{path}/followers", params={"limit": 1}, headers=ana)).json()
    assert (first["count"], [one["name"] for one in first["followers"]]) == (2, ["Ben"])
    rest = await client.get(f"{path}/followers", params={"limit": 1, "cursor": first["nextCursor"]}, headers=ana)
    assert [(one["name"], one["notifies"]) for one in rest.json()["followers"]] == [("Cleo", False)]
    assert rest.json()["nextCursor"] is None
    assert (await client.get(f"{path}/followers", headers=ben)).status_code == 403


async def test_going_to_all_lasts_until_it_is_withdrawn(client, ben, path) -> None:
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    shown = (await client.get(path, headers=ben)).json()
    assert shown["isGoingToAll"] is True
    mine = {"dates": 9, "going": 9, "waitlisted": 0, "pending": 0, "limited": 0, "unanswered": 0}
    assert shown["myDates"] == mine
    assert (await client.get(path)).json()["myDates"] is None
    far = await client.post(f"{path}/dates/2027-03-02T18:00:00", headers=ben)
    assert far.json()["myStatus"] == "attending"
    gone = await client.delete(f"{path}/answer", params={"withdraw": "true"}, headers=ben)
    assert gone.json() == {"withdrawn": 10}
    assert (await client.get(path, headers=ben)).json()["isGoingToAll"] is False


async def test_a_cursor_continues_after_any_name(client, ana, path) -> None:
    names = ["Ångström 100% + 1", "Bea", "Bea", "日本 🎲"]
    for number, name in enumerate(names):
        one = await api_session(client, f"heir{number}@example.org", name)
        await client.put(f"{path}/follow", json={}, headers=one)
    whole = (await client.get(f"{path}/heirs", headers=ana)).json()["people"]
    assert sorted(one["name"] for one in whole) == sorted(names)
    read, cursor = [], ""
    while cursor is not None:
        answer = await client.get(f"{path}/heirs", params={"limit": 1, "cursor": cursor}, headers=ana)
        read, cursor = read + answer.json()["people"], answer.json()["cursor"]
        assert len(read) <= 4
    assert read == whole
    with_nul = packed("%00 someone")
    assert (await client.get(f"{path}/heirs", params={"cursor": with_nul}, headers=ana)).json()["people"] == whole


async def test_an_offer_is_for_one_person(client, ana, ben, path) -> None:
    cleo = await api_session(client, "cleo@example.org", "Cleo")
    for who in (ben, cleo):
        await client.put(f"{path}/follow", json={}, headers=who)
    people = (await client.get(f"{path}/heirs", headers=ana)).json()["people"]
    assert [one["name"] for one in people] == ["Ben", "Cleo"]
    assert (await client.put(f"{path}/offer", json={"userId": "nobody"}, headers=ana)).status_code == 422
    assert (await client.put(f"{path}/offer", json={"userId": people[0]["userId"]}, headers=ana)).status_code == 200
    assert (await client.post(f"{path}/accept", headers=cleo)).status_code == 404
    assert (await client.delete(f"{path}/offer", headers=cleo)).status_code == 404
    taken = await client.post(f"{path}/accept", headers=ben)
    assert (taken.status_code, taken.json()["canEdit"]) == (200, True)
    assert (await client.get(path, headers=ana)).json()["canEdit"] is False


async def test_the_former_owner_is_told_that_the_offer_was_accepted(client, ana, ben, path) -> None:
    """Nobody else is notified. The new owner can edit the series with all coming dates, and hand it over again."""
    await client.put(f"{path}/follow", json={}, headers=ben)
    to = (await client.get(f"{path}/heirs", headers=ana)).json()["people"][0]["userId"]
    await client.put(f"{path}/offer", json={"userId": to}, headers=ana)
    assert (await client.post(f"{path}/accept", headers=ben)).status_code == 200
    said = (await client.get("/api/notifications", headers=ana)).json()["items"]
    assert [one["sentence"] for one in said] == ["Ben has taken over the series of Practice."]
    assert [one["sentence"] for one in (await client.get("/api/notifications", headers=ben)).json()["items"]] == [
        "Ana would like to hand the series Practice over to you."
    ]
    date = (await client.get(f"{path}/dates")).json()["dates"][0]
    cancelled = await client.post(f"/api/events/{date['slug']}/cancel", json={"reason": "ill"}, headers=ana)
    assert (cancelled.status_code, cancelled.json()["title"]) == (403, "Forbidden")
    assert [one["name"] for one in (await client.get(f"{path}/heirs", headers=ben)).json()["people"]] == ["Ana"]


async def test_blocks_made_after_an_offer_prevent_its_acceptance(client, ana, ben, path) -> None:
    """If either person has blocked the other by then, the handover fails."""
    await client.put(f"{path}/follow", json={}, headers=ben)
    to = (await client.get(f"{path}/heirs", headers=ana)).json()["people"][0]["userId"]
    await client.put(f"{path}/offer", json={"userId": to}, headers=ana)
    blocked = await client.put(f"/api/me/blocks/{to}", headers=ana)
    assert blocked.is_success, blocked.text
    refused = await client.post(f"{path}/accept", headers=ben)
    assert (refused.status_code, refused.json()["title"]) == (422, "NotWelcome")
    assert (await client.get(path, headers=ana)).json()["canEdit"] is True


async def test_a_refused_offer_is_no_longer_listed_and_the_host_is_told(client, ana, ben, path) -> None:
    await client.put(f"{path}/follow", json={}, headers=ben)
    to = (await client.get(f"{path}/heirs", headers=ana)).json()["people"][0]["userId"]
    await client.put(f"{path}/offer", json={"userId": to}, headers=ana)
    listed = (await client.get("/api/my/series-offers", headers=ben)).json()
    (offered,) = listed["offers"]
    assert (f"/api/series/{offered['slug']}", offered["title"], offered["hostName"]) == (path, "Practice", "Ana")
    assert offered["createdAt"] == "2026-03-01T12:00:00Z"
    assert (await client.get("/api/my/series-offers", headers=ana)).json() == {"offers": [], "cursor": None}
    assert (await client.delete(f"{path}/offer", headers=ben)).status_code == 204
    assert (await client.get("/api/my/series-offers", headers=ben)).json()["offers"] == []
    said = (await client.get("/api/notifications", headers=ana)).json()["items"]
    assert [one["sentence"] for one in said] == ["Ben won’t take over the series of Practice. It stays yours."]
    # Withdrawing one's own offer notifies nobody, and the other person no longer has it in their list.
    await client.put(f"{path}/offer", json={"userId": to}, headers=ana)
    assert (await client.delete(f"{path}/offer", headers=ana)).status_code == 204
    assert len((await client.get("/api/notifications", headers=ana)).json()["items"]) == 1


async def test_the_former_owner_of_a_private_series_becomes_a_co_host(client, ana, ben) -> None:
    """The former owner becomes a co-host, as for a single event. For a public series they only follow the dates."""
    made = await client.post("/api/series", json=PRACTICE | {"visibility": "private"}, headers=ana)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    date = (await client.get(f"{path}/dates", headers=ana)).json()["dates"][0]
    await client.post(f"/api/events/{date['slug']}/attendances", json={"email": "ben@example.org"}, headers=ana)
    assert (await client.put(f"/api/events/{date['slug']}/answer", json={"reply": "going"}, headers=ben)).is_success
    to = (await client.get(f"{path}/heirs", headers=ana)).json()["people"][0]["userId"]
    await client.put(f"{path}/offer", json={"userId": to}, headers=ana)
    assert (await client.post(f"{path}/accept", headers=ben)).status_code == 200
    assert (await client.get(path, headers=ana)).status_code == 200
    dates = (await client.get(f"{path}/dates", headers=ana)).json()["dates"]
    stored = [one["slug"] for one in dates if one["slug"]]
    assert len(stored) > 5
    for slug in (stored[0], stored[-1]):
        assert (await client.get(f"/api/events/{slug}", headers=ana)).status_code == 200
    # The former owner can leave the series like any co-host. Then they can no longer see it.
    assert (await client.post(f"/api/events/{stored[0]}/co-hosts/leave", headers=ana)).status_code == 204
    assert (await client.get(path, headers=ana)).status_code == 404
