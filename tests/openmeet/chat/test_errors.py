"""The error names of the chat API, and the limits for a person and a room."""

import os

import pytest

from groundwork.clock import DAY, SECOND
from groundwork.errors import Refused
from groundwork.sealing import KEY_BYTES, Sealer
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import merge, messages, mirroring, objections, polls, reactions, rooms
from openmeet.domain.chat.model import (
    MAX_CHANNELS,
    MAX_EMOJI_KINDS,
    MAX_OWN_REACTIONS,
    MAX_PINS,
    MessageKind,
    NewMessage,
    RoomKind,
    RoomSubject,
    SubjectKind,
)
from openmeet.settings import Settings
from tests.openmeet.chat.api_room import EVENT_JSON, chat, site  # noqa: F401 - fixtures
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import api_session, event_by, person, site_on

ROOM = "/chat/rooms/{room}"
EMOJIS = "👍❤😄🎉🙏👀🔥🚀🍕🎲🎸🌧🌞🍰🚲🏔🎈🐶🐱🌳🍎"


async def refused(chat, who, method, path, body=None, **headers: str):  # noqa: F811
    answered = await chat.ask(who, method, path.format(room=chat.room), body, **headers)
    return answered.status_code, answered.json().get("title"), answered


async def test_refusals_in_a_room_have_names(chat):  # noqa: F811
    me = (await chat.ask(chat.ben, "GET", "/me")).json()
    said, by_host = (await chat.say(chat.ben, "At six")).json(), (await chat.say(chat.ana, "Yes")).json()
    own, other = f"/chat/messages/{said['id']}", f"/chat/messages/{by_host['id']}"
    poll = (await chat.say(chat.ben, "When?", poll={"choices": ["Mon", "Tue"]})).json()
    host = by_host["authorId"]
    assert me["id"] == said["authorId"]
    cases = [
        (chat.ben, "PATCH", ROOM, {"slowSeconds": 5}, 403, "NotAModerator"),
        (chat.ben, "PATCH", other, {"text": "No"}, 403, "AuthorOnly"),
        (chat.ben, "PATCH", own, {"text": "Seven", "ifRevision": 9}, 409, "RevisionChanged"),
        (chat.ben, "PATCH", f"/chat/messages/{poll['id']}", {"text": "Where?"}, 422, "NotEditable"),
        (chat.ben, "PUT", f"{own}/vote", {"choices": [0]}, 422, "NotAPoll"),
        (chat.ana, "PUT", f"{ROOM}/sanctions/{host}", {"kind": "mute", "reason": "Noise"}, 422, "RunsTheRoom"),
        (chat.ben, "POST", f"{own}/objection", {"words": "Why?"}, 404, "NotFound"),
        (chat.ben, "POST", f"{ROOM}/messages", {"clientId": "s", "signal": "here"}, 422, "NotNow"),
    ]
    for who, method, path, body, status, name in cases:
        found = await refused(chat, who, method, path, body)
        assert found[:2] == (status, name), (path, found[2].text)


async def test_a_setting_that_somebody_else_changed_is_not_overwritten(chat):  # noqa: F811
    assert (await chat.ask(chat.ana, "PATCH", f"/chat/rooms/{chat.room}", {"about": "Bring dice"})).status_code == 200
    found = await refused(chat, chat.ana, "PATCH", ROOM, {"about": "Bring cards"}, **{"if-match": '"1"'})
    assert found[:2] == (412, "InvalidSwap")


async def test_a_poll_that_ended_takes_no_votes(chat):  # noqa: F811
    poll = (await chat.say(chat.ben, "When?", poll={"choices": ["Mon", "Tue"]})).json()
    path = f"/chat/messages/{poll['id']}"
    assert (await chat.ask(chat.ana, "POST", f"{path}/close")).status_code == 403
    assert (await chat.ask(chat.ben, "POST", f"{path}/close")).status_code == 200
    assert (await refused(chat, chat.ana, "PUT", f"{path}/vote", {"choices": [0]}))[:2] == (422, "PollClosed")


async def test_readers_without_write_access_are_told_why(chat):  # noqa: F811
    messages_of = f"{ROOM}/messages"
    until = "2027-01-01T00:00:00Z"
    ben = (await chat.say(chat.ben, "Hello", clientId="once")).json()["authorId"]
    mute = {"kind": "mute", "reason": "Noise", "until": until}
    muted = await chat.ask(chat.ana, "PUT", f"/chat/rooms/{chat.room}/sanctions/{ben}", mute)
    assert muted.status_code == 200, muted.text
    status, name, answered = await refused(chat, chat.ben, "POST", messages_of, {"clientId": "m", "text": "But"})
    assert (status, name, answered.json().get("until")) == (403, "Muted", until), answered.text
    # Sending a stored message again returns the same response.
    again = await chat.ask(chat.ben, "POST", messages_of.format(room=chat.room), {"clientId": "once", "text": "Hello"})
    assert (again.status_code, again.json()["text"]) == (200, "Hello")
    assert (await chat.ask(chat.ana, "DELETE", f"/chat/rooms/{chat.room}/sanctions/{ben}")).status_code < 300
    assert (
        await chat.ask(chat.ana, "PATCH", f"/chat/rooms/{chat.room}", {"audience": {"interested": "read"}})
    ).status_code == 200
    answer = f"/events/{chat.slug}/answer"
    assert (await chat.ask(chat.ben, "PUT", answer, {"reply": "interested"})).status_code == 200
    assert (await refused(chat, chat.ben, "POST", messages_of, {"clientId": "r", "text": "But"}))[:2] == (
        403,
        "ReadOnly",
    )
    assert (await chat.ask(chat.ana, "POST", f"/chat/rooms/{chat.room}/archive", {})).status_code == 200
    assert (await refused(chat, chat.ana, "POST", messages_of, {"clientId": "a", "text": "Me too"}))[:2] == (
        403,
        "RoomClosed",
    )


