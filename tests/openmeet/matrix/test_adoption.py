"""Rooms of an older installation are taken over and continued, on a real homeserver; on both engines."""

from collections.abc import Callable

import pytest

from groundwork.clock import DAY, SystemClock
from openmeet.domain.chat import messages, mirroring
from openmeet.domain.chat.model import NewMessage
from openmeet.domain.events.model import Event
from openmeet.matrix.adoption import AdoptionOutcome, AdoptionReport, adopt
from openmeet.matrix.calls import MatrixUser
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.openmeet.site_under_test import event_by

pytestmark = [pytest.mark.anyio, needs("synapse")]

ENCRYPTED = {"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}


@pytest.fixture
async def legacy_user(town: MirroredTown, fresh: Callable[[str], str]) -> MatrixUser:
    """The bot that ran the rooms of the older installation."""
    bot = town.bridge.homeserver.user(fresh("_om_older_"))
    await bot.prepare()
    return bot


async def old_event(town: MirroredTown, legacy_user: MatrixUser, title: str, **wish: object) -> tuple[Event, str]:
    """An event that was imported together with its room."""
    made = await legacy_user._call("POST", "v3/createRoom", body={"preset": "private_chat", **wish})
    matrix_room = str(made["room_id"])
    return await imported(town, title, matrix_room), matrix_room


async def imported(town: MirroredTown, title: str, matrix_room: str) -> Event:
    async with town.db.transaction() as tx:
        event = await event_by(tx, town.ana, title=title)
        await tx.execute("update events set matrix_room_id = :room where id = :id", room=matrix_room, id=event.id)
    return event


async def run(town: MirroredTown, legacy_user: MatrixUser, *, applies: bool) -> dict[str, AdoptionReport]:
    told: list[tuple[int, int]] = []
    found = await adopt(
        town.bridge, legacy_user, applies=applies, tell=lambda _one, place, number: told.append((place, number))
    )
    assert told == [(place, len(found)) for place in range(1, len(found) + 1)]
    return {one.name: one for one in found}


async def stored(town: MirroredTown, event: Event) -> tuple[str, str | None, int]:
    async with town.db.reader() as reader:
        row = await reader.fetch_one(
            "select matrix_state, matrix_room_id, matrix_guests from chat_rooms where event_id = :id", id=event.id
        )
    return ("", None, 0) if row is None else (row["matrix_state"], row["matrix_room_id"], row["matrix_guests"])


async def test_an_adopted_room_keeps_its_members(
    town: MirroredTown, legacy_user: MatrixUser, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    guest: MatrixAccount = await synapse.account(fresh("guest"))
    event, room = await old_event(town, legacy_user, "Chess", room_version="10", invite=[guest.user_id])
    await guest.join(room)
    await guest.say(room, "From before", "1")
    dry = await run(town, legacy_user, applies=False)
    assert (dry["Chess"].outcome, dry["Chess"].why) == (AdoptionOutcome.ADOPTED, "")
    assert await stored(town, event) == ("", None, 0)
    assert await legacy_user.membership(room, town.bridge.bot.user_id) == ""
    assert (await run(town, legacy_user, applies=True))["Chess"].outcome is AdoptionOutcome.ADOPTED
    assert await stored(town, event) == ("on", room, 1)
    await town.read()
    await guest.say(room, "Who is here?", "2")
    await town.read()
    async with town.db.transaction() as tx:
        rows = await tx.fetch(
            "select m.body from chat_messages m join chat_rooms r on r.id = m.room_id where r.event_id = :id "
            "order by m.number",
            id=event.id,
        )
        (found,) = await tx.fetch("select id from chat_rooms where event_id = :id", id=event.id)
    # Earlier messages stay in the Matrix room, and nobody is removed.
    assert [row["body"] for row in rows] == ["Who is here?"]
    assert await town.bridge.bot.membership(room, guest.user_id) == "join"
    assert "From before" in str(await guest.events(room))
    await town.agree(town.ana)
    async with town.db.transaction() as tx:
        await messages.send(tx, town.ana, found["id"], NewMessage(text="I am"))
    await town.deliver()
    assert [text for _, text in await guest.texts(room)][-1] == "I am"
    assert await run(town, legacy_user, applies=True) == {}


async def test_a_message_from_the_future_hides_no_later_ones(
    town: MirroredTown, legacy_user: MatrixUser, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    """A Matrix event has its own timestamp. An event dated next year does not stop the site from reading the messages
    that follow.
    """
    guest: MatrixAccount = await synapse.account(fresh("guest"))
    event, room = await old_event(town, legacy_user, "Chess", room_version="10", invite=[guest.user_id])
    await guest.join(room)
    in_a_year = (SystemClock().now() + 365 * DAY) // 1_000
    await legacy_user._call(
        "PUT",
        "v3/rooms",
        room,
        "send",
        "m.room.message",
        "ahead",
        query={"ts": str(in_a_year)},
        body={"msgtype": "m.text", "body": "From the future"},
    )
    await run(town, legacy_user, applies=True)
    await town.read()
    await guest.say(room, "Who is here?", "1")
    await town.read()
    async with town.db.reader() as reader:
        rows = await reader.fetch(
            "select m.body from chat_messages m join chat_rooms r on r.id = m.room_id where r.event_id = :id"
            " order by m.number",
            id=event.id,
        )
    assert "Who is here?" in [row["body"] for row in rows]


async def test_adoption_continues_after_an_interruption(
    town: MirroredTown, legacy_user: MatrixUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot already had the power level, but nothing was stored yet."""
    event, room = await old_event(town, legacy_user, "Chess", room_version="10")

    async def is_away(*_: object, **__: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        # The older bot has read these events already.
        looked = legacy_user.state
        broken.setattr(type(town.bridge.bot), "state", is_away)
        broken.setattr(legacy_user, "state", looked)
        with pytest.raises(ConnectionResetError):
            await run(town, legacy_user, applies=True)
    assert await stored(town, event) == ("", None, 0)
    assert (await run(town, legacy_user, applies=True))["Chess"].outcome is AdoptionOutcome.ADOPTED
    assert (await stored(town, event))[:2] == ("on", room)


async def test_a_room_that_cannot_be_adopted_is_replaced_and_gets_a_notice(
    town: MirroredTown, legacy_user: MatrixUser, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    event, room = await old_event(town, legacy_user, "Secret", initial_state=[{**ENCRYPTED, "state_key": ""}])
    stranger = await synapse.account(fresh("stranger"))
    elsewhere = (await stranger.call("POST", "createRoom", {}))["room_id"]
    await imported(town, "Elsewhere", elsewhere)
    await imported(town, "Nonsense", "not a room")
    await old_event(town, legacy_user, "Newer", room_version="12")
    found = await run(town, legacy_user, applies=True)
    assert {name: (one.outcome, one.why) for name, one in found.items()} == {
        "Secret": (AdoptionOutcome.FRESH, "The room is encrypted."),
        "Elsewhere": (AdoptionOutcome.FRESH, "The older bot is not in that room."),
        "Newer": (
            AdoptionOutcome.FRESH,
            "The older bot created the room, and keeps its power there (room version 12).",
        ),
        "Nonsense": (AdoptionOutcome.FRESH, "The stored id is not a room id."),
    }
    await town.deliver()
    state, fresh_room, guests = await stored(town, event)
    assert (state, guests) == ("on", 0)
    assert fresh_room not in {None, room}
    events = await legacy_user.messages(room, "", limit=10)
    assert "This chat has moved to a new room." in str(events["chunk"])


async def test_a_private_event_waits_for_its_host(town: MirroredTown, legacy_user: MatrixUser) -> None:
    event, room = await old_event(town, legacy_user, "Party", room_version="10")
    async with town.db.transaction() as tx:
        await tx.execute("update events set visibility = 'private' where id = :id", id=event.id)
    assert (await run(town, legacy_user, applies=True))["Party"].outcome is AdoptionOutcome.PREPARED
    assert await stored(town, event) == ("off", room, 0)
    async with town.db.transaction() as tx:
        (found,) = await tx.fetch("select id from chat_rooms where event_id = :id", id=event.id)
        await mirroring.switch_on(tx, town.ana, found["id"], is_confirmed=True)
    await town.deliver()
    assert await stored(town, event) == ("on", room, 0)


async def test_the_link_to_the_replacement_room_is_followed_once(town: MirroredTown, legacy_user: MatrixUser) -> None:
    event, first = await old_event(town, legacy_user, "Chess", room_version="10")
    made = await legacy_user._call("POST", "v3/rooms", first, "upgrade", body={"new_version": "11"})
    assert (await run(town, legacy_user, applies=True))["Chess"].outcome is AdoptionOutcome.ADOPTED
    assert (await stored(town, event))[1] == made["replacement_room"]
