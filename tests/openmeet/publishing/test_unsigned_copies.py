"""Unsigned copies of our own records neither complete a write nor change the agreed version. A proof does both."""

import pytest
from aiohttp import web

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.tid import from_microseconds
from groundwork.clock import MINUTE, SECOND
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import event_records
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.message import RecordMessage, RecordOperation
from openmeet.outbox import publication_queries
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import (
    answer_in_app,
    answer_words_and_statuses,
    change_answer_in_app,
    only_answer_status,
)
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.late_requests import cleo, is_put, send_into_the_void
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record
from tests.simulation.proxy import nothing

__all__ = ["cleo"]


async def apply_unsigned(
    deployment: Deployment, uri: str, value: dict | None, *, seconds_ahead: int = 0
) -> IngestResult:
    """Apply an unsigned message that claims to be of a commit that was made now, or somewhat later."""
    at, body = parse_at_uri(uri), None if value is None else cbor.encode(value)
    assert at.collection is not None
    assert at.rkey is not None
    message = RecordMessage(
        parse_did(at.authority),
        at.collection,
        at.rkey,
        from_microseconds(deployment.clock.now() + seconds_ahead * SECOND, 7),
        RecordOperation.DELETE if body is None else RecordOperation.UPDATE,
        None if body is None else str(Cid.for_cbor(body)),
        body,
        is_verified=False,
    )
    async with deployment.db.transaction() as tx:
        (result,) = await apply(tx, deployment.processor.ingestion_context, [message])
    return result


async def requested_proofs(deployment: Deployment) -> list[str]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind order by subject", kind=JobKind.PROVE_RECORD.value
        )
    return [row["subject"] for row in rows]


async def test_a_copy_of_an_earlier_version_completes_no_write(deployment: Deployment, cleo: Caller):
    """Cleo answers "going", "not going", and "going" again, which gives the same bytes as the first time. The last write
    does not arrive, and somebody sends the first version as if it were new.
    """
    event = await deployment.event(cleo, visibility="public")
    answer = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (first,) = await cleos_records(deployment, RSVP)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await publish_and_listen_for_hours(deployment, cleo)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await send_into_the_void(deployment)
    assert await apply_unsigned(deployment, first["uri"], first["value"]) is IngestResult.KNOWN
    async with deployment.db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.RSVP, answer.id)
    assert publication is not None
    assert (publication.chosen_cid, publication.has_unsent_revision) == (first["cid"], True)
    assert await requested_proofs(deployment) == [first["uri"]]
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    assert await answer_words_and_statuses(deployment) == (["going"], ["attending"])


async def test_a_copy_with_a_later_rev_hides_no_deletion(deployment: Deployment, cleo: Caller):
    """A copy of our event's record claims a rev four minutes ahead. Within these minutes, another app deletes the
    record.
    """
    event = await deployment.event(cleo, visibility="public")
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = [one for one in await cleos_records(deployment, EVENT) if one["value"]["name"] == event.title]
    assert await apply_unsigned(deployment, record["uri"], record["value"], seconds_ahead=240) is IngestResult.KNOWN
    assert await requested_proofs(deployment) == []
    deployment.clock.turn(MINUTE)
    await delete_cleos_record(deployment, record)
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        after = await event_records.find(reader, record["uri"])
        publication = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    assert after is not None
    assert after.record_deleted_at is not None
    assert publication is not None
    assert publication.state is PublicationState.RETRACTED


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "response lost"])
async def test_an_unsigned_copy_before_the_response(deployment: Deployment, cleo: Caller, is_answered: bool):
    """A site that only listens to Jetstream sees its own write before the PDS responds, or sees no response at all."""
    event = await deployment.event(cleo, title="Chess", visibility="public")

    async def meanwhile(request: web.Request) -> None:
        if is_put(request):
            (record,) = [one for one in await cleos_records(deployment, EVENT) if one["value"]["name"] == "Chess"]
            assert await apply_unsigned(deployment, record["uri"], record["value"]) is IngestResult.KNOWN
            assert await requested_proofs(deployment) == [record["uri"]]

    deployment.proxy.meanwhile = meanwhile
    deployment.proxy.loses = lambda request: is_put(request) and not is_answered
    await deployment.deliver_publications()
    deployment.proxy.meanwhile = nothing
    assert deployment.proxy.lost == (0 if is_answered else 1)
    status = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (status.state is PublicationState.PUBLISHED) is is_answered
    await deployment.deliver_jobs()
    status = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert status.state is PublicationState.PUBLISHED
    record = await deployment.record(status.uri or "")
    value = {name: field for name, field in record.items() if name != "cid"}
    assert await apply_unsigned(deployment, status.uri or "", value) is IngestResult.KNOWN


async def test_unsigned_data_about_a_record_in_flight_change_nothing(deployment: Deployment, cleo: Caller):
    """A write has not arrived, and unsigned messages report another content of the record, and its deletion."""
    event = await deployment.event(cleo, title="Chess", visibility="public")
    await send_into_the_void(deployment)
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    forged = {"$type": EVENT, "name": "Forged", "createdAt": "2026-01-01T00:00:00Z"}
    assert await apply_unsigned(deployment, uri, forged) is IngestResult.KNOWN
    assert await apply_unsigned(deployment, uri, None) is IngestResult.KNOWN
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select title from events order by title")
    assert "Forged" not in {row["title"] for row in rows}
    await deployment.deliver_jobs()
    await publish_and_listen_for_hours(deployment, cleo)
    assert (await deployment.record(uri))["name"] == "Chess"


async def test_an_unsigned_copy_does_not_tell_when_an_answer_changed(deployment: Deployment, cleo: Caller):
    """Cleo declines on this site and then answers "interested" in another app. A read finds that answer, and an unsigned
    copy of it claims to be older than the answer here.
    """
    event = await deployment.event(cleo, visibility="public")
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, RSVP)
    deployment.clock.turn(SECOND)
    before = deployment.clock.now()
    deployment.clock.turn(SECOND)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await change_answer_in_app(deployment, record, "interested")
    await deployment.deliver_publications()
    await deployment.ingest()
    (record,) = await cleos_records(deployment, RSVP)
    assert await answer_words_and_statuses(deployment) == (["interested"], ["interested"])
    seconds_ahead = (before - deployment.clock.now()) // SECOND
    await apply_unsigned(deployment, record["uri"], record["value"], seconds_ahead=seconds_ahead)
    assert await answer_words_and_statuses(deployment) == (["interested"], ["interested"])


async def test_a_record_seen_unsigned_is_proven_before_it_is_the_base(deployment: Deployment):
    """Cleo gives the same answer on this site as in another app. An unsigned copy of that record claims a rev four minutes
    ahead. Within these minutes, the other app deletes it.
    """
    event = await deployment.event(await deployment.connected("hedi"), title="Chess")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    cleo = await deployment.connected("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    await answer_in_app(deployment, "cleo", did, uri)
    (record,) = await cleos_records(deployment, RSVP)
    await apply_unsigned(deployment, record["uri"], record["value"], seconds_ahead=240)
    await deployment.answer(cleo, event.slug, RsvpReply.INTERESTED)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    for _ in range(2):
        await deployment.deliver_publications()
        await deployment.ingest()
        deployment.clock.turn(MINUTE)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    await delete_cleos_record(deployment, record)
    await deployment.listen(cleo.user_id)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.RETRACTED
    assert await only_answer_status(deployment) == "declined"