async def test_slow_mode_names_the_seconds_and_spares_hosts(chat, clock):  # noqa: F811
    for seconds in (-1, 3_601):
        found = await refused(chat, chat.ana, "PATCH", ROOM, {"slowSeconds": seconds})
        assert (found[0], "slowSeconds" in found[2].text) == (400, True), found[2].text
    assert (await chat.ask(chat.ana, "PATCH", f"/chat/rooms/{chat.room}", {"slowSeconds": 3_600})).status_code == 200
    assert (await chat.say(chat.ben, "One")).status_code == 201
    clock.turn(600 * SECOND)
    refusal = await chat.say(chat.ben, "Two")
    assert (refusal.status_code, refusal.json()["title"], refusal.json()["seconds"]) == (429, "SlowMode", 3_000)
    assert refusal.headers["retry-after"] == "3000"
    assert [(await chat.say(chat.ana, text)).status_code for text in ("One", "Two")] == [201, 201]


@pytest.mark.parametrize("text", ["", " \n ", "a\u0000b", "a\u0007b", "x" * 4_001, "\n".join("x" * 101)])
async def test_texts_that_are_refused(chat, text):  # noqa: F811
    answered = await chat.say(chat.ben, text)
    assert answered.status_code == 400, answered.text
    read = await chat.ask(chat.ben, "GET", f"/chat/rooms/{chat.room}/messages")
    assert read.json()["messages"] == []


async def test_half_a_surrogate_pair_is_refused(chat):  # noqa: F811
    answered = await chat.client.post(
        f"/api/chat/rooms/{chat.room}/messages",
        content=b'{"clientId": "s", "text": "a\\ud800b"}',
        headers={**chat.ben, "content-type": "application/json"},
    )
    assert answered.status_code == 400


async def test_subject_and_reply_must_be_in_the_same_room(chat):  # noqa: F811
    slug = (await chat.client.post("/api/events", json=EVENT_JSON, headers=chat.ana)).json()["slug"]
    other = (await chat.ask(chat.ana, "POST", "/chat/rooms", {"kind": "event", "event": slug})).json()["id"]
    there = await chat.ask(chat.ana, "POST", f"/chat/rooms/{other}/messages", {"clientId": "o", "text": "Here"})
    for field, value in (
        ("replyTo", there.json()["id"]),
        ("replyTo", "nothing"),
        ("about", "2026-07-04T18:00:00"),
        ("about", "tomorrow"),
        ("mentions", ["x"] * 21),
    ):
        answered = await chat.say(chat.ana, "Hello", **{field: value})
        assert (answered.status_code, list(answered.json()["fields"])) == (400, [field]), answered.text
    assert (await chat.say(chat.ben, " ".join(f"@a{number}" for number in range(21)))).status_code == 400


async def test_the_pace_of_one_person_is_limited(chat, clock):  # noqa: F811
    sent = [(await chat.say(chat.ben, "Quick")).status_code for _ in range(6)]
    assert sent == [201] * 5 + [429]
    assert (await chat.say(chat.ana, "I can")).status_code == 201
    clock.turn(11 * SECOND)
    assert (await chat.say(chat.ben, "Again")).status_code == 201


async def test_the_messages_of_one_person_per_hour_are_limited(make_database, clock):
    assert Settings().chat_messages_per_hour == 300
    db = await make_database("openmeet", clock=clock)
    async with site_on(db, clock, chat_messages_per_hour=7).browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        slug = (await client.post("/api/events", json=EVENT_JSON, headers=ana)).json()["slug"]
        room = (await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)).json()["id"]
        sent = []
        for number in range(8):
            clock.turn(60 * SECOND)
            body = {"clientId": f"h{number}", "text": "Hello"}
            sent.append(await client.post(f"/api/chat/rooms/{room}/messages", json=body, headers=ana))
    assert [one.status_code for one in sent] == [201] * 7 + [429]
    assert int(sent[-1].headers["retry-after"]) > 60


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


