"""The functions that write calendar records into a repository, against a real PDS: swaps, one answer per event, records
of other apps.
"""

import pytest

from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.record_key import RecordKey
from groundwork.clock import DAY, HOUR, MINUTE
from groundwork.errors import Conflict
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import backfill_progress
from openmeet.network.publishing import repository_calls
from openmeet.network.publishing.repository_calls import (
    delete_record,
    get_record,
    list_rsvps,
    put_record,
)
from openmeet.network.records.collections import EVENT, RSVP, SERIES
from openmeet.network.records.rsvp import record_key_for
from openmeet.network.repositories.agents import agent_for
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment

KEY = RecordKey("3mqdau33ozs2n")


def tea(name: str = "Tea") -> dict:
    return {"$type": EVENT, "name": name, "createdAt": "2026-01-01T00:00:00Z", "com.example.mark": {"kept": True}}


async def test_an_event_is_created_read_changed_and_deleted(deployment: Deployment):
    cleo = await deployment.connected()
    agent = await agent_for(deployment.db, deployment.network, await deployment.identity(cleo.user_id))
    did = (await deployment.identity(cleo.user_id)).did
    uri = AtUri(did, EVENT, KEY)
    assert await get_record(agent, uri) is None
    made = await put_record(agent, uri, tea(), replaced_cid=None)
    with pytest.raises(Conflict):
        await put_record(agent, uri, tea("Another"), replaced_cid=None)
    current = await get_record(agent, uri)
    assert current is not None
    assert (current.record, current.cid) == (tea(), made.cid)
    changed = await put_record(agent, uri, current.record | {"name": "Coffee"}, replaced_cid=current.cid)
    with pytest.raises(Conflict):
        await put_record(agent, uri, tea("Too late"), replaced_cid=current.cid)
    assert (await deployment.record(str(uri)))["com.example.mark"] == {"kept": True}
    assert await delete_record(agent, uri, known_cid=changed.cid) is not None
    assert await delete_record(agent, uri, known_cid=None) is None


async def test_a_series_is_created_and_changed(deployment: Deployment):
    cleo = await deployment.connected()
    agent = await agent_for(deployment.db, deployment.network, await deployment.identity(cleo.user_id))
    uri = AtUri((await deployment.identity(cleo.user_id)).did, SERIES, KEY)
    record = {
        "$type": SERIES,
        "name": "Tea",
        "timezone": "Europe/Vienna",
        "dtstart": "2026-03-07T18:00:00",
        "rrule": ["FREQ=WEEKLY"],
        "createdAt": "2026-01-01T00:00:00Z",
    }
    made = await put_record(agent, uri, record, replaced_cid=None)
    await put_record(agent, uri, record | {"rrule": ["FREQ=DAILY"]}, replaced_cid=made.cid)
    assert (await deployment.record(str(uri)))["rrule"] == ["FREQ=DAILY"]


async def test_answers_are_written_listed_page_by_page_and_deleted(deployment: Deployment):
    cleo = await deployment.connected()
    agent = await agent_for(deployment.db, deployment.network, await deployment.identity(cleo.user_id))
    did = (await deployment.identity(cleo.user_id)).did
    made = await put_record(agent, AtUri(did, EVENT, KEY), tea(), replaced_cid=None)
    for number in range(3):
        about = parse_at_uri(f"at://{did}/{EVENT}/3mqdau33ozs{number + 2}n")
        record = {"$type": RSVP, "subject": {"uri": str(about), "cid": made.cid}, "status": f"{RSVP}#going"}
        uri = AtUri(did, RSVP, RecordKey(record_key_for(about)))
        first = await put_record(agent, uri, record, replaced_cid=None)
        await put_record(agent, uri, record | {"status": f"{RSVP}#notgoing"}, replaced_cid=first.cid)
    found = [one async for one in list_rsvps(agent, did)]
    assert {one.record["status"] for one in found} == {f"{RSVP}#notgoing"}
    assert len({one.subject for one in found}) == 3
    for one in found:
        assert await delete_record(agent, one.uri, known_cid=one.cid) is not None
    assert [one async for one in list_rsvps(agent, did)] == []


async def test_an_older_answer_under_another_key_is_updated(deployment: Deployment):
    """The record is also found if the repository has not been read yet: it is listed once."""
    ana = await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    subject = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    about = await deployment.record(subject)
    await deployment.account("dora")
    older = await deployment.stranger("dora")
    session = await older.query("com.atproto.server.getSession")
    key = "eeab17d5ccf0d"  # a key in the style of the first OpenMeet, which is not a TID
    await older.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": session["did"],
            "collection": str(RSVP),
            "rkey": key,
            "record": {
                "$type": str(RSVP),
                "subject": {"uri": subject, "cid": about["cid"]},
                "status": f"{RSVP}#interested",
            },
        },
    )
    dora = await deployment.connected_as("dora")
    deployment.clock.turn(60_000_000)
    answer = await deployment.answer(dora, event.slug, RsvpReply.GOING)
    for _ in range(4):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(60_000_000)
    agent = await agent_for(deployment.db, deployment.network, await deployment.identity(dora.user_id))
    (only,) = [one async for one in list_rsvps(agent, (await deployment.identity(dora.user_id)).did)]
    assert (only.uri.rkey, only.record["status"]) == (key, f"{RSVP}#going")
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri == str(only.uri)


@pytest.mark.parametrize("is_readable", [True, False])
async def test_no_second_answer_is_written_if_the_first_may_not_be_listed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, is_readable: bool
):
    """A repository has more answers than are listed. Once it was read completely, the older answer is updated. If that
    has failed for a day, more are listed.
    """
    monkeypatch.setattr(repository_calls, "MAX_RSVPS_LISTED", 1)
    monkeypatch.setattr(repository_calls, "MAX_RSVPS_LISTED_INSTEAD_OF_READ", 3)
    monkeypatch.setattr(repository_calls, "_PAGE", 1)
    ana = await deployment.person("Ana")
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    about = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri
    assert about is not None
    await deployment.account("dora")
    older = await deployment.stranger("dora")
    did = (await older.query("com.atproto.server.getSession"))["did"]
    cid = (await deployment.record(about))["cid"]
    for key, subject in (("2older", about), ("3mqdau33ozs2n", f"at://{did}/{EVENT}/3mqdau33ozs2n")):
        record = {"$type": RSVP, "subject": {"uri": subject, "cid": cid}, "status": f"{RSVP}#interested"}
        await older.procedure(
            "com.atproto.repo.putRecord", {"repo": did, "collection": RSVP, "rkey": key, "record": record}
        )
    dora = await deployment.connected_as("dora")
    async with deployment.db.transaction() as tx:
        await backfill_progress.track(tx, parse_did(did))
    deployment.clock.turn(MINUTE)
    answer = await deployment.answer(dora, event.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    status = await deployment.status_of(PublicationKind.RSVP, answer.id)
    assert (status.uri, status.reason) == (None, PublicationReason.ACCOUNTS_BEING_READ())
    for _ in range(4):
        if is_readable:
            await deployment.deliver_jobs()
        await deployment.ingest()
        deployment.clock.turn(HOUR if is_readable else DAY)
        await deployment.deliver_publications()
    monkeypatch.undo()
    found = [one async for one in list_rsvps(older, parse_did(did))]
    statuses = {str(one.uri.rkey): one.record["status"] for one in found}
    assert statuses == {"2older": f"{RSVP}#going", "3mqdau33ozs2n": f"{RSVP}#interested"}
