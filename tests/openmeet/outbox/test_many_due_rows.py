"""Many rows of a server that is not called are due. They are set aside, so that they are not read again and again."""

import re
from collections.abc import Sequence

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Row, Transaction
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import UserId
from openmeet.outbox import due_publications, leased_publications, publications
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.statement_counter import StatementCounter

DOWN, LIVE, OTHER = "https://down.example", "https://live.example", "https://other.example"
NUMBER = 1200
LIMIT = 20

_CONNECT = """
    insert into identities (did, user_id, kind, handle, display_name, pds_url, status, is_default, created_at, updated_at)
    values (:did, :user_id, 'connected', :did, '', :server, 'active', 1, :now, :now)
"""
# ``x1`` is the oldest.
_ENQUEUE_MANY = """
    insert into publications (kind, subject_id, user_id, state, revision, due_at, edited_at, changed_at)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < :number)
    select 'event', :prefix || i, cast(:user_id as text), 'due', 1, cast(:now as bigint) - 2 * :number + i, 1, 1 from n
"""


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def _person_at(tx: Transaction, server: str) -> UserId:
    user_id = await users.create_person(tx, display_name=server)
    await tx.execute(_CONNECT, did=f"did:web:{server[8:]}", user_id=user_id, server=server, now=tx.now)
    return user_id


async def _enqueue(tx: Transaction, user_id: UserId, subject_id: str) -> None:
    await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id=subject_id, user_id=user_id, revision=1)


async def _with_many_rows(db: Database) -> tuple[UserId, UserId]:
    """Somebody with many due rows on a server, and somebody on another one with a later row."""
    async with db.transaction() as tx:
        down, live = await _person_at(tx, DOWN), await _person_at(tx, LIVE)
        await tx.execute(_ENQUEUE_MANY, number=NUMBER, prefix="x", user_id=down, now=tx.now)
        await _enqueue(tx, live, "live")
    return down, live


async def _set_aside(db: Database) -> int:
    """Set rows aside until nothing is left to do. Returns the number of transactions."""
    for number in range(1, NUMBER):
        async with db.transaction() as tx:
            if not await due_publications.set_aside(tx, excluded_servers=[DOWN], limit=LIMIT):
                return number
    raise AssertionError("it does not end")


async def _lease(db: Database, *excluded: str, limit: int = LIMIT) -> tuple[list[str], int]:
    """The leased subjects, and how many rows were read."""
    async with db.transaction() as tx:
        counting = StatementCounter(tx)
        leased = await leased_publications.lease_due(counting, limit=limit, seconds=60, excluded_servers=excluded)
    return sorted(one.subject_id for one in leased), counting.rows


async def test_rows_of_a_server_that_is_not_called_are_read_once(db: Database) -> None:
    await _with_many_rows(db)
    # 500 rows in each transaction.
    assert await _set_aside(db) == 3
    assert await _set_aside(db) == 1
    leased, rows = await _lease(db, DOWN)
    assert leased == ["live"]
    # The 200 rows that are left need not be set aside.
    assert rows < 250


async def test_few_rows_are_not_set_aside(db: Database) -> None:
    """Also not if many rows of a server that is called come before them."""
    await _with_many_rows(db)
    async with db.transaction() as tx:
        assert not await due_publications.set_aside(tx, excluded_servers=[LIVE], limit=LIMIT)
        assert await tx.fetch("select 1 as found from publications where awaited_server is not null") == []


async def test_rows_keep_their_order(db: Database, clock: HandClock) -> None:
    """The server is called again: retractions come first, then the rows of all servers by the time they are due."""
    down, _ = await _with_many_rows(db)
    await _set_aside(db)
    async with db.transaction() as tx:
        await tx.execute("update publications set uri = 'at://x' || subject_id where subject_id = 'x9'")
        await publications.enqueue_retraction(tx, kind=PublicationKind.EVENT, subject_id="x9", user_id=down, revision=2)
        await tx.execute("update publications set due_at = due_at - :all where subject_id = 'live'", all=2 * NUMBER)
    clock.turn(SECOND)
    assert (await _lease(db, limit=4))[0] == ["live", "x1", "x2", "x9"]
    assert (await _lease(db, limit=3))[0] == ["x3", "x4", "x5"]


class Explaining(StatementCounter):
    """A transaction that explains the statement of ``lease_batchable`` before it is run."""

    plan = ""

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        how = "explain" if self.engine == "postgresql" else "explain query plan"
        self.plan = "\n".join(str(tuple(row)[-1]) for row in await self._tx.fetch(f"{how} {sql}", **parameters))
        return await super().fetch(sql, **parameters)


async def test_only_the_first_rows_of_somebody_are_read_to_send_them_together(db: Database) -> None:
    """An index has them in order. The server is determined for these rows only. If nobody else had rows, the index of
    all due rows would do as well.
    """
    _, live = await _with_many_rows(db)
    async with db.transaction() as tx:
        # All of them are due later.
        await tx.execute(_ENQUEUE_MANY, number=4 * NUMBER, prefix="y", user_id=live, now=tx.now + 7 * NUMBER)
        if tx.engine == "postgresql":
            await tx.execute("analyze publications")
    async with db.transaction() as tx:
        leased = await leased_publications.lease_due(tx, limit=1, seconds=60)
        explaining = Explaining(tx)
        together = await leased_publications.lease_batchable(explaining, leased, limit=LIMIT, seconds=60)
    assert sorted(one.subject_id for one in together) == sorted(f"x{number}" for number in range(2, LIMIT + 2))
    scans = re.findall(r"(?:Scan on|Scan using|SEARCH|SCAN) .*publications.*", explaining.plan)
    assert [scan for scan in scans if not re.search("publications_(to_batch|pkey)|kind=. AND subject_id=.", scan)] == []
    assert "publications_to_batch" in explaining.plan


async def test_rows_of_somebody_who_moves_to_another_server_are_no_longer_set_aside(db: Database) -> None:
    await _with_many_rows(db)
    await _set_aside(db)
    async with db.transaction() as tx:
        await tx.execute("update identities set pds_url = :other where pds_url = :down", other=OTHER, down=DOWN)
    assert (await _lease(db, DOWN, limit=2))[0] == ["x1", "x2"]


async def test_a_row_that_becomes_due_is_no_longer_set_aside(db: Database) -> None:
    """Its server may be another one now."""
    down, _ = await _with_many_rows(db)
    await _set_aside(db)
    async with db.transaction() as tx:
        await publications.enqueue(tx, kind=PublicationKind.EVENT, subject_id="x7", user_id=down, revision=2)
        rows = await tx.fetch(
            "select awaited_server from publications where subject_id in ('x7', 'x8') order by subject_id"
        )
    assert [row["awaited_server"] for row in rows] == [None, DOWN]