async def test_pins_reactions_and_channels_are_limited(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        said = [await send_text(tx, ana, room, f"{number}") for number in range(MAX_PINS + 1)]
        for one in said[:MAX_PINS]:
            await reactions.pin(tx, ana, one.id)
        with pytest.raises(Refused, match="pin") as pins:
            await reactions.pin(tx, ana, said[-1].id)
        assert pins.value.name == "TooManyPins"
    async with db.transaction() as tx:
        for number in range(0, MAX_EMOJI_KINDS, MAX_OWN_REACTIONS):
            guest = await person(tx, f"Guest{number}")
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
            for emoji in EMOJIS[number : number + MAX_OWN_REACTIONS]:
                await reactions.react(tx, guest, said[0].id, emoji)
        # Using an existing emoji adds no new kind.
        await reactions.react(tx, ana, said[0].id, EMOJIS[0])
        with pytest.raises(Refused) as kinds:
            await reactions.react(tx, ana, said[0].id, EMOJIS[MAX_EMOJI_KINDS])
        assert kinds.value.name == "TooManyReactions"
    async with db.transaction() as tx:
        group = RoomSubject(SubjectKind.GROUP, (await group_by(tx, ana)).id)
        await room_of(tx, ana, group, RoomKind.CHANNEL, name="general")
        for number in range(1, MAX_CHANNELS):
            await room_of(tx, ana, group, RoomKind.CHANNEL, name=f"c{number}")
        with pytest.raises(Refused) as channels:
            await room_of(tx, ana, group, RoomKind.CHANNEL, name="one-more")
        assert channels.value.name == "TooManyChannels"
        one = await room_of(tx, ana, group, RoomKind.CHANNEL, name="c1")
        with pytest.raises(Refused) as names:
            await rooms.change_settings(tx, ana, one.id, rooms.RoomSettings(name="c2"))
        assert names.value.name == "NameTaken"


async def test_a_removal_can_be_objected_to_for_a_month(db, clock):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        one = await send_text(tx, ben, await room_of(tx, ana, subject_of_event(event)))
        await messages.remove(tx, ana, one.id, "Off topic", Sealer([os.urandom(KEY_BYTES)]))
    clock.turn(31 * DAY)
    async with db.transaction() as tx:
        with pytest.raises(Refused) as late:
            await objections.object_to(tx, ben, one.id, "It was not")
    assert late.value.name == "NothingToObjectTo"


async def test_host_rooms_are_never_mirrored_and_private_ones_after_confirmation(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, visibility="private")
        hosts = await room_of(tx, ana, subject_of_event(event), RoomKind.HOSTS)
        room = await room_of(tx, ana, subject_of_event(event))
        with pytest.raises(Refused) as never:
            await mirroring.switch_on(tx, ana, hosts.id, is_confirmed=True)
        with pytest.raises(Refused) as unconfirmed:
            await mirroring.switch_on(tx, ana, room.id, is_confirmed=False)
    assert (never.value.name, unconfirmed.value.name) == ("NeverMirrored", "ConfirmationNeeded")


async def test_links_in_choices_and_descriptions_are_held(db):
    """Links in poll choices and descriptions are held as well, because newcomers' spam is not limited to messages."""
    link = "www.spam.example/now"
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        details = await polls.checked_poll(tx, room.id, ["Monday", link], several=False, ends_at=None)
        poll, _ = await messages.send(tx, ben, room.id, NewMessage("When?", kind=MessageKind.POLL, details=details))
    assert poll.is_held


async def test_merged_accounts_keep_one_vote(db):
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        for guest in (ben, cleo):
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        made = []
        for several in (False, True):
            details = await polls.checked_poll(tx, room.id, ["Mon", "Tue"], several=several, ends_at=None)
            one, _ = await messages.send(tx, ana, room.id, NewMessage("When?", kind=MessageKind.POLL, details=details))
            await reactions.vote(tx, ben, one.id, [0])
            await reactions.vote(tx, cleo, one.id, [1])
            made.append(one.id)
        await merge.reassign(tx, cleo.user_id, ben.user_id)
        votes = [
            [
                row["choice"]
                for row in await tx.fetch(
                    "select choice from chat_votes where message_id = :id and user_id = :ben order by choice",
                    id=one,
                    ben=ben.user_id,
                )
            ]
            for one in made
        ]
    assert votes == [[0], [0, 1]]


async def test_a_search_in_one_room_has_pages(chat, clock):  # noqa: F811
    for number in range(3):
        assert (await chat.say(chat.ben, f"The key, {number}")).status_code == 201
        clock.turn(SECOND)
    assert (await chat.say(chat.ana, "The door")).status_code == 201
    path = f"/chat/rooms/{chat.room}/messages?q=key&limit=2"
    first = (await chat.ask(chat.ben, "GET", path)).json()
    assert [one["text"] for one in first["messages"]] == ["The key, 1", "The key, 2"]
    second = (await chat.ask(chat.ben, "GET", f"{path}&cursor={first['cursor']}")).json()
    assert [one["text"] for one in second["messages"]] == ["The key, 0"]
    assert second["cursor"] is None
