"""The chat of the Python client against a real site: sending, order, and following live across a lost connection."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image
from starlette.types import Receive, Scope, Send

from groundwork.clock import HandClock
from groundwork.http.server import serve
from openmeet_client import errors
from openmeet_client.chat_model import NewChatMessage, NewChatPicture, NewChatPoll
from openmeet_client.client import OpenMeet
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import site_on
from tests.openmeet_client.unreliable_site import BOARD_GAMES, UnreliableSite, ana, client_of, url, weather  # noqa: F401 - fixtures


@pytest.fixture
async def ben(weather: UnreliableSite, url: str) -> AsyncIterator[OpenMeet]:  # noqa: F811
    async with await client_of(weather, url, "Ben") as api:
        yield api


@pytest.fixture
async def room(ana: OpenMeet, ben: OpenMeet) -> str:  # noqa: F811
    """The chat of an event that Ana hosts and Ben attends."""
    event = await ana.events.create(BOARD_GAMES)
    await ben.answers.give(event.slug, "going")
    opened = await ana.chat.open("event", event=event.slug)
    assert [one.id for one in (await ben.chat.rooms_of_event(event.slug)).rooms] == [opened.id]
    return opened.id


async def test_messages_are_sent_read_and_edited(ana: OpenMeet, ben: OpenMeet, room: str) -> None:  # noqa: F811
    said = await ben.chat.send(room, NewChatMessage("1", "Who has the key?"))
    answer = await ana.chat.send(room, NewChatMessage("1", "I have, @Ben", reply_to=said.id))
    assert [one.text for one in (await ben.chat.messages(room)).messages] == ["Who has the key?", "I have, @Ben"]
    assert ((await ben.chat.unread()).mentions, [one.unread async for one in ben.chat.rooms()]) == (1, [1])
    assert await ben.chat.mark_read(room, answer.number) == answer.number
    assert (await ben.chat.edit(said.id, "Who has the *key*?", if_revision=1)).revision == 2
    assert (await ana.chat.react(said.id, "👍")).reactions[0].number == 1
    assert (await ana.chat.unreact(said.id, "👍")).reactions == []
    assert [one.id async for one in ben.chat.search("key")] == [said.id]
    assert sorted([one.display_name async for one in ana.chat.members(room)]) == ["Ana", "Ben"]
    await ben.chat.notify(room, "mentions")
    assert (await ben.chat.remove(said.id)).removed_by == "author"


async def test_pictures_are_uploaded_sent_and_fetched(ana: OpenMeet, ben: OpenMeet, room: str) -> None:  # noqa: F811
    drawn = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(drawn, "PNG")
    sent = await ben.chat.upload(room, drawn.getvalue())
    said = await ben.chat.send(room, NewChatMessage("1", pictures=[NewChatPicture(sent.id, "The board")]))
    (shown,) = (await ana.chat.message(said.id)).pictures
    assert (shown.alt, shown.width, shown.height) == ("The board", 80, 60)
    assert Image.open(io.BytesIO(await ana.chat.picture(shown.url))).size == (80, 60)


async def test_hosts_moderate_the_chat(ana: OpenMeet, ben: OpenMeet, room: str) -> None:  # noqa: F811
    said = await ben.chat.send(room, NewChatMessage("1", "You fools"))
    host = (await ana.chat.message(said.id)).author_id
    assert host is not None
    await ana.chat.report(said.id, "abuse")
    assert [one.message_id for one in (await ana.chat_moderation.waiting(room)).reports] == [said.id]
    await ana.chat_moderation.dismiss(said.id)
    assert (await ana.chat.remove(said.id, "No insults")).removed_by == "moderator"
    assert (await ben.chat.removal(said.id)).text == "You fools"
    await ben.chat.object(said.id, "It was a quote")
    assert [one.words for one in (await ana.chat_moderation.waiting(room)).objections] == ["It was a quote"]
    await ana.chat_moderation.uphold(said.id)
    assert (await ben.chat.removal(said.id)).is_decided
    assert (await ana.chat_moderation.restore(said.id)).text == "You fools"
    assert (await ana.chat_moderation.hold(said.id)).is_held
    assert not (await ana.chat_moderation.release(said.id)).is_held
    await ana.chat_moderation.pin(said.id)
    await ana.chat_moderation.unpin(said.id)
    await ana.chat_moderation.sanction(room, host, "mute", "Enough")
    with pytest.raises(errors.Forbidden):
        await ben.chat.send(room, NewChatMessage("2", "But"))
    (muted,) = await ana.chat_moderation.sanctions(room, host)
    said_by_host = await ana.chat.send(room, NewChatMessage("3", "Please be kind"))
    assert (muted.kind, muted.of_site, muted.decided_by) == ("mute", False, said_by_host.author_id)
    await ana.chat_moderation.lift(room, host)
    await ana.chat.archive(room)
    assert (await ana.chat.room(room)).closed_at is not None
    assert (await ana.chat.reopen(room)).closed_at is None


async def test_host_reads_the_whole_chat_and_its_log(ana: OpenMeet, ben: OpenMeet, room: str) -> None:  # noqa: F811
    first = await ben.chat.send(room, NewChatMessage("1", "See https://example.org/a"))
    asked = NewChatMessage("2", "Which?", poll=NewChatPoll(["Chess", "Go"]))
    poll = await ana.chat.send(room, asked)
    assert poll.poll is not None
    assert [one.text for one in poll.poll.choices] == ["Chess", "Go"]
    answer = await ben.chat.send(room, NewChatMessage("3", "Chess", reply_to=poll.id))
    assert (answer.reply.id, answer.reply.author_name) == (poll.id, "Ana")  # type: ignore[union-attr]
    with pytest.raises(errors.Refused):
        await ben.chat.signal(room, "4", "here")  # the event is months away
    if first.is_held:
        await ana.chat_moderation.release(first.id)
    await ana.chat_moderation.pin(answer.id)
    assert [one.id for one in (await ben.chat.messages(room, only_pinned=True)).messages] == [answer.id]
    assert poll.id in [one.id for one in (await ben.chat.messages(room, around=poll.number, limit=2)).messages]
    assert [one.id for one in (await ben.chat.messages(room, q="chess")).messages] == [answer.id]
    assert [one.id async for one in ana.chat.search("see", has=["link"], room=[room])] == [first.id]
    assert [one.display_name async for one in ana.chat.members(room, role="moderate")] == ["Ana"]
    assert [one.room.id async for one in ben.chat.rooms(kind="event")] == [room]
    direct = await ana.chat.open("direct", event=await _slug_of(ana, room), person=first.author_id)
    assert (direct.kind, direct.access) == ("direct", "moderate")
    lines = [one async for one in ana.chat_moderation.export(room)]
    assert [(one.name, one.text) for one in lines] == [
        ("Ben", "See https://example.org/a"),
        ("Ana", "Which?"),
        ("Ben", "Chess"),
    ]
    assert [one.id async for one in ana.chat_moderation.export(room, after=lines[1].number)] == [answer.id]
    with pytest.raises(errors.Forbidden):
        [one async for one in ben.chat_moderation.export(room)]
    await ana.chat.remove(answer.id, "Enough")
    assert "removed" in {one.act async for one in ana.chat_moderation.actions(room)}


async def _slug_of(api: OpenMeet, room: str) -> str:
    """The slug of the event that has this chat."""
    async for one in api.events.mine("hosting"):
        if [each.id for each in (await api.chat.rooms_of_event(one.slug)).rooms] == [room]:
            return one.slug
    raise AssertionError(room)


class Scissors:
    """The site behind a middleware that can end its open streams."""

    def __init__(self, weather: UnreliableSite) -> None:  # noqa: F811
        self._weather = weather
        self._streams: set[asyncio.Future[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        running = asyncio.ensure_future(self._weather(scope, receive, send))
        if scope.get("path") == "/api/chat/live":
            self._streams.add(running)
        await asyncio.wait([running])

    def cut(self) -> None:
        """End the open streams."""
        while self._streams:
            self._streams.pop().cancel()


async def test_a_lost_connection_leaves_no_gap(weather: UnreliableSite) -> None:  # noqa: F811
    """Every message arrives once and in order although the site ends the stream after each message."""
    scissors = Scissors(weather)
    serving = await serve(scissors, "127.0.0.1", 0)
    async with await client_of(weather, serving.url, "Ana") as host:
        event = await host.events.create(BOARD_GAMES)
        room = (await host.chat.open("event", event=event.slug)).id
        last = 0
        await host.chat.send(room, NewChatMessage("0", "Word 0"))
        heard = []
        async for one in host.chat.live(room, after=1):
            heard.append((one.name, one.message.text if one.message else ""))
            last += 1
            if last == 4:
                break
            await host.chat.send(room, NewChatMessage(str(last), f"Word {last}"))
            scissors.cut()
        # The server would wait for the end of the last stream.
        scissors.cut()
    await serving.stop()
    assert heard == [("message", f"Word {number}") for number in range(4)]


async def test_rooms_are_mirrored_to_matrix(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Hosts can turn on the Matrix room and invite guests. People decide about their messages, their account, and which
    rooms may invite it.
    """
    names = {"matrix_url": "https://matrix.example", "matrix_server_name": "matrix.example"}
    connected = UnreliableSite(site_on(await make_sqlite("openmeet"), clock, **names))
    serving = await serve(connected, "127.0.0.1", 0)
    async with await client_of(connected, serving.url, "Ana") as host:
        event = await host.events.create(BOARD_GAMES)
        room = (await host.chat.open("event", event=event.slug)).id
        assert (await host.matrix.mirror(room)).state == "off"
        switched = await host.matrix.switch(room, enabled=True, guests=True)
        assert (switched.state, switched.guests, switched.alias) == ("on", True, None)
        assert switched.since is not None
        assert (await host.matrix.change_guest(room, "@zoe:matrix.example")).state == "invited"
        await host.matrix.change_guest(room, "@zoe:matrix.example", "banned", "Rude")
        assert [(one.address, one.state, one.reason) for one in await host.matrix.guests(room)] == [
            ("@zoe:matrix.example", "banned", "Rude")
        ]
        assert (await host.matrix.try_again(room)).waiting == switched.waiting + 2
        assert (await host.matrix.mine()).answered_at is None
        mine = await host.matrix.decide(consent="name_and_words", invitations="chosen")
        assert (mine.consent, mine.invitations) == ("name_and_words", "chosen")
        assert [one.invited for one in await host.matrix.rooms()] == [False]
        await host.matrix.choose(room, invited=True)
        assert [one.invited for one in await host.matrix.rooms()] == [True]
        assert (await host.matrix.link()).to.startswith("@_om_")
        await host.matrix.unlink()
        assert (await host.matrix.mine()).account is None
        assert (await host.matrix.switch(room, enabled=False)).state == "ending"
    await serving.stop()
