"""A group or event with so many records that a job decides again about them: nothing private is sent before the job has
run, and everything is retracted when it has.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from openmeet.domain.attendance import event_hosting, group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.groups.model import Group, GroupVisibility
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.publishing.decision import PublishByWriter
from openmeet.network.publishing.decision_basis import lock_basis
from openmeet.network.publishing.eligibility import decide
from openmeet.network.records.collections import ACCEPTANCE, GROUP_EVENT, MEMBERSHIP, RSVP
from openmeet.outbox import bulk_changes, publication_queries
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_of, switch_flag
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.other_app import cleos_records
from tests.openmeet.publishing.published_groups import (
    create_group,
    create_group_event,
    let_into_group,
    revise_group,
    show_membership,
)
from tests.openmeet.publishing.watched_requests import watch_requests
from tests.simulation.proxy import nothing

__all__ = ["deployment"]


def change_during_next_read(deployment: Deployment, change: Callable[[], Awaitable[object]]) -> None:
    """Make the change while the publisher, which has decided, reads the current record."""

    async def makes_change(request: web.Request) -> None:
        if request.path.endswith("getRecord"):
            deployment.proxy.meanwhile = nothing
            await change()

    deployment.proxy.meanwhile = makes_change


async def group_with_member(deployment: Deployment) -> tuple[Caller, Caller, Group]:
    """A published group, its owner and a member who is named."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    await create_group_event(deployment, ana, group)
    return ana, ben, group


async def test_an_answer_to_an_event_that_became_private_is_not_sent(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.INTERESTED)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", 0)

    async def make_private() -> None:
        async with deployment.db.transaction() as tx:
            await event_hosting.revise(tx, ana, tea.slug, details(visibility="private"))

    watch = await watch_requests(deployment)
    change_during_next_read(deployment, make_private)
    await deployment.deliver_publications()
    assert watch.writes == []
    monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", 1)
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    assert await cleos_records(deployment, RSVP) == []


@pytest.mark.parametrize("kind", [PublicationKind.MEMBERSHIP, PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT])
async def test_a_decision_ends_when_the_group_becomes_private(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, kind: PublicationKind
):
    ana, _, group = await group_with_member(deployment)
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select subject_id from publications where kind = :kind", kind=kind.value)
        publication = await publication_queries.find(reader, kind, row["subject_id"])
        assert publication is not None
        decision = await decide(reader, publication, deployment.publisher.flags)
    assert isinstance(decision, PublishByWriter)
    for is_private in (False, True):
        if is_private:
            monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", 0)
            private = replace(group.details, visibility=GroupVisibility.PRIVATE)
            async with deployment.db.transaction() as tx:
                await group_hosting.revise(tx, ana, group.slug, private)
        async with deployment.db.transaction() as tx:
            assert await lock_basis(tx, [(publication, decision)]) is not is_private


async def test_the_records_of_a_large_group_that_became_private_are_retracted(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
):
    ana, ben, group = await group_with_member(deployment)
    monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", 0)
    await revise_group(deployment, ana, group, visibility=GroupVisibility.PRIVATE)
    assert len(await records_of(deployment, ben, MEMBERSHIP)) == 1
    monkeypatch.setattr(bulk_changes, "CHANGED_AT_ONCE", 1)
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    for who, collection in ((ana, ACCEPTANCE), (ana, GROUP_EVENT), (ben, MEMBERSHIP)):
        assert await records_of(deployment, who, collection) == {}
