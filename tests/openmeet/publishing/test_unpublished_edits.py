"""Edits on this site that are not in the record yet are not overwritten by edits in other apps (invariant 6)."""

from dataclasses import replace
from typing import Any

from groundwork.clock import MINUTE
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import DEFAULT_RECORD_SETTINGS, Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import record_settings
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, LEGACY_EVENT
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import RecordStatus
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.event_hosts import (
    current_event,
    publish_event_of_ana_and_ben,
    retitle_event,
    revise_event,
)
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record, write_tea_in_app


async def decided(deployment: Deployment, uri: str) -> list[tuple[str, str, str, MergeSide]]:
    async with deployment.db.reader() as reader:
        found = await merge_decisions.of_records(reader, [uri], ALL_ROWS)
    return [(one.decision.field, one.decision.ours, one.decision.theirs, one.decision.result) for one in found]


async def test_a_restricted_rename_is_kept_despite_a_rename_in_the_record(deployment: Deployment):
    """The event is made less public and renamed on this site, then another app renames the record. Both names are kept,
    and the log has the decision.
    """
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours", visibility="unlisted")
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.record(record["uri"]))["name"] == "Tea"
    await edit_cleos_record(deployment, record, name="Tea for all", theme="blue")
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, record, name="Tea for all", theme="green")
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await current_event(deployment, event)).title == "Tea at ours"
    assert (await deployment.record(record["uri"]))["name"] == "Tea for all"
    assert ("name", "Tea at ours", "Tea for all", MergeSide.OURS) in await decided(deployment, record["uri"])
    await revise_event(deployment, cleo, event, title="Tea at ours", visibility="public")
    await publish_and_listen_for_hours(deployment, cleo)
    there = await deployment.record(record["uri"])
    assert (there["name"], there["theme"]) == ("Tea at ours", "green")


async def test_renames_in_the_record_are_taken_over_if_only_other_fields_changed_here(deployment: Deployment):
    """The event got a description on this site before this site could write the record. Each later name in the record
    is taken over, and the description stays.
    """
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea", description="In the garden.", visibility="unlisted")
    await publish_and_listen_for_hours(deployment, cleo)
    for name in ("Coffee", "Cocoa", "Milk"):
        await edit_cleos_record(deployment, record, name=name)
        await publish_and_listen_for_hours(deployment, cleo)
        now = await current_event(deployment, event)
        assert (now.title, now.content.description) == (name, "In the garden.")


