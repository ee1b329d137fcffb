"""Members of a mirrored Matrix room: linked accounts, ghosts, guests and banned users."""

from typing import Any

from openmeet.domain.chat import matrix_guests, mirroring
from openmeet.domain.users.model import Caller
from tests.openmeet.matrix.homeserver import SERVER_NAME, MatrixAccount
from tests.openmeet.matrix.mirrored import MirroredTown


async def join_as_linked(town: MirroredTown, who: Caller, account: MatrixAccount) -> MatrixAccount:
    """Link a person with a Matrix account, which joins the room."""
    await town.linked(who, account)
    await account.join(await town.matrix_room())
    await compare_room(town)
    return account


async def compare_room(town: MirroredTown) -> None:
    """Read what happened in the Matrix room, compare it with the chat room, and send the differences."""
    await town.read()
    async with town.db.transaction() as tx:
        await mirroring.wake_all(tx)
    await town.deliver()


async def call_on_member(
    account: MatrixAccount, room: str, verb: str, whom: str, expected: int = 200, **more: Any
) -> None:
    await account.call("POST", f"rooms/{room}/{verb}", {"user_id": whom, **more}, expected)


async def ghost_of(town: MirroredTown, who: Caller) -> str:
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select localpart from matrix_people where user_id = :id", id=who.user_id)
    assert row is not None
    return town.bridge.ghost(row["localpart"]).user_id


async def banned_by(town: MirroredTown, whom: str) -> str | None:
    """The user who banned them in the Matrix room, or None if they are not banned."""
    members = await town.bridge.bot.members(await town.matrix_room())
    (found,) = [one for one in members if one["state_key"] == whom]
    return found["sender"] if found["content"]["membership"] == "ban" else None


async def allow_guests(town: MirroredTown) -> None:
    async with town.db.transaction() as tx:
        await mirroring.switch_on(tx, town.ana, town.room.id, is_confirmed=False, guests=True)


async def invite_guest(town: MirroredTown, account: MatrixAccount) -> None:
    async with town.db.transaction() as tx:
        await matrix_guests.invite(tx, town.ana, town.room.id, account.user_id, only_of_server=SERVER_NAME)
    await town.deliver()


async def join_as_guest(town: MirroredTown, account: MatrixAccount) -> str:
    """Let the account join the room as a guest. Returns the room's id."""
    await allow_guests(town)
    await town.deliver()
    await town.read()
    await invite_guest(town, account)
    room = await town.matrix_room()
    await account.join(room)
    await town.read()
    return room
