"""Content that waits for moderation is not written to a repository. An existing record stays unchanged while its
subject is hidden.
"""

import pytest

from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import administration, publication_settings
from openmeet.domain.groups.model import Group
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import policy
from openmeet.domain.moderation.model import ModeratedKind, ModerationPolicy, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, GROUP_EVENT, MEMBERSHIP
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import (
    Deployment,
    deliver_all_publications,
    deployment,
    records_of,
    switch_flag,
)
from tests.openmeet.publishing.published_groups import (
    create_group,
    create_group_event,
    let_into_group,
    revise_group,
    show_membership,
)
from tests.openmeet.publishing.weekly_series import change_publish_policy, publish_series

__all__ = ["deployment"]


async def decide(
    deployment: Deployment, moderator: Caller, kind: ModeratedKind, subject: str, state: SubjectVisibility
) -> None:
    async with deployment.db.transaction() as tx:
        await actions.decide(tx, moderator, Subject(kind, subject), state, "because")


async def test_a_first_event_is_published_once_a_moderator_has_released_it(deployment: Deployment):
    mo = await deployment.person("Mo", agrees=False)
    async with deployment.db.transaction() as tx:
        await policy.change(tx, ModerationPolicy(holds_first_events=True), by=mo.user_id)
    ana = await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state == "withheld"
    await decide(deployment, mo, ModeratedKind.PERSON, ana.user_id, SubjectVisibility.TRUSTED)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state == "published"


@pytest.mark.parametrize("kind", [ModeratedKind.EVENT, ModeratedKind.PERSON, ModeratedKind.DID])
async def test_a_record_stays_while_its_event_or_author_is_hidden_and_is_updated_afterwards(
    deployment: Deployment, kind: ModeratedKind
):
    mo, ana = await deployment.person("Mo", agrees=False), await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    did = (await deployment.identity(ana.user_id)).did
    subject = {ModeratedKind.EVENT: event.id, ModeratedKind.PERSON: ana.user_id, ModeratedKind.DID: did}[kind]
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from events where id = :id", id=event.id)
    await decide(deployment, mo, kind, subject, SubjectVisibility.HIDDEN)
    await deployment.revise(ana, event.slug, title="Another title")
    await deployment.deliver_publications()
    assert (await deployment.record(row["record_uri"]))["name"] == "Tea in the park"
    await decide(deployment, mo, kind, subject, SubjectVisibility.SHOWN)
    await deployment.deliver_publications()
    assert (await deployment.record(row["record_uri"]))["name"] == "Another title"


async def test_records_of_a_series_stay_while_it_is_hidden_and_are_updated_afterwards(deployment: Deployment):
    mo = await deployment.person("Mo", agrees=False)
    ana, series = await publish_series(deployment)
    await change_publish_policy(deployment, ana, series, PublishPolicy.WINDOW)
    async with deployment.db.reader() as reader:
        dates = [one.event for one in await date_queries.stored(reader, series.id)]
    await decide(deployment, mo, ModeratedKind.SERIES, series.id, SubjectVisibility.HIDDEN)
    for event in dates[-2:]:
        await deployment.revise(ana, event.slug, title="Another title")
    await deliver_all_publications(deployment)
    published = await records_of(deployment, ana, EVENT)
    assert "Another title" not in [record["name"] for record in published.values()]
    await decide(deployment, mo, ModeratedKind.SERIES, series.id, SubjectVisibility.SHOWN)
    await deliver_all_publications(deployment)
    updated = await records_of(deployment, ana, EVENT)
    assert [record["name"] for record in updated.values()].count("Another title") == 2


Records = dict[str, dict[str, dict]]


async def records_of_group(deployment: Deployment, owner: Caller, member: Caller) -> Records:
    """The group's record, those about its member and its event, and the member's own record."""
    records = {name: await records_of(deployment, owner, name) for name in (GROUP, ACCEPTANCE, GROUP_EVENT)}
    return records | {MEMBERSHIP: await records_of(deployment, member, MEMBERSHIP)}


async def make_records_due(deployment: Deployment, group: Group) -> None:
    """Make all records of a group and its members due, and deliver them."""
    async with deployment.db.transaction() as tx:
        await group_hosting.make_records_due(tx, group.id)
    await deliver_all_publications(deployment)


async def publish_group(deployment: Deployment, owner: Caller, member: Caller) -> Group:
    """A new group with a member and an event. Publishing its records is turned on, but nothing is delivered."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    group = await create_group(deployment, owner)
    await let_into_group(deployment, owner, group, member)
    await create_group_event(deployment, owner, group)
    return group


async def test_the_records_of_a_group_stay_while_it_is_hidden_and_are_updated_afterwards(deployment: Deployment):
    mo = await deployment.person("Mo", agrees=False)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await publish_group(deployment, ana, ben)
    await show_membership(deployment, ben, group)
    published = await records_of_group(deployment, ana, ben)
    assert [len(records) for records in published.values()] == [1, 1, 1, 1]
    await decide(deployment, mo, ModeratedKind.GROUP, group.id, SubjectVisibility.HIDDEN)
    await revise_group(deployment, ana, group, description="We meet weekly.")
    await make_records_due(deployment, group)
    assert await records_of_group(deployment, ana, ben) == published
    await decide(deployment, mo, ModeratedKind.GROUP, group.id, SubjectVisibility.SHOWN)
    await deliver_all_publications(deployment)
    ((_, record),) = (await records_of(deployment, ana, GROUP)).items()
    assert record["description"] == "We meet weekly."


async def test_statements_about_a_hidden_group_are_published_once_it_is_shown(deployment: Deployment):
    mo = await deployment.person("Mo", agrees=False)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await publish_group(deployment, ana, ben)
    async with deployment.db.transaction() as tx:
        membership = await publication_settings.show_membership(tx, ben, group.slug, is_public=True)
    await decide(deployment, mo, ModeratedKind.GROUP, group.id, SubjectVisibility.HIDDEN)
    await deliver_all_publications(deployment)
    records = await records_of_group(deployment, ana, ben)
    assert records[MEMBERSHIP] == records[ACCEPTANCE] == {}
    status = await deployment.status_of(PublicationKind.MEMBERSHIP, membership.id)
    assert (status.state, status.reason and status.reason.code) == ("withheld", PublicationReason.HIDDEN)
    await decide(deployment, mo, ModeratedKind.GROUP, group.id, SubjectVisibility.SHOWN)
    await deliver_all_publications(deployment)
    records = await records_of_group(deployment, ana, ben)
    assert [len(records[name]) for name in (MEMBERSHIP, ACCEPTANCE)] == [1, 1]


@pytest.mark.parametrize("way", ["leave", "withdraw consent"])
async def test_records_of_a_hidden_group_can_be_retracted(deployment: Deployment, way: str):
    """The member leaves, and the owner withdraws their consent. Either retracts the records of both about the member."""
    mo = await deployment.person("Mo", agrees=False)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await publish_group(deployment, ana, ben)
    await show_membership(deployment, ben, group)
    await decide(deployment, mo, ModeratedKind.GROUP, group.id, SubjectVisibility.HIDDEN)
    async with deployment.db.transaction() as tx:
        if way == "leave":
            await administration.remove(tx, ana, group.slug, ben.user_id)
        else:
            await identities.withdraw(tx, ana.user_id)
    await make_records_due(deployment, group)
    records = await records_of_group(deployment, ana, ben)
    assert records[ACCEPTANCE] == {}
    assert records[MEMBERSHIP if way == "leave" else GROUP] == {}
