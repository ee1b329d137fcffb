"""The live stream for API clients: a token opens it. It ends when the token expires or the person loses access."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.http.server import HttpServer, serving
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.api_tokens.tokens import ApiToken, NewToken
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import messages, reactions
from openmeet.domain.chat.model import NewMessage, Room
from openmeet.domain.moderation.blocks import block
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, person, site_on
from tests.plain_http import NO_TLS
from tests.polling import until

ROOT = Path(__file__).parents[3]


class Scene:
    """Ana hosts an event with a chat, and Ben is going. Both have a token that can read chats."""

    def __init__(self, db: Database, ana: Caller, ben: Caller, slug, room: Room) -> None:
        self.db, self.ana, self.ben, self.slug, self.room = db, ana, ben, slug, room

    async def token_of(self, who: Caller, *scopes: TokenScope) -> tuple[ApiToken, str]:
        async with self.db.transaction() as tx:
            return await tokens.make(tx, who, NewToken("Bot", frozenset(scopes or [TokenScope.CHAT_READ]), None))

    async def say(self, text: str):
        async with self.db.transaction() as tx:
            one, _ = await messages.send(tx, self.ana, self.room.id, NewMessage(text))
        return one


@pytest.fixture
async def scene(make_database: MakeDatabase, clock: HandClock) -> Scene:
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana, title="Games")
        room = await room_of(tx, ana, subject_of_event(event))
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
    return Scene(db, ana, ben, event.slug, room)


@pytest.fixture
async def served(scene: Scene, clock: HandClock) -> AsyncIterator[HttpServer]:
    async with serving(site_on(scene.db, clock).app) as opened:
        yield opened


@contextlib.asynccontextmanager
async def follower(served: HttpServer, scene: Scene, token: str, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of a stream from the beginning of the chat."""
    headers["authorization"] = f"Bearer {token}"
    path = f"/api/chat/live?room={scene.room.id}{'' if 'last-event-id' in headers else '&after=1'}"
    async with (
        httpx.AsyncClient(verify=NO_TLS, base_url=served.url, headers=headers, timeout=60) as program,
        program.stream("GET", path) as opened,
    ):
        assert (opened.status_code, opened.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield opened.aiter_lines()


async def next_event(lines: AsyncIterator[str], name: str) -> tuple[str, dict]:
    """The id and the data of the next event with this name."""
    last_id = event = ""
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "id":
            last_id = value
        elif field == "event":
            event = value
        elif field == "data" and event == name:
            return last_id, json.loads(value)
    raise AssertionError(f"the stream ended before {name}")


async def test_events_have_the_shape_of_the_api(scene: Scene, served: HttpServer) -> None:
    said = await scene.say("Who has the *key*?")
    async with scene.db.transaction() as tx:
        await reactions.react(tx, scene.ben, said.id, "👍")
    _, token = await scene.token_of(scene.ben)
    async with follower(served, scene, token) as lines:
        place, event = await next_event(lines, "message")
        assert place == f"{scene.room.id}:{said.number}"
        shown = event["message"]
        assert (shown["text"], shown["authorName"], shown["isMine"]) == ("Who has the *key*?", "Ana", False)
        assert shown["reactions"] == [{"emoji": "👍", "number": 1}]
        assert "html" not in event
        await next_event(lines, "reactions")


async def test_it_resumes_after_the_last_event(scene: Scene, served: HttpServer) -> None:
    first = await scene.say("One")
    second = await scene.say("Two")
    _, token = await scene.token_of(scene.ben)
    async with follower(served, scene, token, **{"last-event-id": f"{scene.room.id}:{first.number}"}) as lines:
        place, event = await next_event(lines, "message")
    assert (place, event["message"]["text"]) == (f"{scene.room.id}:{second.number}", "Two")


async def test_a_revoked_token_ends_the_stream(scene: Scene, served: HttpServer) -> None:
    known, token = await scene.token_of(scene.ben)
    async with follower(served, scene, token) as lines:
        await scene.say("Before")
        await next_event(lines, "message")
        async with scene.db.transaction() as tx:
            await tokens.revoke(tx, scene.ben, known.id)
        await scene.say("After")
        rest = [line async for line in lines]
    assert "event: out" in rest
    assert not any("After" in line for line in rest)


async def test_leaving_ends_the_stream(scene: Scene, served: HttpServer) -> None:
    _, token = await scene.token_of(scene.ben)
    async with follower(served, scene, token) as lines:
        await scene.say("Before")
        await next_event(lines, "message")
        async with scene.db.transaction() as tx:
            await attendance.answer(tx, scene.ben, scene.slug, RsvpReply.DECLINED, ReplyDetails())
        await scene.say("After")
        rest = [line async for line in lines]
    assert "event: out" in rest
    assert not any("After" in line for line in rest)


async def test_blocked_people_are_marked(scene: Scene, served: HttpServer) -> None:
    async with scene.db.transaction() as tx:
        await block(tx, scene.ben.user_id, scene.ana.user_id)
    await scene.say("Hello")
    _, token = await scene.token_of(scene.ben)
    async with follower(served, scene, token) as lines:
        _, event = await next_event(lines, "message")
    assert event["message"]["isFolded"] is True


async def test_a_stream_needs_read_access(scene: Scene, served: HttpServer) -> None:
    async with scene.db.transaction() as tx:
        cleo = await person(tx, "Cleo")
    _, narrow = await scene.token_of(scene.ben, TokenScope.READ)
    _, stranger = await scene.token_of(cleo)
    path = f"/api/chat/live?room={scene.room.id}"
    async with httpx.AsyncClient(verify=NO_TLS, base_url=served.url, timeout=60) as program:
        for token, expected in ((narrow, 403), (stranger, 404), ("omt_nonsense", 401)):
            refused = await program.get(path, headers={"authorization": f"Bearer {token}"})
            assert (refused.status_code, refused.headers["content-type"]) == (expected, "application/problem+json")
        assert (await program.get(path)).status_code == 404
        assert (await program.get("/api/chat/live?rooms=1")).status_code == 400


async def test_the_example_runs_as_it_stands(scene: Scene, served: HttpServer) -> None:
    """The example prints messages and ends when its token expires."""
    known, token = await scene.token_of(scene.ben)
    script = ROOT / "docs/examples/chat_stream.py"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    running = await create_subprocess_exec(
        sys.executable, script, served.url, token, scene.room.id, stdout=PIPE, stderr=PIPE, env=environment
    )
    assert running.stdout is not None
    assert running.stderr is not None
    printed = b""
    await until(lambda: served.connections > 0)
    while not printed:
        # The example reads from the moment it connects, and only its output shows when it has connected.
        await scene.say("Who has the key?")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.015):
                printed = await running.stdout.readline()
    assert printed.decode().strip() == "Ana: Who has the key?"
    async with scene.db.transaction() as tx:
        await tokens.revoke(tx, scene.ben, known.id)
    _, complaints = await running.communicate()
    assert running.returncode == 0, complaints.decode()
