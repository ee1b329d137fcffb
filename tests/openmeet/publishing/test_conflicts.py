"""After repeated concurrent writes by another app the site stops writing, and the owner chooses: after three merges, or
after five writes in an hour.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiohttp import web

from groundwork.clock import HOUR, MINUTE
from groundwork.errors import Explanation
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.users.model import Caller
from openmeet.network.publishing.record_writes import MAX_MERGE_ROUNDS, MAX_WRITES_PER_HOUR
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import publication_queries
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.late_requests import cleo
from tests.openmeet.publishing.other_app import cleos_records, edit_cleos_record
from tests.openmeet.publishing.watched_requests import event_names_of, watch_requests
from tests.simulation.proxy import as_it_is, nothing, passes

__all__ = ["cleo"]

AN_HOURS_WORTH = "update publications set writes = :writes, writes_since = :now where kind = :kind and subject_id = :id"


async def written_often(deployment: Deployment, kind: PublicationKind, subject_id: str) -> None:
    """Use up the writes that are allowed per hour without an edit on this site."""
    async with deployment.db.transaction() as tx:
        await tx.execute(AN_HOURS_WORTH, writes=MAX_WRITES_PER_HOUR, now=tx.now, kind=kind, id=subject_id)


def says(publication: PublicationStatus) -> tuple[PublicationState, Explanation | None]:
    return publication.state, publication.reason


async def edit_theme(deployment: Deployment, uri: str, theme: str) -> None:
    """Another app changes the record."""
    (record,) = [one for one in await cleos_records(deployment, EVENT) if one["uri"] == uri]
    await edit_cleos_record(deployment, record, theme=theme)


OFTEN = (PublicationState.CONFLICTED, PublicationReason.WRITTEN_TOO_OFTEN())


async def test_after_three_concurrent_versions_we_stop(deployment: Deployment):
    """Another app writes each time before this site's write arrives. Three versions are merged, and the fourth is left
    to the host.
    """
    cleo = await deployment.connected()
    event = await deployment.event(cleo, title="Tea")
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.uri is not None
    await deployment.listen(cleo.user_id)
    app = await deployment.stranger("cleo")
    did, collection, rkey = publication.uri.removeprefix("at://").split("/")
    versions = 0

    async def before(request: web.Request) -> None:
        nonlocal versions
        if request.path.rpartition(".")[2] != "putRecord":
            return
        versions += 1
        record = await deployment.record(publication.uri)
        record.pop("cid")
        wish = {"repo": did, "collection": collection, "rkey": rkey, "record": {**record, "theme": f"nr {versions}"}}
        await app.procedure("com.atproto.repo.putRecord", wish)

    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set pds_url = :url", url=deployment.proxy.url)
    deployment.proxy.before = before
    await deployment.revise(cleo, event.slug, title="Coffee")
    for _ in range(3 * MAX_MERGE_ROUNDS):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(61_000_000)
    assert says(await deployment.status_of(PublicationKind.EVENT, event.id)) == (
        PublicationState.CONFLICTED,
        PublicationReason.CHANGED_TOO_OFTEN(),
    )
    assert versions == MAX_MERGE_ROUNDS + 1
    record = await deployment.record(publication.uri)
    assert (record["name"], record["theme"]) == ("Tea", f"nr {versions}"), "the other app's version is kept completely"


@pytest.mark.parametrize("kind", [PublicationKind.EVENT, PublicationKind.RSVP])
async def test_after_five_writes_within_an_hour_we_stop(deployment: Deployment, kind: PublicationKind):
    ana, cleo = await deployment.person(), await deployment.connected()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    if kind is PublicationKind.RSVP:
        subject_id = (await deployment.answer(cleo, event.slug, RsvpReply.GOING)).id
    else:
        subject_id = (await deployment.event(cleo, title="Tea")).id
    await written_often(deployment, kind, subject_id)
    watch = await watch_requests(deployment)
    await deployment.deliver_publications()
    assert says(await deployment.status_of(kind, subject_id)) == OFTEN
    assert watch.writes == []
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    collection = RSVP if kind is PublicationKind.RSVP else EVENT
    listed = await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection})
    assert listed["records"] == []


@pytest.mark.parametrize("others", [0, 2])
async def test_a_row_with_too_many_writes_leaves_the_batch_and_waits_for_its_owner(deployment: Deployment, others: int):
    """The row leaves the batch at once, before its lease expires. The other rows of that commit are sent."""
    cleo = await deployment.connected()
    often = [await deployment.event(cleo, title=f"Often {number}") for number in range(2)]
    rest = [await deployment.event(cleo, title=f"Tea {number}") for number in range(others)]
    for one in often:
        await written_often(deployment, PublicationKind.EVENT, one.id)
    watch = await watch_requests(deployment)
    await deployment.deliver_publications()
    assert watch.writes == (["applyWrites"] if others else [])
    assert [says(await deployment.status_of(PublicationKind.EVENT, one.id)) for one in often] == [OFTEN, OFTEN]
    assert await event_names_of(deployment, cleo) == [one.title for one in rest]


async def test_one_version_counts_once_while_ingestion_is_slow_and_the_server_fails(
    deployment: Deployment, cleo: Caller
):
    """Another app has changed the record once. Its version is found again and again before it is ingested, and in
    between the server fails.
    """
    event = await deployment.event(cleo, title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    await deployment.listen(cleo.user_id)
    await edit_theme(deployment, uri, "blue")
    await deployment.revise(cleo, event.slug, title="Go")
    for _ in range(MAX_MERGE_ROUNDS + 1):
        await deployment.deliver_publications()
        deployment.clock.turn(2 * MINUTE)
        deployment.proxy.stops = lambda _request: web.Response(status=503)
        await deployment.deliver_publications()
        deployment.proxy.stops = passes
        deployment.clock.turn(HOUR)
    await deployment.ingest()
    await deployment.deliver_publications()
    there = await deployment.record(uri)
    assert (there["name"], there["theme"]) == ("Go", "blue")
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED


async def test_a_version_ingested_during_an_attempt_is_no_longer_waited_for(deployment: Deployment, cleo: Caller):
    """The attempt fails. The next version of the other app is found afterwards and counts as another round."""
    event = await deployment.event(cleo, title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    await deployment.listen(cleo.user_id)
    await edit_theme(deployment, uri, "blue")
    await deployment.revise(cleo, event.slug, title="Go")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).reason == PublicationReason.MERGING()
    deployment.clock.turn(2 * MINUTE)

    async def ingest(_request: web.Request) -> None:
        deployment.proxy.before = nothing
        await deployment.ingest()

    deployment.proxy.before = ingest
    deployment.proxy.twists = lambda _request, _answer: web.Response(status=503)
    await deployment.deliver_publications()
    deployment.proxy.twists = as_it_is
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).reason != PublicationReason.MERGING()
    deployment.clock.turn(HOUR)
    await edit_theme(deployment, uri, "red")
    await deployment.deliver_publications()
    async with deployment.db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    assert publication is not None
    assert (publication.reason, publication.merge_rounds) == (PublicationReason.MERGING(), 2)


async def test_a_version_found_after_another_was_ingested_counts_as_a_round(deployment: Deployment, cleo: Caller):
    """The attempt began while the record still waited for ingestion, which merged the first version meanwhile."""
    event = await deployment.event(cleo, title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    await deployment.listen(cleo.user_id)
    await edit_theme(deployment, uri, "blue")
    await deployment.revise(cleo, event.slug, title="Go")
    await deployment.deliver_publications()
    deployment.clock.turn(2 * MINUTE)

    async def ingest_and_edit_again(request: web.Request) -> None:
        if request.path.endswith("getRecord"):
            deployment.proxy.before = nothing
            await deployment.ingest()
            await edit_theme(deployment, uri, "red")

    deployment.proxy.before = ingest_and_edit_again
    await deployment.deliver_publications()
    async with deployment.db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    assert publication is not None
    assert (publication.reason, publication.merge_rounds) == (PublicationReason.MERGING(), 2)


async def test_a_record_is_due_as_soon_as_the_found_version_is_ingested(deployment: Deployment, cleo: Caller):
    """Ingestion is quicker than the publisher, which stores that the record waits for it."""
    event = await deployment.event(cleo, title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    await deployment.listen(cleo.user_id)
    enqueue = deployment.publisher.hand_to_ingestion

    async def enqueue_and_ingest(messages: Sequence[RecordMessage]) -> None:
        await enqueue(messages)
        await deployment.ingest()

    deployment.publisher = replace(deployment.publisher, hand_to_ingestion=enqueue_and_ingest)
    await edit_theme(deployment, uri, "blue")
    await deployment.revise(cleo, event.slug, title="Go")
    await deployment.deliver_publications()
    assert says(await deployment.status_of(PublicationKind.EVENT, event.id)) == (PublicationState.DUE, None)
    await deployment.deliver_publications()
    there = await deployment.record(uri)
    assert (there["name"], there["theme"]) == ("Go", "blue")
