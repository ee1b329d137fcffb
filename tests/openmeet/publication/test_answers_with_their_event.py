"""Answers in people's repositories when their event is no longer for everybody: they go with it, and come back with it."""

from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.publishing import settle, write
from openmeet.network.publishing.eligibility import PublishRsvp, decide
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox import publication_leases
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.town import Town, details


async def absent(town: Town, uri: str) -> bool:
    try:
        await town.record(uri)
    except NotFound:
        return True
    return False


async def answered(town: Town) -> tuple[Caller, Event, str]:
    """Ben's public event with Cleo's answer, both published; and the uri of the answer's record."""
    ben, cleo = await town.person("Ben"), await town.connected()
    event = await town.event(ben)
    answer = await town.answer(cleo, event.slug)
    await town.pay()
    await town.pay()
    uri = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    assert uri is not None
    return ben, event, uri


async def pay_all(town: Town) -> None:
    while await town.pay():
        pass


async def revise(town: Town, host: Caller, event: Event, **typed: str) -> None:
    """As the event's form does it."""
    async with town.db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(**typed))


async def test_answers_are_taken_back_with_an_event_that_is_unlisted(town: Town):
    """Who goes to what is no longer for everybody is nobody's business (invariant 3); and they return with it."""
    ben, event, uri = await answered(town)
    await revise(town, ben, event, visibility="unlisted")
    await pay_all(town)
    assert await absent(town, uri)
    await revise(town, ben, event, visibility="public")
    await pay_all(town)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert (await town.record(row["record_uri"]))["subject"]["uri"] == (
        await town.standing(PublicationKind.EVENT, event.id)
    ).uri


async def test_answers_are_taken_back_with_an_event_that_is_deleted(town: Town):
    ben, event, uri = await answered(town)
    async with town.db.transaction() as tx:
        await event_hosting.delete(tx, ben, event.slug)
    await pay_all(town)
    assert await absent(town, uri)


async def test_answers_are_taken_back_where_the_host_withdraws_consent(town: Town):
    """The event's record goes, and what spoke of it with it; agreeing again brings back both."""
    ben, event, uri = await answered(town)
    async with town.db.transaction() as tx:
        await identities.withdraw(tx, ben.user_id)
    await pay_all(town)
    assert await absent(town, uri)
    async with town.db.transaction() as tx:
        await identities.agree(tx, ben.user_id, handle="ben.town.test")
    await pay_all(town)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert (await town.record(row["record_uri"]))["subject"]["uri"] == (
        await town.standing(PublicationKind.EVENT, event.id)
    ).uri


async def test_an_answer_on_its_way_is_taken_back_too(town: Town):
    """The event is unlisted between the decision to send and the PDS's yes: what arrived is taken back."""
    ben, event, uri = await answered(town)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select user_id from attendances where event_id = :id", id=event.id)
    await town.answer(Caller(UserId(row["user_id"]), "cleo"), event.slug, RsvpReply.INTERESTED)
    async with town.db.transaction() as tx:
        (held,) = await publication_leases.take(tx, limit=5, seconds=60)
        decision = await decide(tx, held, town.publisher.flags)
    assert isinstance(decision, PublishRsvp)
    client = await agent_for(town.db, town.network, decision.identity)
    await revise(town, ben, event, visibility="unlisted")
    await write.write(town.publisher, client, held, decision)
    assert (await town.record(uri))["status"].endswith("#interested")
    await pay_all(town)
    assert await absent(town, uri)


async def test_public_again_before_the_answer_is_gone(town: Town):
    """The event is unlisted and public again while an answer is being taken back: it is published once more."""
    ben, event, uri = await answered(town)
    await revise(town, ben, event, visibility="unlisted")
    async with town.db.transaction() as tx:
        held = [
            one for one in await publication_leases.take(tx, limit=5, seconds=60) if one.kind is PublicationKind.RSVP
        ]
        for one in held:
            await publication_leases.start_retracting(tx, one)
    await revise(town, ben, event, visibility="public")
    for one in held:
        await settle.forget(town.publisher, publication_leases.as_retracting(one))
    town.clock.turn(10 * MINUTE)
    await pay_all(town)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select record_uri from attendances where event_id = :id", id=event.id)
    assert row["record_uri"] == uri


async def test_taking_back_ends_where_nothing_is_owed_any_more(town: Town):
    """While an answer is being taken back its event is public again, and then gone: nothing is left that nobody here knows of."""
    ben, event, uri = await answered(town)
    await revise(town, ben, event, visibility="unlisted")
    async with town.db.transaction() as tx:
        held = [
            one for one in await publication_leases.take(tx, limit=5, seconds=60) if one.kind is PublicationKind.RSVP
        ]
        for one in held:
            await publication_leases.start_retracting(tx, one)
    await revise(town, ben, event, visibility="public")
    record = (await town.standing(PublicationKind.EVENT, event.id)).uri or ""
    _, _, did, collection, rkey = record.split("/")
    client = await town.own_client(await town.identity(ben.user_id))
    await client.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
    await town.listen(ben.user_id)
    town.clock.turn(10 * MINUTE)
    await pay_all(town)
    (answer,) = held
    assert (await town.standing(PublicationKind.RSVP, answer.subject_id)).uri is None
    assert await absent(town, uri)


async def test_an_answer_to_what_was_gone_for_a_while_is_told(town: Town):
    """Another app of the host's deletes the event's record before the answer is sent, and brings it back: the answer goes out then."""
    ben, cleo = await town.person("Ben"), await town.connected()
    event = await town.event(ben)
    await pay_all(town)
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri or ""
    value = await town.record(uri)
    value.pop("cid")
    answer = await town.answer(cleo, event.slug)
    _, _, did, collection, rkey = uri.split("/")
    client = await town.own_client(await town.identity(ben.user_id))
    where = {"repo": did, "collection": collection, "rkey": rkey}
    await client.procedure("com.atproto.repo.deleteRecord", where)
    await town.listen(ben.user_id)
    await pay_all(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri is None
    town.clock.turn(MINUTE)
    await client.procedure("com.atproto.repo.putRecord", {**where, "record": value})
    await town.listen(ben.user_id)
    town.clock.turn(10 * MINUTE)
    await pay_all(town)
    told = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    assert told is not None
    assert (await town.record(told))["subject"]["uri"] == uri
