"""An account deletion whose process is killed resumes at the same step, and repeats no effect.

The process is killed before and after each commit from the request to the end. The steps are the same on both engines.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Engine, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.erasure import actions
from openmeet.domain.events import co_hosts
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.identities import actions as identities
from openmeet.domain.users import erasure_requests
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import take_due
from tests.databases import SqliteFiles
from tests.openmeet.database_snapshot import rows_of_all_tables
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.site_under_test import event_by, person

GRACE = 14 * DAY
MARK = "zqplanted"
DID = parse_did(f"did:plc:{MARK}{'a' * 15}")
# One event begins within the grace period, the other later.
SOON = {"starts": "2026-03-05T18:00", "ends": "2026-03-05T20:00"}
LATER = {"starts": "2026-05-05T18:00", "ends": "2026-05-05T20:00"}


class Killed(BaseException):
    """The process has ended: no code under test catches this."""


@dataclass
class KilledAt:
    """A database whose process is killed before or after the commit with this number."""

    inner: Database
    number: int
    is_after: bool
    commits: int = 0

    @property
    def engine(self) -> Engine:
        return self.inner.engine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.commits += 1
        is_last = self.commits == self.number
        async with self.inner.transaction() as tx:
            yield tx
            if is_last and not self.is_after:
                raise Killed
        if is_last:
            raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


async def scene(db: Database) -> tuple[Caller, Caller]:
    """Ana, who hosts alone and with Ben, shares a group with him, has answers, and has an account whose records the
    site keeps.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, f"{MARK} Ana"), await person(tx, "Ben")
        for when in (SOON, LATER):
            alone, both = [await event_by(tx, ana, title=title, **when) for title in (f"{MARK} tea", "Dinner")]
            invited = await co_hosts.invite(tx, ana, both.slug, "ben@example.org")
            await co_hosts.accept(tx, ben, invited.id)
            await attendance.answer(tx, ben, alone.slug, RsvpReply.GOING)
        his = await event_by(tx, ben, **LATER)
        await attendance.answer(tx, ana, his.slug, RsvpReply.GOING)
        choir = await groups.create(tx, ana, GroupDetails(name="Choir", time_zone="UTC"))
        await groups.create(tx, ana, GroupDetails(name=f"{MARK} alone", time_zone="UTC"))
        await groups.join(tx, ben, choir.slug)
        await identities.link(tx, DID, ana.user_id, handle=f"{MARK}.example", pds_url="https://pds.example")
        await tx.execute("update identities set kind = 'custodial' where did = :did", did=DID)
    return ana, ben


async def outcome(db: Database, ben: Caller) -> dict[str, object]:
    """Effects on other people, with the number of times."""
    async with db.reader() as reader:
        told = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
        jobs = await reader.fetch("select kind, subject from outbox_jobs where kind = 'delete_custodial_account'")
        owned = await reader.fetch_one("select count(*) as n from groups where owner_id = :id", id=ben.user_id)
        hosted = await reader.fetch_one("select count(*) as n from events where author_id = :id", id=ben.user_id)
        logged = await reader.fetch("select act from group_roles_log where act <> 'joined'")
    return {
        "told": Counter(row["kind"] for row in told),
        "jobs": [row["subject"] for row in jobs],
        "owns": (owned["n"], hosted["n"]),
        "log": Counter(row["act"] for row in logged),
    }


async def run(db: Database, folder: Path, number: int, *, is_after: bool, clock: HandClock) -> tuple[int, object]:
    """Run from the request to the end, killed at one commit. Returns the number of commits, and the outcome when
    everything had ended and when everything was deleted.
    """
    ana, ben = await scene(db)
    killed = KilledAt(db, number, is_after)
    erasing = erasing_in(folder)

    async def until_done(step: Callable[[Database], Awaitable[object]]) -> None:
        try:
            await step(killed)
        except Killed:
            await step(db)

    await until_done(lambda on: actions.begin(on, ana.user_id, GRACE))
    clock.turn(12 * DAY)
    await until_done(lambda on: take_due(on, erasing))
    # Notifications about an event are deleted when the event is emptied.
    ended = await outcome(db, ben)
    clock.turn(2 * DAY)
    await until_done(lambda on: take_due(on, erasing))
    async with db.reader() as reader:
        assert await erasure_requests.find(reader, ana.user_id) is None
        assert (await users.by_id(reader, ana.user_id)).created_at == 0
    (erased,) = [line for line in erasing.ledger.path.read_text().splitlines() if "erasedAt" in line]
    assert ana.user_id in erased
    rows = {name: lines for name, lines in (await rows_of_all_tables(db, db.engine)).items() if name != "outbox_jobs"}
    assert [name for name, lines in rows.items() if MARK in str([dict(line) for line in lines])] == []
    return killed.commits, (ended, await outcome(db, ben))


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_deletion_killed_at_any_commit_completes(
    make_sqlite: SqliteFiles, tmp_path: Path, clock: HandClock, is_after: bool
) -> None:
    began = clock.now()

    async def one(number: int) -> tuple[int, Any]:
        own = HandClock(began)
        db = await make_sqlite("openmeet", clock=own)
        try:
            return await run(db, tmp_path / str(number), number, is_after=is_after, clock=own)
        finally:
            await db.close()

    commits, expected = await one(0)
    assert commits > 15
    assert [each["jobs"] for each in expected] == [[], [DID]]
    assert expected[0]["told"]["event_cancelled"] == 2
    for number in itertools.count(1):
        reached, found = await one(number)
        assert found == expected, number
        if reached < number:
            return
