"""The homeserver client, tested against a real Synapse."""

from collections.abc import Callable

import pytest

from groundwork.errors import RemoteFailed
from openmeet.matrix.calls import Homeserver, MatrixUser, events_of
from openmeet.matrix.names import bot_localpart, room_alias
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import Synapse

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def owner(homeserver: Homeserver) -> MatrixUser:
    user = homeserver.user(bot_localpart("default"))
    await user.prepare()
    return user


def wish(alias: str, **more: object) -> dict[str, object]:
    return {"room_alias_name": alias, "preset": "private_chat", "name": "Chess club", **more}


async def test_a_user_is_created_once_and_identified_by_the_full_name(owner: MatrixUser) -> None:
    await owner.prepare()
    assert owner.user_id == "@_om_default_keeper:chat.test"
    await owner.set_name("OpenMeet")


async def test_a_room_whose_response_was_lost_is_found_by_its_alias(
    owner: MatrixUser, fresh: Callable[[str], str]
) -> None:
    alias = room_alias("default", fresh("room"))
    room = await owner.create_room(wish(alias))
    assert await owner.create_room(wish(alias)) == room
    assert await owner.homeserver.room_of_alias(alias) == room
    assert await owner.homeserver.room_of_alias(room_alias("default", "nothing")) is None


async def test_the_same_transaction_id_gives_the_same_event(owner: MatrixUser, fresh: Callable[[str], str]) -> None:
    room = await owner.create_room(wish(room_alias("default", fresh("room"))))
    content = {"msgtype": "m.text", "body": "See you at eight"}
    first = await owner.send(room, "m.room.message", "om-1", content)
    assert await owner.send(room, "m.room.message", "om-1", content) == first
    assert await owner.send(room, "m.room.message", "om-2", content) != first


async def test_redacting_removes_the_text_and_can_be_repeated(owner: MatrixUser, fresh: Callable[[str], str]) -> None:
    room = await owner.create_room(wish(room_alias("default", fresh("room"))))
    event = await owner.send(room, "m.room.message", "om-1", {"msgtype": "m.text", "body": "Oh no"})
    await owner.redact(room, event, "om-2")
    await owner.redact(room, event, "om-2")
    await owner.redact(room, event, "om-3", "again")
    found = await owner.event(room, event)
    assert found is not None
    assert found["content"] == {}
    assert await owner.event(room, "$" + "x" * 43) is None


async def test_inviting_and_removing_can_be_repeated(
    owner: MatrixUser, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    ana = await synapse.account(fresh("ana"))
    room = await owner.create_room(wish(room_alias("default", fresh("room"))))
    await owner.invite(room, ana.user_id)
    await owner.invite(room, ana.user_id)
    await ana.join(room)
    await owner.invite(room, ana.user_id)
    assert await owner.membership(room, ana.user_id) == "join"
    await owner.kick(room, ana.user_id, "left the event")
    await owner.kick(room, ana.user_id)
    assert await owner.membership(room, ana.user_id) == "leave"
    await owner.ban(room, ana.user_id)
    await owner.ban(room, ana.user_id)
    with pytest.raises(RemoteFailed):
        await owner.invite(room, ana.user_id)
    await owner.unban(room, ana.user_id)
    await owner.unban(room, ana.user_id)
    assert await owner.membership(room, ana.user_id) == "leave"


async def test_a_ghost_joins_by_invitation_and_can_leave_twice(owner: MatrixUser, fresh: Callable[[str], str]) -> None:
    ghost = owner.homeserver.user(fresh("_om_default_ghost"))
    await ghost.prepare()
    await ghost.set_name("Ana")
    room = await owner.create_room(wish(room_alias("default", fresh("room"))))
    await owner.invite(room, ghost.user_id)
    await ghost.join(room)
    await ghost.join(room)
    members = [one for one in await owner.state(room) if one["type"] == "m.room.member"]
    assert {one["state_key"]: one["content"].get("displayname") for one in members}[ghost.user_id] == "Ana"
    await ghost.leave(room)
    await ghost.leave(room)
    assert await owner.membership(room, ghost.user_id) == "leave"


async def test_a_cursor_returns_each_event_once_and_gaps_are_filled(
    owner: MatrixUser, fresh: Callable[[str], str]
) -> None:
    room = await owner.create_room(wish(room_alias("default", fresh("room"))))
    cursor = (await owner.sync("", wait_seconds=0, timeline=1))["next_batch"]
    sent = [
        await owner.send(room, "m.room.message", f"om-{number}", {"msgtype": "m.text", "body": str(number)})
        for number in range(5)
    ]
    answer = await owner.sync(cursor, wait_seconds=0, timeline=2)
    timeline = answer["rooms"]["join"][room]["timeline"]
    assert [one["event_id"] for one in events_of(timeline["events"])] == sent[3:]
    assert timeline["limited"]
    missed = await owner.messages(room, timeline["prev_batch"], end=cursor)
    assert [one["event_id"] for one in reversed(events_of(missed["chunk"]))] == sent[:3]
    again = await owner.sync(answer["next_batch"], wait_seconds=0, timeline=2)
    assert room not in again.get("rooms", {}).get("join", {})


async def test_a_name_outside_our_namespace_is_refused(homeserver: Homeserver) -> None:
    with pytest.raises(RemoteFailed) as refused:
        await homeserver.register("somebody")
    assert refused.value.name == "M_EXCLUSIVE"
