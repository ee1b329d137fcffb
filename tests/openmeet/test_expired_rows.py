"""Expired rows that strangers cause are deleted however many there are, and no transaction deletes many of them."""

from types import SimpleNamespace
from typing import cast

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database import pages
from groundwork.database.transaction import Database
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from programs.platform import Platform
from programs.scheduler import TASKS
from tests.databases import MakeDatabase
from tests.openmeet.statement_counter import CountingDatabase

NUMBER, AT_ONCE = 8, 3
# The tasks that delete rows of these tables.
TASK_OF = {
    "email_code_guesses": "expired_sign_ins",
    "event_drafts": "expired_drafts",
    "idempotency_keys": "old_access",
    "oauth_requests": "over_sessions",
    "outbox_jobs": "completed_jobs",
    "records": "expired_waiting_rsvps",
    "sessions": "expired_sign_ins",
}


def _row(table: str, key: str, user_id: UserId) -> dict[str, object]:
    """A row that expired long ago."""
    match table:
        case "email_code_guesses":
            return {"address_hash": key, "used": 1, "resets_at": 1}
        case "event_drafts":
            return {"token_hash": key.encode(), "fields": "", "created_at": 0, "expires_at": 1}
        case "idempotency_keys":
            return {"user_id": user_id, "request_key": key, "digest": b"", "created_at": 1}
        case "oauth_requests":
            return {"state_hash": key.encode(), "sealed": b"", "created_at": 0, "expires_at": 1}
        case "outbox_jobs":
            job = {"kind": "mail", "subject": key, "revision": 1, "partition": "", "priority": 2, "state": "completed"}
            return job | {
                "due_at": 1,
                "attempts": 0,
                "lease": 0,
                "reason_code": "",
                "reason_params": "",
                "enqueued_at": 1,
            }
        case "records":
            record = {"uri": f"at://{key}", "did": key, "collection": "rsvp", "rkey": key, "rev": "3a", "cid": "c"}
            record |= {"subject_uri": "at://unseen", "state": "awaits_event", "reason": "", "precedence": ""}
            return record | {"epoch": 1, "body": b"", "is_verified": 1, "first_seen_at": 1, "seen_at": 1}
        case _:
            session = {"token_hash": key.encode(), "user_id": user_id, "kind": "browser"}
            return session | {"created_at": 0, "expires_at": 1}


@pytest.mark.parametrize("table", sorted(TASK_OF))
async def test_expired_rows_are_deleted_a_few_at_a_time(
    make_database: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """If the task fails in its second transaction, the rows that the first one deleted do not come back."""
    monkeypatch.setattr(pages, "ROWS_AT_ONCE", AT_ONCE)
    clock.turn(400 * DAY)
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        user_id = await users.create_person(tx, display_name="Ana")
        rows = [_row(table, f"k{number}", user_id) for number in range(NUMBER)]
        values = ", ".join(f":{name}" for name in rows[0])
        await tx.execute_many(f"insert into {table} ({', '.join(rows[0])}) values ({values})", rows)
    with pytest.raises(ConnectionError):
        await _run_task(table, CountingDatabase(db, fails_in=2))
    assert await _count(db, table) == NUMBER - AT_ONCE
    counting = CountingDatabase(db)
    await _run_task(table, counting)
    assert counting.most_changed == AT_ONCE
    assert await _count(db, table) == 0


async def _run_task(table: str, db: CountingDatabase) -> None:
    await TASKS[TASK_OF[table]].run(cast("Platform", SimpleNamespace(db=db)))


async def _count(db: Database, table: str) -> int:
    async with db.reader() as reader:
        row = await reader.fetch_one(f"select count(*) as n from {table}")
    return 0 if row is None else int(row["n"])
