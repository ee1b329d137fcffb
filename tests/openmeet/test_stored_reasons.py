"""No row contains an English sentence about a failure. It contains a code and parameters, which pages explain in any
language.
"""

from typing import Final

from aiohttp import web

from at_network.circuits import Circuits
from at_protocol.failures import Malformed
from at_protocol.sync.verify import MessageRejected, RejectionReason
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import RemoteFailed, RemoteSlow, reason_of
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.moderation import labels
from openmeet.i18n.catalogue import Plural
from openmeet.i18n.reasons.messages import MESSAGES, explain
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import RejectedFrame, SourceState
from openmeet.network.firehose.following import ConnectionReport, report_of_source
from openmeet.network.firehose.reasons import refusal_of
from openmeet.network.firehose.unresolved import UnresolvedAuthors
from openmeet.network.ingestion import processor, quarantine
from openmeet.network.ingestion.processor import Processor
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.records.collections import CONCERNING
from openmeet.network.repositories import circuits
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.ingestion.network import HERE, did, event, processor_metrics, rev
from tests.openmeet.ingestion.view import apply_messages
from tests.stored_reasons import columns_about_failures, texts_with, unexplained

__all__ = ["deployment"]

# Columns with a reason as ``encode_explanation`` stores it, by the package of the database.
PACKED: Final = {
    "openmeet": {
        ("backfills", "reason"),
        ("chat_rooms", "matrix_error"),
        ("circuit_breakers", "reason"),
        ("labelers", "reason"),
        ("publications", "reason"),
        ("quarantined_records", "reason"),
        ("records", "reason"),
        ("subscribed_calendars", "problem"),
        ("webhook_deliveries", "why"),
        ("webhooks", "off_why"),
    },
    "openmeet.network.firehose": {
        ("rejected_frames", "reason"),
        ("sources", "reason"),
        ("unresolved_repositories", "reason"),
    },
    "groundwork.queue": {("queue_dead_letters", "reason"), ("queue_messages", "reason")},
}
# Columns with a text that people typed, with a code that a constraint limits, or with the type of an error.
OTHERS: Final = {
    ("chat_acts", "reason"),
    ("chat_reports", "reason"),
    ("chat_sanctions", "reason"),
    ("event_series", "status_reason"),
    ("events", "status_reason"),
    ("failed_items", "reason"),
    ("feature_flag_changes", "why"),
    ("matrix_guests", "reason"),
    ("moderation_log", "reason"),
    ("moderation_states", "reason"),
    ("reports", "reason"),
    ("subscribed_calendars", "reason"),
}
# Messages without parameters that are too long to be typed by chance.
SENTENCES: Final = {
    one for one in MESSAGES.values() if not isinstance(one, Plural) and "%(" not in one and one.count(" ") > 3
}
RELAY: Final = "wss://relay.away.example"


async def sentences_in(db: Database, package: str = "openmeet") -> list[str]:
    """Stored reasons with an unknown code, and stored texts that contain a sentence of the catalogue."""
    return [*await unexplained(db, PACKED[package], explain), *await texts_with(db, SENTENCES)]


async def test_every_column_about_failures_is_listed(make_sqlite: MakeDatabase) -> None:
    """A new column contains encoded reasons, or is listed in this file with its content."""
    for package, packed in PACKED.items():
        others = OTHERS if package == "openmeet" else set()
        assert await columns_about_failures(await make_sqlite(package)) == packed | others, package


