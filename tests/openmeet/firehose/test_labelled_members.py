"""A label on a member's event is the site's business: their repository stays theirs."""

from openmeet.domain.events import queries as events
from openmeet.domain.moderation import labels
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.town import Town


async def test_what_a_labelled_member_edits_goes_on_into_their_repository(town: Town) -> None:
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    async with town.db.transaction() as tx:
        before = await events.by_id(tx, event.id)
        assert before is not None
        assert before.record_uri is not None
        await labels.put(
            tx, labels.NetworkLabel("did:web:l.example", before.record_uri, "spam", "", False, tx.now, None)
        )
        hidden = await events.by_id(tx, event.id)
        assert hidden is not None
        assert hidden.is_hidden
    await town.revise(ana, event.slug, title="Coffee in the park")
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    assert (await town.record(before.record_uri))["name"] == "Coffee in the park"
    # What comes back of it changes nothing here, and loses nothing.
    await town.listen(ana.user_id)
    async with town.db.reader() as reader:
        after = await events.by_id(reader, event.id)
    assert after is not None
    assert (after.title, after.is_hidden) == ("Coffee in the park", True)
