"""A record that was retracted on this site and is restored with an older copy of the repository still belongs to the
same event.
"""

from typing import Any

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.consent import renew_cleos_consent, withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.event_hosts import add_co_host, hand_over_event
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record


async def bring_back(deployment: Deployment, record: dict[str, Any], **fields: object) -> None:
    """Restore a copy of Cleo's repository that contains this record."""
    app = await deployment.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    value = {**record["value"], **fields}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": collection, "rkey": rkey, "record": value}
    )


async def taken_back(deployment: Deployment, cleo: Caller) -> tuple[Event, dict[str, Any]]:
    """An event that was published and then retracted with Cleo's consent, so long ago that no request can still arrive."""
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await withdraw_consent(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(2 * DAY)
    assert await cleos_records(deployment, EVENT) == []
    return event, record


async def known_events(deployment: Deployment) -> list[tuple[str, str, str | None]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, title, record_uri from events where removed_at is null order by id")
    return [(row["id"], row["title"], row["record_uri"]) for row in rows]


async def test_a_restored_record_without_consent_is_deleted_again(deployment: Deployment):
    """There is one event before and after, and this site keeps nothing of Cleo's public (invariant 11)."""
    cleo = await deployment.connected()
    event, record = await taken_back(deployment, cleo)
    await bring_back(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await known_events(deployment) == [(event.id, "Tea", None)]
    assert await cleos_records(deployment, EVENT) == []


async def test_a_restored_record_of_a_private_event_is_deleted_again(deployment: Deployment):
    """Its author has made it private on this site, and an older copy does not make it public (invariant 3)."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await deployment.revise(cleo, event.slug, title="Tea", visibility="private")
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(2 * DAY)
    await bring_back(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await known_events(deployment) == [(event.id, "Tea", None)]
    assert await cleos_records(deployment, EVENT) == []


async def test_a_restored_record_that_may_be_public_gets_the_newer_values(deployment: Deployment):
    """Cleo agrees again, and the copy is restored before anything is sent. There is no second record, and the older
    name is not used.
    """
    cleo = await deployment.connected()
    event, record = await taken_back(deployment, cleo)
    await deployment.revise(cleo, event.slug, title="Green tea")
    await bring_back(deployment, record)
    await renew_cleos_consent(deployment, cleo)
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await known_events(deployment) == [(event.id, "Green tea", record["uri"])]
    (now,) = await cleos_records(deployment, EVENT)
    assert (now["uri"], now["value"]["name"]) == (record["uri"], "Green tea")
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_record_restored_while_somebody_else_owned_the_event_is_the_events_again(deployment: Deployment):
    """Cleo unlists the event and hands it over to Dan. A copy restores the record, Dan makes the event public, and hands
    it back before that is sent.
    """
    cleo, dan = await deployment.connected(), await deployment.connected("dan")
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await deployment.revise(cleo, event.slug, title="Tea", visibility="unlisted")
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, cleo, dan)
    await bring_back(deployment, record, **{"org.example.note": "kept"})
    await hand_over_event(deployment, event, cleo, dan)
    await deployment.revise(dan, event.slug, title="Green tea")
    await deployment.listen(cleo.user_id)
    await hand_over_event(deployment, event, dan, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await known_events(deployment) == [(event.id, "Green tea", record["uri"])]
    (now,) = await cleos_records(deployment, EVENT)
    assert (now["uri"], now["value"]["name"], now["value"]["org.example.note"]) == (record["uri"], "Green tea", "kept")
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_restored_record_of_a_deleted_event_is_its_authors(deployment: Deployment):
    """The event is deleted on this site while this site may not write to Cleo's repository. An older copy removes the
    record there, and a newer copy restores it.

    Cleo's repository decides: the record in it is an event, and not a deleted one.
    """
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    async with deployment.pds.registry.db.transaction() as tx:
        await tx.execute("delete from sessions where did = :did", did=record["uri"].split("/")[2])
    deployment.clock.turn(3 * HOUR)  # access tokens expire together with the session
    async with deployment.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, event.slug)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    deployment.clock.turn(2 * DAY)
    await bring_back(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    there = await known_events(deployment)
    assert [(title, uri) for one, title, uri in there if one != event.id] == [("Tea", record["uri"])]
    assert [uri for one, _, uri in there if one == event.id] == [None]


async def lost_and_found(deployment: Deployment, cleo: Caller) -> tuple[Event, dict[str, Any]]:
    """An event made on this site whose record was removed by an older copy of Cleo's repository and restored by a newer
    one.
    """
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    await bring_back(deployment, record)
    await deployment.listen(cleo.user_id)
    assert await known_events(deployment) == [(event.id, "Tea", record["uri"])]
    return event, record


async def test_an_event_whose_record_was_restored_can_be_made_private(deployment: Deployment):
    """This site may delete the record, as before it was lost (invariant 3)."""
    cleo = await deployment.connected()
    event, _ = await lost_and_found(deployment, cleo)
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    await deployment.revise(cleo, event.slug, title="Tea", visibility="private")
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert await known_events(deployment) == [(event.id, "Tea", None)]


async def test_a_restored_record_overrules_older_edits(deployment: Deployment):
    """A different name in the copy is Cleo's newest edit; edits made on this site are older."""
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    await bring_back(deployment, record, name="Coffee")
    await publish_and_listen_for_hours(deployment, cleo)
    assert await known_events(deployment) == [(event.id, "Coffee", record["uri"])]
    (now,) = await cleos_records(deployment, EVENT)
    assert now["value"]["name"] == "Coffee"
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_restored_record_of_an_author_without_consent_is_deleted(deployment: Deployment):
    """Cleo has withdrawn consent when the copy restores the record: this site keeps nothing of hers public (invariant
    11).
    """
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, EVENT)
    await delete_cleos_record(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    await withdraw_consent(deployment, cleo)
    await bring_back(deployment, record)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
    assert await known_events(deployment) == [(event.id, "Tea", None)]
