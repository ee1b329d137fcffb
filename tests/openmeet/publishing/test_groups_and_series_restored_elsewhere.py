"""Another app deletes the record of a group or series, and later writes it again under the same key. The group or series
is published again, as an event is.
"""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups.model import Group
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import apply_edits, date_queries, record_settings
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, records_of
from tests.openmeet.publishing.deliveries import publish_and_listen_for_minutes
from tests.openmeet.publishing.groups_and_series import (
    Subject,
    change_visibility,
    collection_of,
    deployment,
    description_of,
    on_groups_and_series,
    only_record,
    publish_subject,
    write_in_app,
)
from tests.openmeet.publishing.published_groups import current_group

__all__ = ["deployment"]


async def delete_elsewhere(deployment: Deployment, owner: Caller, uri: str) -> None:
    """Delete the record in another app."""
    _, _, did, collection, rkey = uri.split("/")
    client = await deployment.own_client(await deployment.identity(owner.user_id))
    await client.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


async def describe(deployment: Deployment, owner: Caller, subject: Subject, text: str) -> None:
    """Change the description on this site."""
    if isinstance(subject, Group):
        before = await current_group(deployment, subject)
        async with deployment.db.transaction() as tx:
            await group_hosting.revise(tx, owner, before.slug, replace(before.details, description=text))
        return
    async with deployment.db.transaction() as tx:
        series = await series_queries.lock(tx, subject.id)
        assert series is not None
        dates = await date_queries.stored(tx, series.id)
        content = replace(series.content, description=text)
        plan = plan_all(series, content, series.timing, dates, tx.now)
        await apply_edits.apply_plan(tx, replace(series, changed_by=owner.user_id), plan)


@on_groups_and_series
@pytest.mark.parametrize("edited", [None, "before it was deleted", "before it was restored"])
async def test_a_record_that_another_app_restores_is_published_again(
    deployment: Deployment, kind: PublicationKind, edited: str | None
):
    """Its content is the owner's newest statement, but edits made here that were in no record are not lost."""
    ana, subject = await publish_subject(deployment, kind)
    await publish_and_listen_for_minutes(deployment, ana)
    uri, record = await only_record(deployment, ana, subject)
    if edited == "before it was deleted":
        await describe(deployment, ana, subject, "Edited here.")
    await delete_elsewhere(deployment, ana, uri)
    await deployment.listen(ana.user_id)
    await publish_and_listen_for_minutes(deployment, ana)
    assert await records_of(deployment, ana, collection_of(subject)) == {}
    if edited == "before it was restored":
        await describe(deployment, ana, subject, "Edited here.")
        await publish_and_listen_for_minutes(deployment, ana)
        assert await records_of(deployment, ana, collection_of(subject)) == {}
    deployment.clock.turn(2 * DAY)
    restored = {"name": "Renamed elsewhere", "description": "Written elsewhere.", "org.example.note": "kept"}
    await write_in_app(deployment, ana, uri, record | restored)
    await publish_and_listen_for_minutes(deployment, ana)
    known, written = await only_record(deployment, ana, subject)
    expected = "Written elsewhere." if edited is None else "Edited here."
    assert (known, written["name"], written["org.example.note"]) == (uri, "Renamed elsewhere", "kept")
    assert (written["description"], await description_of(deployment, subject)) == (expected, expected)


@on_groups_and_series
@pytest.mark.parametrize("decision", ["take it off the network", "switch publishing on and off", "withdraw consent"])
async def test_a_restored_record_does_not_overrule_a_decision_made_here_since(
    deployment: Deployment, kind: PublicationKind, decision: str
):
    """The owner decided here after the deletion that it must not be public. The restored record is deleted."""
    ana, subject = await publish_subject(deployment, kind)
    await publish_and_listen_for_minutes(deployment, ana)
    uri, record = await only_record(deployment, ana, subject)
    await delete_elsewhere(deployment, ana, uri)
    await deployment.listen(ana.user_id)
    await publish_and_listen_for_minutes(deployment, ana)
    if decision == "withdraw consent":
        async with deployment.db.transaction() as tx:
            await identities.withdraw(tx, ana.user_id)
    elif decision == "switch publishing on and off" and isinstance(subject, Group):
        for is_on in (True, False):
            before = await current_group(deployment, subject)
            async with deployment.db.transaction() as tx:
                await group_hosting.revise(tx, ana, before.slug, replace(before.details, sync_enabled=is_on))
    elif isinstance(subject, Group):
        await change_visibility(deployment, ana, subject, is_public=False)
    else:
        async with deployment.db.transaction() as tx:
            await record_settings.change_series(tx, ana, subject.slug, None, PublishPolicy.NONE)
    await publish_and_listen_for_minutes(deployment, ana)
    deployment.clock.turn(2 * DAY)
    await write_in_app(deployment, ana, uri, record)
    await publish_and_listen_for_minutes(deployment, ana)
    assert await records_of(deployment, ana, collection_of(subject)) == {}


@on_groups_and_series
async def test_a_record_may_be_deleted_and_restored_any_number_of_times(deployment: Deployment, kind: PublicationKind):
    """The last one counts."""
    ana, subject = await publish_subject(deployment, kind)
    await publish_and_listen_for_minutes(deployment, ana)
    uri, record = await only_record(deployment, ana, subject)
    for number in range(3):
        await delete_elsewhere(deployment, ana, uri)
        await publish_and_listen_for_minutes(deployment, ana)
        deployment.clock.turn(2 * HOUR)
        await write_in_app(deployment, ana, uri, record | {"description": f"Version {number}"})
        await publish_and_listen_for_minutes(deployment, ana)
        _, written = await only_record(deployment, ana, subject)
        assert (written["description"], await description_of(deployment, subject)) == (f"Version {number}",) * 2
    await change_visibility(deployment, ana, subject, is_public=False)
    await publish_and_listen_for_minutes(deployment, ana)
    assert await records_of(deployment, ana, collection_of(subject)) == {}
