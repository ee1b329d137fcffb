"""Secrets in the restricted fields of a public event are searched for in every place that shows events.

To show that the search works, it finds each of them once the field is public or the viewer is going.
"""

import json
import re

import pytest

from groundwork.clock import Instant
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.icalendar.write import vevent_of, write_calendar
from openmeet.domain.series.calendar_uids import CalendarIdentity
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks.model import DeliveryId, DeliveryState, Webhook, WebhookDelivery, WebhookEvent, WebhookId
from openmeet.web.webhooks.payloads import webhook_view
from tests.openmeet.site_under_test import api_session, details, event_by, inputs_of, person, sign_up, site_on

STREET, FLAT, DOOR, LINK = "Geheimgasse 7", "Flat of Ana", "Ring thrice", "https://join.example/s3cret"
SECRETS = {"street": STREET, "flat": FLAT, "door": DOOR, "link": LINK, "north": "48.217391", "east": "16.372746"}

EVENT = {
    "title": "Tea for many",
    "mode": "hybrid",
    "venue_name": FLAT,
    "street": STREET,
    "locality": "Wien",
    "country": "AT",
    "point": "48.217391, 16.372746",
    "door_note": DOOR,
    "online_url": LINK,
    "place_audience": "attendees",
}
FOR_EVERYBODY = {"place_audience": "everyone", "door_audience": "everyone", "online_url_audience": "everyone"}


@pytest.fixture
async def site(make_sqlite, clock):
    return site_on(await make_sqlite("openmeet"), clock)


async def found_by(browser, slug, headers=None) -> dict[str, set[str]]:
    """The secrets that each URL reveals."""
    addresses = (
        f"/events/{slug}",
        "/",
        "/?q=tea",
        f"/api/events/{slug}",
        "/api/events",
        f"/api/events?q={STREET.split(maxsplit=1)[0]}",
        f"/?q={FLAT.split(maxsplit=1)[0]}",
        f"/api/events/{slug}/attendees",
        "/api/openapi.json",
    )
    found = {}
    for address in addresses:
        answer = await browser.get(address, headers=headers or {})
        assert answer.status_code == 200, address
        given = {name for name, secret in SECRETS.items() if secret in answer.text.replace("&#39;", "'")}
        if given:
            found[address] = given
    return found


async def test_private_details_are_hidden_from_people_who_are_not_going(site):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), **EVENT)
        row = await tx.fetch_one("select search_text from events where id = :id", id=event.id)
    assert "geheimgasse" not in row["search_text"]
    async with site.browser() as stranger:
        assert await found_by(stranger, event.slug) == {}
        page = (await stranger.get(f"/events/{event.slug}")).text
    assert "Wien" in page
    assert "The exact address is shown to people who are going." in page
    assert "The link to join is shown to people who are going." in page


async def test_the_same_search_finds_public_details(site):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, **EVENT)
        await events.revise(tx, ana, event.slug, details(**EVENT | FOR_EVERYBODY))
    async with site.browser() as stranger:
        found = await found_by(stranger, event.slug)
    assert found[f"/events/{event.slug}"] == set(SECRETS)
    assert found[f"/api/events/{event.slug}"] == set(SECRETS)
    assert "street" in found["/api/events?q=Geheimgasse"]


async def test_attendees_find_restricted_details_on_the_page_and_in_the_api(site):
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), **EVENT)
    async with site.browser() as guest:
        await sign_up(guest, "ben@example.org", "Ben")
        assert await found_by(guest, event.slug) == {}
        await guest.post(f"/events/{event.slug}/answer", data={"reply": "interested"})
        assert await found_by(guest, event.slug) == {}
        await guest.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        found = await found_by(guest, event.slug)
        assert found[f"/events/{event.slug}"] == set(SECRETS)
        assert "/" not in found
    async with site.browser() as client:
        headers = await api_session(client, "ben@example.org", "Ben")
        shown = (await client.get(f"/api/events/{event.slug}", headers=headers)).json()
    assert (shown["onlineUrl"], shown["doorNote"], shown["venue"]["street"]) == (LINK, DOOR, STREET)
    assert not (shown["hidesPlace"])
    assert not (shown["hidesLink"])
    assert not (shown["hidesDoor"])


async def test_people_on_the_waitlist_do_not_see_the_address(site):
    async with site.db.transaction() as tx:
        ana, cleo = await person(tx, "Ana"), await person(tx, "Cleo")
        event = await event_by(tx, ana, **EVENT, capacity="1")
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
    async with site.browser() as guest:
        await sign_up(guest, "ben@example.org", "Ben")
        await guest.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        assert await found_by(guest, event.slug) == {}