async def test_an_unsent_edit_survives_deletion_and_restoring_of_the_record(deployment: Deployment):
    """Another app deletes the record before it has seen Cleo's new description, and later restores an older copy."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await revise_event(deployment, cleo, event, title="Tea", description="In the garden.")
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, record)
    await deployment.listen(cleo.user_id)
    assert (await current_event(deployment, event)).record_deleted_at is not None
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(MINUTE)
    await put_back(deployment, record, name="Green tea")
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.record_deleted_at, now.title, now.content.description) == (None, "Green tea", "In the garden.")
    there = await deployment.record(record["uri"])
    assert (there["name"], there["description"]) == ("Green tea", "In the garden.")


async def put_back(deployment: Deployment, record: dict[str, Any], **changed: str) -> None:
    """Another app restores an older copy of the record, with these values."""
    app = await deployment.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    again = {"repo": did, "collection": collection, "rkey": rkey, "record": {**record["value"], **changed}}
    await app.procedure("com.atproto.repo.putRecord", again)


async def test_an_edit_made_while_the_record_is_deleted_is_kept_when_it_returns(deployment: Deployment):
    """One edit was not sent yet when another app deleted the record. A second edit is made before an older copy is
    restored.
    """
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, record)
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours", description="In the garden.")
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(MINUTE)
    await put_back(deployment, record, theme="blue")
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.record_deleted_at, now.title, now.content.description) == (None, "Tea at ours", "In the garden.")
    there = await deployment.record(record["uri"])
    assert (there["name"], there["description"], there["theme"]) == ("Tea at ours", "In the garden.", "blue")


async def lost(deployment: Deployment, cleo: Caller) -> tuple[dict[str, Any], Event]:
    """An event made on this site whose record another app has deleted. No job is queued."""
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    return record, event


async def test_an_unprocessed_edit_is_kept_when_the_record_returns(deployment: Deployment):
    """The copy is restored before the publisher runs and records that an edit is waiting."""
    cleo = await deployment.connected()
    record, event = await lost(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea", description="In the garden.")
    deployment.clock.turn(MINUTE)
    await put_back(deployment, record, theme="blue")
    await deployment.listen(cleo.user_id)
    assert (await current_event(deployment, event)).content.description == "In the garden."
    await publish_and_listen_for_hours(deployment, cleo)
    there = await deployment.record(record["uri"])
    assert (there["description"], there["theme"]) == ("In the garden.", "blue")
    assert (await current_event(deployment, event)).content.description == "In the garden."


async def test_a_restricting_edit_is_kept_when_the_record_returns(deployment: Deployment):
    """By then the event is not public, so the restored record is deleted, and the event has the values that Cleo typed."""
    cleo = await deployment.connected()
    record, event = await lost(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea", description="In the garden.", visibility="unlisted")
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(MINUTE)
    await put_back(deployment, record, theme="blue")
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.is_gone, now.record_uri, now.content.description) == (False, None, "In the garden.")
    assert await cleos_records(deployment, EVENT) == []


async def test_an_edit_that_may_not_be_sent_survives_another_apps_record(deployment: Deployment):
    """The event got a description on this site without consent to publishing, was deleted in another app and restored
    there under an older name: both values are kept.
    """
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo)
    await withdraw_consent(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea", description="In the garden.")
    await publish_and_listen_for_hours(deployment, cleo)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await current_event(deployment, event)).is_gone
    _, _, did, _, rkey = record["uri"].split("/")
    app = await deployment.stranger("cleo")
    older = {"repo": did, "collection": EVENT, "rkey": rkey, "record": {**record["value"], "name": "Green tea"}}
    await app.procedure("com.atproto.repo.putRecord", older)
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.is_gone, now.title, now.content.description) == (False, "Green tea", "In the garden.")
    assert "description" not in await deployment.record(record["uri"])
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    there = await deployment.record(record["uri"])
    assert (there["name"], there["description"]) == ("Green tea", "In the garden.")


async def test_consent_given_while_the_record_is_deleted_loses_nothing(deployment: Deployment):
    """As above, but Cleo agrees before the record is restored. There is nothing to write at that time, and her edit is
    kept.
    """
    cleo = await deployment.connected()
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-04-01T16:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
        assert row is not None
        event = await by_id(reader, row["id"])
    assert event is not None
    await withdraw_consent(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    await publish_and_listen_for_hours(deployment, cleo)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    await renew_cleos_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    _, _, _, _, rkey = record["uri"].split("/")
    app = await deployment.stranger("cleo")
    older = {"repo": did, "collection": EVENT, "rkey": rkey, "record": record["value"]}
    await app.procedure("com.atproto.repo.putRecord", older)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await current_event(deployment, event)).title == "Tea at ours"
    assert (await deployment.record(record["uri"]))["name"] == "Tea at ours"


async def test_a_waiting_co_host_edit_survives_an_edit_of_the_record(deployment: Deployment):
    """The author's app changes the name that a co-host has changed on this site. The co-host's name continues to wait,
    and is sent when the author agrees.
    """
    ana, ben, event, uri = await publish_event_of_ana_and_ben(deployment)
    await deployment.listen(ana.user_id)
    await retitle_event(deployment, ben, event, "Coffee")
    record = await deployment.record(uri)
    _, _, did, _, rkey = uri.split("/")
    renamed = {name: value for name, value in record.items() if name != "cid"} | {"name": "Tea, again"}
    own = await deployment.own_client(await deployment.identity(ana.user_id))
    await own.procedure(
        "com.atproto.repo.putRecord", {"repo": did, "collection": EVENT, "rkey": rkey, "record": renamed}
    )
    await deployment.listen(ana.user_id)
    assert (await current_event(deployment, event)).title == "Coffee"
    assert await decided(deployment, uri) == [("name", "Coffee", "Tea, again", MergeSide.OURS)]
    async with deployment.db.transaction() as tx:
        await events.agree_to_record(tx, ana, event.slug)
    await deployment.deliver_publications()
    assert (await deployment.record(uri))["name"] == "Coffee"
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == uri


async def test_unpublishing_an_event_leaves_another_apps_record_alone(deployment: Deployment):
    """This site never wrote to that record, so only Cleo can delete it. Her edits on this site stay on this site."""
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await record_settings.change_event(tx, cleo, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_wanted=False))
    await publish_and_listen_for_hours(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    await publish_and_listen_for_hours(deployment, cleo)
    there = await deployment.record(record["uri"])
    assert {name: there[name] for name in record["value"]} == record["value"]
    now = await current_event(deployment, event)
    assert (now.is_gone, now.title, now.record_uri) == (False, "Tea at ours", record["uri"])
    async with deployment.db.transaction() as tx:
        await record_settings.change_event(tx, cleo, event.slug, DEFAULT_RECORD_SETTINGS)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.record(record["uri"]))["name"] == "Tea at ours"


async def test_edits_of_an_event_in_the_old_collection_are_kept(deployment: Deployment):
    """This site does not write records of the old collection. So the edits stay on this site, however often the record
    and the event are changed, and the status says so.
    """
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo, LEGACY_EVENT)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, record, name="Tea for all")
    await publish_and_listen_for_hours(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours", description="In the garden.")
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, record, name="Tea for everybody", description="In the park.")
    await publish_and_listen_for_hours(deployment, cleo)
    now = await current_event(deployment, event)
    assert (now.title, now.content.description) == ("Tea at ours", "In the garden.")
    decisions = await decided(deployment, record["uri"])
    assert ("name", "Tea at ours", "Tea for everybody", MergeSide.OURS) in decisions
    assert ("description", "In the garden.", "In the park.", MergeSide.OURS) in decisions
    assert (await deployment.record(record["uri"]))["name"] == "Tea for everybody"
    status = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert status.explanation_for_owner(deployment.clock.now(), is_allowed=True, is_foreign=True) == (
        RecordStatus.CHANGED_ONLY_HERE()
    )
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    await put_back(deployment, record, theme="blue")
    await publish_and_listen_for_hours(deployment, cleo)
    back = await current_event(deployment, event)
    assert (back.is_gone, back.title, back.content.description) == (False, "Tea at ours", "In the garden.")


async def test_a_record_that_we_edited_is_deleted_whoever_created_it(deployment: Deployment):
    """Another app created the record and this site has written to it since, so Cleo's decision to unpublish it applies
    to this record.
    """
    cleo = await deployment.connected()
    record, event = await write_tea_in_app(deployment, cleo)
    await revise_event(deployment, cleo, event, title="Tea at ours")
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.record(record["uri"]))["name"] == "Tea at ours"
    async with deployment.db.transaction() as tx:
        await record_settings.change_event(tx, cleo, event.slug, replace(DEFAULT_RECORD_SETTINGS, is_wanted=False))
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
