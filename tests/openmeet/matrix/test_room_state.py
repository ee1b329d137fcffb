"""The state of a Matrix room follows the room on this site: name, history visibility, origin, members, and expired
messages.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from groundwork.clock import DAY, SECOND
from openmeet.domain.chat import matrix_people, mirroring, readers, rooms
from openmeet.domain.chat.deletion import forget_expired_messages
from openmeet.domain.chat.matrix_people import InvitationMode, MatrixConsent
from openmeet.domain.chat.model import HistoryMode, RoomRetention
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.openmeet.matrix.room_members import compare_room, ghost_of, join_as_linked

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def account(synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    return await synapse.account(fresh("ben"))


async def state_of(town: MirroredTown, kind: str) -> list[dict[str, Any]]:
    found = await town.bridge.bot.state(await town.matrix_room())
    return [one["content"] for one in found if one["type"] == kind]


async def follow(town: MirroredTown) -> None:
    """Run the task that follows changes, then the workers."""
    await readers.apply_access_changes(town.db)
    await town.deliver()


async def test_a_changed_history_setting_applies_from_then_on(town: MirroredTown, account: MatrixAccount) -> None:
    await town.agree(town.ana)
    await town.say(town.ana, "For everybody")
    await town.deliver()
    assert await state_of(town, "m.room.history_visibility") == [{"history_visibility": "shared"}]
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(history=HistoryMode.SINCE_JOINING))
    await town.say(town.ana, "For those who are there")
    await town.deliver()
    assert await state_of(town, "m.room.history_visibility") == [{"history_visibility": "joined"}]
    await join_as_linked(town, town.ben, account)
    seen = [body for _, body in await account.texts(await town.matrix_room())]
    assert "For those who are there" not in seen


async def test_a_room_states_its_origin_and_its_name(town: MirroredTown) -> None:
    """A room that was made before this state event existed gets the event too."""
    await town.deliver()
    for kind in ("m.bridge", "uk.half-shot.bridge"):
        (note,) = await state_of(town, kind)
        assert note["bridgebot"] == town.bridge.bot.user_id
        assert note["channel"]["displayname"] == town.event.title
    room, key = await town.matrix_room(), f"openmeet://{town.bridge.tenant}/{town.room.id}"
    await town.bridge.bot.set_state(room, "m.bridge", {}, key)
    async with town.db.transaction() as tx:
        before = await mirroring.newest_access_change(tx)
        await tx.execute("update events set title = 'Another name' where id = :id", id=town.event.id)
        assert await mirroring.newest_access_change(tx) > before
    await follow(town)
    assert (await state_of(town, "m.bridge"))[0]["channel"]["displayname"] == "Another name"
    assert await state_of(town, "m.room.name") == [{"name": "Another name"}]


async def test_a_name_set_by_somebody_else_is_reset(town: MirroredTown) -> None:
    """The bridge compares with the current name in the Matrix room and not with the name that this process set last,
    because another process may have renamed the room since.
    """
    await town.deliver()
    room = await town.matrix_room()
    await town.bridge.bot.set_state(room, "m.room.name", {"name": "By another process"})
    await compare_room(town)
    assert await state_of(town, "m.room.name") == [{"name": town.event.title}]
    await compare_room(town)
    events = [one for one in await town.events() if one["type"] == "m.room.name"]
    assert [one["content"]["name"] for one in events] == [town.event.title, "By another process", town.event.title]


async def test_a_second_consent_restores_the_name(town: MirroredTown, account: MatrixAccount) -> None:
    """The name is also restored if this process had set it before another process removed it."""
    await town.agree(town.ben)
    await town.say(town.ben, "Hello")
    await town.deliver()
    other = replace(town, bridge=replace(town.bridge, names={}))
    await other.agree(town.ben, MatrixConsent.NONE)
    await other.deliver()
    profile = f"profile/{await ghost_of(town, town.ben)}/displayname"
    assert await account.call("GET", profile) == {}
    await town.agree(town.ben)
    await town.deliver()
    await town.say(town.ben, "Hello again")
    await town.deliver()
    assert await account.call("GET", profile) == {"displayname": "Ben"}


async def test_a_suspended_account_is_removed_at_once_and_restored_later(
    town: MirroredTown, account: MatrixAccount
) -> None:
    """The account's stored settings for the room are kept and apply again afterwards."""
    await join_as_linked(town, town.ben, account)
    await follow(town)
    room, subject = await town.matrix_room(), Subject(ModeratedKind.PERSON, town.ben.user_id)
    async with town.db.transaction() as tx:
        await readers.mark_read(tx, town.ben, town.room.id, 1)
        await moderation.decide(tx, town.ana.user_id, subject, SubjectVisibility.HIDDEN, "spam")
    await follow(town)
    assert await town.bridge.bot.membership(room, account.user_id) == "leave"
    async with town.db.transaction() as tx:
        await moderation.decide(tx, town.ana.user_id, subject, SubjectVisibility.SHOWN, "a mistake")
    await follow(town)
    assert await town.bridge.bot.membership(room, account.user_id) == "invite"
    async with town.db.reader() as reader:
        kept = await readers.reading_of(reader, town.room.id, town.ben.user_id)
    assert kept is not None
    assert kept.read_number == 1


