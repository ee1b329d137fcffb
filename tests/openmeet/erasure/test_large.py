"""An account with thousands of rows is deleted in many small transactions; on both engines."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import jobs
from groundwork.uuid7 import new_id
from openmeet.domain.erasure import account_rows, actions
from openmeet.domain.identities import actions as identities
from openmeet.domain.users import queries as users
from openmeet.network.ingestion.person_erasure import erase
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.site_under_test import event_by, person

NUMBER = 1500


@dataclass
class Counted:
    """A transaction that counts the rows that it touches."""

    inner: Transaction
    plans: set[str]
    rows: int = 0

    async def execute(self, sql: str, /, **parameters: object) -> int:
        if self.inner.engine == "sqlite" and sql.lstrip().startswith(("delete", "update")):
            plan = await self.inner.fetch(f"explain query plan {sql}", **parameters)
            self.plans |= {row["detail"] for row in plan}
        touched = await self.inner.execute(sql, **parameters)
        self.rows += touched
        return touched

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Counting:
    """A database that records how many rows each transaction touched and how SQLite found them."""

    inner: Database
    rows: list[int] = field(default_factory=list)
    plans: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        async with self.inner.transaction() as tx:
            counted = Counted(tx, self.plans)
            yield counted
        self.rows.append(counted.rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


# Rows of these tables are offers or expire within days, or there is one per series and person invited to all its dates.
# ``record_subjects`` has none, except from processes of an earlier release.
READ_WHOLE = {
    "chat_access_changes",
    "event_series_invitations",
    "event_series_offers",
    "guest_rsvps",
    "imports",
    "record_subjects",
}


async def test_no_transaction_is_longer_for_more_rows(
    make_database: MakeDatabase, tmp_path: Path, clock: HandClock
) -> None:
    db = await make_database("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        columns = [name for name in (await tx.fetch("select * from events"))[0].keys() if name not in {"id", "slug"}]  # noqa: SIM118 - of a row
        await tx.execute_many(
            f"insert into events (id, slug, {', '.join(columns)}) select cast(:new_id as text), cast(:new_id as text) "
            f"|| '-tea', {', '.join(columns)} from events where id = :id",
            [{"new_id": new_id(tx.now), "id": event.id} for _ in range(NUMBER)],
        )
        await tx.execute("update events set record_cid = 'cid', external_id = id")
        await tx.execute_many(
            "insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, created_at)"
            " values (:new_id, :user_id, 'event_changed', :new_id, 1, '{}', :now)",
            [{"new_id": new_id(tx.now), "user_id": ana.user_id, "now": tx.now} for _ in range(NUMBER)],
        )
    async with db.transaction() as tx:
        await actions.request(tx, ana.user_id, 0)
    counting = Counting(db)
    report = await erase(counting, erasing_in(tmp_path), ana.user_id)  # type: ignore[arg-type]
    assert report is not None
    assert (report.deleted["events"], report.deleted["notifications"]) == (NUMBER + 1, NUMBER)
    assert max(counting.rows) < NUMBER / 5
    assert {plan.split()[1] for plan in counting.plans if plan.startswith("SCAN")} == (
        READ_WHOLE if db.engine == "sqlite" else set()
    )
    async with db.reader() as reader:
        assert (await users.by_id(reader, ana.user_id)).display_name == ""
        row = await reader.fetch_one(
            "select count(*) as left_over from events where slug <> id or external_id is not null"
        )
        assert row["left_over"] == 0


async def test_text_searches_run_in_slices(
    make_database: MakeDatabase, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other people's notifications, jobs and labels that contain the person's ids are deleted, wherever in the table
    they are. The others stay.
    """
    monkeypatch.setattr(account_rows, "_SLICE", 10)
    monkeypatch.setattr(account_rows, "_AT_A_TIME", 3)
    db = await make_database("openmeet", clock=clock)
    did = "did:plc:" + "m" * 24
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await identities.link(tx, parse_did(did), ana.user_id, handle="ana.example", pds_url="https://pds.example")
        await tx.execute("delete from outbox_jobs where kind is not null")
        rows = [{"n": f"{n:03}", "names": n % 9 == 4} for n in range(95)]
        await tx.execute_many(
            "insert into notifications (id, user_id, kind, subject_id, subject_revision, particulars, created_at)"
            " values (:n, :ben, 'event_changed', :n, 1, :said, 1)",
            [
                {"n": row["n"], "ben": ben.user_id, "said": f'{{"by": "{ana.user_id if row["names"] else ""}"}}'}
                for row in rows
            ],
        )
        await tx.execute_many(
            "insert into labels (source, subject, value, cid, negated, hides, labelled_at, received_at)"
            " values ('did:web:l.example', :subject, 'spam', '', 0, 0, 1, 1)",
            [{"subject": f"at://{did if row['names'] else 'did:plc:x'}/org.example.thing/{row['n']}"} for row in rows],
        )
        for row in rows:
            await jobs.enqueue(tx, JobKind.GAINED_ACCESS, f"{row['n']} {ana.user_id if row['names'] else ''}")
        await actions.request(tx, ana.user_id, 0)
    report = await erase(db, erasing_in(tmp_path), ana.user_id)
    assert report is not None
    named = sum(row["names"] for row in rows)
    assert {name: report.deleted[name] for name in ("notifications", "labels", "outbox_jobs")} == {
        "notifications": named,
        "labels": named,
        "outbox_jobs": named,
    }
    async with db.reader() as reader:
        for name in ("notifications", "labels", "outbox_jobs"):
            row = await reader.fetch_one(f"select count(*) as number from {name}")
            assert row["number"] == len(rows) - named
