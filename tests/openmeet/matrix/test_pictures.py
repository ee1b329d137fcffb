"""Pictures in messages, in both directions with a real homeserver; on both engines."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY
from groundwork.errors import RemoteFailed
from openmeet.domain.chat import message_queries, messages, mirroring, pictures
from openmeet.domain.chat.model import ChatMessage, NewMessage, NewPicture
from openmeet.domain.users.model import Caller
from openmeet.matrix import content
from openmeet.matrix import pictures as bridge_pictures
from openmeet.matrix.calls import MatrixUser
from tests.external_dependencies import needs
from tests.openmeet.matrix.homeserver import MatrixAccount, Synapse
from tests.openmeet.matrix.mirrored import MirroredTown
from tests.worker_pool import POOL, WORKERS

pytestmark = [pytest.mark.anyio, needs("synapse")]


def photo(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(out, kind)
    return out.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return open_folder(tmp_path / "media")


@pytest.fixture
async def town_with_pictures(town: MirroredTown, store: BlobStore) -> MirroredTown:
    """A town whose bridge has a picture store."""
    await town.agree(town.ben)
    return replace(town, bridge=replace(town.bridge, pictures=store, workers=POOL))


async def send(town: MirroredTown, who: Caller, text: str, *alts: str) -> ChatMessage:
    assert town.bridge.pictures is not None
    sent = []
    for alt in alts:
        stored = await pictures.store_picture(town.db, town.bridge.pictures, WORKERS, who.user_id, photo())
        sent.append(NewPicture(stored.key, alt))
    async with town.db.transaction() as tx:
        one, _ = await messages.send(tx, who, town.room.id, NewMessage(text=text, pictures=tuple(sent)))
    return one


async def events(town: MirroredTown) -> list[dict[str, Any]]:
    """The events that have not been redacted, oldest first."""
    found = await town.bridge.bot.messages(await town.matrix_room(), "", limit=100)
    return [one for one in reversed(found["chunk"]) if one["type"] == "m.room.message" and "body" in one["content"]]


async def test_pictures_are_sent_after_their_text_and_redacted_with_it(town_with_pictures: MirroredTown) -> None:
    said = await send(town_with_pictures, town_with_pictures.ben, "Look", "The lake", "")
    alone = await send(town_with_pictures, town_with_pictures.ben, "", "The hut")
    await town_with_pictures.deliver()
    found = [one["content"] for one in await events(town_with_pictures)]
    assert [(one["msgtype"], one["body"]) for one in found] == [
        ("m.text", "Look"),
        ("m.image", "The lake"),
        ("m.image", "picture.jpg"),
        ("m.image", "The hut"),
    ]
    body = await town_with_pictures.bridge.bot.download(found[1]["url"], 1_000_000)
    assert Image.open(io.BytesIO(body)).size == (80, 60)
    # In a message without text the first picture is the main event: replies refer to it and the caption is added to it.
    await town_with_pictures.edit(town_with_pictures.ben, alone, "Our hut")
    await town_with_pictures.deliver()
    assert ("Ben", "Our hut") in await town_with_pictures.seen()
    for one in (said, alone):
        await town_with_pictures.take_back(town_with_pictures.ben, one)
    await town_with_pictures.deliver()
    assert await events(town_with_pictures) == []
    assert "mxc://" not in str(await town_with_pictures.bridge.bot.messages(await town_with_pictures.matrix_room(), ""))


async def test_a_room_that_is_not_public_gets_text_instead_of_pictures(town_with_pictures: MirroredTown) -> None:
    async with town_with_pictures.db.transaction() as tx:
        await tx.execute("update events set visibility = 'private' where id = :id", id=town_with_pictures.event.id)
    await send(town_with_pictures, town_with_pictures.ben, "Look", "The lake")
    await town_with_pictures.deliver()
    assert [one["content"]["body"] for one in await events(town_with_pictures)] == [
        "Look\n\N{PAPERCLIP} Picture: The lake"
    ]


async def test_an_interrupted_delivery_duplicates_nothing(town_with_pictures: MirroredTown) -> None:
    said = await send(town_with_pictures, town_with_pictures.ben, "Look", "The lake")
    await town_with_pictures.deliver()
    before = [one["event_id"] for one in await events(town_with_pictures)]
    async with town_with_pictures.db.transaction() as tx:
        await tx.execute(
            "delete from matrix_sends where room_id = :room and number = :number",
            room=town_with_pictures.room.id,
            number=said.number,
        )
        await mirroring.wake_all(tx)
    await town_with_pictures.deliver()
    assert [one["event_id"] for one in await events(town_with_pictures)] == before


@pytest.fixture
async def account(town_with_pictures: MirroredTown, synapse: Synapse, fresh: Any) -> MatrixAccount:
    """Ben's own Matrix account, in the room."""
    made = await synapse.account(fresh("ben"))
    await town_with_pictures.linked(town_with_pictures.ben, made)
    await made.join(await town_with_pictures.matrix_room())
    return made


