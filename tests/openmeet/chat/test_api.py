"""Chat by the JSON API."""

import base64
import json

import pytest

from openmeet.domain.api_tokens.scopes import TokenScope, scope_of
from openmeet.domain.chat import matrix_people
from openmeet.domain.users.model import UserId
from openmeet.i18n.formatting import iso
from openmeet.web.chat.operations import OPERATIONS
from tests.openmeet.chat.api_room import EVENT_JSON, chat, site
from tests.openmeet.site_under_test import api_session, signed_in, site_on

__all__ = ["chat", "site"]


async def test_participants_chat_and_others_find_nothing(chat):
    said = await chat.say(chat.ben, "Who has the *key*?")
    assert said.status_code == 201
    message = said.json()
    answer = await chat.say(chat.ana, "I have, @Ben", replyTo=message["id"])
    read = await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/messages")
    assert [one["text"] for one in read.json()["messages"]] == ["Who has the *key*?", "I have, @Ben"]
    assert read.json()["messages"][1]["reply"]["text"] == "Who has the *key*?"
    assert answer.json()["mentions"] == [message["authorId"]]
    for path in (f"/chat/rooms/{chat.room}", f"/chat/rooms/{chat.room}/messages", f"/chat/messages/{message['id']}"):
        for who in (chat.cleo, None):
            assert (await chat.ask(who, "GET", path)).status_code == 404
    assert (await chat.say(chat.cleo, "Hello")).status_code == 404
    assert (await chat.ask(chat.cleo, "GET", f"/events/{chat.slug}/chat")).status_code == 404
    listed = await chat.ask(chat.ben, "GET", "/chat/rooms")
    (mine,) = listed.json()["rooms"]
    assert (mine["unread"], mine["mentioned"], mine["last"]["text"]) == (1, 1, "I have, @Ben")
    assert (await chat.ask(chat.ben, "GET", "/chat/unread")).json() == {"messages": 1, "mentions": 1, "rooms": 1}
    number = answer.json()["number"]
    marked = await chat.ask(chat.ben, "PUT", f"/chat/rooms/{chat.room}/read", {"number": number + 50})
    back = await chat.ask(chat.ben, "PUT", f"/chat/rooms/{chat.room}/read", {"number": 1})
    assert (marked.json(), back.json()) == ({"number": number}, {"number": number})
    assert (await chat.ask(chat.ben, "GET", "/chat/unread")).json()["messages"] == 0


async def test_a_client_id_is_used_once(chat):
    path = f"/chat/rooms/{chat.room}/messages"
    first = await chat.ask(chat.ben, "POST", path, {"clientId": "x", "text": "Once"})
    again = await chat.ask(chat.ben, "POST", path, {"clientId": "x", "text": "Once"})
    other = await chat.ask(chat.ben, "POST", path, {"clientId": "x", "text": "Twice"})
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.json()["id"] == first.json()["id"]
    assert other.json()["title"] == "ClientIdReused"


