"""Leaving, handing over and deleting accounts, by role and by the record's repository: the table of decision 0067, row
by row.
"""

import asyncio

import pytest

from groundwork.database.transaction import Reader
from groundwork.errors import Forbidden
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_queries, co_hosts, ownership
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag, Switchboard
from openmeet.network.ingestion import account_deletion
from openmeet.network.publishing import delivery, delivery_results, eligibility
from openmeet.network.publishing.decision import Decision
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.records.collections import EVENT, SUCCESSION_KEY
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import (
    Deployment,
    deliver_all_publications,
    records_in_repository,
    records_of,
    switch_flag,
)
from tests.openmeet.publishing.event_hosts import add_co_host, current_event, event_ids, hand_over_event
from tests.openmeet.publishing.published_groups import create_group, create_group_event, current_group, let_into_group
from tests.timeouts import TIMEOUT_SECONDS

KINDS = pytest.mark.parametrize("kind", ["a person's", "its group's"])


async def stage(deployment: Deployment, kind: str, owner: Caller, beside: Caller) -> tuple[Event, str, Group | None]:
    """An event of ``owner`` with ``beside`` as its co-host, and its record in a repository of this kind."""
    group = None
    if kind == "its group's":
        await switch_flag(deployment, Flag.GROUPS)
        founder = await deployment.person("Founder")
        group = await create_group(deployment, founder)
        await let_into_group(deployment, founder, group, owner, GroupRole.MODERATOR)
        await let_into_group(deployment, founder, group, beside, GroupRole.ADMIN)
        async with deployment.db.transaction() as tx:
            await group_hosting.open_account(tx, founder, group.slug, "chess.town.test")
        await deployment.deliver_jobs()
        await deliver_all_publications(deployment)
        event = await create_group_event(deployment, owner, group)
    else:
        event = await deployment.event(owner)
        await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, owner, beside)
    return event, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or "", group


async def delete_account(deployment: Deployment, who: Caller) -> str:
    """Delete the account of a DID, whose person has no other way to sign in."""
    did = (await deployment.identity(who.user_id)).did
    async with deployment.db.transaction() as tx:
        await account_deletion.erase_here(tx, [bytes(32)], did)
    await deliver_all_publications(deployment)
    return did


async def holder(deployment: Deployment, event: Event) -> tuple[str, str | None]:
    """The event's owner and the repository of its record."""
    after = await current_event(deployment, event)
    assert not after.is_gone
    return after.author_id, after.record_uri


@KINDS
async def test_what_an_owner_can_do(deployment: Deployment, kind: str):
    """The owner cannot leave, but can hand over and get the event back. When their account is deleted, coming events
    pass to the co-host who has hosted longest.
    """
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, uri, _ = await stage(deployment, kind, ana, ben)
    with pytest.raises(Forbidden):
        async with deployment.db.transaction() as tx:
            await co_hosts.leave(tx, ana, event.slug)
    await hand_over_event(deployment, event, ana, ben)
    owner, passed = await holder(deployment, event)
    assert (owner, passed == uri) == (ben.user_id, kind == "its group's")
    await hand_over_event(deployment, event, ben, ana)
    assert await holder(deployment, event) == (ana.user_id, uri)
    did = await delete_account(deployment, ana)
    owner, last = await holder(deployment, event)
    assert (owner, last == uri) == (ben.user_id, kind == "its group's")
    assert last is not None
    assert did not in str(await deployment.record(last))
    await deployment.revise(ben, event.slug, title="Coffee")
    await deliver_all_publications(deployment)
    assert (await deployment.record(last))["name"] == "Coffee"
    assert await event_ids(deployment) == [event.id]


@KINDS
async def test_what_a_co_host_can_do(deployment: Deployment, kind: str):
    """A co-host cannot hand over. When they leave or are deleted, no event moves."""
    ana, ben = await deployment.person("Ana"), await deployment.connected("ben")
    event, uri, _ = await stage(deployment, kind, ana, ben)
    async with deployment.db.reader() as reader:
        row = await co_host_queries.of_person(reader, event.id, ben.user_id)
    with pytest.raises(Forbidden):
        async with deployment.db.transaction() as tx:
            await ownership.offer(tx, ben, event.slug, row.id)
    async with deployment.db.transaction() as tx:
        await co_hosts.leave(tx, ben, event.slug)
    await deliver_all_publications(deployment)
    assert await holder(deployment, event) == (ana.user_id, uri)
    async with deployment.db.transaction() as tx:
        await co_host_queries.put(tx, row)
    await delete_account(deployment, ben)
    assert await holder(deployment, event) == (ana.user_id, uri)
    async with deployment.db.reader() as reader:
        assert (await co_host_queries.of_person(reader, event.id, ben.user_id)).state is CoHostState.LEFT
    assert (await deployment.record(uri))["name"] == "Tea in the park"


