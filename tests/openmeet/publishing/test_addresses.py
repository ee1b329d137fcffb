"""An event keeps its URI in a repository: when it is unpublished and published again, the record is the same, and
answers to it count.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.errors import Conflict, NotFound
from groundwork.queue.contract import Message
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.records import seen_rsvps
from openmeet.network.records.collections import EVENT, ORIGIN_KEY
from openmeet.network.records.message import RecordMessage, decode
from openmeet.outbox.publications import PublicationKind, PublicationState, retry_now
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import new_guest, publish_event
from tests.openmeet.publishing.deliveries import run_jobs_for_minutes
from tests.openmeet.publishing.event_hosts import add_co_host, hand_over_event


async def off_the_network(deployment: Deployment, host: Caller, event: Event) -> None:
    await deployment.revise(host, event.slug, visibility="unlisted")
    await run_jobs_for_minutes(deployment, host)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED


async def on_the_network(deployment: Deployment, host: Caller, event: Event) -> None:
    await deployment.revise(host, event.slug)
    await run_jobs_for_minutes(deployment, host)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


@pytest.mark.parametrize("host_is", ["ours", "elsewhere"])
async def test_an_event_is_published_again_under_its_uri(deployment: Deployment, host_is: str):
    """The mark of origin has another version, so that no two writes to one record key have the same bytes."""
    ana = await (deployment.person("Ana") if host_is == "ours" else deployment.connected("ana"))
    event, first = await publish_event(deployment, ana)
    versions = [(await deployment.record(first["uri"]))[ORIGIN_KEY]["version"]]
    cids = {first["cid"]}
    for _ in range(2):
        await off_the_network(deployment, ana, event)
        await on_the_network(deployment, ana, event)
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == first["uri"]
        record = await deployment.record(first["uri"])
        versions.append(record[ORIGIN_KEY]["version"])
        cids.add(record["cid"])
    assert versions == sorted(set(versions))
    assert len(cids) == 3


async def test_answers_count_while_the_event_is_unpublished_and_afterwards(deployment: Deployment):
    """An answer that is changed or deleted meanwhile counts as changed or deleted; nothing is quarantined."""
    ana = await deployment.person("Ana")
    event, named = await publish_event(deployment, ana)
    goes, stays, leaves, late = [await new_guest(deployment, name) for name in ("gus", "sam", "lee", "lou")]
    for one in (goes, stays, leaves):
        await one.says(named, "going")
    await off_the_network(deployment, ana, event)
    await goes.says(named, "notgoing")
    await leaves.takes_back()
    await late.says(named, "interested")
    assert [await one.status(event) for one in (goes, stays, leaves)] == ["declined", "attending", "declined"]
    await on_the_network(deployment, ana, event)
    assert [await one.status(event) for one in (goes, stays, leaves, late)] == [
        "declined",
        "attending",
        "declined",
        "interested",
    ]
    await stays.says(named, "notgoing")
    assert await stays.status(event) == "declined"


async def test_answers_to_a_private_event_are_kept_as_long_as_it_exists(deployment: Deployment):
    """Answers of people who cannot see the event are kept, for longer than answers to unknown events, and count once
    the event is opened again.
    """
    ana = await deployment.person("Ana")
    event, named = await publish_event(deployment, ana)
    await deployment.revise(ana, event.slug, visibility="private")
    await run_jobs_for_minutes(deployment, ana)
    lou = await new_guest(deployment, "lou")
    await lou.says(named, "going")
    assert await lou.status(event) is None
    deployment.clock.turn(40 * DAY)
    async with deployment.db.transaction() as tx:
        assert await seen_rsvps.expire_awaiting(tx) == 0
    await on_the_network(deployment, ana, event)
    assert await lou.status(event) == "attending"


async def test_replayed_messages_change_nothing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    """Replaying every message, also in reverse order, changes nothing after the event was unpublished and published
    again.
    """
    ana = await deployment.connected("ana")
    heard: list[RecordMessage] = []
    publish = deployment.queue.publish

    async def listening(messages: Sequence[Message]) -> None:
        heard.extend(one for one in (decode(message.body) for message in messages) if isinstance(one, RecordMessage))
        await publish(messages)

    monkeypatch.setattr(deployment.queue, "publish", listening)
    event, _ = await publish_event(deployment, ana)
    await off_the_network(deployment, ana, event)
    await on_the_network(deployment, ana, event)
    assert [one.operation.value for one in heard if not one.is_read] == ["create", "delete", "create"]
    before = await deployment.status_of(PublicationKind.EVENT, event.id)
    for order in (heard, heard[::-1]):
        async with deployment.db.transaction() as tx:
            await apply(tx, deployment.processor.ingestion_context, order)
    assert await deployment.status_of(PublicationKind.EVENT, event.id) == before
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select record_uri, removed_at, record_deleted_at from events")
    assert [tuple(row) for row in rows] == [(before.uri, None, None)]


@pytest.mark.parametrize("lost", ["deleteRecord", "putRecord"])
@pytest.mark.parametrize("is_heard", [True, False], ids=["heard", "read back"])
async def test_lost_responses_leave_one_record_under_one_key(deployment: Deployment, lost: str, is_heard: bool):
    ana = await deployment.person("Ana")
    event, first = await publish_event(deployment, ana)
    deployment.proxy.loses = lambda request: request.path.endswith(lost)
    await deployment.revise(ana, event.slug, visibility="unlisted")
    await deployment.deliver_publications()
    if is_heard:
        await deployment.listen(ana.user_id)
    await deployment.revise(ana, event.slug)
    for _ in range(3):
        await deployment.deliver_publications()
        if is_heard:
            await deployment.listen(ana.user_id)
        deployment.clock.turn(HOUR)
    deployment.proxy.loses = lambda _request: False
    await run_jobs_for_minutes(deployment, ana)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, first["uri"])
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select removed_at, record_deleted_at, record_uri from events")
    assert [tuple(row) for row in rows] == [(None, None, first["uri"])]


async def test_a_late_delete_does_not_remove_the_new_record(deployment: Deployment):
    """A delete whose response was lost names the CID that it was meant for, so it does not remove the new record."""
    ana = await deployment.connected("ana")
    event, first = await publish_event(deployment, ana)
    await off_the_network(deployment, ana, event)
    await on_the_network(deployment, ana, event)
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    late = {"repo": did, "collection": collection, "rkey": rkey, "swapRecord": first["cid"]}
    with pytest.raises(Conflict):
        await app.procedure("com.atproto.repo.deleteRecord", late)


async def test_a_record_key_used_by_another_app_is_left_to_a_person(deployment: Deployment):
    """Another app's record under our key is neither overwritten nor imported as a second event. After it is deleted,
    the event is published under the key.
    """
    ana = await deployment.connected("ana")
    event, first = await publish_event(deployment, ana)
    await off_the_network(deployment, ana, event)
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    other: dict[str, Any] = {"$type": EVENT, "name": "Something else", "createdAt": "2026-01-01T00:00:00.000Z"}
    named = {"repo": did, "collection": collection, "rkey": rkey}
    await app.procedure("com.atproto.repo.putRecord", {**named, "record": other})
    await run_jobs_for_minutes(deployment, ana)
    await deployment.revise(ana, event.slug)
    await run_jobs_for_minutes(deployment, ana)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state is PublicationState.CONFLICTED
    assert (await deployment.record(first["uri"]))["name"] == "Something else"
    async with deployment.db.reader() as reader:
        assert [row["title"] for row in await reader.fetch("select title from events")] == ["Tea in the park"]
    await app.procedure("com.atproto.repo.deleteRecord", named)
    await run_jobs_for_minutes(deployment, ana)
    async with deployment.db.transaction() as tx:
        await retry_now(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    await run_jobs_for_minutes(deployment, ana)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, first["uri"])


async def test_a_restored_copy_of_the_record_is_deleted_again(deployment: Deployment):
    """The event is no longer public, and another app has written its own record under the key. When that app restores
    our old record, the record is deleted again.
    """
    ana = await deployment.connected("ana")
    event, first = await publish_event(deployment, ana)
    before = {name: value for name, value in (await deployment.record(first["uri"])).items() if name != "cid"}
    await off_the_network(deployment, ana, event)
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = first["uri"].split("/")
    other: dict[str, Any] = {"$type": EVENT, "name": "Something else", "createdAt": "2026-01-01T00:00:00.000Z"}
    for record in (other, before | {"theme": "blue"}):
        body = {"repo": did, "collection": collection, "rkey": rkey, "record": record}
        await app.procedure("com.atproto.repo.putRecord", body)
        await run_jobs_for_minutes(deployment, ana)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri) == (PublicationState.RETRACTED, None)
    with pytest.raises(NotFound):
        await deployment.record(first["uri"])


async def test_an_event_that_returns_to_a_repository_has_its_earlier_record_key(deployment: Deployment):
    """The event is handed over and back, and its first record is deleted in between. Answers to each of its URIs count."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event, first = await publish_event(deployment, ana)
    gus = await new_guest(deployment, "gus")
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await run_jobs_for_minutes(deployment, ana, ben)
    second = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert second != first["uri"]
    await deployment.revise(ben, event.slug, visibility="unlisted")
    await run_jobs_for_minutes(deployment, ana, ben)
    await gus.says(first, "going")
    assert await gus.status(event) == "attending"
    await hand_over_event(deployment, event, ben, ana)
    await run_jobs_for_minutes(deployment, ana, ben)
    await deployment.revise(ana, event.slug)
    await run_jobs_for_minutes(deployment, ana, ben)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == first["uri"]
    await gus.says({"uri": second, "cid": first["cid"]}, "notgoing")
    assert await gus.status(event) == "declined"
    await hand_over_event(deployment, event, ana, ben)
    await run_jobs_for_minutes(deployment, ana, ben)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == second
