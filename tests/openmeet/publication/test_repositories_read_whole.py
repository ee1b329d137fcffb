"""What a whole reading brings before the stream does, and what it brings again: answers count as they were said."""

from groundwork.clock import MINUTE
from openmeet.attendance.model import Reply
from openmeet.identities.model import Identity
from openmeet.ingestion.backfill import backfill
from openmeet.records.collections import RSVP
from tests.openmeet.publication.test_recalls import delete, records, settle
from tests.openmeet.town import Town


async def read_whole(town: Town, identity: Identity) -> None:
    await backfill(town.db, town.network, town.processor.here, identity.did)


async def write(town: Town, collection: str, record: dict[str, object]) -> None:
    """Another app of hers writes something."""
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": collection, "record": record})


async def answers(town: Town) -> list[tuple[str, str | None]]:
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status, record_uri from attendances")
    return [(row["status"], row["record_uri"]) for row in rows]


async def test_an_answer_after_a_deletion_stands_again_when_the_deletion_is_heard_of(town: Town):
    """A reading finds her record gone, as of a commit after her newer answer; then the stream says when it was deleted."""
    ana, cleo = await town.person(), await town.connected()
    event = await town.event(ana)
    await town.answer(cleo, event.slug, Reply.DECLINED)
    await settle(town, ana)
    await settle(town, cleo)
    (record,) = await records(town, RSVP)
    await delete(town, record)
    town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, Reply.INTERESTED)
    town.clock.turn(MINUTE)
    await write(town, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_whole(town, await town.identity(cleo.user_id))
    assert await answers(town) == [("declined", None)], "a reading decides at once"
    await town.listen(cleo.user_id)
    await settle(town, cleo)
    (again,) = await records(town, RSVP)
    assert await answers(town) == [("interested", again["uri"])]
    assert again["value"]["status"] == f"{RSVP}#interested"


async def test_a_record_of_another_app_counts_on_when_ours_is_read_again(town: Town):
    """Two records of hers say different things. Reading both once more changes nothing, and without the other ours counts."""
    ana, cleo = await town.person(), await town.connected()
    event = await town.event(ana)
    await town.answer(cleo, event.slug, Reply.INTERESTED)
    await settle(town, ana)
    await settle(town, cleo)
    (ours,) = await records(town, RSVP)
    town.clock.turn(MINUTE)
    later = {**ours["value"], "status": f"{RSVP}#going", "createdAt": "2027-01-01T00:00:00.000Z"}
    await write(town, RSVP, later)
    await settle(town, cleo)
    (theirs,) = [one for one in await records(town, RSVP) if one["uri"] != ours["uri"]]
    assert await answers(town) == [("attending", theirs["uri"])]
    await write(town, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_whole(town, await town.identity(cleo.user_id))
    assert await answers(town) == [("attending", theirs["uri"])]
    await delete(town, theirs)
    await settle(town, cleo)
    assert await answers(town) == [("interested", ours["uri"])]
