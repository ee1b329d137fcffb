"""Events in the JSON API, webhooks and lists name their series, group and source, if the reader may see them."""

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.events.model import EventId
from openmeet.domain.webhooks.model import DeliveryId, DeliveryState, Webhook, WebhookDelivery, WebhookEvent, WebhookId
from openmeet.web.webhooks.payloads import webhook_view
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import ORIGIN, Site, api_session, site_on

PRACTICE = {
    "title": "Practice",
    "startsLocal": "2026-03-03T18:00",
    "endsLocal": "2026-03-03T20:00",
    "timeZone": "Europe/Berlin",
    "recurrence": "FREQ=WEEKLY;BYDAY=TU",
}
SECOND = "2026-03-10T18:00:00"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def client(site: Site):
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def ana(client: httpx.AsyncClient) -> dict[str, str]:
    return await api_session(client, "ana@example.org", "Ana")


async def made(client: httpx.AsyncClient, path: str, body: dict, who: dict[str, str]) -> dict:
    answer = await client.post(path, json=body, headers=who)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def test_a_date_names_its_series_its_original_date_and_its_differences(client, ana) -> None:
    group = await made(client, "/api/groups", {"name": "Choir", "timeZone": "UTC"}, ana)
    series = await made(client, "/api/series", PRACTICE | {"group": group["slug"]}, ana)
    date = (await client.post(f"/api/series/{series['slug']}/dates/{SECOND}", headers=ana)).json()
    before = (await client.get(f"/api/events/{date['slug']}")).json()
    assert before["series"] == {
        "slug": series["slug"],
        "title": "Practice",
        "url": f"{ORIGIN}/series/{series['slug']}",
    }
    assert (before["originalDate"], before["isModifiedOccurrence"], before["differsIn"]) == (SECOND, False, [])
    assert before["group"] == {"slug": group["slug"], "name": "Choir", "url": f"{ORIGIN}/groups/{group['slug']}"}
    assert before["source"] == {
        "kind": "openmeet",
        "recordUri": None,
        "did": None,
        "recordCid": None,
        "syncedAt": None,
    }
    for named in (before["group"]["slug"], before["groupId"]):
        assert (await client.get(f"/api/groups/{named}")).json()["name"] == "Choir"
    wanted = {"title": "Rehearsal", "startsLocal": "2026-03-10T19:30", "endsLocal": "2026-03-10T21:00"}
    body = PRACTICE | wanted
    del body["recurrence"]
    changed = await client.put(f"/api/events/{date['slug']}", json=body, headers=ana)
    assert changed.status_code == 200, changed.text
    after = (await client.get(f"/api/events/{date['slug']}")).json()
    assert (after["originalDate"], after["isModifiedOccurrence"]) == (SECOND, True)
    assert {"title"} < set(after["differsIn"])
    listed = {one["slug"]: one for one in (await client.get("/api/events")).json()["events"]}
    assert listed[date["slug"]]["series"] == before["series"]


async def test_changes_return_what_a_read_returns(client, ana) -> None:
    """Creating, editing, cancelling, reinstating and copying all return the same fields as reading, with series, group
    and source.
    """
    group = await made(client, "/api/groups", {"name": "Choir", "timeZone": "UTC"}, ana)
    body = {"title": "Tea", "startsLocal": "2026-03-10T19:30", "timeZone": "UTC"}
    event = await made(client, "/api/events", body | {"group": group["slug"]}, ana)
    path = f"/api/events/{event['slug']}"
    assert event == (await client.get(path, headers=ana)).json()
    assert event["group"]["slug"] == group["slug"]
    series = await made(client, "/api/series", PRACTICE, ana)
    date = (await client.post(f"/api/series/{series['slug']}/dates/{SECOND}", headers=ana)).json()
    path = f"/api/events/{date['slug']}"
    edited = await client.put(path, json=body, headers=ana)
    assert edited.json() == (await client.get(path, headers=ana)).json()
    assert (edited.json()["originalDate"], edited.json()["series"]["slug"]) == (SECOND, series["slug"])
    for act in ("cancel", "reinstate"):
        done = await client.post(f"{path}/{act}", json={}, headers=ana)
        assert done.json() == (await client.get(path, headers=ana)).json()
    copied = await made(client, f"{path}/duplicate", {"startsLocal": "2026-04-10T19:30", "isDraft": True}, ana)
    assert copied == (await client.get(f"/api/events/{copied['slug']}", headers=ana)).json()
    published = await made(client, f"/api/events/{copied['slug']}/publish", {}, ana)
    assert published == (await client.get(f"/api/events/{copied['slug']}", headers=ana)).json()


