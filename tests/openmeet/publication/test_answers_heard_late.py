"""What somebody wrote with another app before they answered here is heard after ours was published: the latest word counts."""

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.records.collections import RSVP
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_groups import records_in
from tests.openmeet.publication.test_where_they_answered import said_elsewhere, second_account
from tests.openmeet.town import Town

HEARINGS = ("by the stream", "by a reading")


async def hear(town: Town, who: Caller, did: Did, how: str) -> None:
    if how == "by a reading":
        await backfill(town.db, town.network, town.processor.here, did)
    else:
        await town.listen(who.user_id)


async def words_in(town: Town, did: Did) -> dict[str, str]:
    """What the answers in a repository say, by uri."""
    return {uri: (await town.record(uri))["status"].partition("#")[2] for uri in await records_in(town, did, RSVP)}


async def status(town: Town) -> str:
    async with town.db.reader() as reader:
        (row,) = await reader.fetch("select status from attendances")
    return str(row["status"])


async def settle(town: Town, did: Did) -> None:
    for _ in range(3):
        town.clock.turn(MINUTE)
        await town.pay()
        await backfill(town.db, town.network, town.processor.here, did)


async def going(town: Town) -> tuple[Caller, Did, Event, str]:
    """Cleo said here that she goes, and her repository says so."""
    event = await town.event(await town.connected("hedi"), title="Chess")
    await town.pay()
    cleo = await town.connected("cleo")
    did = (await town.identity(cleo.user_id)).did
    await backfill(town.db, town.network, town.processor.here, did)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await town.pay()
    return cleo, did, event, (await town.standing(PublicationKind.EVENT, event.id)).uri or ""


@pytest.mark.parametrize("how", HEARINGS)
async def test_what_was_said_here_since_stands(town: Town, how: str):
    """Their record is newer than ours, for ours was changed and not written anew. It is changed too, and ours goes."""
    cleo, did, event, uri = await going(town)
    town.clock.turn(MINUTE)
    theirs = await said_elsewhere(town, "cleo", did, uri, "interested", format_datetime(town.clock.now()))
    town.clock.turn(MINUTE)
    answer = await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await town.pay()
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    town.clock.turn(MINUTE)
    await hear(town, cleo, did, how)
    assert await status(town) == "declined"
    await settle(town, did)
    assert (await status(town), await words_in(town, did)) == ("declined", {theirs: "notgoing"})


@pytest.mark.parametrize("how", HEARINGS)
async def test_what_was_said_elsewhere_since_counts(town: Town, how: str):
    """The twin of the above: the other way round in time, the other way round in what counts."""
    cleo, did, event, uri = await going(town)
    town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await town.pay()
    town.clock.turn(MINUTE)
    theirs = await said_elsewhere(town, "cleo", did, uri, "interested", format_datetime(town.clock.now()))
    town.clock.turn(MINUTE)
    await hear(town, cleo, did, how)
    await settle(town, did)
    assert (await status(town), (await words_in(town, did))[theirs]) == ("interested", "interested")


async def test_what_was_changed_elsewhere_since_counts(town: Town):
    """When it was written first is not when it was said: the commit decides."""
    cleo, did, event, uri = await going(town)
    town.clock.turn(MINUTE)
    written_at = format_datetime(town.clock.now())
    theirs = await said_elsewhere(town, "cleo", did, uri, "interested", written_at)
    town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await town.pay()
    town.clock.turn(MINUTE)
    app = await town.stranger("cleo")
    said = {name: value for name, value in (await town.record(theirs)).items() if name != "cid"}
    again = {**said, "status": f"{RSVP}#going"}
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": RSVP, "rkey": theirs.rpartition("/")[2], "record": again},
    )
    await town.listen(cleo.user_id)
    await settle(town, did)
    assert (await status(town), (await words_in(town, did))[theirs]) == ("attending", "going")


async def test_a_reading_that_decided_wrongly_is_put_right_by_the_commit(town: Town):
    """It claims a time after what was said here. The stream brings the commit, which was made before."""
    cleo, did, event, uri = await going(town)
    town.clock.turn(MINUTE)
    theirs = await said_elsewhere(
        town, "cleo", did, uri, "interested", format_datetime(town.clock.now() + 90 * 1_000_000)
    )
    town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await town.pay()
    town.clock.turn(MINUTE)
    app = await town.stranger("cleo")
    note = {"$type": "com.example.note", "text": "later"}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": "com.example.note", "record": note}
    )
    await hear(town, cleo, did, "by a reading")
    assert await status(town) == "interested"
    await hear(town, cleo, did, "by the stream")
    assert await status(town) == "declined"
    await settle(town, did)
    assert (await status(town), await words_in(town, did)) == ("declined", {theirs: "notgoing"})


@pytest.mark.parametrize("how", HEARINGS)
async def test_an_account_read_late_does_not_go_before(town: Town, how: str):
    """What she wrote in another account of hers, before she said otherwise here."""
    cleo, did, event, uri = await going(town)
    work = await second_account(town, cleo)
    town.clock.turn(MINUTE)
    theirs = await said_elsewhere(town, "work", work, uri, "interested", format_datetime(town.clock.now()))
    town.clock.turn(MINUTE)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await town.pay()
    town.clock.turn(MINUTE)
    if how == "by a reading":
        await backfill(town.db, town.network, town.processor.here, work)
    else:
        await town.follow_until(work, lambda state: state.known is not None)
    assert await status(town) == "declined"
    await settle(town, did)
    assert (await words_in(town, did), await words_in(town, work)) == ({}, {theirs: "notgoing"})
