"""People with accounts on two different servers: this project's PDS, and the reference PDS in its own process.

Each server is written to and followed by its firehose, and it makes no difference which of them has a record.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from groundwork.clock import HOUR, MINUTE
from openmeet.domain.groups import administration, ownership, queries
from openmeet.domain.groups.model import INSIDE, Group, GroupRole
from openmeet.domain.identities import session_queries
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, ORIGIN_KEY
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox.publications import PublicationKind
from tests.external_dependencies import ROOT, needs
from tests.openmeet.deployment import Deployment, deliver_all_publications
from tests.openmeet.identities.refresher_processes import next_line_of, start_request
from tests.openmeet.publishing.published_groups import create_group, current_group, let_into_group, show_membership
from tests.openmeet.publishing.two_servers import TwoServers, servers

__all__ = ["servers"]


pytestmark = needs("reference")


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
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben, GroupRole.ADMIN)
    await let_into_group(deployment, ana, group, cleo)
    await show_membership(deployment, cleo, group)
    ((old, _),) = (await servers.records(ana, GROUP)).items()
    async with deployment.db.transaction() as tx:
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    await deliver_all_publications(deployment)
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
    assert (await current_group(deployment, group)).network.record_uri == new
    assert await deployment.deliver_publications() == 0, "our own writes on both servers are recognised"


@HOMES
async def test_the_backup_admin_takes_over_after_the_owners_account_is_deleted(
    servers: TwoServers, one: str, other: str
):
    """The account is deleted on its own server, which reports the deletion. The group continues in the backup admin's
    repository.
    """
    deployment = servers.deployment
    ana, ben = await servers.person("ana", one), await servers.person("ben", other)
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    async with deployment.db.transaction() as tx:
        await ownership.arrange(tx, ana, group.slug, ben.user_id, absence_days=90, wait_days=14)
    await deliver_all_publications(deployment)
    ((before, record),) = (await servers.records(ana, GROUP)).items()
    gone = await servers.did(ana)
    assert record["backupAdmins"] == [await servers.did(ben)]
    await servers.read_stream(ana, ben)
    await servers.delete_account(gone)
    await deliver_all_publications(deployment)
    after = await current_group(deployment, group)
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
    group = await create_group(deployment, ana)
    for who in (ben, cleo):
        await let_into_group(deployment, ana, group, who)
        await show_membership(deployment, who, group)
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
    await deliver_all_publications(deployment)
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
    await deliver_all_publications(deployment)
    ((uri, record),) = (await servers.records(ana, EVENT)).items()
    assert record[ORIGIN_KEY]["eventId"] == event.id
    copy = f"at://{await servers.did(ben)}/{EVENT}/{uri.rpartition('/')[2]}"
    for visibility in ("public", "unlisted", "public"):
        await deployment.revise(ana, event.slug, visibility=visibility)
        await deliver_all_publications(deployment)
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
        assert [await next_line_of(each) for each in (first, second)] == ["ready"] * 2
        for each in (first, second):
            start_request(each)
        assert [await next_line_of(each) for each in (first, second)] == [identity.did] * 2
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
