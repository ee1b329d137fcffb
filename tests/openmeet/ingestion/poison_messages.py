"""Records that the database refuses: triggers in the test's database, on either engine, by record key."""

from dataclasses import replace
from weakref import WeakKeyDictionary

from groundwork.database.transaction import Database
from openmeet.network.ingestion.backfill import apply_export
from openmeet.network.ingestion.failure_isolation import ApplyResult
from openmeet.network.ingestion.quarantine import QuarantinedRecord, page
from openmeet.network.records.message import RecordMessage
from tests.openmeet.ingestion.network import HERE, did, rev

# The column that identifies the record in each table that can be poisoned.
NAMING = {
    "records": "uri",
    "events": "record_uri",
    "attendances": "record_uri",
    "event_series": "record_uri",
    "groups": "external_id",
}

_POISON_SQLITE = """
    create trigger {name} before {verb} on {table} when new.{column} like '%/{rkey}'
     begin {statement}; end
"""
_POISON_POSTGRES = """
    create trigger {name} before {verb} on {table} for each row when (new.{column} like '%/{rkey}')
   execute function {name}()
"""
_FUNCTION = """
    create function {name}() returns trigger language plpgsql as $$ begin {statement}; return new; end $$
"""

REFUSE = {"sqlite": "select raise(abort, 'poisoned')", "postgresql": "raise exception 'poisoned'"}
# Violates a foreign key, as a row that refers to a missing one would.
REFER = dict.fromkeys(("sqlite", "postgresql"), "insert into chat_messages_of_test (user_id) values ('nobody')")


_poisoned: WeakKeyDictionary[Database, list[str]] = WeakKeyDictionary()


def _name(table: str, verb: str, rkey: str) -> str:
    return f"poison_{table}_{verb}_{rkey.replace('%', '')}"


async def poison(db: Database, table: str, rkey: str, statements: dict[str, str] = REFUSE) -> None:
    """Refuse writes of the record with this key to the table."""
    _poisoned.setdefault(db, []).extend(_name(table, verb, rkey) for verb in ("insert", "update"))
    async with db.transaction() as tx:
        if statements is REFER:
            await tx.execute(
                "create table if not exists chat_messages_of_test (user_id text not null references users (id))"
            )
        for verb in ("insert", "update"):
            words = {
                "name": _name(table, verb, rkey),
                "verb": verb,
                "table": table,
                "column": NAMING[table],
                "rkey": rkey,
                "statement": statements[tx.engine],
            }
            if tx.engine == "postgresql":
                await tx.execute(_FUNCTION.format(**words))
            await tx.execute((_POISON_POSTGRES if tx.engine == "postgresql" else _POISON_SQLITE).format(**words))


async def accept_all_again(db: Database) -> None:
    """Remove all triggers from a PostgreSQL schema. A changed schema would be created again, which takes longer than
    most tests.
    """
    if not _poisoned.get(db):
        return
    async with db.transaction() as tx:
        if tx.engine == "postgresql":
            for name in _poisoned.pop(db):
                await tx.execute(f"drop function if exists {name}() cascade")
            await tx.execute("drop table if exists chat_messages_of_test")


async def accept_again(db: Database, table: str, rkey: str) -> None:
    """Accept the record again."""
    async with db.transaction() as tx:
        for verb in ("insert", "update"):
            name = _name(table, verb, rkey)
            if tx.engine == "postgresql":
                await tx.execute(f"drop function {name}() cascade")
            else:
                await tx.execute(f"drop trigger {name}")


async def apply_repository(db: Database, at: int, *messages: RecordMessage, author: int = 1) -> ApplyResult:
    """Apply the content of a person's whole repository."""
    held = [replace(one, rev=rev(at), is_read=True) for one in messages]
    return await apply_export(db, HERE, did(author), rev(at), held)


async def quarantined_records(db: Database) -> list[QuarantinedRecord]:
    async with db.reader() as reader:
        return await page(reader)


async def quarantined_keys(db: Database) -> list[str]:
    return [one.uri.rpartition("/")[2] for one in await quarantined_records(db)]
