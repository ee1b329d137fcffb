"""Identities that can be confirmed only in part, because the directory or the handle's server does not answer now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_protocol.syntax.did import Did
from aurora_locus.repository import hosting
from groundwork.errors import RemoteFailed
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import Identity
from openmeet.network.ingestion import identity_refresh
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.simulation.directory import Directory
from tests.simulation.processes import free_port

KEYS = (b"k" * 32,)


async def nothing_else(_did: object) -> None:
    """No messages or frames exist in these tests."""


async def stored(deployment: Deployment, did: str) -> Identity:
    async with deployment.db.reader() as reader:
        found = await identities.find(reader, did)
    assert found is not None
    return found


async def refresh(deployment: Deployment, network: NetworkClients, did: Did) -> None:
    handle = identity_refresh.identity_handler(deployment.db, network, ErasureContext(KEYS, nothing_else))
    await handle(Job(JobKind.REFRESH_IDENTITY, did, 1, JobState.LEASED, 0, deployment.clock.now(), 1))


@asynccontextmanager
async def with_directory(deployment: Deployment, did: Did) -> AsyncIterator[tuple[Directory, NetworkClients]]:
    """Clients that use a copy of the directory, and have this DID's document in their cache."""
    http = deployment.network.http
    answer = await http.get(f"{deployment.plc_url}/{did}")
    async with Directory({did: answer.json()}) as directory:
        dids = DidResolver(http, deployment.clock, DidSettings(directory.url, is_development=True))
        await dids.resolve(did)
        yield directory, replace(deployment.network, dids=dids)
        await dids.close()


@asynccontextmanager
async def without_handles(deployment: Deployment) -> AsyncIterator[NetworkClients]:
    """Clients for which the server that resolves handles is down."""
    settings = HandleSettings(is_development=True, through_pds=(f"http://127.0.0.1:{free_port()}",))
    handles = HandleResolver(deployment.network.http, deployment.network.dids, deployment.clock, settings)
    yield replace(deployment.network, handles=handles)
    await handles.close()


async def test_an_outdated_document_does_not_confirm_a_deletion(deployment: Deployment):
    """The account has moved to another server and was deleted at the old one, but the directory does not answer now."""
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    did = (await deployment.identity(cleo.user_id)).did
    async with with_directory(deployment, did) as (directory, network):
        repositories = deployment.pds.registry.repositories
        await repositories.db.write(lambda w: hosting.remove(w, repositories, did))
        directory.failing.add(did)
        with pytest.raises(RemoteFailed):
            await refresh(deployment, network, did)
        assert (await stored(deployment, did)).status == "active"
        async with deployment.db.reader() as reader:
            event = await by_slug(reader, tea.slug)
        assert event is not None
        assert event.record_uri is not None


async def test_an_account_with_an_unreachable_handle_is_hidden(deployment: Deployment):
    """The status does not depend on the handle. The handle is kept, and verified by the next attempt."""
    cleo = await deployment.connected()
    did = (await deployment.identity(cleo.user_id)).did
    await (await deployment.stranger("cleo")).procedure("com.atproto.server.deactivateAccount", {})
    async with without_handles(deployment) as network:
        with pytest.raises(RemoteFailed):
            await refresh(deployment, network, did)
    now = await stored(deployment, did)
    assert (now.status, now.handle) == ("deactivated", "cleo.town.test")


async def test_an_unverified_new_handle_is_not_shown(deployment: Deployment):
    cleo = await deployment.connected()
    did = (await deployment.identity(cleo.user_id)).did
    async with deployment.db.transaction() as tx:
        await tx.execute("update identities set handle = 'earlier.town.test' where did = :did", did=did)
    async with without_handles(deployment) as network:
        with pytest.raises(RemoteFailed):
            await refresh(deployment, network, did)
    assert (await stored(deployment, did)).handle == ""


async def test_a_deleted_account_with_an_unreachable_handle_is_erased(deployment: Deployment):
    cleo = await deployment.connected()
    did = (await deployment.identity(cleo.user_id)).did
    repositories = deployment.pds.registry.repositories
    await repositories.db.write(lambda w: hosting.remove(w, repositories, did))
    async with without_handles(deployment) as network:
        await refresh(deployment, network, did)
    async with deployment.db.reader() as reader:
        assert await identities.find(reader, did) is None
