"""Rows whose record has less content, or content that other apps cannot read. Omitted fields are not discrepancies;
wrong values are.
"""

from dataclasses import replace

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import SECOND
from openmeet.domain.events.model import DEFAULT_RECORD_SETTINGS, Detail, Event
from openmeet.domain.series.model import PublishPolicy
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.ingestion.reconcile import ReconcileResult, reconcile
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_of, switch_flag
from tests.openmeet.publishing.consent import choose_record_settings
from tests.openmeet.publishing.published_groups import (
    create_group,
    create_group_with_event,
    let_into_group,
    show_membership,
)
from tests.openmeet.publishing.weekly_series import change_publish_policy, create_series

# Every field of the form.
EVERYTHING = {
    "description": "Bring **a board**.\n\nhttps://example.org/more",
    "mode": "hybrid",
    "street": "Hauptstraße 1",
    "postal_code": "1010",
    "locality": "Wien",
    "region": "Wien",
    "point": "48.2, 16.37",
    "online_url": "https://join.example/x",
    "online_url_audience": "everyone",
    "capacity": "12",
    "door_note": "Ring twice",
    "ticket_url": "https://tickets.example/1",
    "price": "3 €",
    "access": "step_free",
    "access_note": "One step",
    "categories": "",
    "tags": "chess, endgame",
    "languages": "de, en",
}
EVENTS: dict[str, dict[str, str]] = {
    "everything": EVERYTHING,
    "hidden from most": {**EVERYTHING, "online_url_audience": "attendees", "place_audience": "attendees"},
    "whole days": {"all_day": "on", "starts": "2026-04-01", "ends": "2026-04-03"},
    "without an end": {"ends": ""},
    "online alone": {"mode": "online", "venue_name": "", "country": "", "online_url": "https://join.example/x"},
}
LEVELS = ("in full", "the least by its host", "the least by its group")


async def compared(deployment: Deployment, who: Caller, *, is_dry_run: bool = True) -> ReconcileResult:
    deployment.clock.turn(SECOND)
    did = parse_did((await deployment.identity(who.user_id)).did)
    return await reconcile(
        deployment.db, deployment.network, deployment.processor.ingestion_context, did, is_dry_run=is_dry_run
    )