async def test_edits_reactions_pins_and_removal(chat):
    one = (await chat.say(chat.ben, "At six")).json()
    path = f"/chat/messages/{one['id']}"
    edited = await chat.ask(chat.ben, "PATCH", path, {"text": "At seven", "ifRevision": 1})
    stale = await chat.ask(chat.ben, "PATCH", path, {"text": "At eight", "ifRevision": 1})
    assert (edited.json()["text"], stale.status_code) == ("At seven", 409)
    for _ in range(2):
        reacted = await chat.ask(chat.ana, "PUT", f"{path}/reactions/👍")
        assert reacted.json()["reactions"] == [{"emoji": "👍", "number": 1, "isMine": True}]
    assert (await chat.ask(chat.ana, "PUT", f"{path}/reactions/abc")).status_code in {400, 422}
    assert (await chat.ask(chat.ana, "DELETE", f"{path}/reactions/👍")).json()["reactions"] == []
    assert (await chat.ask(chat.ben, "PUT", f"{path}/pin")).status_code == 403
    assert (await chat.ask(chat.ana, "PUT", f"{path}/pin")).json()["isPinned"]
    pinned = await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/messages?pinned=true")
    assert [each["id"] for each in pinned.json()["messages"]] == [one["id"]]
    removed = await chat.ask(chat.ana, "DELETE", path, {"reason": "Wrong time"})
    assert (removed.json()["text"], removed.json()["removedBy"]) == ("", "moderator")
    restored = await chat.ask(chat.ana, "POST", f"{path}/restore")
    assert restored.json()["text"] == "At seven"
    back = await chat.ask(chat.ben, "DELETE", path)
    assert back.json()["removedBy"] == "author"
    log = await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/moderation")
    assert {each["act"] for each in log.json()["acts"]} == {"removed", "restored"}
    assert (await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/moderation")).status_code == 403


async def test_mutes_bans_and_closing(chat):
    ben = (await chat.say(chat.ben, "Hello")).json()["authorId"]
    path = f"/chat/rooms/{chat.room}/sanctions/{ben}"
    assert (await chat.ask(chat.ben, "PUT", path, {"kind": "mute", "reason": "x"})).status_code == 403
    assert (await chat.ask(chat.ana, "PUT", path, {"kind": "mute", "reason": "Too loud"})).status_code == 200
    refused = await chat.say(chat.ben, "Hello?")
    assert (refused.status_code, refused.json()["title"]) == (403, "Muted")
    assert (await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/messages")).status_code == 200
    assert (await chat.ask(chat.ana, "PUT", path, {"kind": "ban", "reason": "Too loud"})).status_code == 200
    assert (await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/messages")).status_code == 404
    assert (await chat.ask(chat.ana, "DELETE", path)).status_code == 204
    assert (await chat.say(chat.ben, "Back")).status_code == 201
    closed = await chat.ask(chat.ana, "POST", f"/chat/rooms/{chat.room}/archive", {"reason": "Over"})
    assert closed.json()["closedBy"] == "host"
    assert (await chat.say(chat.ana, "Late")).status_code == 403
    assert (await chat.ask(chat.ana, "POST", f"/chat/rooms/{chat.room}/reopen")).json()["closedAt"] is None


async def test_two_reports_hide_what_a_newcomer_said(chat):
    one = (await chat.say(chat.ben, "Buy this")).json()
    await chat.ask(chat.cleo, "PUT", f"/events/{chat.slug}/answer", {"reply": "going"})
    for who in (chat.ana, chat.ana, chat.cleo):
        sent = await chat.ask(who, "POST", f"/chat/messages/{one['id']}/report", {"reason": "spam"})
        assert sent.status_code == 202
    held = await chat.ask(chat.ana, "GET", f"/chat/messages/{one['id']}")
    assert held.json()["isHeld"]
    assert (await chat.ask(chat.cleo, "GET", f"/chat/messages/{one['id']}")).status_code == 404
    log = (await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/moderation")).json()
    assert (len(log["reports"]), [each["act"] for each in log["acts"]]) == (2, ["held"])


async def test_search_finds_words_in_readable_rooms_only(chat):
    await chat.say(chat.ben, "The Käse is in the fridge")
    second = (await chat.say(chat.ana, "Which fridge? @Ben")).json()
    gone = (await chat.say(chat.ana, "fridge fridge")).json()
    taken_back = await chat.ask(chat.ana, "DELETE", f"/chat/messages/{gone['id']}")
    assert taken_back.status_code == 200, taken_back.text

    async def found(who, query):
        answer = await chat.ask(who, "GET", f"/chat/search?{query}")
        assert answer.status_code == 200, answer.text
        return [one["text"] for one in answer.json()["messages"]]

    assert await found(chat.ben, "q=frid") == ["Which fridge? @Ben", "The Käse is in the fridge"]
    assert await found(chat.ben, "q=kase") == ["The Käse is in the fridge"]
    assert await found(chat.ben, f"q=fridge&person={second['authorId']}") == ["Which fridge? @Ben"]
    assert await found(chat.ben, "has=mention") == ["Which fridge? @Ben"]
    assert await found(chat.ben, "has=link") == []
    assert await found(chat.cleo, "q=frid") == []
    for quote in ("'", '"'):
        answer = await chat.ask(chat.ben, "GET", f"/chat/search?person={quote}")
        assert answer.status_code == 400, answer.text
    assert await found(chat.cleo, f"q=frid&room={chat.room}") == []


async def test_a_cursor_that_is_no_text_is_refused(chat):
    cursor = base64.urlsafe_b64encode(b"ff.a").decode().rstrip("=")
    answer = await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/members?cursor={cursor}")
    assert answer.status_code == 400, answer.text


async def test_a_poll_is_voted_and_ended(chat):
    poll = (await chat.say(chat.ben, "Which day?", poll={"choices": ["Mon", "Tue"]})).json()
    path = f"/chat/messages/{poll['id']}"
    voted = await chat.ask(chat.ana, "PUT", f"{path}/vote", {"choices": [1]})
    assert voted.json()["poll"]["choices"][1] == {"text": "Tue", "date": None, "votes": 1, "isMine": True}
    assert (await chat.ask(chat.ana, "PUT", f"{path}/vote", {"choices": [0, 1]})).status_code in {400, 422}
    assert (await chat.ask(chat.ana, "POST", f"{path}/close")).status_code == 403
    assert (await chat.ask(chat.ben, "POST", f"{path}/close")).json()["poll"]["endsAt"] is not None
    assert (await chat.ask(chat.ana, "PUT", f"{path}/vote", {"choices": [0]})).status_code == 422


async def test_a_poll_ends_at_an_instant_that_every_page_can_show(chat, site):
    """An instant at the end of the year 9999 has no local time east of Greenwich, and the page of the room failed."""
    far = await chat.say(chat.ben, "Which day?", poll={"choices": ["Mon", "Tue"], "endsAt": "9999-12-31T23:59:59Z"})
    assert (far.status_code, far.json()["fields"].keys()) == (400, {"endsAt"})
    near = await chat.say(chat.ben, "Which day?", poll={"choices": ["Mon", "Tue"], "endsAt": "2200-12-31T23:59:59Z"})
    assert near.status_code == 201, near.text
    async with signed_in(site, UserId(near.json()["authorId"])) as client:
        assert (await client.get(f"/events/{chat.slug}/chat")).status_code == 200


async def test_settings_need_the_version_that_was_read(chat):
    shown = await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}")
    path = f"/chat/rooms/{chat.room}"
    tag = {"if-match": shown.headers["etag"]}
    first = await chat.ask(chat.ana, "PATCH", path, {"slowSeconds": 30, "audience": {"anybody": "read"}}, **tag)
    second = await chat.ask(chat.ana, "PATCH", path, {"slowSeconds": 60}, **tag)
    assert (first.status_code, second.status_code) == (200, 412)
    # People who are not signed in can read it now.
    assert (await chat.ask(None, "GET", f"{path}/messages")).status_code == 200
    bad = await chat.ask(chat.ana, "PATCH", path, {"audience": {"interested": "moderate"}})
    assert bad.status_code in {400, 422}


@pytest.mark.parametrize(
    "body",
    [
        {"clientId": "a", "text": ""},
        {"clientId": "a", "text": "x" * 4_001},
        {"clientId": "a b", "text": "x"},
        {"clientId": "a", "text": "x", "about": "2026-07-04T18:00:00"},
        {"clientId": "a", "text": "x", "replyTo": "nothing"},
        {"clientId": "a", "text": "x", "signal": "here"},
        {"clientId": "a", "text": "x", "poll": {"choices": ["one"]}},
        {"clientId": "a", "text": "x", "odd": 1},
        {"text": "x"},
    ],
)
async def test_bad_messages_are_refused(chat, body):
    answer = await chat.ask(chat.ben, "POST", f"/chat/rooms/{chat.room}/messages", body)
    assert answer.status_code in {400, 422}, answer.text


def test_reading_and_writing_have_separate_scopes():
    scopes = {one.name: scope_of(one.name, one.method, one.path) for one in OPERATIONS}
    assert {scope for one in OPERATIONS if one.method == "GET" for scope in [scopes[one.name]]} == {
        TokenScope.CHAT_READ
    }
    assert {scope for one in OPERATIONS if one.method != "GET" for scope in [scopes[one.name]]} == {
        TokenScope.CHAT_WRITE
    }


async def test_a_host_downloads_the_chat_as_one_file(chat):
    for text in ("Who has the key?", "“I have”"):
        await chat.say(chat.ben, text)
    found = await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/export", **{"if-none-match": '"x"'})
    assert found.headers["content-disposition"] == 'attachment; filename="chat.jsonl"'
    assert found.headers["cache-control"] == "no-store"
    read = [json.loads(one) for one in found.text.splitlines()]
    assert [(one["name"], one["text"]) for one in read] == [("Ben", "Who has the key?"), ("Ben", "“I have”")]
    rest = await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/export?after={read[0]['number']}")
    assert [json.loads(one)["text"] for one in rest.text.splitlines()] == ["“I have”"]
    for who, status in ((chat.ben, 403), (chat.cleo, 404), (None, 401)):
        assert (await chat.ask(who, "GET", f"/chat/rooms/{chat.room}/export")).status_code == status


async def test_an_author_objects_to_a_removal_and_a_host_decides(chat):
    said = (await chat.say(chat.ben, "You fools")).json()
    path = f"/chat/messages/{said['id']}"
    assert (await chat.ask(chat.ben, "GET", f"{path}/removal")).status_code == 404
    await chat.ask(chat.ana, "DELETE", path, {"reason": "No insults"})
    shown = (await chat.ask(chat.ben, "GET", f"{path}/removal")).json()
    assert (shown["reason"], shown["text"], shown["objection"]) == ("No insults", "You fools", None)
    assert (await chat.ask(chat.cleo, "POST", f"{path}/objection", {"words": "No"})).status_code == 404
    assert (await chat.ask(chat.ben, "POST", f"{path}/objection", {"words": " "})).status_code == 400
    objected = await chat.ask(chat.ben, "POST", f"{path}/objection", {"words": "It was a quote"})
    assert objected.json()["objection"] == "It was a quote"
    again = await chat.ask(chat.ben, "POST", f"{path}/objection", {"words": "Again"})
    assert (again.status_code, again.json()["title"]) == (422, "AlreadyObjected")
    waiting = (await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/moderation")).json()
    assert waiting["objections"] == [{"messageId": said["id"], "words": "It was a quote", "reason": "No insults"}]
    for who, status in ((chat.ben, 403), (chat.cleo, 404), (chat.ana, 204)):
        assert (await chat.ask(who, "POST", f"{path}/uphold", {"reason": "Not in this way"})).status_code == status
    decided = (await chat.ask(chat.ben, "GET", f"{path}/removal")).json()
    assert (decided["isDecided"], decided["decision"]) == (True, "Not in this way")
    assert (await chat.ask(chat.ana, "GET", f"/chat/rooms/{chat.room}/moderation")).json()["objections"] == []


async def test_a_host_dismisses_reports(chat):
    said = (await chat.say(chat.ana, "Hello")).json()
    other = (await chat.say(chat.ben, "Fools")).json()
    assert said["id"] != other["id"]
    path = f"/chat/messages/{other['id']}"
    assert (await chat.ask(chat.ana, "POST", f"{path}/report", {"reason": "abuse"})).status_code == 202
    moderation = f"/chat/rooms/{chat.room}/moderation"
    assert len((await chat.ask(chat.ana, "GET", moderation)).json()["reports"]) == 1
    assert (await chat.ask(chat.ben, "POST", f"{path}/dismiss")).status_code == 403
    assert (await chat.ask(chat.ana, "POST", f"{path}/dismiss")).status_code == 204
    assert (await chat.ask(chat.ana, "GET", moderation)).json()["reports"] == []


async def test_without_a_homeserver_matrix_is_not_mentioned(chat):
    for method, path in (
        ("GET", f"/chat/rooms/{chat.room}/matrix"),
        ("PUT", f"/chat/rooms/{chat.room}/matrix"),
        ("POST", f"/chat/rooms/{chat.room}/matrix/again"),
        ("GET", f"/chat/rooms/{chat.room}/matrix/guests"),
        ("POST", f"/chat/rooms/{chat.room}/matrix/guests"),
        ("GET", "/me/matrix"),
        ("PUT", "/me/matrix"),
        ("POST", "/me/matrix/link"),
        ("DELETE", "/me/matrix"),
        ("GET", "/me/matrix/rooms"),
        ("PUT", f"/me/matrix/rooms/{chat.room}"),
    ):
        answered = await chat.ask(chat.ana, method, path, {"enabled": True})
        assert (answered.status_code, answered.json()["title"]) == (422, "NoMatrix")


@pytest.fixture
async def connected(make_database, clock):
    """A site with a homeserver, which no test in this file calls."""
    return site_on(
        await make_database("openmeet", clock=clock),
        clock,
        matrix_url="https://matrix.example",
        matrix_server_name="matrix.example",
    )


async def test_hosts_mirror_a_room_and_people_consent(connected):
    async with connected.browser() as client:
        ana, ben = [await api_session(client, f"{name}@example.org", name.title()) for name in ("ana", "ben")]
        slug = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).json()["slug"]
        await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
        opened = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)
        path = f"/api/chat/rooms/{opened.json()['id']}/matrix"
        assert (await client.get(path, headers=ana)).json()["state"] == "off"
        assert (await client.put(path, json={"enabled": True}, headers=ben)).status_code == 403
        switched = await client.put(path, json={"enabled": True, "guests": True}, headers=ana)
        assert (switched.json()["state"], switched.json()["guests"], switched.json()["waiting"]) == ("on", True, 0)
        assert (switched.json()["alias"], switched.json()["since"]) == (None, iso(connected.clock.now()))
        async with connected.db.transaction() as tx:
            await tx.execute("update chat_rooms set matrix_room_id = '!room'")
        alias = (await client.get(path, headers=ana)).json()["alias"]
        assert alias.startswith("#_om_")
        assert alias.endswith(f"_{opened.json()['id']}:matrix.example")
        stale = await client.put(path, json={"enabled": False}, headers={**ana, "if-match": '"0123456789abcdef"'})
        assert stale.status_code == 412
        assert (await client.post(f"{path}/again", headers=ana)).status_code == 200
        assert (await client.put(path, json={"enabled": False}, headers=ana)).json()["state"] == "ending"
        assert (await client.get("/api/me/matrix", headers=ben)).json()["answeredAt"] is None
        said = await client.put("/api/me/matrix", json={"consent": "name_and_words"}, headers=ben)
        assert (said.json()["consent"], said.json()["account"]) == ("name_and_words", None)
        code = (await client.post("/api/me/matrix/link", headers=ben)).json()
        assert code["to"].endswith("_keeper:matrix.example")
        async with connected.db.transaction() as tx:
            await matrix_people.link(tx, "@ben:matrix.example", code["code"])
        assert (await client.get("/api/me/matrix", headers=ben)).json()["account"] == "@ben:matrix.example"
        chosen = await client.put("/api/me/matrix", json={"invitations": "chosen"}, headers=ben)
        assert (chosen.json()["invitations"], chosen.json()["consent"]) == ("chosen", "name_and_words")
        assert (await client.delete("/api/me/matrix", headers=ben)).status_code == 204
        assert (await client.get("/api/me/matrix", headers=ben)).json()["account"] is None


async def test_hosts_invite_guests_by_their_address(connected):
    async with connected.browser() as client:
        ana, ben = [await api_session(client, f"{name}@example.org", name.title()) for name in ("ana", "ben")]
        slug = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).json()["slug"]
        await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
        opened = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)
        room = f"/api/chat/rooms/{opened.json()['id']}/matrix"
        wanted = {"address": "@zoe:matrix.example"}
        early = await client.post(f"{room}/guests", json=wanted, headers=ana)
        assert (early.status_code, early.json()["title"]) == (422, "NoGuests")
        await client.put(room, json={"enabled": True, "guests": True}, headers=ana)
        invited = await client.post(f"{room}/guests", json=wanted, headers=ana)
        assert invited.status_code == 200
        assert (invited.json()["state"], invited.json()["membership"]) == ("invited", "")
        assert (await client.post(f"{room}/guests", json=wanted, headers=ben)).status_code == 403
        assert (await client.get(f"{room}/guests", headers=ben)).status_code == 403
        foreign = await client.post(f"{room}/guests", json={"address": "@zoe:elsewhere.example"}, headers=ana)
        assert (foreign.status_code, list(foreign.json()["fields"])) == (400, ["address"])
        unknown = await client.post(
            f"{room}/guests", json={"address": "@yan:matrix.example", "state": "removed"}, headers=ana
        )
        assert unknown.status_code == 404
        banned = await client.post(f"{room}/guests", json={**wanted, "state": "banned", "reason": "Rude"}, headers=ana)
        assert (banned.json()["state"], banned.json()["reason"]) == ("banned", "Rude")
        listed = (await client.get(f"{room}/guests", headers=ana)).json()["guests"]
        assert [(one["address"], one["state"]) for one in listed] == [("@zoe:matrix.example", "banned")]


async def test_people_choose_which_rooms_invite_their_account(connected):
    async with connected.browser() as client:
        ana, ben, eve = [
            await api_session(client, f"{name}@example.org", name.title()) for name in ("ana", "ben", "eve")
        ]
        slug = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).json()["slug"]
        await client.put(f"/api/events/{slug}/answer", json={"reply": "going"}, headers=ben)
        opened = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)
        room = opened.json()["id"]
        assert (await client.get("/api/me/matrix/rooms", headers=ben)).json() == {"rooms": []}
        await client.put(f"/api/chat/rooms/{room}/matrix", json={"enabled": True}, headers=ana)
        path = f"/api/me/matrix/rooms/{room}"
        assert (await client.put(path, json={"invited": True}, headers=eve)).status_code == 404
        assert (await client.put(path, json={"invited": False}, headers=ben)).status_code == 204
        listed = (await client.get("/api/me/matrix/rooms", headers=ben)).json()["rooms"]
        assert [(one["roomId"], one["invited"]) for one in listed] == [(room, False)]
