"""A label on a member's event affects this site only, not the member's repository."""

from openmeet.domain.events import queries as events
from openmeet.domain.moderation import labels
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment


async def test_a_labelled_members_edits_are_still_published(deployment: Deployment) -> None:
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        before = await events.by_id(tx, event.id)
        assert before is not None
        assert before.record_uri is not None
        await labels.put(
            tx, labels.NetworkLabel("did:web:l.example", before.record_uri, "spam", "", False, tx.now, None)
        )
        hidden = await events.by_id(tx, event.id)
        assert hidden is not None
        assert hidden.is_hidden
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    assert (await deployment.record(before.record_uri))["name"] == "Coffee in the park"
    # Reading the record again changes and loses nothing on this site.
    await deployment.listen(ana.user_id)
    async with deployment.db.reader() as reader:
        after = await events.by_id(reader, event.id)
    assert after is not None
    assert (after.title, after.is_hidden) == ("Coffee in the park", True)
