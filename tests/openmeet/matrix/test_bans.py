"""Bans in a mirrored room apply on both sides, wherever they were made; on a real homeserver and both engines."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from groundwork.clock import SystemClock
from groundwork.http.client import HttpClient
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import mirroring, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.model import Access
from openmeet.domain.chat.sanctions import Sanction, SanctionKind
from openmeet.domain.users.model import Caller
from openmeet.matrix.delivery import deliver_room
from openmeet.matrix.registration import open_homeserver
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import SERVER_NAME, MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.openmeet.matrix.room_members import banned_by, call_on_member, compare_room, ghost_of, join_as_linked

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def host(town: MirroredTown, synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    """Ana's own Matrix account, a moderator of the room."""
    return await join_as_linked(town, town.ana, await synapse.account(fresh("ana")))


@pytest.fixture
async def guest(town: MirroredTown, synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    """Ben's own Matrix account, a member of the room."""
    return await join_as_linked(town, town.ben, await synapse.account(fresh("ben")))


async def in_force(town: MirroredTown) -> list[Sanction]:
    async with town.db.reader() as reader:
        return await sanctions.sanctions_in(reader, town.room.id)


async def reached(town: MirroredTown, who: Caller) -> Access:
    async with town.db.reader() as reader:
        return await access(reader, town.room.id, who.user_id)


async def test_a_ban_here_applies_in_matrix_until_it_is_lifted(town: MirroredTown, guest: MatrixAccount) -> None:
    await town.agree(town.ben)
    await town.say(town.ben, "Buy this")
    await town.deliver()
    room, ghost = await town.matrix_room(), await ghost_of(town, town.ben)
    async with town.db.transaction() as tx:
        await sanctions.sanction(tx, town.ana, town.room.id, town.ben.user_id, SanctionKind.BAN, reason="spam")
    await town.deliver()
    assert await town.bridge.bot.membership(room, guest.user_id) == "ban"
    assert await town.bridge.bot.membership(room, ghost) in {"leave", "ban"}
    await guest.call("PUT", f"rooms/{room}/send/m.room.message/late", {"msgtype": "m.text", "body": "Still me"}, 403)
    async with town.db.transaction() as tx:
        await sanctions.lift(tx, town.ana, town.room.id, town.ben.user_id)
    await town.deliver()
    assert await town.bridge.bot.membership(room, guest.user_id) == "invite"
    await town.say(town.ben, "Sorry")
    await town.deliver()
    assert ("Ben", "Sorry") in await town.seen()


async def test_a_moderators_ban_in_matrix_applies_here_until_it_is_lifted(
    town: MirroredTown, host: MatrixAccount, guest: MatrixAccount
) -> None:
    room = await town.matrix_room()
    await call_on_member(host, room, "ban", guest.user_id, reason="Spam,\nagain and again")
    await town.read()
    (found,) = await in_force(town)
    assert (found.user_id, found.kind, found.by_user_id) == (town.ben.user_id, SanctionKind.BAN, town.ana.user_id)
    assert found.reason == "Spam, again and again"
    assert await reached(town, town.ben) is Access.NONE
    assert await banned_by(town, guest.user_id) == town.bridge.bot.user_id
    async with town.db.transaction() as tx:
        await sanctions.lift(tx, town.ana, town.room.id, town.ben.user_id)
    # Reading the same responses and comparing the room again changes nothing.
    for _ in range(2):
        await compare_room(town)
        assert await in_force(town) == []
    assert await town.bridge.bot.membership(room, guest.user_id) == "invite"


async def test_banning_a_ghost_bans_its_person(town: MirroredTown, host: MatrixAccount, guest: MatrixAccount) -> None:
    """People of this site appear in Matrix as ghost users. If a moderator bans the ghost, the person is banned."""
    await town.agree(town.ben)
    await town.say(town.ben, "Buy this")
    await town.deliver()
    room, ghost = await town.matrix_room(), await ghost_of(town, town.ben)
    await call_on_member(host, room, "ban", ghost)
    await town.read()
    assert [one.reason for one in await in_force(town)] == ["Banned in Matrix"]
    assert await reached(town, town.ben) is Access.NONE
    assert await town.bridge.bot.membership(room, guest.user_id) == "ban"
    async with town.db.transaction() as tx:
        await sanctions.lift(tx, town.ana, town.room.id, town.ben.user_id)
    await town.deliver()
    await town.say(town.ben, "Sorry")
    await town.deliver()
    assert ("Ben", "Sorry") in await town.seen()
    assert await in_force(town) == []


async def test_bans_by_people_without_that_right_have_no_effect(
    town: MirroredTown, host: MatrixAccount, guest: MatrixAccount
) -> None:
    """Guests have no power to ban, and hosts cannot be banned. An unban in Matrix does not lift a ban that was decided
    on this site.
    """
    room = await town.matrix_room()
    await call_on_member(guest, room, "ban", host.user_id, 403)
    await town.agree(town.ana)
    await town.say(town.ana, "Welcome")
    await town.deliver()
    ghost = await ghost_of(town, town.ana)
    await call_on_member(host, room, "ban", ghost)
    await compare_room(town)
    assert await in_force(town) == []
    assert await banned_by(town, ghost) is None
    await town.say(town.ana, "I am still here")
    await town.deliver()
    assert ("Ana", "I am still here") in await town.seen()
    await call_on_member(host, room, "ban", guest.user_id)
    await town.read()
    await call_on_member(host, room, "unban", guest.user_id)
    await compare_room(town)
    assert await banned_by(town, guest.user_id) == town.bridge.bot.user_id
    assert len(await in_force(town)) == 1


async def test_somebody_banned_during_a_delivery_gets_none_of_the_later_messages(
    town: MirroredTown, guest: MatrixAccount, synapse: Synapse, http: HttpClient
) -> None:
    """The ban is made while the first message is being sent. The rest of that delivery is sent only after the person
    has been removed.
    """
    await town.agree(town.ana)
    await town.say(town.ana, "For everybody")
    await town.say(town.ana, "Said before the ban, sent after it")
    asked: list[str] = []

    async def pass_through(request: web.Request) -> web.Response:
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.request(
                request.method, f"{synapse.url}{request.raw_path}", headers=headers, content=await request.read()
            )
        if "/send/m.room.message/" in request.path:
            asked.append(request.path)
            if len(asked) == 1:
                async with town.db.transaction() as tx:
                    await sanctions.sanction(
                        tx, town.ana, town.room.id, town.ben.user_id, SanctionKind.BAN, reason="spam"
                    )
                await town.say(town.ana, "Not for Ben")
        return web.Response(status=answer.status_code, body=answer.content, content_type="application/json")

    slow = web.Application()
    slow.router.add_route("*", "/{path:.*}", pass_through)
    async with TestServer(slow) as server:
        url = str(server.make_url(""))
        behind = open_homeserver(http, SystemClock(), url, SERVER_NAME, synapse.token_file)
        await deliver_room(replace(town.bridge, homeserver=behind), town.room.id, asked.append)
    await town.deliver()
    events = await town.events()
    bodies = [one["content"].get("body") or one["content"].get("membership") for one in events]
    assert bodies.index("For everybody") < bodies.index("ban")
    assert bodies.index("ban") < bodies.index("Said before the ban, sent after it") < bodies.index("Not for Ben")


async def test_messages_of_somebody_banned_in_matrix_block_no_others(
    town: MirroredTown, host: MatrixAccount, guest: MatrixAccount
) -> None:
    """The messages that the person wrote before the ban and that were not sent yet stay on this site, because their
    ghost is banned and cannot be invited. Messages of other people are delivered.
    """
    await town.agree(town.ana)
    await town.agree(town.ben)
    await town.say(town.ben, "Hello")
    await town.deliver()
    ghost = await ghost_of(town, town.ben)
    await town.say(town.ben, "Buy this")
    await call_on_member(host, await town.matrix_room(), "ban", ghost)
    await town.say(town.ana, "Peace")
    await town.deliver()
    assert [text for _, text in await town.seen()] == ["Hello", "Peace"]
    async with town.db.reader() as reader:
        status = await mirroring.status(reader, town.room.id)
    assert status is not None
    assert (status.waiting, status.error) == (0, None)


async def test_somebody_who_left_after_writing_does_not_stay_in_the_room(town: MirroredTown) -> None:
    """Their messages are still delivered, but their ghost does not stay in the Matrix room."""
    await town.deliver()
    await town.agree(town.ben)
    await town.say(town.ben, "I cannot come after all")
    await town.answer(town.ben, RsvpReply.DECLINED)
    await town.deliver()
    assert [text for _, text in await town.seen()] == ["I cannot come after all"]
    ghost = await ghost_of(town, town.ben)
    assert await town.bridge.bot.membership(await town.matrix_room(), ghost) == "leave"