async def test_a_single_event_names_no_series(client, ana) -> None:
    body = {"title": "Tea", "startsLocal": "2026-03-10T19:30", "timeZone": "UTC"}
    event = await made(client, "/api/events", body, ana)
    shown = (await client.get(f"/api/events/{event['slug']}")).json()
    assert (shown["series"], shown["originalDate"], shown["isModifiedOccurrence"], shown["group"]) == (
        None,
        None,
        False,
        None,
    )


async def test_a_series_or_group_hidden_from_the_reader_is_not_named(client, ana, site: Site) -> None:
    group = await made(client, "/api/groups", {"name": "Inner circle", "timeZone": "UTC", "visibility": "private"}, ana)
    event = await made(
        client,
        "/api/events",
        {"title": "Tea", "startsLocal": "2026-03-10T19:30", "timeZone": "UTC", "group": group["slug"]},
        ana,
    )
    series = await made(client, "/api/series", PRACTICE | {"visibility": "private"}, ana)
    date = (await client.post(f"/api/series/{series['slug']}/dates/{SECOND}", headers=ana)).json()
    inner = await made(client, "/api/series", PRACTICE | {"group": group["slug"]}, ana)
    inner_date = (await client.post(f"/api/series/{inner['slug']}/dates/{SECOND}", headers=ana)).json()
    ben = await api_session(client, "ben@example.org", "Ben")
    for slug in (event["slug"], date["slug"], inner_date["slug"]):
        invited = await client.post(f"/api/events/{slug}/attendances", json={"email": "ben@example.org"}, headers=ana)
        assert invited.status_code == 201, invited.text
    shown = (await client.get(f"/api/events/{event['slug']}", headers=ben)).json()
    assert (shown["title"], shown["group"], shown["groupId"]) == ("Tea", None, None)
    assert "Inner circle" not in str(shown)
    own = (await client.get(f"/api/events/{event['slug']}", headers=ana)).json()
    assert own["group"]["name"] == "Inner circle"
    assert (await client.get(f"/api/groups/{own['groupId']}", headers=ben)).status_code == 404
    # The same for a series in the group.
    path = f"/api/series/{inner['slug']}"
    assert (inner["groupId"], (await client.get(path, headers=ana)).json()["groupId"]) == (
        own["groupId"],
        own["groupId"],
    )
    as_guest = await client.get(path, headers=ben)
    assert (as_guest.status_code, as_guest.json()["groupId"]) == (200, None)
    assert own["groupId"] not in as_guest.text
    # Webhooks send only public data.
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id, author_id from events where slug = :slug", slug=date["slug"])
        assert row is not None
        hook = Webhook(
            WebhookId("w"), row["author_id"], None, "https://x.example", frozenset(), b"", None, "", 1, reader.now
        )
        message = WebhookDelivery(
            DeliveryId("d"),
            hook.id,
            WebhookEvent.EVENT,
            EventId(row["id"]),
            DeliveryState.SENDING,
            1,
            None,
            "",
            reader.now,
            None,
            1,
        )
        told = await webhook_view(ORIGIN)(reader, hook, message)
    assert told is not None
    assert (told["title"], told["series"], told["originalDate"]) == ("Practice", None, None)


async def test_my_events_default_to_those_one_hosts_and_goes_to(client, ana) -> None:
    ben = await api_session(client, "ben@example.org", "Ben")
    slugs = {}
    for title, who, more in (
        ("Hosted", ana, {}),
        ("Draft", ana, {"isDraft": True}),
        ("Gone to", ben, {}),
        ("Declined", ben, {}),
        ("Other", ben, {}),
    ):
        body = {"title": title, "startsLocal": "2026-03-10T19:30", "timeZone": "UTC"} | more
        slugs[title] = (await made(client, "/api/events", body, who))["slug"]
    await client.put(f"/api/events/{slugs['Gone to']}/answer", json={"reply": "going"}, headers=ana)
    await client.put(f"/api/events/{slugs['Hosted']}/answer", json={"reply": "going"}, headers=ana)
    await client.put(f"/api/events/{slugs['Declined']}/answer", json={"reply": "declined"}, headers=ana)

    async def titles(query: str) -> list[str]:
        found = (await client.get(f"/api/my/events{query}", headers=ana)).json()["events"]
        return sorted(one["title"] for one in found)

    assert await titles("") == await titles("?which=upcoming") == ["Gone to", "Hosted"]
    assert await titles("?which=going") == ["Gone to", "Hosted"]
    assert await titles("?which=hosting") == ["Hosted"]
    assert await titles("?which=drafts") == ["Draft"]
    page = (await client.get("/api/my/events?limit=1", headers=ana)).json()
    rest = (await client.get(f"/api/my/events?limit=1&cursor={page['cursor']}", headers=ana)).json()
    assert (len(page["events"]) + len(rest["events"]), rest["cursor"]) == (2, None)
    assert (await client.get("/my/events?which=upcoming")).status_code in {200, 303}
