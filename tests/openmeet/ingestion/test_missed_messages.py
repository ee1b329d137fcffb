"""Repositories with missed messages are read, even if this site or the PDS was unavailable when the read was due."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from at_network.did_resolver import DidResolver, DidSettings
from at_network.xrpc_client import XrpcClient
from at_protocol.repo.car import MEDIA_TYPE
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import HOUR, SECOND
from groundwork.database.transaction import Database
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from groundwork.queue.contract import Message
from openmeet.domain.identities.model import ACTIVE
from openmeet.network.ingestion import identity_refresh
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.records import repository_state
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import Hint, HintKind, decode, encode
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import did, rev
from tests.simulation.directory import Directory

TEA = {"$type": EVENT, "name": "Tea", "createdAt": "2026-03-01T00:00:00Z"}


async def _is_behind(db: Database, who: Did) -> bool:
    async with db.reader() as reader:
        return await repository_state.is_behind(reader, who)


async def test_only_a_read_that_reaches_the_missed_rev_clears_it(db: Database):
    """The greatest rev counts, in any order of arrival. If no rev is known, any read clears the mark."""
    async with db.transaction() as tx:
        await repository_state.note_missed(tx, [(did(1), rev(7)), (did(1), rev(5)), (did(2), None)])
        await repository_state.note_missed(tx, [(did(1), rev(6))])
        await repository_state.note_read_up_to(tx, did(1), rev(6))
        await repository_state.note_read_up_to(tx, did(2), rev(1))
    assert [await _is_behind(db, did(number)) for number in (1, 2, 3)] == [True, False, False]
    async with db.transaction() as tx:
        await repository_state.note_read_up_to(tx, did(1), rev(7))
    assert not await _is_behind(db, did(1))


async def test_the_number_of_revs_kept_per_repository_is_limited(db: Database):
    """The first revs of a batch are stored. A rev that is already stored does not count twice."""
    async with db.transaction() as tx:
        await repository_state.note_missed(tx, [(did(number % 2), rev(number)) for number in range(96)])
        await repository_state.note_missed(tx, [(did(1), rev(number)) for number in range(1, 110, 2)])
        await repository_state.note_missed(tx, [(did(2), rev(number)) for number in range(80)])
    async with db.reader() as reader:
        kept = [await repository_state.missed_revs(reader, did(number)) for number in range(3)]
    assert kept[0] == [rev(number) for number in range(0, 96, 2)]
    assert kept[1] == [rev(number) for number in range(1, 101, 2)]
    assert kept[2] == [rev(number) for number in range(50)]


async def test_a_new_epoch_forgets_what_was_missed_before(db: Database):
    """Revs of the previous epoch can be greater than all later ones."""
    async with db.transaction() as tx:
        await repository_state.note_missed(tx, [(did(1), rev(7))])
        await repository_state.start_epoch(tx, did(1))
    assert not await _is_behind(db, did(1))


def test_hints_with_and_without_a_rev_are_read():
    """A hint is stored with its rev. Messages without a rev, which the previous version queued, are still read."""
    hint = Hint(did(1), HintKind.REPOSITORY, "said", 7, rev(3))
    assert decode(encode(hint)) == hint
    of_before = encode(replace(hint, rev=None))
    assert decode(of_before) == replace(hint, rev=None)


async def _account(deployment: Deployment, name: str = "cleo") -> tuple[Did, XrpcClient]:
    """A person whose repository was empty when OpenMeet read it."""
    person = await deployment.connected(name)
    await deployment.deliver_jobs()
    return parse_did((await deployment.identity(person.user_id)).did), await deployment.stranger(name)


async def _write(app: XrpcClient, who: Did) -> str:
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": who, "collection": EVENT, "record": TEA})
    return str(made["uri"])


async def _uris(deployment: Deployment) -> list[str]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select record_uri from events where removed_at is null order by record_uri")
    return [row["record_uri"] for row in rows]


async def _listen(deployment: Deployment, *hints: Hint) -> None:
    """Put the hints on the queue, as the consumer does, and process them."""
    await deployment.queue.publish(
        [Message(hint.routing_key, hint.did, encode(hint), hint.message_id) for hint in hints]
    )
    await deployment.ingest()


async def test_a_deactivated_account_is_read_when_it_returns(deployment: Deployment):
    """The gap was noticed while the account was deactivated. The read is queued again when it is active."""
    who, app = await _account(deployment)
    uri = await _write(app, who)
    await app.procedure("com.atproto.server.deactivateAccount", {})
    await _listen(deployment, Hint(who, HintKind.REPOSITORY, "", 1))
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, who)
    assert job is not None
    assert (job.state, await _uris(deployment)) == (JobState.COMPLETED, [])
    await app.procedure("com.atproto.server.activateAccount")
    deployment.clock.turn(SECOND)
    await _listen(deployment, Hint(who, HintKind.ACCOUNT, "active", 2))
    for _ in range(2):
        await deployment.deliver_jobs()
    assert await _uris(deployment) == [uri]


async def test_a_read_of_an_old_state_is_repeated(deployment: Deployment):
    """A read that does not reach a known commit is applied, and repeated later."""
    who, app = await _account(deployment)
    uri = await _write(app, who)
    ahead = rev(100_000)
    await _listen(deployment, Hint(who, HintKind.REPOSITORY, "", 1, ahead))
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, who)
    assert job is not None
    assert (job.state, job.attempts, await _uris(deployment)) == (JobState.DUE, 1, [uri])
    async with deployment.db.transaction() as tx:
        await repository_state.note_read_up_to(tx, who, ahead)
    deployment.clock.turn(HOUR)
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, who)
    assert job is not None
    assert job.state is JobState.COMPLETED


async def test_a_repository_reset_to_its_known_tree_is_read(deployment: Deployment):
    """The record is known by another route, because the stream lost it.

    Importing an older copy without it restores the last known tree, and the new commit shows that messages were missed.
    """
    who, app = await _account(deployment)
    await _follow(deployment, who)
    copy = await app.download("com.atproto.sync.getRepo", {"did": who}, max_bytes=100_000)
    deployment.clock.turn(SECOND)
    uri = await _write(app, who)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, who)
    assert await _uris(deployment) == [uri]
    await _lose_what_was_not_heard(deployment)
    deployment.clock.turn(SECOND)
    await app.upload("com.atproto.repo.importRepo", copy.body, MEDIA_TYPE)
    await _follow(deployment, who)
    await deployment.deliver_jobs()
    assert await _uris(deployment) == []


async def _follow(deployment: Deployment, who: Did) -> None:
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    newest = (await client.query("com.atproto.sync.getLatestCommit", {"did": who}))["rev"]
    await deployment.follow_until(who, lambda state: state.last_head is not None and state.last_head.rev == newest)


async def _lose_what_was_not_heard(deployment: Deployment) -> None:
    async with deployment.pds.registry.db.reader() as reader:
        row = await reader.fetch_one("select last from sequencer")
    assert row is not None
    async with deployment.consumer.db.transaction() as tx:
        await tx.execute("update sources set cursor = :cursor", cursor=row["last"])


class _Host:
    """A PDS that only reports the status of an account."""

    def __init__(self) -> None:
        self.url = ""
        self.is_there = False

    async def status(self, request: web.Request) -> web.Response:
        who = request.query["did"]
        if not self.is_there:
            return web.json_response({"error": "RepoNotFound", "message": "No such repository."}, status=400)
        return web.json_response({"did": who, "active": True, "status": ACTIVE})


@pytest.fixture
async def host() -> AsyncIterator[_Host]:
    found = _Host()
    app = web.Application()
    app.router.add_get("/xrpc/com.atproto.sync.getRepoStatus", found.status)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def test_an_account_restarted_during_its_erasure_is_read(deployment: Deployment, host: _Host):
    """Messages of the new account that arrived before the old one was erased were deleted in the erasure."""
    who = did(3)
    document = {
        "id": who,
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": host.url}],
    }

    async def come_back(_did: Did) -> None:
        host.is_there = True

    async with Directory({who: document}) as directory:
        dids = DidResolver(deployment.network.http, deployment.clock, DidSettings(directory.url, is_development=True))
        network = replace(deployment.network, dids=dids)
        async with deployment.db.transaction() as tx:
            await jobs.enqueue_again(tx, JobKind.REFRESH_IDENTITY, [who])
        async with deployment.db.reader() as reader:
            job = await jobs.find(reader, JobKind.REFRESH_IDENTITY, who)
        assert job is not None
        await identity_refresh.identity_handler(deployment.db, network, ErasureContext((b"k" * 32,), come_back))(job)
        await dids.close()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, who)
    assert job is not None
    assert job.state is JobState.DUE
