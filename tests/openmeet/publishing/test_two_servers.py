"""People with accounts on two different servers: this project's PDS, and the reference PDS in its own process.

Each server is written to and followed by its firehose, and it makes no difference which of them has a record.
"""

import asyncio
import base64
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_by_one
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.groups import administration, ownership, queries
from openmeet.domain.groups.model import INSIDE, Group, GroupRole
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import session_queries
from openmeet.domain.users.actions import choose_name
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import identity_refresh
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, ORIGIN_KEY
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind
from tests.databases import SqliteFiles
from tests.external_dependencies import ROOT, needs
from tests.openmeet.deployment import Deployment, Fixed, consume_until, open_deployment, records_listed
from tests.openmeet.publishing.test_groups import deliver_publications, found, let_in, now, show, switch_flag
from tests.openmeet.sign_in.test_refreshing_processes import line_of, tell
from tests.simulation.reference_pds import ReferencePds

pytestmark = needs("reference")

PASSWORD = "password of a test"


@dataclass
class TwoServers:
    """A site, this project's PDS (of ``town``) and the reference PDS, with one shared directory. ``tokens`` has those
    of accounts on the reference PDS, by DID.
    """

    deployment: Deployment
    reference: ReferencePds
    tokens: dict[str, str]
    database_url: str

    async def person(self, name: str, home: str) -> Caller:
        """A person who signs in with their existing account on their server, and consents."""
        if home == "ours":
            return await self.deployment.connected(name)
        made = await self.reference.sign_up(name)
        self.tokens[made["did"]] = made["accessJwt"]
        user_id = (
            await sign_in_with_password(
                self.deployment.db, self.deployment.network, identifier=made["did"], password=PASSWORD
            )
        ).user_id
        async with self.deployment.db.transaction() as tx:
            await identities.grant_consent(tx, user_id, handle=made["handle"])
            # Nobody has confirmed the handle yet, and hosts need a name.
            await choose_name(tx, user_id, name)
        return Caller(user_id, name)

    async def did(self, who: Caller) -> str:
        return (await self.deployment.identity(who.user_id)).did

    async def records(self, who: Caller, collection: str) -> dict[str, dict[str, Any]]:
        """The records of a repository, read from its own server."""
        identity = await self.deployment.identity(who.user_id)
        client = XrpcClient(self.deployment.network.http, self.deployment.clock, identity.pds_url)
        asked = {"repo": identity.did, "collection": collection}
        listed = await client.query("com.atproto.repo.listRecords", asked)
        return {one["uri"]: dict(one["value"]) for one in records_listed(listed)}

    async def write(self, who: Caller, uri: str, record: dict[str, Any] | None) -> None:
        """Another app of the person writes or deletes a record."""
        _, _, did, collection, rkey = uri.split("/")
        body: dict[str, Any] = {"repo": did, "collection": collection, "rkey": rkey}
        method = "com.atproto.repo.deleteRecord" if record is None else "com.atproto.repo.putRecord"
        body |= {} if record is None else {"record": record}
        if did in self.tokens:
            await self.reference.call(method, body, token=self.tokens[did])
        else:
            app = await self.deployment.stranger(who.display_name)
            await app.procedure(method, body)

    async def delete_account(self, did: str) -> None:
        """The operator deletes the account, and the site checks its status."""
        deployment = self.deployment
        ours = deployment.custodial_pds.admin_authorization
        word = base64.b64encode(f"admin:{self.reference.admin_password}".encode()).decode()
        at, authorization = (self.reference.url, f"Basic {word}") if did in self.tokens else (deployment.pds_url, ours)
        client = XrpcClient(deployment.network.http, deployment.clock, at, credentials=Fixed(authorization))
        await client.procedure("com.atproto.admin.deleteAccount", {"did": did})
        deployment.network.dids.recheck(parse_did(did))
        async with deployment.db.transaction() as tx:
            await enqueue_again(tx, JobKind.REFRESH_IDENTITY, [did])
        asking = identity_refresh.identity_handler(
            deployment.db, deployment.network, ErasureContext((bytes(32),), self._nothing_elsewhere)
        )
        await dispatcher.run_once(deployment.db, {JobKind.REFRESH_IDENTITY: one_by_one(asking)})

    async def _nothing_elsewhere(self, _did: Did) -> None:
        return

    async def read_stream(self, *people: Caller) -> None:
        """Follow each person's server until their newest commit has been verified, ingest, and deliver the jobs that
        result.
        """
        for who in people:
            identity = await self.deployment.identity(who.user_id)
            client = XrpcClient(self.deployment.network.http, self.deployment.clock, identity.pds_url)
            newest = (await client.query("com.atproto.sync.getLatestCommit", {"did": identity.did}))["rev"]
            await consume_until(
                self.deployment.consumer,
                identity.pds_url,
                identity.did,
                lambda state, rev=newest: state.last_head is not None and state.last_head.rev >= rev,
            )
        await self.deployment.ingest()
        await deliver_publications(self.deployment)