def json_ld_of(page: str) -> dict:
    (block,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    return json.loads(block)


async def test_structured_data_and_cards_contain_only_public_parts(site):
    """When the host opens the page, its structured data and its card still contain only what strangers may see."""
    hostile = "</script><script>alert(1)</script> & <b>"
    async with site.browser() as host:
        await sign_up(host, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users")
            event = await event_by(tx, Caller(row["id"], "Ana"), **EVENT | {"title": hostile, "description": hostile})
        page = (await host.get(f"/events/{event.slug}")).text
    assert STREET in page
    head = page.partition("</head>")[0]
    assert [secret for secret in SECRETS.values() if secret in head] == []
    data = json_ld_of(page)
    assert data["name"] == hostile
    assert data["location"][0]["address"] == {
        "@type": "PostalAddress",
        "addressLocality": "Wien",
        "addressCountry": "AT",
    }
    assert data["location"][1] == {"@type": "VirtualLocation", "url": f"http://openmeet.test/events/{event.slug}"}
    assert "<script>alert" not in page


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
async def test_an_event_that_is_not_public_has_no_card(site, visibility):
    async with site.browser() as host:
        await sign_up(host, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users")
            event = await event_by(tx, Caller(row["id"], "Ana"), **EVENT | {"visibility": visibility})
        head = (await host.get(f"/events/{event.slug}")).text.partition("</head>")[0]
    assert "og:" not in head
    assert "ld+json" not in head
    assert "noindex" in head


async def leaving(db, event, owner) -> dict[str, set[str]]:
    """The secrets in outgoing content: calendar files, webhooks, and e-mails to people who are not going."""
    hook = Webhook(
        WebhookId("w"), owner.user_id, None, "https://x.example", frozenset(WebhookEvent), b"", None, "", 1, Instant(0)
    )
    delivery = WebhookDelivery(
        DeliveryId("d"),
        hook.id,
        WebhookEvent.EVENT,
        event.id,
        DeliveryState.SENDING,
        0,
        None,
        "",
        Instant(0),
        None,
        1,
    )
    async with db.reader() as reader:
        message = await webhook_view("https://meet.example")(reader, hook, delivery)
    file = write_calendar(
        [vevent_of(event, CalendarIdentity(event.id, None, 1), host="meet.example", url="https://meet.example/e")],
        name="Events",
    )
    texts = {"webhook": json.dumps(message, ensure_ascii=False), "calendar": file.decode().replace("\r\n ", "")}
    return {place: {name for name, secret in SECRETS.items() if secret in text} for place, text in texts.items()}


async def test_outgoing_content_contains_only_public_parts(make_database):
    """Messages to the host's own webhook contain only public data too, because they are stored and passed on."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, **EVENT)
        shared = await event_by(tx, ana, **EVENT | FOR_EVERYBODY)
    assert await leaving(db, event, ana) == {"webhook": set(), "calendar": set()}
    found = await leaving(db, shared, ana)
    assert found == {"webhook": set(SECRETS), "calendar": {"street", "flat", "north", "east"}}


async def test_typed_coordinates_are_found_nearby_and_copied(site):
    """Invalid coordinates in the form are reported at their field and kept. Valid ones make the event findable nearby
    and are copied with it.
    """
    near = "/api/events?near=48.2,16.37&within=10"
    async with site.browser() as host, site.browser() as stranger:
        await sign_up(host, "ana@example.org", "Ana")
        typed = inputs_of((await host.get("/events/new")).text)
        typed |= {"title": "Tea", "starts": "2027-03-02T18:00", "time_zone": "Europe/Vienna", "point": "by the river"}
        refused = await host.post("/events/new", data=typed)
        assert refused.status_code == 400
        assert 'value="by the river"' in refused.text
        assert 'id="point-problem"' in refused.text
        made = await host.post("/events/new", data=typed | {"point": "geo:48.217391,16.372746"})
        path = made.headers["location"].partition("?")[0]
        assert [one["title"] for one in (await stranger.get(near)).json()["events"]] == ["Tea"]
        page = (await stranger.get(path)).text
        assert "mlat=48.217391&amp;mlon=16.372746" in page
        assert json_ld_of(page)["location"] == {
            "@type": "Place",
            "geo": {"@type": "GeoCoordinates", "latitude": "48.217391", "longitude": "16.372746"},
        }
        assert 'value="48.217391, 16.372746"' in (await host.get(f"{path}/duplicate")).text
        assert "A point on the map" in page
        assert "Place to be announced" not in page
        edited = inputs_of((await host.get(f"{path}/edit")).text) | {
            "time_zone": "Europe/Vienna",
            "place_audience": "attendees",
        }
        assert (await host.post(f"{path}/edit", data=edited)).status_code == 303
        assert (await stranger.get(near)).json()["events"] == []
