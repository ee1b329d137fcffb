"""When a host may mention everyone again: an hour after the last message that did; on both engines."""

import io
from pathlib import Path

import pytest
from PIL import Image

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import TooMany
from openmeet.domain.chat import pictures, polls
from openmeet.domain.chat.mentions import GroupMention, calls_of
from openmeet.domain.chat.model import MessageKind, NewPicture, Room
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import create_event_with_people, room_of, send_text, subject_of_event
from tests.worker_pool import WORKERS


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def hosted_room(db: Database) -> tuple[Caller, Room]:
    async with db.transaction() as tx:
        event, ana, _, _ = await create_event_with_people(tx)
        return ana, await room_of(tx, ana, subject_of_event(event))


async def calls_everyone(db: Database, who: Caller, room: Room) -> bool:
    async with db.transaction() as tx:
        return calls_of(await send_text(tx, who, room, "@everyone we begin")) == {GroupMention.EVERYONE}


@pytest.mark.parametrize("word", ["everyone", '"everyone"'])
async def test_the_description_of_a_picture_is_no_mention(db: Database, tmp_path: Path, word: str) -> None:
    """Nor is a choice of a poll, in a message that mentions the hosts."""
    ana, room = await hosted_room(db)
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(out, "JPEG")
    store = open_folder(tmp_path / "media")
    key = (await pictures.store_picture(db, store, WORKERS, ana.user_id, out.getvalue())).key
    async with db.transaction() as tx:
        shown = await send_text(tx, ana, room, "@hosts look", pictures=(NewPicture(key, word),))
        assert calls_of(shown) == {GroupMention.HOSTS}
        details = await polls.checked_poll(tx, room.id, [word, "nobody"], several=False, ends_at=None)
        await send_text(tx, ana, room, "@gastgeber who?", kind=MessageKind.POLL, details=details)
    assert await calls_everyone(db, ana, room)


async def test_the_last_mention_counts_among_other_messages(db: Database, clock: HandClock) -> None:
    """Also in a message that mentions the hosts first, and after further messages that mention only them."""
    ana, room = await hosted_room(db)
    async with db.transaction() as tx:
        first = await send_text(tx, ana, room, "@hosts @everyone hello")
    assert calls_of(first) == {GroupMention.HOSTS, GroupMention.EVERYONE}
    for _ in range(2):
        clock.turn(20 * MINUTE)
        async with db.transaction() as tx:
            assert calls_of(await send_text(tx, ana, room, "@hosts again")) == {GroupMention.HOSTS}
    with pytest.raises(TooMany) as refused:
        await calls_everyone(db, ana, room)
    assert (refused.value.name, refused.value.after_seconds) == ("EveryoneTooOften", 20 * 60)
    clock.turn(20 * MINUTE)
    assert await calls_everyone(db, ana, room)
