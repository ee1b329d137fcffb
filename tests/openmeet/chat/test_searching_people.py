"""Searching the people of a large room by name compares each of them once, on PostgreSQL too."""

import json
from collections.abc import Mapping, Sequence

import pytest

from groundwork.database.transaction import Database, Reader, Row, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import people
from openmeet.domain.chat.model import Room
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, person

PEOPLE = 600
# One person in five has it in the name.
COMMON = "muell"


class Comparing:
    """A reader that counts the pairs of rows that joins compared and left out."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.compared = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        if self._reader.engine == "postgresql":
            (row,) = await self._reader.fetch(f"explain (analyze, format json) {sql}", **parameters)
            self.compared += compared(json.loads(row[0])[0]["Plan"])
        return await self._reader.fetch(sql, **parameters)


def compared(plan: Mapping[str, object]) -> int:
    inner = plan.get("Plans", [])
    assert isinstance(inner, list)
    here = int(str(plan.get("Rows Removed by Join Filter", 0))) * int(str(plan["Actual Loops"]))
    return here + sum(compared(one) for one in inner)


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet", transaction_seconds=120.0)


async def crowded_room(tx: Transaction) -> tuple[Caller, Room]:
    """A room with one person in five whose name contains ``COMMON``."""
    ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    event = await event_by(tx, ana)
    answer = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    room = await room_of(tx, ana, subject_of_event(event))
    named = [f"Person {i:04} {'Müller' if i % 5 else 'Mueller'}" for i in range(PEOPLE)]
    await _copies(
        tx, "users", ben.user_id, [{"id": f"u{i}", "email": None, "display_name": name} for i, name in enumerate(named)]
    )
    await _copies(tx, "attendances", answer.id, [{"id": f"a{i}", "user_id": f"u{i}"} for i in range(PEOPLE)])
    if tx.engine == "postgresql":
        await tx.execute("analyze users")
        await tx.execute("analyze attendances")
    return ana, room


async def _copies(tx: Transaction, table: str, original: str, changes: Sequence[Mapping[str, object]]) -> None:
    row = await tx.fetch_one(f"select * from {table} where id = :id", id=original)
    assert row is not None
    names = list(dict(row))
    await tx.execute_many(
        f"insert into {table} ({', '.join(names)}) values ({', '.join(f':{name}' for name in names)})",
        [{**dict(row), **change} for change in changes],
    )


async def test_a_common_part_of_a_name_is_compared_once_with_each_person(db: Database) -> None:
    async with db.transaction() as tx:
        ana, room = await crowded_room(tx)
        counting = Comparing(tx)
        found = await people.members(counting, room, ana.user_id, words=COMMON, limit=20)
        named = await people.people_named(counting, room, ["person0005mueller", "person0001müller"], ana.user_id)
    assert [one.name for one in found.people] == [f"Person {i:04} Mueller" for i in range(0, 100, 5)]
    assert named == {"person0005mueller": "u5", "person0001müller": "u1"}
    assert counting.compared <= 2 * PEOPLE
