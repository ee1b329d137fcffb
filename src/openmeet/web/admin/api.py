"""Synchronization status as JSON, for monitoring."""

from typing import ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant, to_datetime
from groundwork.http.json_bodies import json_response
from openmeet.i18n.reasons.messages import explain
from openmeet.network.status import CircuitState, JobCount, sync_status
from openmeet.web.admin.access import require_operator_or_service
from openmeet.web.api.operations import ApiOperation
from openmeet.web.atproto.ingest_api import sync_dependencies_of
from openmeet.web.site.tenant_routing import database_of


class SourceOutput(msgspec.Struct, rename="camel"):
    """A stream that the site subscribes to. ``quietSeconds`` is the time since its last message was applied."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "url": "wss://pds.example",
        "state": "following",
        "reason": "",
        "cursor": 481_516,
        "quietSeconds": 2.5,
    }

    url: str
    state: str
    reason: str
    cursor: int | None
    quiet_seconds: float | None


class JobCountOutput(msgspec.Struct, rename="camel"):
    """The number of jobs of one kind in one state."""

    EXAMPLE: ClassVar[dict[str, object]] = {
        "kind": "rsvp",
        "state": "due",
        "number": 3,
        "oldestAt": "2027-03-02T17:00:00Z",
    }

    kind: str
    state: str
    number: int
    oldest_at: str


class ServerOutput(msgspec.Struct, rename="camel"):
    """A PDS whose requests fail. ``records`` is the number of records that wait for it. While its circuit breaker is
    open, no request is made before ``nextAt``.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "url": "https://pds.example",
        "circuit": "open",
        "records": 2,
        "attempts": 5,
        "nextAt": "2027-03-02T17:00:00Z",
        "reason": "pds.example did not answer in time.",
    }

    url: str
    circuit: CircuitState
    records: int
    attempts: int
    next_at: str
    reason: str


class SyncStatusOutput(msgspec.Struct, rename="camel"):
    """Synchronization in both directions: subscriptions, queues, publications, discrepancies.

    ``discrepancies`` counts, by kind, what reconciliation found and could not repair. ``queue`` is null while the
    broker does not respond.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "sources": [SourceOutput.EXAMPLE],
        "rejectedFrames": 0,
        "queue": {"waiting": 12, "deadLetters": 0, "oldestAgeSeconds": 0.4},
        "records": {"mapped": 1200, "raw": 3, "awaits_event": 7, "tombstone": 40},
        "publications": [JobCountOutput.EXAMPLE],
        "jobs": [{**JobCountOutput.EXAMPLE, "kind": "backfill"}],
        "openConflicts": 1,
        "failingServers": [ServerOutput.EXAMPLE],
        "discrepancies": {"publication_differs": 1},
        "quarantinedRecords": 0,
    }

    sources: list[SourceOutput]
    rejected_frames: int
    queue: "QueueOutput | None"
    records: dict[str, int]
    publications: list[JobCountOutput]
    jobs: list[JobCountOutput]
    open_conflicts: int
    failing_servers: list[ServerOutput]
    discrepancies: dict[str, int]
    quarantined_records: int


class QueueOutput(msgspec.Struct, rename="camel"):
    """Messages between the network and the database."""

    waiting: int
    dead_letters: int
    oldest_age_seconds: float


async def show_status(request: Request) -> Response:
    await require_operator_or_service(request)
    status = await sync_status(database_of(request), sync_dependencies_of(request))
    shown = SyncStatusOutput(
        sources=[
            SourceOutput(one.url, one.state.value, explain(one.reason), one.cursor, one.quiet_seconds)
            for one in status.sources
        ],
        rejected_frames=status.rejected,
        queue=None
        if status.queue is None
        else QueueOutput(status.queue.waiting, status.queue.dead, round(status.queue_age_seconds, 1)),
        records=status.records,
        publications=[_job_counts(one) for one in status.publications],
        jobs=[_job_counts(one) for one in status.jobs],
        open_conflicts=status.open_conflicts,
        failing_servers=[
            ServerOutput(
                one.pds_url, one.circuit, one.records, one.attempts, _format_instant(one.next_at), explain(one.reason)
            )
            for one in status.failing_servers
        ],
        discrepancies=status.discrepancies,
        quarantined_records=status.quarantined,
    )
    return json_response(shown)


def _job_counts(count: JobCount) -> JobCountOutput:
    return JobCountOutput(count.kind, count.state, count.number, _format_instant(count.oldest_at))


def _format_instant(instant: Instant) -> str:
    return to_datetime(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/sync/status",
        "showSyncStatus",
        "The status of the synchronisation, in both directions",
        show_status,
        {200: SyncStatusOutput},
    ),
)
