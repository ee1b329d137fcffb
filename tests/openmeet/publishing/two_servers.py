"""One site with accounts on two servers: ours and the reference PDS."""

import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import HandClock, Instant
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.actions import choose_name
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import identity_refresh
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox.kinds import JobKind
from tests.databases import SqliteFiles
from tests.openmeet.deployment import (
    Deployment,
    Fixed,
    consume_until,
    deliver_all_publications,
    open_deployment,
    records_listed,
    switch_flag,
)
from tests.simulation.reference_pds import ReferencePds

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
        await dispatcher.run_once(deployment.db, {JobKind.REFRESH_IDENTITY: one_job_per_call(asking)})

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
        await deliver_all_publications(self.deployment)


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
