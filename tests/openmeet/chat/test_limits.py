"""How often one person can edit, react, vote, report and open chats, and how a flood of messages by one person affects
everyone else.
"""

import pytest

from groundwork.clock import MINUTE, SECOND
from groundwork.errors import Refused
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import log, merge, people, reactions, search
from openmeet.domain.chat.deletion import empty_messages
from openmeet.domain.chat.model import MAX_OWN_REACTIONS, ChatMessageId, LogKind
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.reactions import checked_emoji
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import Caller
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import api_session, event_by, person, signed_in, site_on
from tests.openmeet.statement_counter import StatementCounter

FLOOD = 10_000
EVENT = {
    "title": "Board games",
    "startsLocal": "2026-07-04T18:00",
    "endsLocal": "2026-07-04T20:00",
    "timeZone": "Europe/Berlin",
}
EMOJIS = "👍❤😄🎉🙏👀"


@pytest.fixture
async def db(make_database, clock):
    return await make_database("openmeet", clock=clock)


class Chat:
    def __init__(self, client, ana, slug, room, message) -> None:
        self.client, self.ana, self.slug, self.room, self.message = client, ana, slug, room, message

    async def ask(self, method, path, body=None):
        return await self.client.request(method, f"/api/chat{path}", json=body, headers=self.ana)


@pytest.fixture
async def chat(db, clock):
    async with site_on(db, clock).browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        slug = (await client.post("/api/events", json=EVENT, headers=ana)).json()["slug"]
        opened = await client.post("/api/chat/rooms", json={"kind": "event", "event": slug}, headers=ana)
        room = opened.json()["id"]
        poll = {"clientId": "a", "text": "When?", "poll": {"choices": ["Mon", "Tue"]}}
        said = await client.post(f"/api/chat/rooms/{room}/messages", json=poll, headers=ana)
        assert said.status_code == 201, said.text
        yield Chat(client, ana, slug, room, said.json()["id"])


async def test_changes_are_limited_per_room_and_overall(chat, clock):
    """Edits, reactions and votes share one limit."""
    message = f"/messages/{chat.message}"
    acts = (
        ("PUT", f"{message}/reactions/👍", None),
        ("DELETE", f"{message}/reactions/👍", None),
        ("PUT", f"{message}/vote", {"choices": [0]}),
        ("PATCH", message, {"text": "When then?"}),
    )
    answered = [(await chat.ask(*acts[number % 4])).status_code for number in range(20)]
    assert 429 not in answered
    refused = await chat.ask(*acts[0])
    assert refused.status_code == 429
    assert refused.json()["detail"] == "That was a lot in a short time. Wait a moment, then try again."
    assert int(refused.headers["retry-after"]) > 0
    for _ in range(2):
        clock.turn(10 * SECOND)
        # One request was counted in the code above.
        for number in range(19 if _ else 20):
            assert (await chat.ask(*acts[number % 2])).status_code == 200
    clock.turn(10 * SECOND)
    assert (await chat.ask(*acts[0])).status_code == 429
    clock.turn(MINUTE)
    assert (await chat.ask(*acts[0])).status_code == 200


async def test_reports_have_a_limit_in_a_room(chat):
    path, body = f"/messages/{chat.message}/report", {"reason": "spam"}
    answered = [(await chat.ask("POST", path, body)).status_code for _ in range(10)]
    assert answered == [202] * 10
    refused = await chat.ask("POST", path, body)
    assert (refused.status_code, refused.json()["detail"]) == (
        429,
        "You’ve reported a lot of messages. Wait an hour, then report more.",
    )


async def test_opening_rooms_is_limited_but_visiting_is_not(chat, clock):
    clock.turn(MINUTE)
    slugs = [(await chat.client.post("/api/events", json=EVENT, headers=chat.ana)).json()["slug"] for _ in range(6)]
    opened = [await chat.ask("POST", "/rooms", {"kind": "event", "event": slug}) for slug in slugs]
    assert [one.status_code for one in opened] == [201] * 5 + [429]
    assert opened[-1].json()["detail"] == "You’ve opened a lot of chats. Wait a while, then open more."
    for _ in range(10):
        assert (await chat.ask("POST", "/rooms", {"kind": "event", "event": slugs[0]})).status_code == 200


