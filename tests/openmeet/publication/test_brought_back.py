"""A record that was taken back from here, and that an older copy of the repository brings back: it is the one event's, as it was."""

from typing import Any

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import event_hosting
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_recalls import agree, delete, records, settle, withdraw
from tests.openmeet.town import Town


async def bring_back(town: Town, record: dict[str, Any], **fields: object) -> None:
    """Her repository is what it was when a copy of it was made, this record among the rest."""
    app = await town.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    value = {**record["value"], **fields}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": collection, "rkey": rkey, "record": value}
    )


async def taken_back(town: Town, cleo: Caller) -> tuple[Event, dict[str, Any]]:
    """An event that was published and taken back with her consent, so long ago that nothing of it can be on its way."""
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await withdraw(town, cleo)
    await settle(town, cleo)
    town.clock.turn(2 * DAY)
    assert await records(town, EVENT) == []
    return event, record


async def known_events(town: Town) -> list[tuple[str, str, str | None]]:
    async with town.db.reader() as reader:
        rows = await reader.fetch("select id, title, record_uri from events where removed_at is null order by id")
    return [(row["id"], row["title"], row["record_uri"]) for row in rows]


async def test_what_comes_back_without_consent_is_taken_back_again(town: Town):
    """There is one event before and after, and nothing of hers is public through us (invariant 11)."""
    cleo = await town.connected()
    event, record = await taken_back(town, cleo)
    await bring_back(town, record)
    await settle(town, cleo)
    assert await known_events(town) == [(event.id, "Tea", None)]
    assert await records(town, EVENT) == []


async def test_what_comes_back_of_a_private_event_is_taken_back_again(town: Town):
    """Its author closed it here, and an old copy opens nothing (invariant 3)."""
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await town.revise(cleo, event.slug, title="Tea", visibility="private")
    await settle(town, cleo)
    town.clock.turn(2 * DAY)
    await bring_back(town, record)
    await settle(town, cleo)
    assert await known_events(town) == [(event.id, "Tea", None)]
    assert await records(town, EVENT) == []


async def test_what_comes_back_and_may_be_public_goes_on_with_the_newer_words(town: Town):
    """She agrees again, and before anything is sent the copy is brought in: no second record, and no older name."""
    cleo = await town.connected()
    event, record = await taken_back(town, cleo)
    await town.revise(cleo, event.slug, title="Green tea")
    await bring_back(town, record)
    await agree(town, cleo)
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    assert await known_events(town) == [(event.id, "Green tea", record["uri"])]
    (now,) = await records(town, EVENT)
    assert (now["uri"], now["value"]["name"]) == (record["uri"], "Green tea")
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_what_comes_back_of_a_deleted_event_is_its_authors_own(town: Town):
    """Deleted here while nobody may write for her, and in her repository by an older copy; a newer one has it again.

    The repository is her word: what stands there is an event, and not one that is gone.
    """
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    async with town.pds.registry.db.transaction() as tx:
        await tx.execute("delete from sessions where did = :did", did=record["uri"].split("/")[2])
    town.clock.turn(3 * HOUR)  # what access was given ends with the session behind it
    async with town.db.transaction() as tx:
        await event_hosting.delete(tx, cleo, event.slug)
    await settle(town, cleo)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
    await delete(town, record)
    await settle(town, cleo)
    town.clock.turn(2 * DAY)
    await bring_back(town, record)
    await settle(town, cleo)
    there = await known_events(town)
    assert [(title, uri) for one, title, uri in there if one != event.id] == [("Tea", record["uri"])]
    assert [uri for one, _, uri in there if one == event.id] == [None]


async def lost_and_found(town: Town, cleo: Caller) -> tuple[Event, dict[str, Any]]:
    """An event made here whose record an older copy of her repository took away, and a newer one has brought back."""
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await delete(town, record)
    await settle(town, cleo)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.RETRACTED
    await bring_back(town, record)
    await town.listen(cleo.user_id)
    assert await known_events(town) == [(event.id, "Tea", record["uri"])]
    return event, record


async def test_what_was_lost_and_is_back_can_be_made_private(town: Town):
    """It is ours to take away, as before it was lost (invariant 3)."""
    cleo = await town.connected()
    event, _ = await lost_and_found(town, cleo)
    await settle(town, cleo)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    await town.revise(cleo, event.slug, title="Tea", visibility="private")
    await settle(town, cleo)
    assert await records(town, EVENT) == []
    assert await known_events(town) == [(event.id, "Tea", None)]


async def test_what_was_lost_says_what_it_says_when_it_is_back(town: Town):
    """Another name in the copy is her newest word; what was said here was said before."""
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await delete(town, record)
    await settle(town, cleo)
    await bring_back(town, record, name="Coffee")
    await settle(town, cleo)
    assert await known_events(town) == [(event.id, "Coffee", record["uri"])]
    (now,) = await records(town, EVENT)
    assert now["value"]["name"] == "Coffee"
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_what_was_lost_and_is_back_without_consent_is_taken_back(town: Town):
    """She does not agree any more when the copy brings it back: nothing of hers is public through us (invariant 11)."""
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await settle(town, cleo)
    (record,) = await records(town, EVENT)
    await delete(town, record)
    await settle(town, cleo)
    await withdraw(town, cleo)
    await bring_back(town, record)
    await settle(town, cleo)
    assert await records(town, EVENT) == []
    assert await known_events(town) == [(event.id, "Tea", None)]