async def test_what_those_who_run_the_group_can_do(deployment: Deployment):
    """The people who run the group cannot hand over somebody else's event, and when they leave, no event moves with
    them. The group's own account can hand over.
    """
    ana, ben = await deployment.person("Ana"), await deployment.connected("ben")
    event, uri, group = await stage(deployment, "its group's", ana, ben)
    assert group is not None
    async with deployment.db.transaction() as tx:
        await co_hosts.leave(tx, ben, event.slug)
        row = await co_host_queries.of_person(tx, event.id, ben.user_id)
    with pytest.raises(Forbidden):
        async with deployment.db.transaction() as tx:
            await ownership.offer(tx, ben, event.slug, row.id)
    async with deployment.db.transaction() as tx:
        await groups.leave(tx, ben, group.slug)
    await deliver_all_publications(deployment)
    assert await holder(deployment, event) == (ana.user_id, uri)
    await delete_account(deployment, ben)
    assert await holder(deployment, event) == (ana.user_id, uri)
    held = (await current_group(deployment, group)).network.account_id
    await delete_account(deployment, Caller(held, "the group"))
    owner, last = await holder(deployment, event)
    assert (owner, (await current_group(deployment, group)).network.account_id) == (ana.user_id, None)
    assert last is not None
    assert last.split("/")[2] == (await deployment.identity(ana.user_id)).did
    assert SUCCESSION_KEY not in await deployment.record(last)


async def test_published_events_move_to_the_groups_new_repository(deployment: Deployment):
    """The old record links to the new one. If the event becomes less public before it has moved, the record stays in
    its repository.
    """
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    event = await create_group_event(deployment, ana, group)
    old = (await current_event(deployment, event)).record_uri
    async with deployment.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    account = (await current_group(deployment, group)).network.account_id
    home = (await deployment.identity(account)).did
    (new,) = await records_in_repository(deployment, home, EVENT)
    assert await holder(deployment, event) == (ana.user_id, new)
    assert (await records_of(deployment, ana, EVENT))[old][SUCCESSION_KEY]["successor"] == new


@pytest.mark.parametrize("is_deleted_first", [False, True])
async def test_an_event_that_does_not_move_is_written_where_it_was(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, is_deleted_first: bool
):
    """A cancellation must not wait for a repository that is never created. This is also true if the old record, which
    says more than members may know, is deleted before it becomes the event's record again.
    """
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    event = await create_group_event(deployment, ana, group)
    old = (await current_event(deployment, event)).record_uri
    async with deployment.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
        await tx.execute("update groups set promotion_level = 'members' where id = :id", id=group.id)
        await events.cancel(tx, ana, event.slug, "Rain")
    _decide_in_order(monkeypatch, is_deleted_first=is_deleted_first)
    await deliver_all_publications(deployment)
    assert await holder(deployment, event) == (ana.user_id, old)
    assert (await deployment.record(old))["status"] == f"{EVENT}#cancelled"


def _decide_in_order(monkeypatch: pytest.MonkeyPatch, *, is_deleted_first: bool) -> None:
    """Decide the two publications in order: the event after its former record has been deleted, or that record after it
    has become the event's record again.
    """
    decide, forget, come_back = (
        eligibility.decide,
        delivery_results.forget_record,
        delivery_results.keep_in_repository,
    )
    second = PublicationKind.EVENT if is_deleted_first else PublicationKind.SUPERSEDED_EVENT
    is_done = asyncio.Event()

    async def decide_in_turn(reader: Reader, held: Publication, flags: Switchboard) -> Decision:
        if held.kind is second:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await is_done.wait()
        return await decide(reader, held, flags)

    async def forget_noted(
        publisher: PublishingDependencies, held: Publication, gone: RecordMessage | None = None
    ) -> None:
        await forget(publisher, held, gone)
        if held.kind is PublicationKind.SUPERSEDED_EVENT:
            is_done.set()

    async def come_back_noted(publisher: PublishingDependencies, held: Publication, uri: str) -> None:
        await come_back(publisher, held, uri)
        is_done.set()

    monkeypatch.setattr(delivery, "decide", decide_in_turn)
    monkeypatch.setattr(delivery_results, "forget_record", forget_noted)
    monkeypatch.setattr(delivery_results, "keep_in_repository", come_back_noted)