async def test_an_unopened_chat_refuses_and_keeps_the_text(db, clock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        slugs = [(await event_by(tx, ana)).slug for _ in range(6)]
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        sent = [
            await browser.post(f"/events/{slug}/chat", data={"text": "First", "submission": slug}) for slug in slugs
        ]
    assert [one.status_code for one in sent] == [303] * 5 + [429]
    assert ">First</textarea>" in sent[-1].text


async def test_a_room_takes_fifty_messages_a_second(db, clock):
    """A room accepts fifty messages per second, however many people write. Open pages could not receive more in time."""
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        crowd = [await person(tx, f"Guest {number}") for number in range(11)]
        for one in crowd:
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    path, answered = f"/events/{event.slug}/chat", []
    for one in crowd:
        async with signed_in(site, one.user_id) as browser:
            for number in range(5):
                sent = await browser.post(path, data={"text": "Hello", "submission": f"{one.user_id}-{number}"})
                answered.append(sent.status_code)
    assert answered == [303] * 50 + [429] * 5
    assert "A lot of people are writing here" in sent.text
    assert ">Hello</textarea>" in sent.text
    async with db.reader() as reader:
        page = await page_of_messages(reader, room, ana.user_id, MessageFilter(), limit=100)
    assert len(page.messages) == 50
    clock.turn(11 * SECOND)
    async with signed_in(site, crowd[-1].user_id) as browser:
        assert (await browser.post(path, data={"text": "Now", "submission": "later"})).status_code == 303


async def test_surrounding_space_does_not_count_towards_the_length(chat):
    for number, text in enumerate(("x" * 4_000, "\n".join("x" * 100), " ".join(f"@a{one}" for one in range(20)))):
        body = {"clientId": f"long{number}", "text": f" \n{text}\n "}
        sent = await chat.ask("POST", f"/rooms/{chat.room}/messages", body)
        assert (sent.status_code, sent.json()["text"]) == (201, text)


async def test_one_person_cannot_use_up_a_messages_reactions(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        said = await send_text(tx, ana, await room_of(tx, ana, subject_of_event(event)))
        for emoji in EMOJIS[:MAX_OWN_REACTIONS]:
            await reactions.react(tx, ben, said.id, emoji)
        with pytest.raises(Refused, match="too_many_own_reactions"):
            await reactions.react(tx, ben, said.id, EMOJIS[MAX_OWN_REACTIONS])
        await reactions.react(tx, ben, said.id, EMOJIS[0])
        await reactions.react(tx, ana, said.id, EMOJIS[MAX_OWN_REACTIONS])


@pytest.mark.parametrize(
    "bomb",
    [
        "👍" * 2,
        "👍\u200d" * 6,
        "👍" + "\ufe0f" * 20,
        "👨\u200d👩" * 9,
        "e\u0301" * 5,
        "\u202e👍",
        "🏴" + "\U000e0067" * 40,
    ],
)
def test_one_emoji_is_one_emoji(bomb):
    with pytest.raises(Exception, match="not_an_emoji"):
        checked_emoji(bomb)


async def test_a_name_does_not_distort_the_text_around_it(db, clock):
    """Display names from other apps have not been validated by this site."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
        await tx.execute(
            "update users set display_name = :name where id = :id",
            name="\u202eanA\u2066 Z" + "\u0301" * 200,
            id=ana.user_id,
        )
        await send_text(tx, ana, room)
        page = await page_of_messages(tx, room, ana.user_id, MessageFilter())
        members = await people.members(tx, room, ana.user_id)
    for name in (page.messages[0].name, members.people[0].name):
        assert name == "anA Z" + "\u0301" * 8
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        shown = await browser.get(f"/events/{event.slug}/chat")
    assert "<bdi>anA Z" in shown.text


async def flood(tx, room, who: Caller) -> list[ChatMessageId]:
    """Insert ten thousand messages by one person."""
    found = [ChatMessageId(new_id(tx.now)) for _ in range(FLOOD)]
    row = await tx.fetch_one("select last_number from chat_rooms where id = :id", id=room.id)
    first = row["last_number"] + 1
    word = f"r={room.id.replace('-', '')} p={who.user_id.replace('-', '')} "
    await tx.execute_many(
        "insert into chat_messages (id, room_id, number, user_id, kind, body, details, revision, said_at, search_words)"
        " values (:id, :room, :number, :person, 'text', 'Buy this', '{}', 1, :now, :words)",
        [
            {
                "id": one,
                "room": room.id,
                "number": number,
                "person": who.user_id,
                "now": tx.now,
                "words": f" buy this {word}",
            }
            for number, one in enumerate(found, first)
        ],
    )
    await tx.execute("update chat_rooms set last_number = last_number + :more where id = :id", more=FLOOD, id=room.id)
    return found


async def test_ten_thousand_messages_are_erased_in_one_short_transaction(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        before = await send_text(tx, ana, room)
    async with db.transaction() as tx:
        said = await flood(tx, room, ben)
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        assert await empty_messages(counting, ben.user_id, FLOOD) == FLOOD
        assert counting.statements < 20
    async with db.reader() as reader:
        after = before.number + FLOOD
        entries = await log.entries_after(reader, room.id, after, limit=FLOOD)
        left = await reader.fetch_one(
            "select count(*) as number from chat_messages where body <> '' and user_id = :id", id=ben.user_id
        )
    assert [entry.number for entry in entries] == list(range(after + 1, after + FLOOD + 1))
    assert {entry.kind for entry in entries} == {LogKind.REMOVED}
    assert [entry.message_id for entry in entries] == said
    assert left["number"] == 0


async def test_ten_thousand_messages_are_merged_and_found_under_the_remaining_account(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        twin = Caller(await users.create_person(tx, display_name="Ben", email="twin@example.org"), "Ben")
        for one in (ben, twin):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    async with db.transaction() as tx:
        await flood(tx, room, twin)
    async with db.transaction() as tx:
        await merge.reassign(tx, twin.user_id, ben.user_id)
    async with db.reader() as reader:
        for who, number in ((ben, 50), (twin, 0)):
            wanted = search.ChatSearch(words="buy", person=who.user_id)
            found = await search.find_messages(reader, ana.user_id, wanted, limit=50)
            assert len(found.messages) == number