@pytest.fixture
async def servers(make_sqlite: SqliteFiles, tmp_path: Path) -> AsyncIterator[TwoServers]:
    # The reference PDS uses the machine's clock, and revs from the future are rejected.
    clock = HandClock(Instant(time.time_ns() // 1000))
    url = await make_sqlite.url("openmeet")
    db = await open_database(url, clock=clock)
    async with closing(db), open_deployment(db, make_sqlite, clock, tmp_path) as deployment:
        reference = ReferencePds(tmp_path / "reference", deployment.plc_url)
        await reference.start()
        try:
            await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
            yield TwoServers(deployment, reference, {}, url)
        finally:
            await reference.stop()


@asynccontextmanager
async def closing(db: Database) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await db.close()


HOMES = pytest.mark.parametrize(("one", "other"), [("ours", "reference"), ("reference", "ours")])


async def role_of(servers: TwoServers, group: Group, who: Caller) -> GroupRole | None:
    async with servers.deployment.db.reader() as reader:
        found_one = await queries.find_member(reader, group.id, who.user_id)
    return None if found_one is None else found_one.role


@HOMES
async def test_a_group_is_handed_over_between_servers(servers: TwoServers, one: str, other: str):
    """The old record links to the new one, and the members' records about the group follow, on every server."""
    deployment = servers.deployment
    ana, ben, cleo = [await servers.person(name, home) for name, home in (("ana", one), ("ben", other), ("cleo", one))]
    group = await found(deployment, ana)
    await let_in(deployment, ana, group, ben, GroupRole.ADMIN)
    await let_in(deployment, ana, group, cleo)
    await show(deployment, cleo, group)
    ((old, _),) = (await servers.records(ana, GROUP)).items()
    async with deployment.db.transaction() as tx:
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    await deliver_publications(deployment)
    ((new, record),) = (await servers.records(ben, GROUP)).items()
    assert record["predecessor"]["uri"] == old
    assert (await servers.records(ana, GROUP))[old]["successor"] == new
    assert [said["group"] for said in (await servers.records(cleo, MEMBERSHIP)).values()] == [new]
    assert await servers.records(ana, ACCEPTANCE) == {}
    assert [said["group"] for said in (await servers.records(ben, ACCEPTANCE)).values()] == [new]
    before = [await role_of(servers, group, who) for who in (ana, ben, cleo)]
    await servers.read_stream(ana, ben, cleo)
    assert before == [GroupRole.ADMIN, GroupRole.OWNER, GroupRole.MEMBER]
    assert [await role_of(servers, group, who) for who in (ana, ben, cleo)] == before
    assert (await now(deployment, group)).network.record_uri == new
    assert await deployment.deliver_publications() == 0, "the echoes of both servers are recognised"


@HOMES
async def test_the_backup_admin_takes_over_after_the_owners_account_is_deleted(
    servers: TwoServers, one: str, other: str
):
    """The account is deleted on its own server, which reports the deletion. The group continues in the backup admin's
    repository.
    """
    deployment = servers.deployment
    ana, ben = await servers.person("ana", one), await servers.person("ben", other)
    group = await found(deployment, ana)
    await let_in(deployment, ana, group, ben)
    await show(deployment, ben, group)
    async with deployment.db.transaction() as tx:
        await ownership.arrange(tx, ana, group.slug, ben.user_id, absence_days=90, wait_days=14)
    await deliver_publications(deployment)
    ((before, record),) = (await servers.records(ana, GROUP)).items()
    gone = await servers.did(ana)
    assert record["backupAdmins"] == [await servers.did(ben)]
    await servers.read_stream(ana, ben)
    await servers.delete_account(gone)
    await deliver_publications(deployment)
    after = await now(deployment, group)
    assert after.owner_id == ben.user_id
    ((uri, record),) = (await servers.records(ben, GROUP)).items()
    assert (after.network.record_uri, gone in str(record)) == (uri, False)
    assert uri != before
    assert [said["group"] for said in (await servers.records(ben, MEMBERSHIP)).values()] == [uri]


@HOMES
async def test_membership_needs_both_sides_on_different_servers(servers: TwoServers, one: str, other: str):
    """The group's side assigns and removes the role, and the member's side leaves, each in another app."""
    deployment = servers.deployment
    ana, ben, cleo = [
        await servers.person(name, home) for name, home in (("ana", one), ("ben", other), ("cleo", other))
    ]
    group = await found(deployment, ana)
    for who in (ben, cleo):
        await let_in(deployment, ana, group, who)
        await show(deployment, who, group)
    await servers.read_stream(ana, ben, cleo)
    accepted = await servers.records(ana, ACCEPTANCE)
    assert {said["member"] for said in accepted.values()} == {await servers.did(ben), await servers.did(cleo)}

    # Written in another app in the group's repository: Ben is an admin.
    ((uri, said),) = [item for item in accepted.items() if item[1]["member"] == await servers.did(ben)]
    await servers.write(ana, uri, said | {"role": f"{GROUP}#admin"})
    await servers.read_stream(ana)
    assert await role_of(servers, group, ben) is GroupRole.ADMIN

    # Written in another app in the member's repository: Ben leaves, and the group no longer names him.
    (mine,) = await servers.records(ben, MEMBERSHIP)
    await servers.write(ben, mine, None)
    await servers.read_stream(ben, ana)
    assert await role_of(servers, group, ben) is GroupRole.LEFT
    assert [one["member"] for one in (await servers.records(ana, ACCEPTANCE)).values()] == [await servers.did(cleo)]

    # The group removes Cleo on this site, and her membership record is deleted from her repository too.
    async with deployment.db.transaction() as tx:
        await administration.remove(tx, ana, group.slug, cleo.user_id)
    await deliver_publications(deployment)
    assert await servers.records(ana, ACCEPTANCE) == await servers.records(cleo, MEMBERSHIP) == {}
    await servers.read_stream(ana, cleo)
    assert await role_of(servers, group, cleo) not in INSIDE


@HOMES
async def test_a_copied_mark_of_origin_is_only_a_claim(servers: TwoServers, one: str, other: str):
    """The copy is on another server under the same record key, before and after the event is unpublished. It is a
    separate event and belongs to its author.
    """
    deployment = servers.deployment
    ana, ben = await servers.person("ana", one), await servers.person("ben", other)
    event = await deployment.event(ana)
    await deliver_publications(deployment)
    ((uri, record),) = (await servers.records(ana, EVENT)).items()
    assert record[ORIGIN_KEY]["eventId"] == event.id
    copy = f"at://{await servers.did(ben)}/{EVENT}/{uri.rpartition('/')[2]}"
    for visibility in ("public", "unlisted", "public"):
        await deployment.revise(ana, event.slug, visibility=visibility)
        await deliver_publications(deployment)
        await servers.write(
            ben, copy, record | {"name": f"Ben’s, {visibility}", ORIGIN_KEY: record[ORIGIN_KEY] | {"version": 999}}
        )
        await servers.read_stream(ben, ana)
        publication = await deployment.status_of(PublicationKind.EVENT, event.id)
        assert publication.uri == (uri if visibility == "public" else None)
        async with deployment.db.reader() as reader:
            rows = await reader.fetch("select id, title, record_uri, author_id from events order by title desc")
        ours, theirs = rows
        assert (ours["id"], ours["title"], ours["author_id"]) == (event.id, "Tea in the park", ana.user_id)
        assert (theirs["record_uri"], theirs["author_id"]) == (copy, ben.user_id)
        deployment.clock.turn(MINUTE)


async def test_two_processes_refresh_one_password_session_concurrently(servers: TwoServers):
    """Both processes make a request, one of them refreshes the session, and the session remains valid, so no token was
    used twice. (For OAuth sessions see ``tests/openmeet/sign_in/test_refreshing_processes.py``; tests cannot change the
    clock of the reference PDS.)
    """
    deployment = servers.deployment
    ana = await servers.person("ana", "ours")
    identity = await deployment.identity(ana.user_id)
    deployment.clock.turn(3 * HOUR)
    async with deployment.db.reader() as reader:
        before = await session_queries.find(reader, identity.did)
    assert before is not None
    async with worker(deployment, servers, identity.did) as first, worker(deployment, servers, identity.did) as second:
        assert [await line_of(each) for each in (first, second)] == ["ready"] * 2
        for each in (first, second):
            tell(each)
        assert [await line_of(each) for each in (first, second)] == [identity.did] * 2
    async with deployment.db.reader() as reader:
        after = await session_queries.find(reader, identity.did)
    assert after is not None
    assert after.version == before.version + 1
    deployment.clock.turn(3 * HOUR)
    agent = await agent_for(deployment.db, deployment.network, identity)
    assert (await agent.query("com.atproto.server.getSession"))["did"] == identity.did


@asynccontextmanager
async def worker(deployment: Deployment, servers: TwoServers, did: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is ready to make a request for the DID."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.openmeet.identities.refresher", servers.database_url, "", deployment.plc_url),
        *(str(deployment.clock.now()), did, "none"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