async def published(deployment: Deployment, host: Caller, level: str, typed: dict[str, str]) -> tuple[Event, str]:
    if level == "the least by its group":
        _, event = await create_group_with_event(deployment, host, promotion_level="members")
        await deployment.revise(host, event.slug, **typed)
    else:
        event = await deployment.event(host, **typed)
    if level == "the least by its host":
        await choose_record_settings(
            deployment, host, event.slug, replace(DEFAULT_RECORD_SETTINGS, detail=Detail.MINIMAL)
        )
    await deliver_all_publications(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert uri is not None
    await compared(deployment, host, is_dry_run=False)
    return event, uri


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", EVENTS)
async def test_omitted_fields_are_not_discrepancies(deployment: Deployment, case: str, level: str):
    """At every level of publishing, no discrepancy is found and nothing is written again."""
    cleo = await deployment.connected("cleo")
    _, uri = await published(deployment, cleo, level, EVENTS[case])
    before = await deployment.record(uri)
    found = await compared(deployment, cleo)
    assert [(one.kind, one.fields) for one in found.unrepaired] == []
    assert await deployment.deliver_publications() == 0
    assert await deployment.record(uri) == before


@pytest.mark.parametrize("level", LEVELS)
async def test_wrong_values_are_discrepancies(deployment: Deployment, level: str):
    """Name and time are compared at every level, the other fields if they are published. The repair writes the values
    of the row to the record.
    """
    cleo = await deployment.connected("cleo")
    event, uri = await published(deployment, cleo, level, EVERYTHING)
    async with deployment.db.transaction() as tx:
        await tx.execute(
            "update events set title = 'Go', status = 'postponed', description = 'Other', locality = 'Graz' "
            "where id = :id",
            id=event.id,
        )
    ((kind, fields),) = [(one.kind, one.fields) for one in (await compared(deployment, cleo)).unrepaired]
    expected = {"title", "status"} | ({"description", "locality"} if level == "in full" else set())
    assert (kind, set(fields)) == (Discrepancy.ROW_DIFFERS, expected)
    await compared(deployment, cleo, is_dry_run=False)
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["name"] == "Go"
    assert (await compared(deployment, cleo)).unrepaired == []


@pytest.mark.parametrize("policy", [PublishPolicy.NEXT, PublishPolicy.WINDOW])
@pytest.mark.parametrize("flags", [(), (Flag.NATIVE_RECURRENCE,), (Flag.NATIVE_RECURRENCE, Flag.SERIES_LEXICON)])
async def test_dates_with_a_rule_are_not_discrepancies(
    deployment: Deployment, flags: tuple[Flag, ...], policy: PublishPolicy
):
    await switch_flag(deployment, *flags)
    ana, series = await create_series(deployment)
    await change_publish_policy(deployment, ana, series, policy)
    await compared(deployment, ana, is_dry_run=False)
    before = await records_of(deployment, ana, EVENT)
    assert before
    assert [(one.kind, one.uri, one.fields) for one in (await compared(deployment, ana)).unrepaired] == []
    assert await deployment.deliver_publications() == 0
    assert await records_of(deployment, ana, EVENT) == before


async def test_a_date_with_a_rule_and_another_name_is_a_discrepancy(deployment: Deployment):
    await switch_flag(deployment, Flag.NATIVE_RECURRENCE)
    ana, series = await create_series(deployment)
    await change_publish_policy(deployment, ana, series, PublishPolicy.NEXT)
    await compared(deployment, ana, is_dry_run=False)
    async with deployment.db.transaction() as tx:
        assert await tx.execute("update events set title = 'Go' where record_uri is not null") == 1
    assert [(one.kind, one.fields) for one in (await compared(deployment, ana)).unrepaired] == [
        (Discrepancy.ROW_DIFFERS, ("title",))
    ]


@pytest.mark.parametrize("level", ["members", "public"])
async def test_a_minimal_group_record_is_not_a_discrepancy(deployment: Deployment, level: str):
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana, promotion_level=level, join_question="Why?", locality="Wien")
    await compared(deployment, ana, is_dry_run=False)
    assert [(one.kind, one.fields) for one in (await compared(deployment, ana)).unrepaired] == []
    async with deployment.db.transaction() as tx:
        await tx.execute("update groups set name = 'Go', locality = 'Graz' where id = :id", id=group.id)
    ((kind, fields),) = [(one.kind, one.fields) for one in (await compared(deployment, ana)).unrepaired]
    assert (kind, set(fields)) == (Discrepancy.ROW_DIFFERS, {"name"} | ({"locality"} if level == "public" else set()))


async def test_wrong_series_and_members_are_discrepancies(deployment: Deployment):
    """The rule in the series' own record and the role given by the group are repaired by writing them again."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS, Flag.SERIES_LEXICON)
    ana, series = await create_series(deployment)
    ben = await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    await deliver_all_publications(deployment)
    await deployment.listen(ben.user_id)
    await compared(deployment, ana, is_dry_run=False)
    await deliver_all_publications(deployment)
    assert [(one.kind, one.fields) for one in (await compared(deployment, ana)).unrepaired] == []
    async with deployment.db.transaction() as tx:
        await tx.execute("update event_series set name = 'Go' where id = :id", id=series.id)
        await tx.execute("update group_members set role = 'admin' where user_id = :id", id=ben.user_id)
    found = await compared(deployment, ana)
    assert {(one.kind, one.fields) for one in found.unrepaired} == {
        (Discrepancy.ROW_DIFFERS, ("name",)),
        (Discrepancy.ROW_DIFFERS, ("role",)),
    }
    await compared(deployment, ana, is_dry_run=False)
    await deliver_all_publications(deployment)
    assert (await compared(deployment, ana)).unrepaired == []
    assert {one["name"] for one in (await records_of(deployment, ana, SERIES)).values()} == {"Go"}
