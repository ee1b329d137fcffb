"""Query plans of statements, on tables that are large enough for an index."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Engine, Reader, Row, Transaction
from tests.openmeet.site_under_test import event_by, person

COPIED_EVENTS = 1_000


class ExplainingReader:
    """A reader that keeps the plan of each statement that it runs."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.plans: list[str] = []

    @property
    def engine(self) -> Engine:
        return self._reader.engine

    @property
    def now(self) -> Instant:
        return self._reader.now

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        is_sqlite = self.engine == "sqlite"
        rows = await self._reader.fetch(f"explain {'query plan ' if is_sqlite else ''}{sql}", **parameters)
        self.plans.append("\n".join(str(row["detail"] if is_sqlite else row[0]) for row in rows))
        return await self._reader.fetch(sql, **parameters)

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None


async def insert_copies(tx: Transaction) -> None:
    """Copies of a real event, enough for an index to pay off."""
    event = await event_by(tx, await person(tx, "Ana"), title="Tea")
    row = await tx.fetch_one("select * from events")
    assert row is not None
    changed = {
        "id": "'e' || n.i",
        "slug": "'e' || n.i",
        "starts_at": f"{event.starts_at} + n.i",
        "search_words": "search_words || 'w' || n.i || ' '",
    }
    names = list(dict(row))
    await tx.execute(
        f"""
        insert into events ({", ".join(names)})
        with recursive n(i) as (select 1 union all select i + 1 from n where i < {COPIED_EVENTS})
        select {", ".join(changed.get(name, name) for name in names)} from n, (select * from events) o
        """
    )
    await tx.execute("analyze events")


def reads_all_events(plan: str) -> bool:
    """True if every event is read. SQLite also reports ``SCAN e`` for the few rows of a subquery."""
    return "Seq Scan on events" in plan or (
        "CO-ROUTINE e" not in plan and any("SCAN e" in line and "USING" not in line for line in plan.splitlines())
    )
