"""Owners and co-hosts of events in the small network, who edit an event and hand it over."""

from groundwork.database.transaction import Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_host_queries, ownership
from openmeet.domain.events.co_host_invitations import CoHostState
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, deliver_all_publications, details


async def publish_event_of_ana_and_ben(deployment: Deployment) -> tuple[Caller, Caller, Event, str]:
    """Ana, her co-host Ben, their published event and its record."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    return ana, ben, event, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""


async def add_co_host(tx: Transaction, event: Event, author: Caller, who: Caller) -> None:
    """Make a person a co-host, as if the person had accepted an invitation."""
    await tx.execute(
        "insert into event_co_hosts (id, event_id, user_id, email, state, invited_by, created_at, expires_at, decided_at)"
        " values (:id, :event_id, :user_id, null, :state, :by, :now, :now, :now)",
        id=new_id(tx.now),
        event_id=event.id,
        user_id=who.user_id,
        state=CoHostState.ACCEPTED.value,
        by=author.user_id,
        now=tx.now,
    )


async def retitle_event(deployment: Deployment, who: Caller, event: Event, title: str) -> Event:
    async with deployment.db.transaction() as tx:
        saved = await events.revise(tx, who, event.slug, details(title=title))
    await deployment.deliver_publications()
    return saved


async def revise_event(deployment: Deployment, who: Caller, event: Event, **typed: str) -> None:
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, who, event.slug, details(**typed))


async def current_event(deployment: Deployment, event: Event) -> Event:
    async with deployment.db.reader() as reader:
        found = await by_id(reader, event.id)
    assert found is not None
    return found


async def event_ids(deployment: Deployment) -> list[str]:
    async with deployment.db.reader() as reader:
        return [row["id"] for row in await reader.fetch("select id from events")]


async def publish_event_with_co_host(deployment: Deployment, author: Caller, beside: Caller) -> tuple[Event, str]:
    """A published event and its record."""
    event = await deployment.event(author)
    await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, author, beside)
    return event, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""


async def hosted_elsewhere(deployment: Deployment, author: Caller) -> Event:
    """An event that its author, who is called ana, wrote in another app."""
    app, did = await deployment.stranger("ana"), (await deployment.identity(author.user_id)).did
    value = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-01-01T00:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await deployment.listen(author.user_id)
    (event_id,) = await event_ids(deployment)
    async with deployment.db.reader() as reader:
        return await by_id(reader, event_id)


async def hand_over_event(deployment: Deployment, event: Event, owner: Caller, heir: Caller) -> None:
    """Offer the event to a co-host, who accepts."""
    async with deployment.db.transaction() as tx:
        row = await co_host_queries.of_person(tx, event.id, heir.user_id)
        await ownership.offer(tx, owner, event.slug, row.id)
        await event_hosting.take_over(tx, heir, event.slug)
    await deliver_all_publications(deployment)
