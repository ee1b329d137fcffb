"""Answers in people's repositories are retracted when their event is no longer public, and published again when it is."""

from aiohttp import web

from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.publishing import delivery_results
from openmeet.outbox import leased_publications
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deliver_all_publications, details
from tests.openmeet.publishing.watched_requests import watch_requests
from tests.simulation.proxy import nothing


async def absent(deployment: Deployment, uri: str) -> bool:
    try:
        await deployment.record(uri)
    except NotFound:
        return True
    return False


async def answered(deployment: Deployment) -> tuple[Caller, Event, str]:
    """Ben's public event with Cleo's answer, both published, and the URI of the answer's record."""
    ben, cleo = await deployment.person("Ben"), await deployment.connected()
    event = await deployment.event(ben)
    answer = await deployment.answer(cleo, event.slug)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    assert uri is not None
    return ben, event, uri


async def revise(deployment: Deployment, host: Caller, event: Event, **typed: str) -> None:
    """Edit the event as its form does."""
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(**typed))


async def test_answers_are_retracted_with_an_unlisted_event(deployment: Deployment):
    """The attendees of an event that is not public are private (invariant 3). The answers are published again with the
    event.
    """
    ben, event, uri = await answered(deployment)
    await revise(deployment, ben, event, visibility="unlisted")
    await deliver_all_publications(deployment)
    assert await absent(deployment, uri)
    await revise(deployment, ben, event, visibility="public")
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert (await deployment.record(row["record_uri"]))["subject"]["uri"] == (
        await deployment.status_of(PublicationKind.EVENT, event.id)
    ).uri


async def test_answers_are_retracted_with_a_deleted_event(deployment: Deployment):
    ben, event, uri = await answered(deployment)
    async with deployment.db.transaction() as tx:
        await event_hosting.delete(tx, ben, event.slug)
    await deliver_all_publications(deployment)
    assert await absent(deployment, uri)


async def test_answers_are_retracted_if_the_host_withdraws_consent(deployment: Deployment):
    """The event's record and the answers to it are deleted. When the host agrees again, both are published again."""
    ben, event, uri = await answered(deployment)
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ben.user_id)
    await deliver_all_publications(deployment)
    assert await absent(deployment, uri)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert (await deployment.record(row["record_uri"]))["subject"]["uri"] == (
        await deployment.status_of(PublicationKind.EVENT, event.id)
    ).uri


async def test_an_answer_that_is_being_sent_is_retracted_too(deployment: Deployment):
    """The event becomes unlisted after the answer was sent and before the PDS responds. The record that arrived is
    deleted.
    """
    ben, event, uri = await answered(deployment)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select user_id from attendances where event_id = :id", id=event.id)
    await deployment.answer(Caller(UserId(row["user_id"]), "cleo"), event.slug, RsvpReply.INTERESTED)
    watch = await watch_requests(deployment)

    async def hide(request: web.Request) -> None:
        if request.path.endswith("putRecord"):
            deployment.proxy.meanwhile = nothing
            await revise(deployment, ben, event, visibility="unlisted")

    deployment.proxy.meanwhile = hide
    await deployment.deliver_publications()
    assert watch.writes == ["putRecord"]
    assert (await deployment.record(uri))["status"].endswith("#interested")
    await deliver_all_publications(deployment)
    assert await absent(deployment, uri)


async def test_an_event_can_be_public_again_before_the_answer_is_deleted(deployment: Deployment):
    """The event becomes unlisted and public again while an answer is being retracted. The answer is published once
    more.
    """
    ben, event, uri = await answered(deployment)
    await revise(deployment, ben, event, visibility="unlisted")
    async with deployment.db.transaction() as tx:
        held = [
            one
            for one in await leased_publications.lease_due(tx, limit=5, seconds=60)
            if one.kind is PublicationKind.RSVP
        ]
        for one in held:
            await leased_publications.start_retracting(tx, one)
    await revise(deployment, ben, event, visibility="public")
    for one in held:
        await delivery_results.forget_record(deployment.publisher, leased_publications.as_retracting(one))
    deployment.clock.turn(10 * MINUTE)
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert row["record_uri"] == uri


async def test_retracting_ends_when_nothing_is_pending(deployment: Deployment):
    """While an answer is being retracted, its event becomes public again and is then deleted. No unknown record is left
    on the PDS.
    """
    ben, event, uri = await answered(deployment)
    await revise(deployment, ben, event, visibility="unlisted")
    async with deployment.db.transaction() as tx:
        held = [
            one
            for one in await leased_publications.lease_due(tx, limit=5, seconds=60)
            if one.kind is PublicationKind.RSVP
        ]
        for one in held:
            await leased_publications.start_retracting(tx, one)
    await revise(deployment, ben, event, visibility="public")
    record = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    _, _, did, collection, rkey = record.split("/")
    client = await deployment.own_client(await deployment.identity(ben.user_id))
    await client.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
    await deployment.listen(ben.user_id)
    deployment.clock.turn(10 * MINUTE)
    await deliver_all_publications(deployment)
    (answer,) = held
    assert (await deployment.status_of(PublicationKind.RSVP, answer.subject_id)).uri is None
    assert await absent(deployment, uri)


async def test_an_answer_to_an_event_whose_record_was_restored_is_sent(deployment: Deployment):
    """Another app of the host deletes the event's record before the answer is sent, and restores it. The answer is sent
    then.
    """
    ben, cleo = await deployment.person("Ben"), await deployment.connected()
    event = await deployment.event(ben)
    await deliver_all_publications(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    value = await deployment.record(uri)
    value.pop("cid")
    answer = await deployment.answer(cleo, event.slug)
    _, _, did, collection, rkey = uri.split("/")
    client = await deployment.own_client(await deployment.identity(ben.user_id))
    where = {"repo": did, "collection": collection, "rkey": rkey}
    await client.procedure("com.atproto.repo.deleteRecord", where)
    await deployment.listen(ben.user_id)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri is None
    deployment.clock.turn(MINUTE)
    await client.procedure("com.atproto.repo.putRecord", {**where, "record": value})
    await deployment.listen(ben.user_id)
    deployment.clock.turn(10 * MINUTE)
    await deliver_all_publications(deployment)
    told = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    assert told is not None
    assert (await deployment.record(told))["subject"]["uri"] == uri