async def test_failures_are_stored_as_codes(deployment: Deployment) -> None:
    """The test stores withheld, refused, raw and quarantined records, and the failures of a server and of a labeler."""
    await deployment.event(await deployment.person("Ben", agrees=False))
    refused = await deployment.event(await deployment.person())
    deployment.proxy.twists = lambda request, _: (
        web.json_response({"error": "InvalidRequest", "message": "No tea here."}, status=400)
        if request.path.endswith(("applyWrites", "putRecord"))
        else None
    )
    await deployment.deliver_jobs()
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, refused.id)
    assert publication.state is PublicationState.REFUSED
    assert "No tea here." in explain(publication.reason)
    await apply_messages(deployment.db, event(1, "tea", 1, startsAt="1800-01-01T00:00:00Z"))
    failing = Circuits(deployment.clock)
    for _ in range(10):
        failing.note("https://pds.away.example", RemoteSlow("pds.away.example did not answer in time."))
    await circuits.store_changes(deployment.db, failing)
    async with deployment.db.transaction() as tx:
        failed = [RecordFailure(event(1, "walk", 1).uri, rev(1), ValueError("no such day"))]
        await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, failed)
        await labels.add_labeler(tx, did(2))
        report = ConnectionReport(lambda tx, state: labels.set_state(tx, did(2), state.state.value, state.reason))
        report.lost(RemoteSlow("labels.away.example did not answer in time."))
        await report.save(tx)
    assert await sentences_in(deployment.db) == []
    async with deployment.db.reader() as reader:
        for table in ("circuit_breakers", "labelers", "publications", "quarantined_records", "records"):
            (row,) = await reader.fetch(f"select count(*) as n from {table} where reason <> ''")
            assert row["n"], f"no row was stored in {table}, so nothing was checked"


async def test_failures_of_streams_are_stored_as_codes(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The test stores a lost connection, a rejected frame and an identity that could not be resolved."""
    installation = await make_sqlite("openmeet.network.firehose")
    report, waiting = report_of_source(RELAY), UnresolvedAuthors()
    async with installation.transaction() as tx:
        await cursors.add_source(tx, RELAY)
        report.lost(RemoteFailed("The stream was interrupted."))
        await report.save(tx)
        refusal = refusal_of(Malformed("cbor", b"\x00", "bytes follow the value"))
        await cursors.advance(tx, RELAY, 1, {}, [RejectedFrame(RELAY, 1, did(1), refusal.reason, b"\x00")])
        waiting.add(did(3), RELAY, reason_of(RemoteSlow("plc.away.example did not answer in time.")), tx.now)
        await waiting.save(tx)
        await cursors.set_state(tx, RELAY, SourceState.FAILING, report.lost(None))
    assert await sentences_in(installation, "openmeet.network.firehose") == []
    async with installation.reader() as reader:
        for table, column in PACKED["openmeet.network.firehose"]:
            (row,) = await reader.fetch(f"select count(*) as n from {table} where {column} <> ''")
            assert row["n"], f"no row was stored in {table}, so nothing was checked"


def test_every_rejection_of_a_frame_has_a_reason() -> None:
    assert all(explain(refusal_of(MessageRejected(one, "3k")).reason) for one in RejectionReason)


async def test_failures_of_messages_are_stored_as_codes(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The test retries a message, and gives up one that cannot be read and one that failed in a way nobody foresaw."""
    db, stored = await make_sqlite("openmeet"), await make_sqlite("groundwork.queue")
    queue = EmbeddedQueue(stored, clock)
    failing = Processor(db, queue, HERE, processor_metrics(), clock)
    await queue.publish([Message("event.create", did(1), b"\xff", "x")])
    await processor.run_once(failing)
    for attempt in range(2):
        await queue.publish([Message("event.create", did(2), b"tea", str(attempt))])
        (delivery,) = await queue.lease(1, 60)
        reason = quarantine.reason_not_applied(ValueError("There is no such day."))
        await (queue.bury(delivery, reason) if attempt else queue.retry(delivery, 0, reason))
        await queue.publish([Message("event.create", did(3), b"tea", str(attempt))])
    async with stored.reader() as reader:
        assert len(await reader.fetch("select 1 from queue_dead_letters")) == 2
    assert await sentences_in(stored, "groundwork.queue") == []


async def test_a_stored_sentence_is_found(deployment: Deployment) -> None:
    await deployment.event(await deployment.person(agrees=False))
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set reason = :said", said="You haven’t agreed to sync.")
    assert await sentences_in(deployment.db) == [
        "publications.reason: You haven’t agreed to sync.",
        "publications: You haven’t agreed to sync.",
    ]
