"""The response to a write arrives while the account is erased: nothing of its records is stored again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.jobs import Job, JobState
from openmeet.network.ingestion.account_deletion import ErasureContext, erase
from openmeet.network.publishing import outcomes
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import in_flight, leased_publications, publication_queries
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, RecordVersion
from tests.openmeet.deployment import Deployment, deployment_on_each
from tests.openmeet.erasure.erasure_context import ERASURE_KEYS
from tests.openmeet.ingestion.network import deletion_of, did, event
from tests.openmeet.interleaving import run_acts_interleaved

__all__ = ["deployment_on_each"]

AUTHOR = 2
STORED = """
    select uri from records where did = :did
     union all select uri from publications where did = :did
     union all select uri from in_flight_creates where did = :did
     union all select record_uri from events where record_did = :did
"""


async def sending(deployment: Deployment, written: RecordMessage) -> Publication:
    """Store that a new event is being written as this record, and return its leased publication."""
    host = await deployment.person("Ana", agrees=False)
    tea = await deployment.event(host)
    assert written.cid is not None
    assert written.body is not None
    sent = InFlightWrite(written.uri, written.cid, None)
    async with deployment.db.transaction() as tx:
        leased = await leased_publications.lease_one(tx, kind=PublicationKind.EVENT, subject_id=tea.id, seconds=60)
        assert leased is not None
        await leased_publications.store_before_sending(tx, leased, sent, did=written.did, body=written.body)
        publication = await publication_queries.find(tx, PublicationKind.EVENT, tea.id)
    assert publication is not None
    return publication


async def complete_write(publisher: PublishingDependencies, publication: Publication, written: RecordMessage) -> None:
    version = RecordVersion(written.uri, written.rev, written.cid or "", written.body or b"")
    await outcomes.complete_write(publisher, publication, version, revision=publication.revision)


async def store_retracted(publisher: PublishingDependencies, publication: Publication, written: RecordMessage) -> None:
    await outcomes.forget_record(publisher, publication, deletion_of(written, 10_000))


async def nothing_outside(_did: str) -> None:
    return


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite has a single writer
@pytest.mark.parametrize("is_erased_first", [True, False])
@pytest.mark.parametrize("store", [complete_write, store_retracted])
async def test_an_erasure_leaves_nothing_of_a_response_that_arrives_meanwhile(
    deployment_on_each: Deployment,
    store: Callable[[PublishingDependencies, Publication, RecordMessage], Awaitable[None]],
    is_erased_first: bool,
):
    """One stops before each of its statements until the other has finished or waits."""
    deployment = deployment_on_each
    at, is_stopped = 0, True
    while is_stopped:
        at += 1
        written = event(AUTHOR, f"tea{at}", at)
        publication = await sending(deployment, written)
        async with deployment.db.transaction() as tx:
            await tx.execute("delete from erased_records")

        async def erasing(db: Database) -> None:
            await erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(AUTHOR))

        async def storing(
            db: Database, publication: Publication = publication, written: RecordMessage = written
        ) -> None:
            await store(replace(deployment.publisher, db=db), publication, written)

        first, second = (erasing, storing) if is_erased_first else (storing, erasing)
        is_stopped = await run_acts_interleaved(
            deployment.db, first, second, at, waits_without_lock=not is_erased_first
        )
        async with deployment.db.reader() as reader:
            assert await reader.fetch(STORED, did=did(AUTHOR)) == [], f"stopped before statement {at}"
    assert at > 10


class ErasedDatabase:
    """A database from which an account is erased before the next transaction."""

    def __init__(self, db: Database, author: Did) -> None:
        self._db, self._author = db, author

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        await erase(self._db, ErasureContext(ERASURE_KEYS, nothing_outside), self._author)
        async with self._db.transaction() as tx:
            yield tx


async def test_an_erasure_leaves_nothing_of_a_key_that_is_checked_meanwhile(deployment_on_each: Deployment):
    """A write to an abandoned key got no response. The check finds no record there, and the account is erased then."""
    deployment = deployment_on_each
    await deployment.account("cleo")
    session = await (await deployment.stranger("cleo")).query("com.atproto.server.getSession")
    author = parse_did(session["did"])
    uri = f"at://{author}/{EVENT}/tea"
    async with deployment.db.transaction() as tx:
        await in_flight.store(tx, InFlightWrite(uri, "c", None), did=author)
    db = cast("Database", ErasedDatabase(deployment.db, author))
    check = late_write_handler(replace(deployment.publisher, db=db))
    await check(Job(JobKind.LATE_WRITE, uri, 1, JobState.LEASED, 0, deployment.clock.now(), 1))
    async with deployment.db.reader() as reader:
        assert await reader.fetch(STORED, did=author) == []
        assert await reader.fetch("select 1 as one from outbox_jobs where subject = :uri", uri=uri) == []
