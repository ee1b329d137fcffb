"""Changes that a whole read finds before or after the stream brings them: answers count in the order in which they were
given.
"""

from at_protocol.syntax.did import parse_did
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.network.ingestion.apply import apply
from openmeet.network.records import seen
from openmeet.network.records.collections import RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import stored_answers
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours, read_repository
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, write_cleos_record


async def test_an_answer_after_a_deletion_counts_once_the_deletion_is_known(deployment: Deployment):
    """A read finds Cleo's record missing, as of a commit after her newer answer. Then the stream says when the record
    was deleted.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    await delete_cleos_record(deployment, record)
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await write_cleos_record(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_repository(deployment, await deployment.identity(cleo.user_id))
    assert await stored_answers(deployment) == [("declined", None)], "a read decides at once"
    await deployment.listen(cleo.user_id)
    await publish_and_listen_for_hours(deployment, cleo)
    (again,) = await cleos_records(deployment, RSVP)
    assert await stored_answers(deployment) == [("interested", again["uri"])]
    assert again["value"]["status"] == f"{RSVP}#interested"


async def test_another_apps_record_keeps_counting_when_ours_is_read_again(deployment: Deployment):
    """Cleo has two records with different answers. Reading both again changes nothing, and if the other one is deleted,
    this site's record counts.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, RSVP)
    deployment.clock.turn(MINUTE)
    later = {**ours["value"], "status": f"{RSVP}#going", "createdAt": "2027-01-01T00:00:00.000Z"}
    await write_cleos_record(deployment, RSVP, later)
    await publish_and_listen_for_hours(deployment, cleo)
    (theirs,) = [one for one in await cleos_records(deployment, RSVP) if one["uri"] != ours["uri"]]
    assert await stored_answers(deployment) == [("attending", theirs["uri"])]
    await write_cleos_record(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_repository(deployment, await deployment.identity(cleo.user_id))
    assert await stored_answers(deployment) == [("attending", theirs["uri"])]
    await delete_cleos_record(deployment, theirs)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await stored_answers(deployment) == [("interested", ours["uri"])]


async def test_a_read_does_not_make_an_old_record_the_latest_answer(deployment: Deployment):
    """One of Cleo's two records is missing when the repository is read, as after a restore. The other is unchanged.

    The answer that she gave on this site in between is the latest one, and is published.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    await publish_and_listen_for_hours(deployment, ana)
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, RSVP)
    for number, word in enumerate(("interested", "going"), 1):
        deployment.clock.turn(MINUTE)
        said = {**ours["value"], "status": f"{RSVP}#{word}", "createdAt": f"2027-01-0{number}T00:00:00.000Z"}
        await write_cleos_record(deployment, RSVP, said)
    await publish_and_listen_for_hours(deployment, cleo)
    gone, *_ = [
        one
        for one in await cleos_records(deployment, RSVP)
        if one["uri"] != ours["uri"] and "interested" in one["value"]["status"]
    ]
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, gone)
    await read_repository(deployment, await deployment.identity(cleo.user_id))
    assert [status for status, _ in await stored_answers(deployment)] == ["declined"], (
        "given after the answer in the other record"
    )
    await deployment.listen(cleo.user_id)
    assert [status for status, _ in await stored_answers(deployment)] == ["declined"], (
        "given after the answer in the other record"
    )


async def test_a_restored_record_stays_new_when_its_first_commit_is_repeated(deployment: Deployment):
    """Cleo restores the record with an older copy after she answered on this site. Then the stream repeats the record's
    first commit.
    """
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await publish_and_listen_for_hours(deployment, ana)
    uri = (await shown_record(deployment))["uri"]
    going = {
        "$type": RSVP,
        "subject": {"uri": uri, "cid": (await shown_record(deployment))["cid"]},
        "status": f"{RSVP}#going",
    }
    await write_cleos_record(deployment, RSVP, {**going, "createdAt": "2026-01-01T00:00:00.000Z"})
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    first = await message_of(deployment, record["uri"])
    deployment.clock.turn(MINUTE)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, record)
    await deployment.listen(cleo.user_id)
    await write_cleos_record(deployment, "com.example.note", {"$type": "com.example.note", "text": "later"})
    await read_repository(deployment, await deployment.identity(cleo.user_id))
    deployment.clock.turn(MINUTE)
    app = await deployment.stranger("cleo")
    _, _, did, _, rkey = record["uri"].split("/")
    again = {"repo": did, "collection": RSVP, "rkey": rkey, "record": record["value"]}
    await app.procedure("com.atproto.repo.putRecord", again)
    await read_repository(deployment, await deployment.identity(cleo.user_id))
    assert await stored_answers(deployment) == [("attending", record["uri"])]
    async with deployment.db.transaction() as tx:
        await apply(tx, deployment.processor.ingestion_context, [first])
    assert await stored_answers(deployment) == [("attending", record["uri"])]


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
