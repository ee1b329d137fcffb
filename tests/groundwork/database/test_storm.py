"""Many concurrent callers, some of which fail or are cancelled at any point: exactly the acknowledged writes are
stored.
"""

import asyncio
import random

import pytest
from tests.databases import MakeDatabase

from groundwork.database.transaction import Database, Writer

CALLERS = 150


async def ticks(count: int) -> None:
    """Let the loop run a few turns."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(4))
async def test_after_a_storm_exactly_the_acknowledged_writes_are_stored(make_database: MakeDatabase, seed: int):
    """After a storm, acknowledged writes are stored and refused ones are not. ``after_commit`` was called exactly once
    for each stored one.
    """
    dice = random.Random(seed)
    db: Database = await make_database()
    await db.write(lambda writer: writer.execute("create table t (a bigint primary key, half integer not null)"))
    durable: list[int] = []

    def plain(number: int, *, fails: bool):
        def work(writer: Writer) -> None:
            writer.after_commit(lambda: durable.append(number))
            writer.execute("insert into t (a, half) values (:a, 1)", a=number)
            if fails:
                raise LookupError
            writer.execute("update t set half = 0 where a = :a", a=number)

        return work

    async def interactive(number: int, pause: int, *, fails: bool) -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: durable.append(number))
            await tx.execute("insert into t (a, half) values (:a, 1)", a=number)
            await ticks(pause)
            if fails:
                raise LookupError
            await tx.execute("update t set half = 0 where a = :a", a=number)

    async def caller(number: int) -> None:
        fails, pause = dice.random() < 0.2, dice.randrange(4)
        if dice.random() < 0.5:
            await interactive(number, pause, fails=fails)
        else:
            await db.write(plain(number, fails=fails))

    tasks = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
    for task in dice.sample(tasks, CALLERS // 4):
        await ticks(dice.randrange(30))
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    await db.write(lambda writer: writer.fetch("select 1"))  # queued behind every commit that had begun
    async with db.reader() as reader:
        rows = await reader.fetch("select a, half from t")
    stored = {row["a"] for row in rows}
    answered = {number for number, result in enumerate(results) if result is None}
    refused = {number for number, result in enumerate(results) if isinstance(result, LookupError)}
    assert {type(result) for result in results} <= {type(None), LookupError, asyncio.CancelledError}
    assert answered <= stored
    assert not refused & stored
    assert not any(row["half"] for row in rows)
    assert len(durable) == len(set(durable))
    if db.engine == "sqlite":  # on PostgreSQL the commit of a cancelled caller may still be in progress
        assert set(durable) == stored
    await db.close()
    assert set(durable) >= stored
