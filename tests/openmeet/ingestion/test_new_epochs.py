"""A repository starts again with lower revs, after its server was restored from a backup and an operator confirmed it.

The records of this site are among those that the server has lost.
"""

from dataclasses import replace

import pytest

from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.records import repository_state
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.ingestion.network import message, rev
from tests.openmeet.ingestion.view import apply_messages
from tests.simulation.oracle import Change

__all__ = ["deployment"]


@pytest.fixture
async def scene(deployment: Deployment) -> tuple[Caller, Event]:
    """Cleo's event and her RSVP, both published."""
    cleo = await deployment.connected("cleo")
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    return cleo, tea


def absent(uri: str) -> RecordMessage:
    """The message of a read that does not find the record, as of a rev that is lower than those of our writes."""
    _, _, did, collection, rkey = uri.split("/")
    return replace(message(Change(did, collection, rkey, rev(1), None)), is_read=True)


async def publications(deployment: Deployment) -> dict[PublicationKind, tuple[PublicationState, str | None]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select kind, state, uri from publications")
    return {PublicationKind(row["kind"]): (PublicationState(row["state"]), row["uri"]) for row in rows}


async def test_publications_learn_that_their_records_are_gone(deployment: Deployment, scene: tuple[Caller, Event]):
    cleo, tea = scene
    await deployment.listen(cleo.user_id)
    uris = [uri or "" for _, uri in (await publications(deployment)).values()]
    did = (await deployment.identity(cleo.user_id)).did
    async with deployment.db.transaction() as tx:
        await repository_state.start_epoch(tx, did)
    await apply_messages(deployment.db, *map(absent, uris))
    assert await publications(deployment) == {
        PublicationKind.EVENT: (PublicationState.RETRACTED, None),
        PublicationKind.RSVP: (PublicationState.RETRACTED, None),
    }
    assert await is_deletion_asked_about(deployment, tea)


async def test_a_deletion_before_our_last_write_removes_nothing(deployment: Deployment, scene: tuple[Caller, Event]):
    """The record as last seen is lost, so only the publication knows that the deletion is old."""
    _, tea = scene
    before = (await publications(deployment))[PublicationKind.EVENT]
    uri = before[1] or ""
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from records where uri = :uri", uri=uri)
    await apply_messages(deployment.db, absent(uri))
    assert (await publications(deployment))[PublicationKind.EVENT] == before
    assert not await is_deletion_asked_about(deployment, tea)


async def test_a_deletion_before_our_last_write_withdraws_no_rsvp(deployment: Deployment, scene: tuple[Caller, Event]):
    """As above, for an RSVP."""
    before = (await publications(deployment))[PublicationKind.RSVP]
    uri = before[1] or ""
    async with deployment.db.transaction() as tx:
        await tx.execute("delete from records where uri = :uri", uri=uri)
    await apply_messages(deployment.db, absent(uri))
    assert (await publications(deployment))[PublicationKind.RSVP] == before
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status, record_uri from attendances")
    assert [(row["status"], row["record_uri"]) for row in rows] == [("attending", uri)]


async def is_deletion_asked_about(deployment: Deployment, event: Event) -> bool:
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select record_deleted_at from events where id = :id", id=event.id)
    return row["record_deleted_at"] is not None
