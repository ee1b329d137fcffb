"""Where somebody keeps writing against us we stop, and its owner chooses: after three merged versions, and after five writes an hour."""

import pytest
from aiohttp import web

from openmeet.domain.attendance.model import RsvpReply
from openmeet.network.publishing.publisher import MAX_ROUNDS, MAX_WRITES_PER_HOUR
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.outbox.publications import PublicationKind, PublicationState, PublicationStatus
from tests.openmeet.publication.test_together import names, watched
from tests.openmeet.town import Town

AN_HOURS_WORTH = "update publications set writes = :writes, writes_since = :now where kind = :kind and subject_id = :id"


async def written_often(town: Town, kind: PublicationKind, subject_id: str) -> None:
    """As many writes within this hour as there may be, without anybody's edit here."""
    async with town.db.transaction() as tx:
        await tx.execute(AN_HOURS_WORTH, writes=MAX_WRITES_PER_HOUR, now=tx.now, kind=kind, id=subject_id)


def says(standing: PublicationStatus) -> tuple[PublicationState, str]:
    return standing.state, standing.reason


OFTEN = (PublicationState.CONFLICTED, "Another program keeps changing this record back.")


async def test_after_three_versions_that_came_between_we_stop(town: Town):
    """Another app writes each time before our write arrives; each version is merged, and the fourth is its host's to decide."""
    cleo = await town.connected()
    event = await town.event(cleo, title="Tea")
    await town.pay()
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert standing.uri is not None
    await town.listen(cleo.user_id)
    app = await town.stranger("cleo")
    did, collection, rkey = standing.uri.removeprefix("at://").split("/")
    versions = 0

    async def before(request: web.Request) -> None:
        nonlocal versions
        if request.path.rpartition(".")[2] != "putRecord":
            return
        versions += 1
        record = await town.record(standing.uri)
        record.pop("cid")
        wish = {"repo": did, "collection": collection, "rkey": rkey, "record": {**record, "theme": f"nr {versions}"}}
        await app.procedure("com.atproto.repo.putRecord", wish)

    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=town.proxy.url)
    town.proxy.before = before
    await town.revise(cleo, event.slug, title="Coffee")
    for _ in range(3 * MAX_ROUNDS):
        await town.pay()
        await town.ingest()
        town.clock.turn(61_000_000)
    assert says(await town.standing(PublicationKind.EVENT, event.id)) == (
        PublicationState.CONFLICTED,
        "The record changed again and again while we wrote.",
    )
    assert versions == MAX_ROUNDS + 1
    record = await town.record(standing.uri)
    assert (record["name"], record["theme"]) == ("Tea", f"nr {versions}"), "theirs stands, whole"


@pytest.mark.parametrize("kind", [PublicationKind.EVENT, PublicationKind.RSVP])
async def test_what_was_written_five_times_within_an_hour_is_not_written_again(town: Town, kind: PublicationKind):
    ana, cleo = await town.person(), await town.connected()
    event = await town.event(ana)
    await town.pay()
    if kind is PublicationKind.RSVP:
        subject_id = (await town.answer(cleo, event.slug, RsvpReply.GOING)).id
    else:
        subject_id = (await town.event(cleo, title="Tea")).id
    await written_often(town, kind, subject_id)
    watch = await watched(town)
    await town.pay()
    assert says(await town.standing(kind, subject_id)) == OFTEN
    assert watch.writes == []
    app = await town.stranger("cleo")
    did = (await town.identity(cleo.user_id)).did
    collection = RSVP if kind is PublicationKind.RSVP else EVENT
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    assert listed["records"] == []


@pytest.mark.parametrize("others", [0, 2])
async def test_what_was_written_too_often_falls_out_of_a_commit_and_waits_for_its_owner(town: Town, others: int):
    """At once, and not when its lease has ended; the others of that commit go out."""
    cleo = await town.connected()
    often = [await town.event(cleo, title=f"Often {number}") for number in range(2)]
    rest = [await town.event(cleo, title=f"Tea {number}") for number in range(others)]
    for one in often:
        await written_often(town, PublicationKind.EVENT, one.id)
    watch = await watched(town)
    await town.pay()
    assert watch.writes == (["applyWrites"] if others else [])
    assert [says(await town.standing(PublicationKind.EVENT, one.id)) for one in often] == [OFTEN, OFTEN]
    assert await names(town, cleo) == [one.title for one in rest]