async def test_a_changed_name_is_updated_without_a_message(town: MirroredTown, account: MatrixAccount) -> None:
    await town.agree(town.ben)
    await town.say(town.ben, "Hello")
    await town.deliver()
    async with town.db.transaction() as tx:
        await tx.execute("update users set display_name = 'Benjamin' where id = :id", id=town.ben.user_id)
    await follow(town)
    # The rooms follow a changed profile after a short delay.
    shown = await account.call("GET", f"profile/{await ghost_of(town, town.ben)}/displayname")
    assert shown == {"displayname": "Benjamin"}


async def test_expired_messages_are_redacted_in_matrix(town: MirroredTown, account: MatrixAccount) -> None:
    """Expired messages are redacted with their edits, whether they were written on this site or in Matrix."""
    await town.agree(town.ana)
    said = await town.say(town.ana, "At eight")
    await town.deliver()
    await town.edit(town.ana, said, "At nine")
    await join_as_linked(town, town.ben, account)
    room = await town.matrix_room()
    await account.say(room, "From my own client", "1")
    await town.read()
    async with town.db.transaction() as tx:
        await rooms.change_settings(tx, town.ana, town.room.id, RoomSettings(retention=RoomRetention.QUARTER))
    await town.deliver()
    assert await forget_expired_messages(town.db) == 0
    town.clock.turn(91 * DAY + SECOND)
    assert await forget_expired_messages(town.db) == 3
    await town.deliver()
    seen = str(await account.events(room))
    assert "At eight" not in seen
    assert "At nine" not in seen
    assert "From my own client" not in seen


async def choose(town: MirroredTown, mode: InvitationMode | None = None, *, invited: bool | None = None) -> None:
    async with town.db.transaction() as tx:
        if mode is not None:
            await matrix_people.choose_mode(tx, town.ben, mode)
        if invited is not None:
            await matrix_people.choose_room(tx, town.ben, town.room.id, invited=invited)
    await town.deliver()


async def test_people_choose_which_rooms_invite_them(town: MirroredTown, account: MatrixAccount) -> None:
    """When a person switches invitations off, the pending ones are withdrawn and nobody is removed from a room. A
    person who left is invited again when they request it.
    """
    await town.deliver()
    await town.read()
    await choose(town, InvitationMode.NONE)
    await town.linked(town.ben, account)
    room, bot = await town.matrix_room(), town.bridge.bot
    assert await bot.membership(room, account.user_id) == ""
    await choose(town, InvitationMode.CHOSEN)
    assert await bot.membership(room, account.user_id) == ""
    await choose(town, invited=True)
    assert await bot.membership(room, account.user_id) == "invite"
    await choose(town, invited=False)
    assert await bot.membership(room, account.user_id) == "leave"
    await choose(town, InvitationMode.ALL, invited=True)
    await account.join(room)
    await choose(town, InvitationMode.NONE)
    assert await bot.membership(room, account.user_id) == "join"
    await choose(town, InvitationMode.ALL)
    await account.call("POST", f"rooms/{room}/leave", {})
    await compare_room(town)
    assert await bot.membership(room, account.user_id) == "leave"
    async with town.db.reader() as reader:
        (shown,) = await matrix_people.rooms_to_choose(reader, town.ben.user_id, 10)
    assert not shown.is_invited
    await choose(town, invited=True)
    assert await bot.membership(room, account.user_id) == "invite"
