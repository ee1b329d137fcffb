"""Edits on this site of events from another app's record, whose author does not let this site publish: the record stays
unchanged, and the edits are kept on this site (invariants 6 and 11).
"""

from typing import Any

import pytest

from at_protocol.syntax.did import parse_did
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.records.collections import EVENT
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import RecordStatus
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.consent import change_preferences, renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.event_hosts import current_event, revise_event
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record, write_tea_in_app


async def connected_only(deployment: Deployment) -> Caller:
    """A person who signs in with an account on another server and was never asked about publishing."""
    await deployment.account("cleo")
    return Caller(await sign_in(deployment), "cleo")


async def sign_in(deployment: Deployment) -> UserId:
    return (
        await sign_in_with_password(
            deployment.db, deployment.network, identifier="cleo.town.test", password="a long password"
        )
    ).user_id


async def edited_on_both_sides(deployment: Deployment, cleo: Caller) -> tuple[dict[str, Any], Event]:
    """An event that Cleo renamed on this site, which must not be published. Then another app renamed the record, and it
    was compared again.
    """
    record, event = await write_tea_in_app(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, record, name="Cocoa")
    await publish_and_listen_for_hours(deployment, cleo)
    await sign_in(deployment)
    await publish_and_listen_for_hours(deployment, cleo)
    return record, event


async def says(deployment: Deployment, cleo: Caller, word: str) -> None:
    match word:
        case "no":
            await withdraw_consent(deployment, cleo)
        case "no events":
            await renew_cleos_consent(deployment, cleo)
            await change_preferences(deployment, cleo, writes_events=False)


@pytest.mark.parametrize("word", ["nothing", "no", "no events"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_the_record_stays_and_the_edit_waits_for_consent(deployment: Deployment, word: str, is_late: bool):
    """The record stays unchanged if the author said no or did not answer, before or after the edits, and however often
    the record is compared.
    """
    cleo = await connected_only(deployment)
    if not is_late:
        await says(deployment, cleo, word)
    record, event = await edited_on_both_sides(deployment, cleo)
    if is_late:
        await says(deployment, cleo, word)
    await revise_event(deployment, cleo, event, title="Tea at ours", description="In the garden.")
    await publish_and_listen_for_hours(deployment, cleo)
    await sign_in(deployment)
    await publish_and_listen_for_hours(deployment, cleo)
    (there,) = await cleos_records(deployment, EVENT)
    assert (there["uri"], there["value"]["name"]) == (record["uri"], "Cocoa")
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.WITHHELD
    said = publication.explanation_for_owner(deployment.clock.now(), is_allowed=False, is_foreign=True)
    assert said == RecordStatus.CHANGED_ONLY_HERE()
    assert (await current_event(deployment, event)).title == "Tea at ours"
    await renew_cleos_consent(deployment, cleo)
    await change_preferences(deployment, cleo, writes_events=True)
    await publish_and_listen_for_hours(deployment, cleo)
    (there,) = await cleos_records(deployment, EVENT)
    assert there["uri"] == record["uri"]
    assert (there["value"]["name"], there["value"]["description"]) == ("Tea at ours", "In the garden.")


async def test_a_recreated_record_keeps_the_edit_made_here(deployment: Deployment):
    """Another app deletes the record, which this site may not write, and creates it again. The event disappears and is
    restored with the edit that Cleo made on this site.
    """
    cleo = await connected_only(deployment)
    record, event = await edited_on_both_sides(deployment, cleo)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await current_event(deployment, event)).is_gone
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri) == (PublicationState.RETRACTED, None)
    await edit_cleos_record(deployment, record, description="Bring cups.")
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.is_gone, now.title, now.content.description) == (False, "Tea at ours", "Bring cups.")
    assert (await deployment.record(record["uri"]))["name"] == "Tea"
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    there = await deployment.record(record["uri"])
    assert (there["name"], there["description"]) == ("Tea at ours", "Bring cups.")


async def test_deleting_the_event_here_still_deletes_the_record(deployment: Deployment):
    """Deleting the event explicitly requests the deletion of this record, so it does not depend on the consent to
    publishing.
    """
    cleo = await connected_only(deployment)
    _, event = await edited_on_both_sides(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []


async def test_fields_that_we_wrote_are_still_retracted(deployment: Deployment):
    """The page promises: "If you stop, we remove what we published." """
    cleo = await deployment.connected()
    _, event = await edited_on_both_sides(deployment, cleo)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    await withdraw_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []


@pytest.mark.parametrize("is_narrower", [False, True])
async def test_the_daily_comparison_keeps_edits_that_may_not_be_sent(deployment: Deployment, is_narrower: bool):
    """Edits that may not be published differ from the record on purpose. The comparison does not repair them."""
    cleo = await connected_only(deployment)
    if is_narrower:
        await renew_cleos_consent(deployment, cleo)
    record, event = await write_tea_in_app(deployment, cleo)
    visibility = "unlisted" if is_narrower else "public"
    await revise_event(
        deployment, cleo, event, title="Tea at ours", description="In the garden.", visibility=visibility
    )
    await publish_and_listen_for_hours(deployment, cleo)
    did = parse_did(record["uri"].split("/")[2])
    compared = await reconcile(
        deployment.db, deployment.network, deployment.processor.ingestion_context, did, is_dry_run=False
    )
    assert (compared.repaired, compared.unrepaired) == ([], [])
    now = await current_event(deployment, event)
    assert (now.title, now.content.description) == ("Tea at ours", "In the garden.")
    assert (await deployment.record(record["uri"]))["name"] == "Tea"
