"""Older messages are applied while a repository is compared with the database. Afterwards the database has the current
state.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database
from openmeet.domain.identities import backfill_progress
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.ingestion.reconcile import ReconcileOptions, reconcile
from openmeet.network.ingestion.repository_reads import RepositoryRead, apply_listing, finish_read, list_repository
from openmeet.network.ingestion.server_budgets import SpendOnServer, unlimited
from openmeet.network.records.collections import CONCERNING, EVENT
from openmeet.network.records.message import RecordMessage
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.ingestion.network import key_of, message
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.oracle import Change

__all__ = ["deployment"]


TEA, COFFEE = ({"$type": EVENT, "name": name, "createdAt": "2026-03-01T00:00:00Z"} for name in ("Tea", "Coffee"))


async def _put(deployment: Deployment, did: Did, key: str, record: dict[str, Any] | None) -> RecordMessage:
    """Write or delete a record in the repository, and return its message, which has not arrived yet."""
    app = await deployment.stranger("cleo")
    asked: dict[str, Any] = {"repo": did, "collection": EVENT, "rkey": key_of(key)}
    if record is None:
        done = await app.procedure("com.atproto.repo.deleteRecord", asked)
    else:
        done = await app.procedure("com.atproto.repo.putRecord", asked | {"record": record})
    return message(Change(did, EVENT, key_of(key), done["commit"]["rev"], record))


async def _backfill(deployment: Deployment, did: Did, spend_on_server: SpendOnServer) -> int:
    async with deployment.db.transaction() as tx:
        await backfill_progress.track(tx, did)
    records = await backfill(
        deployment.db, deployment.network, deployment.processor.ingestion_context, did, spend_on_server
    )
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select total, applied from backfills where did = :did", did=did)
    assert (row["total"], row["applied"]) == (records, records), "each comparison counts from the start"
    return records


async def _reconcile(deployment: Deployment, did: Did, spend_on_server: SpendOnServer) -> int | None:
    here, options = deployment.processor.ingestion_context, ReconcileOptions(spend_on_server)
    return (await reconcile(deployment.db, deployment.network, here, did, options=options)).records


@pytest.mark.parametrize("read", [_backfill, _reconcile])
@pytest.mark.parametrize("is_there", [True, False])
async def test_records_changed_by_an_older_message_are_compared_again(
    deployment: Deployment, is_there: bool, read: Callable[[Deployment, Did, SpendOnServer], Awaitable[int | None]]
):
    """The record is edited and changed back, or written and deleted. The message about the first step arrives after the
    comparison.
    """
    cleo = await deployment.connected("cleo")
    did = parse_did((await deployment.identity(cleo.user_id)).did)
    if is_there:
        await _put(deployment, did, "a", TEA)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    late = await _put(deployment, did, "a", COFFEE)
    await _put(deployment, did, "a", TEA if is_there else None)
    await _put(deployment, did, "b", TEA)
    asked = 0

    async def counted(_host: str) -> None:
        nonlocal asked
        asked += 1

    await list_repository(deployment.network, did, CONCERNING, counted)
    of_listing, asked = asked, 0

    async def take_late_message(_host: str) -> None:
        """Request the first proof after the comparison."""
        nonlocal asked
        asked += 1
        if asked == of_listing + 1:
            await apply_messages(deployment.db, late)

    assert await read(deployment, did, take_late_message) == (2 if is_there else 1)
    assert asked > of_listing
    expected = {f"at://{did}/{EVENT}/{key_of(key)}": "Tea" for key in (["a", "b"] if is_there else ["b"])}
    assert (await view_of(deployment.db)).events == expected


async def test_a_read_waits_for_an_uncommitted_older_message(deployment: Deployment):
    """The comparison sees no change, because the message is not committed yet. The read must not count as complete
    before it is.
    """
    await deployment.account("cleo")
    did = parse_did((await (await deployment.stranger("cleo")).query("com.atproto.server.getSession", {}))["did"])
    await _put(deployment, did, "a", TEA)
    here = deployment.processor.ingestion_context
    await backfill(deployment.db, deployment.network, here, did)
    late = await _put(deployment, did, "a", COFFEE)
    await _put(deployment, did, "a", TEA)
    listing = await list_repository(deployment.network, did, CONCERNING, unlimited)
    assert listing is not None
    before = await apply_listing(deployment.db, deployment.network, here, listing, unlimited)
    comparisons = 0
    is_applied, may_commit = asyncio.Event(), asyncio.Event()

    async def compare_and_apply() -> RepositoryRead:
        nonlocal comparisons
        comparisons += 1
        if comparisons == 1:
            return before
        return await apply_listing(deployment.db, deployment.network, here, listing, unlimited)

    async def apply_slowly() -> None:
        async with deployment.db.transaction() as tx:
            await apply(tx, here, [late])
            is_applied.set()
            await may_commit.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(apply_slowly())
        await is_applied.wait()
        noting = tasks.create_task(finish_read(deployment.db, did, compare_and_apply))
        while not noting.done() and not await _somebody_waits(deployment.db):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
        may_commit.set()
    await noting
    assert comparisons == 2
    assert (await view_of(deployment.db)).events == {f"at://{did}/{EVENT}/{key_of('a')}": "Tea"}


async def _somebody_waits(db: Database) -> bool:
    """True if a transaction is waiting for another one."""
    if db.engine == "sqlite":
        # On SQLite the single writer blocks all other transactions, but this cannot be observed. Assume that one is
        # waiting.
        return True
    async with db.reader() as reader:
        row = await reader.fetch_one(
            "select count(*) as n from pg_stat_activity"
            " where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0"
        )
    return row is not None and row["n"] > 0
