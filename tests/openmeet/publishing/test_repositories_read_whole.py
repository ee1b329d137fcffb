"""Changes that a whole read finds before or after the stream brings them: answers count in the order in which they were
given.
"""

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities.model import Identity
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.records import seen
from openmeet.network.records.collections import RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.test_withdrawals import delete, records, run_until_idle


async def read_whole(deployment: Deployment, identity: Identity) -> None:
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, identity.did)


async def write(deployment: Deployment, collection: str, record: dict[str, object]) -> None:
    """Another app of Cleo's writes a record."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": collection, "record": record})


async def answers(deployment: Deployment) -> list[tuple[str, str | None]]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status, record_uri from attendances")
    return [(row["status"], row["record_uri"]) for row in rows]


async def test_an_answer_after_a_deletion_counts_once_the_deletion_is_known(deployment: Deployment):
    """A read finds Cleo's record missing, as of a commit after her newer answer. Then the stream says when the record
    was deleted.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await run_until_idle(deployment, ana)
    await run_until_idle(deployment, cleo)
    (record,) = await records(deployment, RSVP)
    await delete(deployment, record)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await write(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_whole(deployment, await deployment.identity(cleo.user_id))
    assert await answers(deployment) == [("declined", None)], "a read decides at once"
    await deployment.listen(cleo.user_id)
    await run_until_idle(deployment, cleo)
    (again,) = await records(deployment, RSVP)
    assert await answers(deployment) == [("interested", again["uri"])]
    assert again["value"]["status"] == f"{RSVP}#interested"


async def test_another_apps_record_keeps_counting_when_ours_is_read_again(deployment: Deployment):
    """Cleo has two records with different answers. Reading both again changes nothing, and if the other one is deleted,
    this site's record counts.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await run_until_idle(deployment, ana)
    await run_until_idle(deployment, cleo)
    (ours,) = await records(deployment, RSVP)
    deployment.clock.turn(MINUTE)
    later = {**ours["value"], "status": f"{RSVP}#going", "createdAt": "2027-01-01T00:00:00.000Z"}
    await write(deployment, RSVP, later)
    await run_until_idle(deployment, cleo)
    (theirs,) = [one for one in await records(deployment, RSVP) if one["uri"] != ours["uri"]]
    assert await answers(deployment) == [("attending", theirs["uri"])]
    await write(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_whole(deployment, await deployment.identity(cleo.user_id))
    assert await answers(deployment) == [("attending", theirs["uri"])]
    await delete(deployment, theirs)
    await run_until_idle(deployment, cleo)
    assert await answers(deployment) == [("interested", ours["uri"])]


async def test_a_read_does_not_make_an_old_record_the_latest_answer(deployment: Deployment):
    """One of Cleo's two records is missing when the repository is read, as after a restore. The other is unchanged.

    The answer that she gave on this site in between is the latest one, and is published.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await run_until_idle(deployment, ana)
    await run_until_idle(deployment, cleo)
    (ours,) = await records(deployment, RSVP)
    for number, word in enumerate(("interested", "going"), 1):
        deployment.clock.turn(MINUTE)
        said = {**ours["value"], "status": f"{RSVP}#{word}", "createdAt": f"2027-01-0{number}T00:00:00.000Z"}
        await write(deployment, RSVP, said)
    await run_until_idle(deployment, cleo)
    gone, *_ = [
        one
        for one in await records(deployment, RSVP)
        if one["uri"] != ours["uri"] and "interested" in one["value"]["status"]
    ]
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    deployment.clock.turn(MINUTE)
    await delete(deployment, gone)
    await read_whole(deployment, await deployment.identity(cleo.user_id))
    assert [status for status, _ in await answers(deployment)] == ["declined"], (
        "given after the answer in the other record"
    )
    await deployment.listen(cleo.user_id)
    assert [status for status, _ in await answers(deployment)] == ["declined"], (
        "given after the answer in the other record"
    )


async def test_a_restored_record_stays_new_when_its_first_commit_is_repeated(deployment: Deployment):
    """Cleo restores the record with an older copy after she answered on this site. Then the stream repeats the record's
    first commit.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await run_until_idle(deployment, ana)
    uri = (await shown_record(deployment))["uri"]
    going = {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": (await shown_record(deployment))["cid"]},
        "status": f"{RSVP}#going",
    }
    await write(deployment, RSVP, {**going, "createdAt": "2026-01-01T00:00:00.000Z"})
    await run_until_idle(deployment, cleo)
    (record,) = await records(deployment, RSVP)
    first = await message_of(deployment, record["uri"])
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await delete(deployment, record)
    await deployment.listen(cleo.user_id)
    await write(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_whole(deployment, await deployment.identity(cleo.user_id))
    deployment.clock.turn(MINUTE)
    app = await deployment.stranger("cleo")
    _, _, did, _, rkey = record["uri"].split("/")
    again = {"repo": did, "collection": RSVP, "rkey": rkey, "record": record["value"]}
    await app.procedure("com.atproto.repo.putRecord", again)
    await read_whole(deployment, await deployment.identity(cleo.user_id))
    assert await answers(deployment) == [("attending", record["uri"])]
    async with deployment.db.transaction() as tx:
        await apply(tx, deployment.processor.ingestion_context, [first])
    assert await answers(deployment) == [("attending", record["uri"])]


async def shown_record(deployment: Deployment) -> dict[str, str]:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select record_uri, record_cid from events")
    assert row is not None
    return {"uri": row["record_uri"], "cid": row["record_cid"]}


async def message_of(deployment: Deployment, uri: str) -> RecordMessage:
    """The message that brings a record as it was read."""
    async with deployment.db.reader() as reader:
        known = await seen.find(reader, uri)
    assert known is not None
    return RecordMessage(
        did=parse_did(known.did),
        collection=parse_nsid(known.collection),
        rkey=parse_record_key(known.rkey),
        rev=parse_tid(known.rev),
        operation=RecordOperation.CREATE,
        cid=known.cid,
        body=known.body,
        is_verified=True,
    )
