"""Reactions and their withdrawals are delivered in both directions; on a real homeserver and both engines."""

from collections.abc import Callable
from typing import Any

import pytest

from openmeet.domain.chat import reactions
from openmeet.domain.chat.matrix_people import MatrixConsent
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.openmeet.matrix.room_members import ghost_of, join_as_guest, join_as_linked

pytestmark = [pytest.mark.anyio, needs("synapse")]


@pytest.fixture
async def account(synapse: Synapse, fresh: Callable[[str], str]) -> MatrixAccount:
    return await synapse.account(fresh("ben"))


async def react(account: MatrixAccount, room: str, event: str, emoji: str, expected: int = 200) -> str:
    relation = {"rel_type": "m.annotation", "event_id": event, "key": emoji}
    path = f"rooms/{room}/send/m.reaction/{event}{emoji}"
    found = await account.call("PUT", path, {"m.relates_to": relation}, expected)
    return str(found.get("event_id"))


async def event_of(account: MatrixAccount, room: str, body: str) -> str:
    return str(next(one["event_id"] for one in await account.events(room) if one["content"].get("body") == body))


async def reacted(account: MatrixAccount, room: str) -> list[tuple[str, str]]:
    """(person, emoji) of each reaction in the Matrix room."""
    found: list[tuple[str, str]] = []
    for event in await account.events(room):
        relation: dict[str, Any] = event["content"].get("m.relates_to", {})
        if event["type"] == "m.reaction" and relation:
            found.append((event["sender"], relation["key"]))
    return found


async def stored(town: MirroredTown) -> list[tuple[str | None, str | None, str]]:
    async with town.db.reader() as reader:
        rows = await reader.fetch(
            "select user_id, matrix_sender, emoji from chat_reactions order by at, emoji, matrix_sender"
        )
    return [(row["user_id"], row["matrix_sender"], row["emoji"]) for row in rows]


async def test_a_reaction_of_a_linked_account_is_its_persons(town: MirroredTown, account: MatrixAccount) -> None:
    """The reaction counts as the person's, with or without the variation selector in the emoji. It is not sent back to
    Matrix.
    """
    await town.agree(town.ana)
    await town.agree(town.ben)
    said = await town.say(town.ana, "Who comes?")
    await town.deliver()
    await join_as_linked(town, town.ben, account)
    room = await town.matrix_room()
    event = await event_of(account, room, "Who comes?")
    async with town.db.transaction() as tx:
        await reactions.react(tx, town.ana, said.id, "\N{THUMBS UP SIGN}")
    made = await react(account, room, event, "\N{THUMBS UP SIGN}\ufe0f")
    await town.read()
    assert sorted(await stored(town)) == sorted(
        [(town.ana.user_id, None, "\N{THUMBS UP SIGN}"), (town.ben.user_id, None, "\N{THUMBS UP SIGN}")]
    )
    assert sorted(await reacted(account, room)) == sorted(
        [(account.user_id, "\N{THUMBS UP SIGN}\ufe0f"), (await ghost_of(town, town.ana), "\N{THUMBS UP SIGN}")]
    )
    await account.call("PUT", f"rooms/{room}/redact/{made}/1", {})
    await town.read()
    assert await stored(town) == [(town.ana.user_id, None, "\N{THUMBS UP SIGN}")]


async def test_a_withdrawn_reaction_is_removed_in_matrix(town: MirroredTown, account: MatrixAccount) -> None:
    """A reaction is removed even if it was first made on this site and sent to Matrix, and then made again in Matrix."""
    await town.agree(town.ben)
    said = await town.say(town.ben, "Cake!")
    async with town.db.transaction() as tx:
        await reactions.react(tx, town.ben, said.id, "\N{PARTY POPPER}")
    await town.deliver()
    await join_as_linked(town, town.ben, account)
    room = await town.matrix_room()
    ghost = await ghost_of(town, town.ben)
    assert await reacted(account, room) == [(ghost, "\N{PARTY POPPER}")]
    await react(account, room, await event_of(account, room, "Cake!"), "\N{PARTY POPPER}")
    await town.read()
    assert await reacted(account, room) == [(account.user_id, "\N{PARTY POPPER}")]
    assert len(await stored(town)) == 1
    async with town.db.transaction() as tx:
        await reactions.unreact(tx, town.ben, said.id, "\N{PARTY POPPER}")
    await town.deliver()
    assert await reacted(account, room) == []
    assert await stored(town) == []


async def test_guests_react_and_forbidden_reactions_are_redacted(
    town: MirroredTown, account: MatrixAccount, synapse: Synapse, fresh: Callable[[str], str]
) -> None:
    await town.agree(town.ana)
    await town.say(town.ana, "Who comes?")
    room = await join_as_guest(town, account)
    event = await event_of(account, room, "Who comes?")
    made = await react(account, room, event, "\N{EYES}")
    await react(account, room, event, "not an emoji")
    await town.read()
    assert await stored(town) == [(None, account.user_id, "\N{EYES}")]
    assert await reacted(account, room) == [(account.user_id, "\N{EYES}")]
    # A moderator can redact it in Matrix, as on this site.
    host = await join_as_linked(town, town.ana, await synapse.account(fresh("ana")))
    await host.call("PUT", f"rooms/{room}/redact/{made}/1", {})
    await town.read()
    assert await stored(town) == []


async def test_withdrawing_consent_removes_reactions(town: MirroredTown, account: MatrixAccount) -> None:
    """Reactions by the person's ghost are removed. Reactions that they made with their own Matrix account stay."""
    await town.agree(town.ana)
    await town.agree(town.ben)
    said = await town.say(town.ana, "Who comes?")
    async with town.db.transaction() as tx:
        await reactions.react(tx, town.ben, said.id, "\N{EYES}")
    await town.deliver()
    await join_as_linked(town, town.ben, account)
    room = await town.matrix_room()
    await react(account, room, await event_of(account, room, "Who comes?"), "\N{PARTY POPPER}")
    await town.read()
    assert {emoji for _, emoji in await reacted(account, room)} == {"\N{EYES}", "\N{PARTY POPPER}"}
    await town.agree(town.ben, MatrixConsent.NONE)
    await town.deliver()
    assert await reacted(account, room) == [(account.user_id, "\N{PARTY POPPER}")]
    assert {emoji for _, _, emoji in await stored(town)} == {"\N{EYES}", "\N{PARTY POPPER}"}
