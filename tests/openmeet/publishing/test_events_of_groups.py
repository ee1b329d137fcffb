"""A group's publish level decides how much of its events is published, against a real PDS: everything, the minimum,
nothing, and back.
"""

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_id
from openmeet.domain.groups import queries as groups
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.publishing.published_groups import CHESS_SECRET, create_group_with_event


async def level(deployment: Deployment, host, group, wanted: str):
    async with deployment.db.transaction() as tx:
        found = await groups.by_id(tx, group.id)
        await group_hosting.revise(tx, host, found.slug, group_details(promotion_level=wanted))
    deployment.clock.turn(MINUTE)
    await deployment.deliver_publications()


async def test_levels_replace_each_other_in_the_repository(deployment: Deployment):
    """Full, minimal, deleted, minimal: each time the PDS has the content that the level allows, and answers only at the
    full level.
    """
    cleo = await deployment.connected("cleo")
    dan = await deployment.person("Dan")
    group, event = await create_group_with_event(deployment, cleo, promotion_level="public")
    await deployment.deliver_publications()
    answer = await deployment.answer(dan, event.slug, RsvpReply.GOING)
    deployment.clock.turn(MINUTE)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    answered = (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    assert (await deployment.record(uri))["description"] == CHESS_SECRET
    assert await deployment.record(answered)

    await level(deployment, cleo, group, "members")
    assert CHESS_SECRET not in str(await deployment.record(uri))
    assert (await deployment.record(uri))["name"] == "Chess evening"
    with pytest.raises(NotFound):
        await deployment.record(answered)

    await level(deployment, cleo, group, "private")
    with pytest.raises(NotFound):
        await deployment.record(uri)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state in {
        PublicationState.RETRACTED,
        PublicationState.WITHHELD,
    }

    await level(deployment, cleo, group, "members")
    again = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert again == uri, "the URI never changes"
    assert CHESS_SECRET not in str(await deployment.record(again))


async def test_an_edit_of_a_minimal_record_keeps_the_fields_stored_here(deployment: Deployment):
    """A new name is taken over. The notice, place and links of the minimal record do not replace the event's own."""
    cleo = await deployment.connected("cleo")
    _, event = await create_group_with_event(deployment, cleo, promotion_level="members")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    record = await deployment.record(uri)
    record.pop("cid")
    _, _, did, collection, rkey = uri.split("/")
    other = await deployment.stranger("cleo")
    changed = record | {
        "name": "Chess night",
        "description": "Not ours",
        "locations": [{"$type": "community.lexicon.location.address", "country": "FR", "locality": "Paris"}],
    }
    await other.procedure(
        "com.atproto.repo.putRecord", {"repo": did, "collection": collection, "rkey": rkey, "record": changed}
    )
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        kept = await by_id(reader, event.id)
    assert (kept.title, kept.content.description, kept.content.venue.street) == (
        "Chess night",
        CHESS_SECRET,
        CHESS_SECRET,
    )
