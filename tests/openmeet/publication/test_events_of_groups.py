"""What a group lets out of its events, against a real PDS: in full, the least, nothing, and back again."""

import pytest

from groundwork.clock import MINUTE
from groundwork.errors import NotFound
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_events import of_event
from openmeet.domain.events.queries import by_id
from openmeet.domain.groups import queries as groups
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.groups.people import group_by
from tests.openmeet.town import Town, details

SECRET = "zugzwang"


async def event_in_group(town: Town, host, **typed: str):
    async with town.db.transaction() as tx:
        group = await group_by(tx, host, **typed)
        said = details(title="Chess evening", description=SECRET, street=SECRET)
        return group, await events.create(tx, host, said, group=of_event(group))


async def level(town: Town, host, group, wanted: str):
    async with town.db.transaction() as tx:
        found = await groups.by_id(tx, group.id)
        await group_hosting.revise(tx, host, found.slug, group_details(promotion_level=wanted))
    town.clock.turn(MINUTE)
    await town.pay()


async def test_levels_follow_each_other_in_the_repository(town: Town):
    """Full, cut down, taken away, cut down again: each time the PDS has what the level lets out, and answers only in full."""
    cleo = await town.connected("cleo")
    dan = await town.person("Dan")
    group, event = await event_in_group(town, cleo, promotion_level="public")
    await town.pay()
    answer = await town.answer(dan, event.slug, RsvpReply.GOING)
    town.clock.turn(MINUTE)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    answered = (await town.standing(PublicationKind.RSVP, answer.id)).uri
    assert (await town.record(uri))["description"] == SECRET
    assert await town.record(answered)

    await level(town, cleo, group, "members")
    assert SECRET not in str(await town.record(uri))
    assert (await town.record(uri))["name"] == "Chess evening"
    with pytest.raises(NotFound):
        await town.record(answered)

    await level(town, cleo, group, "private")
    with pytest.raises(NotFound):
        await town.record(uri)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state in {
        PublicationState.RETRACTED,
        PublicationState.WITHHELD,
    }

    await level(town, cleo, group, "members")
    again = (await town.standing(PublicationKind.EVENT, event.id)).uri
    assert again == uri, "its address is its for good"
    assert SECRET not in str(await town.record(again))


async def test_another_app_changes_a_minimal_record_and_nothing_kept_here(town: Town):
    """A new name comes back; the note, a place or links in the record replace neither text nor place of the event."""
    cleo = await town.connected("cleo")
    _, event = await event_in_group(town, cleo, promotion_level="members")
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, event.id)).uri
    record = await town.record(uri)
    record.pop("cid")
    _, _, did, collection, rkey = uri.split("/")
    other = await town.stranger("cleo")
    changed = record | {
        "name": "Chess night",
        "description": "Not ours",
        "locations": [{"$type": "community.lexicon.location.address", "country": "FR", "locality": "Paris"}],
    }
    await other.procedure(
        "com.atproto.repo.putRecord", {"repo": did, "collection": collection, "rkey": rkey, "record": changed}
    )
    await town.listen(cleo.user_id)
    async with town.db.reader() as reader:
        kept = await by_id(reader, event.id)
    assert (kept.title, kept.description, kept.venue.street) == ("Chess night", SECRET, SECRET)
