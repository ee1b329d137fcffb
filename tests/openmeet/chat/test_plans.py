"""The chat queries of every page use indexes, on both engines, with any table statistics."""

import re

import pytest

from groundwork.database.transaction import Database, Engine, Reader, Row
from openmeet.domain.chat import reactions, readers
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.chat.room_list import RoomFilter, my_rooms, sort_key
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.site_under_test import event_by, person

TABLES = "chat_rooms|chat_messages|chat_readers|chat_pins|chat_mentions|attendances|group_members|events"


class Explaining:
    """A reader that records the query plan of each statement."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.plans: dict[str, str] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    async def fetch(self, sql: str, /, **parameters: object) -> list[Row]:
        explain = "explain query plan" if self._reader.engine == "sqlite" else "explain"
        rows = await self._reader.fetch(f"{explain} {sql}", **parameters)
        self.plans[sql] = "\n".join(str(row[-1]) for row in rows)
        return list(await self._reader.fetch(sql, **parameters))

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        return next(iter(await self.fetch(sql, **parameters)), None)

    def reading_through(self) -> list[str]:
        """Statements that scan one of the tables, each with its plan."""
        if self._reader.engine == "postgresql":
            through = re.compile(rf"Seq Scan on ({TABLES})\b")
            return [f"{sql}\n{plan}" for sql, plan in self.plans.items() if through.search(plan)]
        found = []
        for sql, plan in self.plans.items():
            # SQLite's plan names a table by its alias in the statement.
            aliases = {alias for _, alias in re.findall(r"\b(?:from|join|,) (chat_\w+) (\w+)", sql)}
            scanned = {name for name, rest in re.findall(r"^SCAN (\w+)(.*)$", plan, re.MULTILINE) if not rest.strip()}
            if scanned & (aliases | set(TABLES.split("|"))):
                found.append(f"{sql}\n{plan}")
        return found


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def test_unread_rooms_and_pinned_messages_are_found_by_indexes(db: Database, engine: Engine) -> None:
    """PostgreSQL is told to avoid sequential scans, so one in the plan means that no index fits."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        room = await room_of(tx, ana, subject_of_event(await event_by(tx, ana)))
        one = await send_text(tx, ana, room)
        await reactions.pin(tx, ana, one.id)
        if engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        looking = Explaining(tx)
        await looking.fetch("select r.id from chat_rooms r where r.about = 'a column without an index'")
        assert looking.reading_through(), "the check would find a full scan"
        looking.plans.clear()
        await readers.unread_counts(looking, ana.user_id)
        (near, *_) = looking.plans.values()
        page = await page_of_messages(looking, room, ana.user_id, MessageFilter(pinned=True))
        found = looking.reading_through()
    assert [each.message.id for each in page.messages] == [one.id]
    assert {"chat_rooms_by_series", "chat_rooms_by_group"} <= set(re.findall(r"\w+", near)), near
    assert not found, "\n\n".join(found)


async def test_pages_of_rooms_join_without_gaps(db: Database) -> None:
    """Consecutive pages of the room list have no gaps. Each page computes counts for its own rooms only, after the list
    is cut.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for number in range(4):
            room = await room_of(tx, ana, subject_of_event(await event_by(tx, ana, title=f"Evening {number}")))
            for _ in range(number):
                await send_text(tx, ana, room)
            if number % 2:
                await tx.execute(
                    "update chat_messages set user_id = :ben where room_id = :room", ben=ben.user_id, room=room.id
                )
        looking = Explaining(tx)
        whole = await my_rooms(looking, ana.user_id, RoomFilter(), limit=10)
        (counting,) = [sql for sql in looking.plans if "as unread" in sql]
        assert counting.index("limit :limit") < counting.index("as unread")
        paged, after = [], None
        while page := (await my_rooms(tx, ana.user_id, RoomFilter(), limit=1, after=after))[:1]:
            paged += page
            after = sort_key(page[0])
        unread = await my_rooms(tx, ana.user_id, RoomFilter(unread_only=True), limit=10)
    assert [one.unread for one in whole] == [3, 1, 0, 0]
    assert paged == whole
    assert unread == whole[:2]
