"""The functions that write calendars into a repository, against a real PDS: swaps, one answer per event, what others wrote."""

import pytest

from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.record_key import RecordKey
from groundwork.errors import Conflict
from openmeet.domain.attendance.model import RsvpReply
from openmeet.network.publishing.send import (
    create_event,
    create_event_series,
    create_or_update_rsvp,
    delete_event,
    delete_rsvp,
    get_event,
    list_rsvps,
    update_event,
    update_event_series,
)
from openmeet.network.records.collections import EVENT, RSVP, SERIES
from openmeet.network.records.rsvp import record_key_for
from openmeet.network.repositories.agents import agent_for_user
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.town import Town

KEY = RecordKey("3mqdau33ozs2n")


def tea(name: str = "Tea") -> dict:
    return {"$type": EVENT, "name": name, "createdAt": "2026-01-01T00:00:00Z", "com.example.mark": {"kept": True}}


async def test_an_event_is_made_read_changed_and_taken_away(town: Town):
    cleo = await town.connected()
    agent = await agent_for_user(town.db, town.network, cleo.user_id)
    did = (await town.identity(cleo.user_id)).did
    uri = AtUri(did, EVENT, KEY)
    assert await get_event(agent, uri) is None
    made = await create_event(agent, uri, tea())
    with pytest.raises(Conflict):
        await create_event(agent, uri, tea("Another"))
    current = await get_event(agent, uri)
    assert current is not None
    assert (current.record, current.cid) == (tea(), made.cid)
    changed = await update_event(agent, uri, current.record | {"name": "Coffee"}, swap=current.cid)
    with pytest.raises(Conflict):
        await update_event(agent, uri, tea("Too late"), swap=current.cid)
    assert (await town.record(str(uri)))["com.example.mark"] == {"kept": True}
    assert await delete_event(agent, uri, expected=changed.cid) is not None
    assert await delete_event(agent, uri, expected=None) is None


async def test_a_series_is_made_and_changed(town: Town):
    cleo = await town.connected()
    agent = await agent_for_user(town.db, town.network, cleo.user_id)
    uri = AtUri((await town.identity(cleo.user_id)).did, SERIES, KEY)
    record = {
        "$type": SERIES,
        "name": "Tea",
        "timezone": "Europe/Vienna",
        "dtstart": "2026-03-07T18:00:00",
        "rrule": ["FREQ=WEEKLY"],
        "createdAt": "2026-01-01T00:00:00Z",
    }
    made = await create_event_series(agent, uri, record)
    await update_event_series(agent, uri, record | {"rrule": ["FREQ=DAILY"]}, swap=made.cid)
    assert (await town.record(str(uri)))["rrule"] == ["FREQ=DAILY"]


async def test_answers_are_written_listed_over_pages_and_taken_away(town: Town):
    cleo = await town.connected()
    agent = await agent_for_user(town.db, town.network, cleo.user_id)
    did = (await town.identity(cleo.user_id)).did
    made = await create_event(agent, AtUri(did, EVENT, KEY), tea())
    for number in range(3):
        about = parse_at_uri(f"at://{did}/{EVENT}/3mqdau33ozs{number + 2}n")
        record = {"$type": RSVP, "subject": {"uri": str(about), "cid": made.cid}, "status": f"{RSVP}#going"}
        uri = AtUri(did, RSVP, RecordKey(record_key_for(about)))
        first = await create_or_update_rsvp(agent, uri, record, swap=None)
        await create_or_update_rsvp(agent, uri, record | {"status": f"{RSVP}#notgoing"}, swap=first.cid)
    found = [one async for one in list_rsvps(agent, did)]
    assert {one.record["status"] for one in found} == {f"{RSVP}#notgoing"}
    assert len({one.subject for one in found}) == 3
    for one in found:
        assert await delete_rsvp(agent, one.uri, expected=one.cid) is not None
    assert [one async for one in list_rsvps(agent, did)] == []


async def test_an_older_answer_under_another_key_is_changed_and_no_second_one_made(town: Town):
    """Also where nobody has read the repository yet: it is looked through once."""
    ana = await town.person("Ana")
    event = await town.event(ana)
    await town.pay()
    subject = (await town.standing(PublicationKind.EVENT, event.id)).uri
    about = await town.record(subject)
    await town.account("dora")
    older = await town.stranger("dora")
    session = await older.query("com.atproto.server.getSession")
    key = "eeab17d5ccf0d"  # as the first OpenMeet made them; no TID
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
    dora = await town.connected_as("dora")
    town.clock.turn(60_000_000)
    answer = await town.answer(dora, event.slug, RsvpReply.GOING)
    for _ in range(4):
        await town.pay()
        await town.ingest()
        town.clock.turn(60_000_000)
    agent = await agent_for_user(town.db, town.network, dora.user_id)
    (only,) = [one async for one in list_rsvps(agent, (await town.identity(dora.user_id)).did)]
    assert (only.uri.rkey, only.record["status"]) == (key, f"{RSVP}#going")
    assert (await town.standing(PublicationKind.RSVP, answer.id)).uri == str(only.uri)
