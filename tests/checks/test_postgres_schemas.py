"""PostgreSQL schemas that tests reuse are like new for each test."""

from collections.abc import Iterator

import asyncpg
import pytest

from tests.databases import drop_schemas, make_schema
from tests.postgres_schemas import Emptied

PACKAGE = "groundwork.queue"


@pytest.fixture
def emptied() -> Iterator[Emptied]:
    """The schemas are dropped with the database of this process."""
    own = Emptied(make_schema)
    yield own
    own.close()


async def run(url: str, schema: str, *statements: str) -> None:
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def rows(url: str, question: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(question)]
    finally:
        await connection.close()


AUDIT = """
    insert into audit_log (id, at, actor, role, action, subject, reason, before, after)
    values ('x', 1, 'ada', 'admin', 'act', 'ben', 'why', '', '')
"""


async def test_rows_of_a_test_are_deleted_and_initial_rows_restored(postgres_url: str, emptied: Emptied):
    """Rows of a test are removed, even those protected by a trigger, and rows of the revisions are restored."""
    schema = await emptied.borrow(postgres_url, "aurora_locus")
    question = f"""
        select (select count(*) from "{schema}".audit_log), (select last from "{schema}".sequencer),
               (select count(*) from "{schema}".label_sequencer)
    """
    at_first = await rows(postgres_url, question)
    changes = (AUDIT, "update sequencer set last = 99", "delete from label_sequencer")
    await run(postgres_url, schema, *changes)
    assert await rows(postgres_url, question) != at_first
    assert await emptied.give_back(postgres_url, schema, "aurora_locus")
    assert await emptied.borrow(postgres_url, "aurora_locus") == schema
    assert await rows(postgres_url, question) == at_first


@pytest.mark.parametrize(
    "change",
    [
        "create table another (id text)",
        "drop table queue_counters",
        "alter table queue_counters add column more text",
        'alter table queue_messages alter column reason type text collate "C"',
        "create index another on queue_counters (leases)",
        "create function another() returns int language sql as 'select 1'",
    ],
)
async def test_schema_with_a_changed_structure_is_not_reused(postgres_url: str, emptied: Emptied, change: str):
    schema = await emptied.borrow(postgres_url, PACKAGE)
    try:
        await run(postgres_url, schema, change)
        assert not await emptied.give_back(postgres_url, schema, PACKAGE)
        assert emptied.all() == []
    finally:
        await drop_schemas(postgres_url, [schema])
