"""An account is erased while its records are written: nothing is sent after that, and nothing is stored again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion.account_deletion import ErasureContext, erase
from openmeet.network.publishing import delivery_results
from openmeet.network.publishing.decision import PublishByWriter
from openmeet.network.publishing.decision_basis import lock_basis
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.late_writes import late_write_handler
from openmeet.network.publishing.schedule import run_once
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
from tests.openmeet.interleaving import run_actions_interleaved
from tests.openmeet.publishing.watched_requests import RequestWatch, watch_requests

__all__ = ["deployment_on_each"]

AUTHOR = 2
STORED = """
    select uri from records where did = :did
     union all select uri from publications where did = :did
     union all select uri from in_flight_creates where did = :did
     union all select record_uri from events where record_did = :did
"""


async def leased_event(deployment: Deployment) -> Publication:
    """Return the leased publication of a new event."""
    host = await deployment.person("Ana", agrees=False)
    tea = await deployment.event(host)
    async with deployment.db.transaction() as tx:
        leased = await leased_publications.lease_one(tx, kind=PublicationKind.EVENT, subject_id=tea.id, seconds=60)
    assert leased is not None
    return leased


async def decided(deployment: Deployment, written: RecordMessage) -> Publication:
    """Return the leased publication of a new event whose host has the repository of this record."""
    leased = await leased_event(deployment)
    host = UserId(leased.user_id)
    async with deployment.db.transaction() as tx:
        await identity_queries.insert(
            tx, written.did, host, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
    return leased


async def sending(deployment: Deployment, written: RecordMessage) -> Publication:
    """Store that a new event is being written as this record, and return its leased publication."""
    leased = await leased_event(deployment)
    write = write_of(written)
    async with deployment.db.transaction() as tx:
        await leased_publications.store_before_sending(tx, leased, write, did=written.did, body=written.body or b"")
        publication = await publication_queries.find(tx, leased.kind, leased.subject_id)
    assert publication is not None
    return publication


def write_of(written: RecordMessage) -> InFlightWrite:
    return InFlightWrite(written.uri, written.cid or "", None)


async def store_first_write(publisher: PublishingDependencies, leased: Publication, written: RecordMessage) -> None:
    identity = Identity(
        written.did, UserId(leased.user_id), IdentityKind.CONNECTED, "", "", "", "active", True, Instant(0)
    )
    write, decision = write_of(written), PublishByWriter(identity, EVENT, None, lambda *_: {})
    async with publisher.db.transaction() as tx:
        if await lock_basis(tx, [(leased, decision)]):
            await leased_publications.store_before_sending(tx, leased, write, did=written.did, body=written.body or b"")


async def complete_write(publisher: PublishingDependencies, publication: Publication, written: RecordMessage) -> None:
    version = RecordVersion(written.uri, written.rev, written.cid or "", written.body or b"")
    await delivery_results.complete_write(publisher, publication, version, revision=publication.revision)


async def store_retracted(publisher: PublishingDependencies, publication: Publication, written: RecordMessage) -> None:
    await delivery_results.forget_record(publisher, publication, deletion_of(written, 10_000))


EraseOutside = Callable[[Did], Awaitable[None]]


async def nothing_outside(_did: Did) -> None:
    return


async def host_with_events(deployment: Deployment, name: str, number: int) -> Did:
    """Connect a person who has never published anything, with this number of events. Returns their DID."""
    host = await deployment.connected(name)
    for _ in range(number):
        await deployment.event(host)
    return (await deployment.identity(host.user_id)).did


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)  # SQLite has a single writer
@pytest.mark.parametrize("is_erased_first", [True, False])
@pytest.mark.parametrize(
    ("prepare", "store"), [(decided, store_first_write), (sending, complete_write), (sending, store_retracted)]
)
async def test_an_erasure_leaves_nothing_of_what_is_stored_meanwhile(
    deployment_on_each: Deployment,
    prepare: Callable[[Deployment, RecordMessage], Awaitable[Publication]],
    store: Callable[[PublishingDependencies, Publication, RecordMessage], Awaitable[None]],
    is_erased_first: bool,
):
    """One stops before each of its statements until the other has finished or waits."""
    deployment = deployment_on_each
    at, is_stopped = 0, True
    while is_stopped:
        at += 1
        written = event(AUTHOR, f"tea{at}", at)
        publication = await prepare(deployment, written)
        async with deployment.db.transaction() as tx:
            await tx.execute("delete from erased_records")

        async def erasing(db: Database) -> None:
            await erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(AUTHOR))

        async def storing(
            db: Database, publication: Publication = publication, written: RecordMessage = written
        ) -> None:
            await store(replace(deployment.publisher, db=db), publication, written)

        first, second = (erasing, storing) if is_erased_first else (storing, erasing)
        is_stopped = await run_actions_interleaved(
            deployment.db, first, second, at, waits_without_lock=not is_erased_first
        )
        async with deployment.db.reader() as reader:
            assert await reader.fetch(STORED, did=did(AUTHOR)) == [], f"stopped before statement {at}"
    assert at > 5


class ErasedDatabase:
    """A database from which an account is erased before the ``at``-th transaction."""

    def __init__(self, db: Database, author: Did, at: int = 1, erase_outside: EraseOutside = nothing_outside) -> None:
        self._db, self._author, self._at, self._erase_outside = db, author, at, erase_outside
        self.opened = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.opened += 1
        if self.opened == self._at:
            await erase(self._db, ErasureContext(ERASURE_KEYS, self._erase_outside), self._author)
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


@pytest.mark.parametrize("number", [1, 2])  # written alone, written together
async def test_first_records_are_not_sent_after_their_account_was_erased(deployment_on_each: Deployment, number: int):
    """Erased before each transaction of the publisher. The account still accepts records: only the directory has
    confirmed the deletion.
    """
    deployment = deployment_on_each
    sent_before: list[bool] = []
    while True:
        at = len(sent_before) + 1
        author = await host_with_events(deployment, f"cleo{at}", number)
        watch = await watch_requests(deployment)
        sent: list[int] = []

        async def note_sent(_did: Did, watch: RequestWatch = watch, sent: list[int] = sent) -> None:
            sent.append(len(watch.writes))

        db = ErasedDatabase(deployment.db, author, at, note_sent)
        await run_once(replace(deployment.publisher, db=cast("Database", db)))
        if db.opened < at:
            break
        await deployment.deliver_publications()
        assert [len(watch.writes)] == sent, f"sent after the erasure before transaction {at}"
        async with deployment.db.reader() as reader:
            assert await reader.fetch(STORED, did=author) == [], f"erased before transaction {at}"
        sent_before.append(sent > [0])
    assert (sent_before[0], sent_before[-1]) == (False, True)
