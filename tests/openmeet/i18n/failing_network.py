"""A network on which reading fails: what the operators' pages then show."""

from at_protocol.syntax.did import Did
from groundwork.clock import Clock
from groundwork.database.transaction import Database
from groundwork.errors import NotFound, RemoteFailed, reason_of
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.moderation import labels
from openmeet.network.firehose import cursors
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.firehose.following import ConnectionReport, report_of_source
from openmeet.network.firehose.reasons import FirehoseReason
from openmeet.network.ingestion import processor, quarantine
from openmeet.network.ingestion.processor import Processor
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.records.collections import CONCERNING
from openmeet.network.status import SyncDependencies
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import HERE, did, event, processor_metrics, rev

LABELER = Did("did:web:labels.example")


async def fail_everywhere(db: Database, make_sqlite: MakeDatabase, clock: Clock) -> tuple[SyncDependencies, list[str]]:
    """Store a lost, an unreadable and a stopped source, a failing labeler, a quarantined record and two dead letters.
    Returns the ids of the dead letters, too.
    """
    installation = await make_sqlite("openmeet.network.firehose")
    queue = EmbeddedQueue(await make_sqlite("groundwork.queue"), clock)
    async with installation.transaction() as tx:
        for name, lost in (("closed", None), ("broken", RemoteFailed("The stream was interrupted."))):
            url = f"wss://{name}.example"
            await cursors.add_source(tx, url, cursor=7)
            report = report_of_source(url)
            report.lost(lost)
            await report.save(tx)
        await cursors.add_source(tx, "wss://stopped.example")
        await cursors.set_state(tx, "wss://stopped.example", SourceState.STOPPED, FirehoseReason.CURSOR_UNKNOWN())
    async with db.transaction() as tx:
        await labels.add_labeler(tx, LABELER)
        connection = ConnectionReport(lambda tx, state: labels.set_state(tx, LABELER, state.state.value, state.reason))
        absent = NotFound("There is no such identity.", name="DidNotFound")
        connection.lost(RemoteFailed(FirehoseReason.LABELER_UNRESOLVED, problem=reason_of(absent)))
        await connection.save(tx)
        failed = RecordFailure(event(1, "walk", 1).uri, rev(1), ValueError("no such day"))
        await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, [failed])
    await queue.publish([Message("event.create", did(1), b"\xffnonsense", "unreadable")])
    await processor.run_once(Processor(db, queue, HERE, processor_metrics(), clock))
    await queue.publish([Message("event.create", did(2), b"tea", "failed")])
    (delivery,) = await queue.lease(1, 60)
    await queue.bury(delivery, reason_of(RemoteFailed("The answer is no JSON.")))
    return SyncDependencies(installation, queue, HERE), [one.letter_id for one in await queue.dead_letters(9)]
