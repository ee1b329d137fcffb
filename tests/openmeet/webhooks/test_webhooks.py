"""Webhooks: a real server gets signed messages about what its owner may see, with retries, and nothing else."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from http import HTTPStatus

from groundwork.clock import DAY
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.outbox.jobs import job_of
from openmeet.domain.events import co_hosts, record_changes
from openmeet.domain.events.model import EventSlug
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.domain.webhooks.actions import forget_old_deliveries
from openmeet.domain.webhooks.deliver import RETRY
from openmeet.domain.webhooks.model import MAX_TRIES, OFF_MAIL
from openmeet.emails.account import disabled_composer
from openmeet.outbox.emails import due_email_of
from tests.openmeet.site_under_test import ORIGIN, change_services, sign_up
from tests.openmeet.webhooks.receiver import (
    ALL_KINDS,
    EVENT_JSON,
    ana,
    ben,
    client,
    deliveries_of,
    register_webhook,
    select_rows,
    stage,
)

__all__ = ["ana", "ben", "client", "stage"]


async def test_messages_are_signed_according_to_standard_webhooks(stage, client, ana):
    """The expected signature is computed from the text of the specification: HMAC-SHA256 over id, timestamp and body,
    with the secret's bytes.
    """
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    ((headers, body),) = stage.receiver.heard
    secret = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert int(headers["webhook-timestamp"]) == stage.clock.now() // 1_000_000
    message = json.loads(body)
    assert (message["type"], message["data"]["title"], message["data"]["isGone"]) == (
        "event.changed",
        "Board games",
        False,
    )


async def test_messages_contain_the_state_at_the_time_of_sending(stage, client, ana, ben):
    """Two changes before the first delivery are one message, and a later change is another one."""
    await register_webhook(client, stage, ana)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    await client.put(path, json=EVENT_JSON | {"title": "Chess"}, headers=ana)
    await stage.deliver()
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    await stage.deliver()
    await client.delete(path, headers=ana)
    await stage.deliver()
    told = [
        (one["type"], one["data"].get("title") or one["data"].get("status") or one["data"]["isGone"])
        for one in stage.receiver.messages()
    ]
    assert told == [("event.changed", "Chess"), ("answer.changed", "attending"), ("event.changed", True)]


async def test_an_event_that_waited_for_its_pds_is_sent_when_it_is_shown(stage, client, ana):
    """Its first message said that it is not public yet. The revision stays, so an open form can still be saved."""
    await register_webhook(client, stage, ana)
    created = await client.post("/api/events", json=EVENT_JSON, headers=ana)
    async with stage.site.db.transaction() as tx:
        await tx.execute("update events set is_held = 1")
    await stage.deliver()
    async with stage.site.db.transaction() as tx:
        row = await tx.fetch_one("select id from events")
        assert row is not None
        uri = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/community.lexicon.calendar.event/3mqdau33ozs2n"
        await record_changes.store_record_uri(tx, row["id"], uri=uri, cid="c", did="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa")
    await stage.deliver()
    assert [one["data"]["awaitsRepository"] for one in stage.receiver.messages()] == [True, False]
    again = await client.put(
        created.headers["location"], json=EVENT_JSON, headers=ana | {"if-match": created.headers["etag"]}
    )
    assert again.status_code == HTTPStatus.OK


async def test_held_events_of_a_group_that_stops_publishing_are_sent_when_they_are_shown(stage, client, ana):
    """Only those that were held: not a draft, and not an event of another group."""
    group_json = {"name": "Chess", "timeZone": "Europe/Berlin"}
    chess, bridge = [
        (await client.post("/api/groups", json=group_json | {"name": name}, headers=ana)).json()["slug"]
        for name in ("Chess", "Bridge")
    ]
    for title, group, is_draft in (("Held", chess, False), ("Draft", chess, True), ("Elsewhere", bridge, False)):
        typed = {"title": title, "group": group, "isDraft": is_draft}
        assert (await client.post("/api/events", json=EVENT_JSON | typed, headers=ana)).is_success
    async with stage.site.db.transaction() as tx:
        await tx.execute("update events set is_held = 1")
    await register_webhook(client, stage, ana)
    assert (
        await client.put(f"/api/groups/{chess}", json=group_json | {"promotionLevel": "private"}, headers=ana)
    ).is_success
    await stage.deliver()
    assert [(one["data"]["title"], one["data"]["awaitsRepository"]) for one in stage.receiver.messages()] == [
        ("Held", False)
    ]


async def test_an_address_that_does_not_respond_delays_no_other(stage, client, ana, ben):
    """The jobs of each address are a separate partition, however they were enqueued."""
    ids = {(await register_webhook(client, stage, who))["id"] for who in (ana, ben)}
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    for webhook_id, who in zip(sorted(ids), (ana, ben), strict=True):
        await client.post(f"/api/webhooks/{webhook_id}/ping", headers=who)
    queued = await select_rows(
        stage.site.db, "select partition from outbox_jobs where kind = 'webhook' and state = 'due'"
    )
    assert {row["partition"] for row in queued} == ids


async def test_events_of_others_are_not_sent(stage, client, ana, ben):
    """Ben's webhook gets a message about his answer and nothing else about Ana's event, not even that it was changed or
    deleted.
    """
    await register_webhook(client, stage, ben)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana)
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    await client.put(path, json=EVENT_JSON | {"title": "Secret"}, headers=ana)
    await stage.deliver()
    assert [(one["type"], one["data"]["displayName"]) for one in stage.receiver.messages()] == [
        ("answer.changed", "Ben")
    ]


async def test_an_event_made_private_meanwhile_is_not_sent(stage, client, ana, ben):
    """The message is checked when it is sent: in the meantime the host hid the event from people who had answered, or
    the event was deleted.
    """
    webhook = await register_webhook(client, stage, ben)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    await client.delete(path, headers=ana)
    await stage.deliver()
    assert stage.receiver.heard == []
    assert [one["state"] for one in await deliveries_of(client, ben, webhook)] == ["dropped"]


async def test_a_groups_changes_are_sent_while_the_owner_runs_it(stage, client, ana, ben):
    """These are changes of events and people of the group. After Ana has handed it over and left, her webhook gets
    nothing about it.
    """
    group = (
        await client.post("/api/groups", json={"name": "Players", "timeZone": "Europe/Berlin"}, headers=ana)
    ).json()
    path = f"/api/groups/{group['slug']}"
    refused = await client.post(
        "/api/webhooks", json={"url": stage.receiver.url, "kinds": ALL_KINDS, "group": group["slug"]}, headers=ben
    )
    assert refused.status_code == HTTPStatus.FORBIDDEN
    await register_webhook(client, stage, ana, group=group["slug"])
    await client.put(f"{path}/membership", json={}, headers=ben)
    await client.post("/api/events", json=EVENT_JSON | {"group": group["slug"], "visibility": "private"}, headers=ana)
    await client.post("/api/events", json=EVENT_JSON | {"title": "Elsewhere"}, headers=ana)
    await stage.deliver()
    assert {(one["type"], one["data"].get("title") or one["data"]["role"]) for one in stage.receiver.messages()} == {
        ("membership.changed", "member"),
        ("event.changed", "Board games"),
    }
    stage.receiver.heard.clear()
    me = (await client.get("/api/me", headers=ben)).json()["id"]
    await client.put(f"{path}/ownership/offer", json={"userId": me}, headers=ana)
    await client.post(f"{path}/ownership/acceptance", headers=ben)
    await client.delete(f"{path}/membership", headers=ana)
    await stage.deliver()
    assert stage.receiver.heard == []


async def test_the_group_of_a_webhook_is_not_shown_to_people_who_left_it(stage, client, ana, ben):
    """The webhook stays, but tells nobody the new name of a private group or the new link of an unlisted one."""
    group = {"name": "Players", "timeZone": "Europe/Berlin", "visibility": "unlisted"}
    path = (await client.post("/api/groups", json=group, headers=ana)).headers["location"]
    await client.put(f"{path}/membership", json={}, headers=ben)
    them = (await client.get("/api/me", headers=ben)).json()["id"]
    await client.put(f"{path}/members/{them}", json={"role": "admin"}, headers=ana)
    slug = path.rpartition("/")[2]
    webhook = await register_webhook(client, stage, ben, group=slug)
    assert webhook["group"] == slug
    await client.delete(f"{path}/members/{them}", headers=ana)
    (listed,) = (await client.get("/api/webhooks", headers=ben)).json()["webhooks"]
    assert (listed["id"], listed["group"]) == (webhook["id"], None)


async def test_series_and_groups_are_sent_including_their_deletion(stage, client, ana):
    """Messages contain what strangers may see. The link for joining is not sent, whoever registered the webhook."""
    kinds = ["series.changed", "group.changed"]
    await register_webhook(client, stage, ana, kinds=kinds)
    weekly = EVENT_JSON | {
        "recurrence": "FREQ=WEEKLY",
        "mode": "online",
        "onlineUrl": "https://talk.example/secret-room",
    }
    path = (await client.post("/api/series", json=weekly, headers=ana)).headers["location"]
    await stage.deliver()
    await client.post(f"{path}/cancel", json={"reason": "Rain"}, headers=ana)
    await stage.deliver()
    await client.delete(f"{path}?keepEvents=false", headers=ana)
    await stage.deliver()
    group = {"name": "Players", "timeZone": "Europe/Berlin"}
    address = (await client.post("/api/groups", json=group, headers=ana)).headers["location"]
    await client.put(address, json=group | {"description": "We play."}, headers=ana)
    await stage.deliver()
    found = (await client.get("/api/my/groups", headers=ana)).json()
    (mine,) = found["groups"]
    await client.delete(f"/api/groups/{mine['slug']}", headers=ana)
    await stage.deliver()
    told = [
        (one["type"], one["data"]["isGone"], one["data"].get("sentence") or one["data"].get("description"))
        for one in stage.receiver.messages()
    ]
    assert told == [
        ("series.changed", False, "Every Saturday at 18:00"),
        ("series.changed", False, "Every Saturday at 18:00"),
        ("series.changed", True, None),
        ("group.changed", False, "We play."),
        ("group.changed", True, None),
    ]
    assert stage.receiver.messages()[1]["data"]["status"] == "cancelled"
    assert not any(b"secret-room" in body for _, body in stage.receiver.heard)


async def test_private_attendees_are_sent_without_their_name(stage, client, ana, ben):
    """The host can read the name on the page, but the webhook does not get it. A person's own webhook gets messages
    about their own answers.
    """
    await register_webhook(client, stage, ana)
    await register_webhook(client, stage, ben)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    await client.put(f"{path}/answer", json={"reply": "going", "isPrivate": True}, headers=ben)
    await stage.deliver()
    told = [one["data"] for one in stage.receiver.messages() if one["type"] == "answer.changed"]
    assert sorted((one["displayName"] or "", one["isPrivate"], one["status"]) for one in told) == [
        ("", True, "attending"),
        ("Ben", True, "attending"),
    ]
    assert sum(one["personId"] is None for one in told) == 1


async def test_invited_addresses_are_not_named_before_they_answer(stage, client, ana, ben):
    """No message reveals whose address it is, or whether that person has an account on this site."""
    await register_webhook(client, stage, ana)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    for address in ("ben@example.org", "stranger@example.org"):
        await client.post(f"{path}/attendances", json={"email": address}, headers=ana)
    await stage.deliver()
    known, unknown = [one["data"] for one in stage.receiver.messages() if one["type"] == "answer.changed"]
    assert known | {"attendanceId": ""} == unknown | {"attendanceId": ""}
    assert (known["personId"], known["displayName"], known["status"]) == (None, None, "invited")
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ben)
    await stage.deliver()
    assert stage.receiver.messages()[-1]["data"]["displayName"] == "Ben"


async def test_messages_that_arrive_out_of_order_can_be_sorted(stage, client, ana, ben):
    """Messages have the revision of events and of answers."""
    await register_webhook(client, stage, ana)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    for reply, title in (("going", "Chess"), ("declined", "Go")):
        await client.put(f"{path}/answer", json={"reply": reply}, headers=ben)
        await client.put(path, json=EVENT_JSON | {"title": title}, headers=ana)
        await stage.deliver()
    for kind in ("answer.changed", "event.changed"):
        first, second = [one["data"] for one in stage.receiver.messages() if one["type"] == kind]
        assert first["revision"] < second["revision"], kind


async def test_co_hosts_are_sent_events_and_answers(stage, client, ana, ben):
    await register_webhook(client, stage, ben)
    path = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).headers["location"]
    async with stage.site.db.transaction() as tx:
        author, other = await by_email(tx, "ana@example.org"), await by_email(tx, "ben@example.org")
        slug = EventSlug(path.rpartition("/")[2])
        one = await co_hosts.invite(tx, Caller(author.id, "Ana"), slug, "ben@example.org")
        await co_hosts.accept(tx, Caller(other.id, "Ben"), one.id)
    await client.put(path, json=EVENT_JSON | {"title": "Chess"}, headers=ana)
    await client.put(f"{path}/answer", json={"reply": "going"}, headers=ana)
    await stage.deliver()
    assert {one["type"] for one in stage.receiver.messages()} == {"event.changed", "answer.changed"}


async def test_a_failure_is_retried_under_the_same_id(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    stage.receiver.status = 500
    await stage.deliver()
    assert [one["why"] for one in await deliveries_of(client, ana, webhook)] == [
        "The address answered with status 500."
    ]
    assert (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).json()["failingSince"] is not None
    stage.receiver.status = 200
    stage.clock.turn(DAY // 4)
    await stage.deliver()
    ids = {headers["webhook-id"] for headers, _ in stage.receiver.heard}
    assert (len(stage.receiver.heard), len(ids)) == (2, 1)
    (one,) = await deliveries_of(client, ana, webhook)
    assert (one["state"], one["tries"], one["status"]) == ("arrived", 2, 200)
    assert (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).json()["failingSince"] is None


async def test_a_message_is_given_up_after_a_day_and_can_be_sent_again(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    stage.receiver.status = 500
    for _ in range(MAX_TRIES):
        await stage.deliver()
        stage.clock.turn(RETRY.longest_seconds * 1_000_000 // 4)
    await stage.deliver()
    (one,) = await deliveries_of(client, ana, webhook)
    assert one["state"] in {"failed", "waiting"}
    while one["state"] == "waiting":
        stage.clock.turn(DAY // 4)
        await stage.deliver()
        (one,) = await deliveries_of(client, ana, webhook)
    assert (one["state"], one["tries"]) == ("failed", MAX_TRIES)


async def test_an_address_that_fails_for_days_is_switched_off_and_its_owner_told(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    stage.receiver.status = 500
    for day in range(5):
        await client.post("/api/events", json=EVENT_JSON | {"title": f"Day {day}"}, headers=ana)
        await stage.deliver()
        stage.clock.turn(DAY)
    shown = (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).json()
    assert (shown["isOn"], shown["offWhy"]) == (False, "The address answered with status 500.")
    queued = [
        due_email_of(job_of(row))
        for row in await select_rows(stage.site.db, "select * from outbox_jobs where kind = 'mail'")
    ]
    (due,) = [one for one in queued if one.kind == OFF_MAIL]
    letter = await disabled_composer("OpenMeet", ORIGIN)(stage.site.db, due)
    assert letter is not None
    assert (letter.to, "127.0.0.1" in letter.subject) == ("ana@example.org", True)
    assert "The last answer was: The address answered with status 500." in letter.text
    stage.receiver.heard.clear()
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    await stage.deliver()
    assert stage.receiver.heard == [], "a disabled webhook receives nothing"


async def test_status_410_switches_off(stage, client, ana):
    """Status 410 switches the webhook off."""
    webhook = await register_webhook(client, stage, ana)
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    stage.receiver.status = 410
    await stage.deliver()
    assert (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).json()["isOn"] is False


async def test_after_switching_on_again_missed_messages_can_be_sent(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    path = f"/api/webhooks/{webhook['id']}"
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    stage.receiver.status = 410
    await stage.deliver()
    stage.receiver.status = 200
    (one,) = await deliveries_of(client, ana, webhook)
    again = f"{path}/deliveries/{one['id']}/resend"
    assert (await client.post(again, headers=ana)).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    on = await client.put(path, json={"url": stage.receiver.url, "kinds": ALL_KINDS, "isOn": True}, headers=ana)
    assert (on.json()["isOn"], on.json()["offWhy"]) == (True, "")
    assert (await client.post(again, headers=ana)).status_code == HTTPStatus.ACCEPTED
    await stage.deliver()
    assert [one["state"] for one in await deliveries_of(client, ana, webhook)] == ["arrived"]


async def test_private_addresses_are_refused(stage, client, ana):
    """Private addresses are refused at registration, and again when a name later resolves to one (invariant 7)."""
    settings = replace(stage.site.app.state.services.settings, allow_private_addresses=False)
    change_services(stage.site.app, settings=settings)
    for url in (
        "http://example.org/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://example.org:8443/",
        "https://a:b@example.org/",
        "nonsense",
        "",
    ):
        refused = await client.post("/api/webhooks", json={"url": url, "kinds": ALL_KINDS}, headers=ana)
        assert (refused.status_code, list(refused.json()["fields"])) == (400, ["url"]), url
    webhook = await register_webhook(client, stage, ana, url="https://localhost/hook")
    await client.post("/api/events", json=EVENT_JSON, headers=ana)
    http = HttpClient(PUBLIC)
    await stage.deliver(http)
    await http.close()
    (one,) = await deliveries_of(client, ana, webhook)
    assert "doesn’t lead to a public address" in one["why"]


async def test_a_secret_is_shown_once_and_stored_sealed(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    secret = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
    (row,) = await select_rows(stage.site.db, "select * from webhooks")
    assert secret not in bytes(row["sealed_secret"])
    shown = (await client.get(f"/api/webhooks/{webhook['id']}", headers=ana)).text
    assert "secret" not in shown + (await client.get("/api/webhooks", headers=ana)).text


async def test_somebody_elses_webhook_is_not_found(stage, client, ana, ben):
    webhook = await register_webhook(client, stage, ana)
    path = f"/api/webhooks/{webhook['id']}"
    for method, address in (("GET", path), ("DELETE", path), ("POST", f"{path}/ping"), ("GET", f"{path}/deliveries")):
        assert (await client.request(method, address, headers=ben)).status_code == HTTPStatus.NOT_FOUND


async def test_the_list_of_deliveries_has_pages_and_a_limit(stage, client, ana):
    webhook = await register_webhook(client, stage, ana)
    for _ in range(5):
        await client.post(f"/api/webhooks/{webhook['id']}/ping", headers=ana)
        stage.clock.turn(1_000_000)
    await stage.deliver()
    seen: list[str] = []
    cursor = ""
    while True:
        path = f"/api/webhooks/{webhook['id']}/deliveries?limit=2&cursor={cursor}"
        page = (await client.get(path, headers=ana)).json()
        seen += [one["id"] for one in page["deliveries"]]
        if page["cursor"] is None:
            break
        cursor = page["cursor"]
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)
    stage.clock.turn(31 * DAY)
    assert await forget_old_deliveries(stage.site.db) == 5


async def test_the_page_registers_tests_switches_and_removes_webhooks(stage, client):
    await sign_up(client, "ana@example.org", "Ana")
    path = "/settings/webhooks"
    refused = await client.post(path, data={"url": "ftp://example.org", "kind_event": "on"})
    assert (refused.status_code, "ftp://example.org" in refused.text) == (400, True)
    made = await client.post(path, data={"url": stage.receiver.url, "kind_event": "on", "group": ""})
    assert (made.status_code, "whsec_" in made.text) == (200, True)
    (row,) = await select_rows(stage.site.db, "select id from webhooks")
    one = f"{path}/{row['id']}"
    assert (await client.post(one, data={"do": "ping"})).status_code == HTTPStatus.SEE_OTHER
    await stage.deliver()
    assert [message["type"] for message in stage.receiver.messages()] == ["ping"]
    assert "arrived" in (await client.get(one)).text
    assert "angekommen" in (await client.get(one, headers={"accept-language": "de"})).text
    await client.post(one, data={"do": "off"})
    assert "You turned it off." in (await client.get(path)).text
    assert (await client.post(one, data={"do": "ping"})).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    await client.post(one, data={"do": "remove"})
    assert await select_rows(stage.site.db, "select id from webhooks") == []


async def test_the_page_says_what_a_webhook_is_notified_about(stage, client):
    """In the words of the form, and in the reader's language."""
    await sign_up(client, "ana@example.org", "Ana")
    fields = {"url": stage.receiver.url, "kind_answer": "on", "kind_chat": "on", "group": ""}
    await client.post("/settings/webhooks", data=fields)
    (row,) = await select_rows(stage.site.db, "select id from webhooks")
    page = f"/settings/webhooks/{row['id']}"
    for language, labels in (
        ("en", ["Somebody answers, or their answer changes", "in a chat that you host"]),
        ("de", ["Jemand antwortet", "in einem Chat"]),
    ):
        text = (await client.get(page, headers={"accept-language": language})).text
        assert [one for one in labels if one not in text] == []
        assert "An event is created" not in text
