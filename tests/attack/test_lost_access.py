"""Open pages of somebody who lost access: their streams end and show nothing that happened since."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.http.server import serving
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import messages, rooms
from openmeet.domain.chat.model import NewMessage, RoomId, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import actions as events
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_slug
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.safety.actions import block
from openmeet.domain.sign_in.actions import close_sessions_of, open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.web.site import chat_stream_feed, page_streams
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site.page_streams import event_fingerprint, follow_stream
from tests.openmeet.site_under_test import edited_details, event_by, person, site_on

Loss = Callable[[Transaction, Event, Group, Caller, Caller], Awaitable[object]]


async def _leaves_group(tx: Transaction, _event: Event, group: Group, _host: Caller, guest: Caller) -> object:
    return await groups.leave(tx, guest, group.slug)


async def _is_banned(tx: Transaction, _event: Event, group: Group, host: Caller, guest: Caller) -> object:
    return await administration.ban(tx, host, group.slug, guest.user_id)


async def _is_removed(tx: Transaction, event: Event, _group: Group, host: Caller, guest: Caller) -> object:
    mine = await attendance_queries.find(tx, event.id, guest.user_id)
    assert mine is not None
    return await host_decisions.reject(tx, host, event.slug, [mine.id])


async def _is_blocked(tx: Transaction, _event: Event, _group: Group, host: Caller, guest: Caller) -> object:
    return await block(tx, host, guest.user_id)


async def _signs_out(tx: Transaction, _event: Event, _group: Group, _host: Caller, guest: Caller) -> object:
    return await close_sessions_of(tx, guest.user_id)


async def _is_made_private(tx: Transaction, event: Event, _group: Group, host: Caller, _guest: Caller) -> object:
    content = replace(event.content, visibility=Visibility.PRIVATE)
    return await events.revise(tx, host, event.slug, replace(details_in(event), content=content))


@pytest.mark.parametrize(
    ("guest_is", "visibility", "lose"),
    [
        ("member", "private", _leaves_group),
        ("member", "private", _is_banned),
        ("going", "private", _is_removed),
        ("going", "private", _is_blocked),
        ("going", "public", _signs_out),
        ("nobody", "public", _is_made_private),
    ],
)
async def test_streams_end_when_access_is_lost(
    make_database: MakeDatabase,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    guest_is: str,
    visibility: str,
    lose: Loss,
) -> None:
    monkeypatch.setattr(page_streams, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(chat_stream_feed, "LOOK_SECONDS", 0.1)
    db = await make_database("openmeet", clock=clock)
    ana, ben, event, group = await _scene(db, guest_is, visibility)
    async with db.transaction() as tx:
        token = (await open_session(tx, ben.user_id, SessionTransport.BROWSER)).token
        subject = RoomSubject(SubjectKind.EVENT, event.id)
        room, _ = await rooms.open_room(tx, ana, await rooms.target_of(tx, RoomKind.EVENT, subject))
    site = site_on(db, clock)
    async with serving(site.app) as served, contextlib.AsyncExitStack() as streams:
        path = f"/live?event={event.slug}&after={await event_fingerprint(db, event)}"
        page = await streams.enter_async_context(follow_stream(served, token, path))
        await page.until("top")
        opened = [page]
        if guest_is != "nobody":
            chat = await streams.enter_async_context(follow_stream(served, token, f"/chat/live?room={room.id}"))
            await _say(db, ana, room.id, "You may read this")
            await chat.until("message")
            opened.append(chat)
        async with db.transaction() as tx:
            await lose(tx, event, group, ana, ben)
        await _say(db, ana, room.id, "Only we know this")
        async with db.transaction() as tx:
            now = await by_slug(tx, event.slug)
            assert now is not None
            await events.revise(tx, ana, event.slug, edited_details(now, title="Somewhere else"))
        for stream in opened:
            told = [(await stream.next())[1]]
            while told[-1] not in {"", "event", "message", "edited"}:
                told.append((await stream.next())[1])
            assert told[-2:] == ["out", ""]


async def _say(db: Database, who: Caller, room: RoomId, text: str) -> None:
    async with db.transaction() as tx:
        await messages.send(tx, who, room, NewMessage(text))


async def _scene(db: Database, guest_is: str, visibility: str) -> tuple[Caller, Caller, Event, Group]:
    """Ana hosts an event. Ben is a member of its private group, attends it, or only views it."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben") if guest_is == "member" else await person(tx, "Ben")
        event = await event_by(tx, ana)
        if guest_is == "going":
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING, ReplyDetails())
        await tx.execute(
            "update events set visibility = :visibility, group_id = :group where id = :id",
            visibility=visibility,
            group=group.id if guest_is == "member" else None,
            id=event.id,
        )
        found = await by_slug(tx, event.slug)
        assert found is not None
    return ana, ben, found, group