async def upload(account: MatrixAccount, body: bytes) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        headers = {"authorization": f"Bearer {account.token}", "content-type": "image/jpeg"}
        answer = await http.post(f"{account.url}/_matrix/media/v3/upload", content=body, headers=headers)
    return str(answer.json()["content_uri"])


async def test_a_picture_from_matrix_is_shown_and_an_invalid_one_stays_text(
    town_with_pictures: MirroredTown, account: MatrixAccount
) -> None:
    room = await town_with_pictures.matrix_room()
    good, bad = await upload(account, photo("PNG")), await upload(account, b"<svg/>")
    image = {"msgtype": "m.image", "filename": "lake.png"}
    await account.say(room, "The lake", "1", **image, url=good)
    await account.say(room, "lake.png", "2", **image, url=good)
    await account.say(room, "bad.png", "3", msgtype="m.image", url=bad)
    await account.say(room, "gone.png", "4", msgtype="m.image", url="mxc://chat.test/nothing")
    await account.say(room, "report.pdf", "5", msgtype="m.file", url=good)
    await town_with_pictures.read()
    async with town_with_pictures.db.reader() as db:
        rows = await db.fetch("select id from chat_messages where external_id is not null order by number")
        found = [await message_queries.by_id(db, row["id"]) for row in rows]
    assert [(one.body, len(one.pictures)) for one in found if one] == [
        ("The lake", 1),
        ("", 1),
        ("\N{PAPERCLIP} bad.png", 0),
        ("\N{PAPERCLIP} gone.png", 0),
        ("\N{PAPERCLIP} report.pdf", 0),
    ]
    assert town_with_pictures.bridge.pictures is not None
    key = found[0].pictures[0].key if found[0] else None
    assert key is not None
    async with town_with_pictures.db.reader() as db:
        assert (
            await pictures.readable_picture(db, key, town_with_pictures.ana.user_id)
        ).user_id == town_with_pictures.ben.user_id
    # None of it is sent back to Matrix.
    assert len([one for one in await events(town_with_pictures) if one["sender"] != account.user_id]) == 0


async def test_pictures_that_cannot_be_shown_count_against_the_limit(
    town_with_pictures: MirroredTown, account: MatrixAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures that cannot be shown count against the limit too. Otherwise a sender could make the site fetch and
    decode any number of files.
    """
    monkeypatch.setattr(bridge_pictures, "_MAX_A_DAY", 2)
    room = await town_with_pictures.matrix_room()
    good, bad = await upload(account, photo("PNG")), await upload(account, b"<svg/>")
    for number, url in enumerate((bad, bad, good)):
        await account.say(room, f"{number}.png", f"{number}", msgtype="m.image", url=url)
        await town_with_pictures.read()
    assert (await town_with_pictures.texts())[-3:] == [f"\N{PAPERCLIP} {number}.png" for number in range(3)]
    town_with_pictures.clock.turn(DAY)
    await account.say(room, "next.png", "next", msgtype="m.image", url=good)
    await town_with_pictures.read()
    assert (await town_with_pictures.texts())[-1] == ""


async def test_text_arrives_without_a_picture_that_the_homeserver_refuses(
    town_with_pictures: MirroredTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The homeserver would refuse the picture every time, so the rest of the room does not wait for it. The sent text
    is recorded and can be redacted.
    """
    refused = RemoteFailed("Too large", name="M_TOO_LARGE", status=413)

    async def upload_fails(*_: object) -> str:
        raise refused

    monkeypatch.setattr(MatrixUser, "upload", upload_fails)
    said = await send(town_with_pictures, town_with_pictures.ben, "Look", "The lake")
    await send(town_with_pictures, town_with_pictures.ben, "", "The hut")
    await town_with_pictures.deliver()
    assert [text for _, text in await town_with_pictures.seen()] == ["Look", "\N{PAPERCLIP} Picture: The hut"]
    await town_with_pictures.take_back(town_with_pictures.ben, said)
    await town_with_pictures.deliver()
    assert [text for _, text in await town_with_pictures.seen()] == ["\N{PAPERCLIP} Picture: The hut"]


def test_media_ids_cannot_contain_paths() -> None:
    event = {"event_id": "$a", "sender": "@ana:chat.test", "type": "m.room.message"}
    for uri in (
        "mxc://chat.test/../x",
        "mxc://chat.test/a?b",
        "http://chat.test/a",
        "mxc://a b/c",
        "mxc://chat.test/",
        5,
        None,
    ):
        read = content.incoming({**event, "content": {"msgtype": "m.image", "body": "x.png", "url": uri}})
        assert isinstance(read, content.IncomingMessage)
        assert (read.text, read.picture) == ("\N{PAPERCLIP} x.png", None)
