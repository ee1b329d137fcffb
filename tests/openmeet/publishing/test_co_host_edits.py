"""A co-host's edit waits for the author's consent, unless the author lets co-hosts publish. Each use of that permission
is logged, and it can be withdrawn.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from at_network.xrpc_client import XrpcClient
from groundwork.errors import NotFound
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event
from openmeet.domain.events.content import Content
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.publishing_preferences import DEFAULT_PREFERENCES
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_listed
from tests.openmeet.groups.people import group_by
from tests.openmeet.publishing.event_hosts import add_co_host, publish_event_of_ana_and_ben, retitle_event
from tests.openmeet.series.practice import retitle


async def test_a_co_hosts_edit_waits_for_the_author(deployment: Deployment):
    ana, ben, event, uri = await publish_event_of_ana_and_ben(deployment)
    assert (await retitle_event(deployment, ben, event, "Coffee")).needs_author_approval
    assert (await deployment.record(uri))["name"] == "Tea in the park"
    async with deployment.db.reader() as reader:
        assert await publishing_preferences.co_host_edits_shown(reader, ana.user_id) == []


async def test_a_restriction_by_others_applies_at_once_and_is_lifted_by_the_author(
    deployment: Deployment,
):
    """Invariant 3 takes precedence over invariant 5: content that must not be public is removed without waiting for
    consent.
    """
    ana, ben, event, uri = await publish_event_of_ana_and_ben(deployment)
    async with deployment.db.transaction() as tx:
        group = await group_by(tx, ana, announces_events="on")
        await tx.execute("update events set group_id = :group where id = :id", group=group.id, id=event.id)
        private = await events.revise(tx, ben, event.slug, details(visibility="private"))
    assert private.needs_author_approval
    await deployment.deliver_publications()
    with pytest.raises(NotFound):
        await deployment.record(uri)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri is None
    async with deployment.db.transaction() as tx:
        await events.agree_to_record(tx, ana, event.slug)
    await deployment.deliver_publications()
    again = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert again == uri
    record = await deployment.record(again)
    assert record["name"] == "Tea in the park"
    assert not record.get("locations")
    async with deployment.db.transaction() as tx:
        await events.revise(tx, ben, event.slug, details(title="Coffee", visibility="private"))
    await deployment.deliver_publications()
    assert (await deployment.record(again))["name"] == "Tea in the park", "a small edit also waits for consent"


async def test_an_author_who_lets_co_hosts_publish_sees_each_use_and_can_end_it(deployment: Deployment):
    """Invariant 5: somebody else's repository is written only with their standing permission."""
    ana, ben, event, uri = await publish_event_of_ana_and_ben(deployment)
    async with deployment.db.transaction() as tx:
        await publishing_preferences.change(tx, ana.user_id, replace(DEFAULT_PREFERENCES, lets_co_hosts_publish=True))
    saved = await retitle_event(deployment, ben, event, "Coffee")
    assert not saved.needs_author_approval
    assert (await deployment.record(uri))["name"] == "Coffee"
    async with deployment.db.reader() as reader:
        (use,) = await publishing_preferences.co_host_edits_shown(reader, ana.user_id)
    assert (use.name, use.slug) == (ben.display_name, event.slug)
    async with deployment.db.transaction() as tx:
        await publishing_preferences.change(tx, ana.user_id, DEFAULT_PREFERENCES)
    assert (await retitle_event(deployment, ben, event, "Cocoa")).needs_author_approval
    assert (await deployment.record(uri))["name"] == "Coffee"
    async with deployment.db.reader() as reader:
        assert len(await publishing_preferences.co_host_edits_shown(reader, ana.user_id)) == 1


@pytest.mark.parametrize("as_whom", ["co-host", "admin of the group"])
async def test_a_record_in_the_groups_repository_waits_for_no_author(deployment: Deployment, as_whom: str):
    """Everyone who may edit the event decides for the group, and the author's account is not used."""
    async with deployment.db.transaction() as tx:
        await switch(tx, Flag.GROUPS, is_on=True, changed_by="a test")
    deployment.clock.turn(MAX_AGE)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        group = await group_by(tx, ana, sync_enabled="on")
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    await deployment.deliver_jobs()
    async with deployment.db.transaction() as tx:
        event = await events.create(tx, ana, details(), group=group_of_event.as_group_of_event(group))
        if as_whom == "co-host":
            await add_co_host(tx, event, ana, ben)
        else:
            await groups.put_member(tx, groups.new_membership(tx.now, group.id, ben.user_id, GroupRole.ADMIN))
    await deliver_all_publications(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert uri.split("/")[2] != (await deployment.identity(ana.user_id)).did
    assert not (await retitle_event(deployment, ben, event, "Coffee")).needs_author_approval
    assert (await deployment.record(uri))["name"] == "Coffee"
    async with deployment.db.reader() as reader:
        assert await publishing_preferences.co_host_edits_shown(reader, ana.user_id) == []


async def test_a_series_edited_by_others_waits_for_its_owner(deployment: Deployment):
    """Invariant 5: neither the published date nor the series record is written before the owner agrees."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
        group = await group_by(tx, ana, visibility="public")
        await groups.put_member(tx, groups.new_membership(tx.now, group.id, ben.user_id, GroupRole.ADMIN))
    deployment.clock.turn(MAX_AGE)
    rule = pattern(parse_date("2026-03-07T18:00", "Europe/Vienna"), "Europe/Vienna", parse_rule("FREQ=WEEKLY"))
    async with deployment.db.transaction() as tx:
        series = await series_actions.create(
            tx, ana, Content("Tea"), Timing(rule, timedelta(hours=2)), group=group_of_event.as_group_of_event(group)
        )
    await deliver_all_publications(deployment)
    before = await repository(deployment, ana)
    assert {name for name, _ in before.values()} == {"Tea"}
    async with deployment.db.transaction() as tx:
        await retitle(tx, await series_actions.lock_managed(tx, ben, series.slug), "Coffee")
    await deliver_all_publications(deployment)
    assert await repository(deployment, ana) == before
    async with deployment.db.transaction() as tx:
        await record_settings.approve_publication(tx, ana, series.slug)
    await deliver_all_publications(deployment)
    after = await repository(deployment, ana)
    assert (after.keys(), {name for name, _ in after.values()}) == (before.keys(), {"Coffee"})


async def repository(deployment: Deployment, who: Caller) -> dict[str, tuple[str, str]]:
    """Title and CID of every event and series record, by URI."""
    did = (await deployment.identity(who.user_id)).did
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    found = {}
    for collection in (EVENT, SERIES):
        answer = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
        found |= {one["uri"]: (one["value"]["name"], one["cid"]) for one in records_listed(answer)}
    assert len(found) == 2
    return found
