"""Gauges for operators, read every few seconds from the databases and the queue and exposed at ``/metrics``."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import Gauge

from groundwork import failed_items
from groundwork.clock import SECOND
from groundwork.database.sqlite import SqliteDatabase
from groundwork.database.transaction import Database, DatabaseUnavailable
from groundwork.errors import Failure
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from groundwork.telemetry.health import log_fields
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.legacy_import import queries as legacy_queries
from openmeet.domain.moderation import labels
from openmeet.network.firehose import cursors as progress
from openmeet.network.firehose.cursors import SourceState
from openmeet.network.ingestion import discrepancies, quarantine
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.repositories import circuits
from openmeet.outbox import publication_status, publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationState
from programs.community_databases import away_gauge
from programs.platform import Installation, Platform

EVERY_SECONDS = 10.0
# Scheduled work that can be overdue.
OVERDUE = frozenset({PublicationState.DUE, PublicationState.RETRYING, PublicationState.RETRACTING})


@dataclass(frozen=True, slots=True)
class ProgramGauges:
    """The gauges of one program."""

    jobs: Gauge
    oldest_job: Gauge
    failed_items: Gauge
    records: Gauge
    oldest_record: Gauge
    waiting: Gauge
    dead: Gauge
    quiet: Gauge
    labelers: Gauge
    labelers_cursor: Gauge
    disagreements: Gauge
    quarantine: Gauge
    circuits: Gauge
    shadows: Gauge
    migrated: Gauge
    away: Gauge


def register_gauges(metrics: Metrics) -> ProgramGauges:
    """Register the gauges of one program, for all its communities."""
    return ProgramGauges(
        metrics.gauge("jobs", "Outbox jobs that are not completed", ["tenant", "kind", "state"]),
        metrics.gauge("jobs_oldest_age_seconds", "How long the most overdue job has been due", ["tenant", "kind"]),
        metrics.gauge("scheduled_items_failing", "Items of scheduled tasks that failed repeatedly", ["tenant", "task"]),
        metrics.gauge("publications", "Publications of records, by state", ["tenant", "kind", "state"]),
        metrics.gauge(
            "publications_oldest_age_seconds", "How long the most overdue record has been due", ["tenant", "kind"]
        ),
        metrics.gauge("queue_waiting_messages", "Messages published and not yet applied", ["tenant"]),
        metrics.gauge("queue_dead_letters", "Messages that became dead letters", ["tenant"]),
        metrics.gauge("source_quiet_seconds", "Seconds since the last message of a source was delivered", ["source"]),
        metrics.gauge(
            "labeler_unread_seconds",
            "Seconds since a labeler became unreadable; 0 if it can be read",
            ["tenant", "labeler"],
        ),
        metrics.gauge("labeler_cursor", "Last processed sequence number of a labeler", ["tenant", "labeler"]),
        metrics.gauge(
            "discrepancies", "Discrepancies between repositories and the database", ["tenant", "kind", "state"]
        ),
        metrics.gauge("records_quarantined", "Records that could not be applied", ["tenant"]),
        metrics.gauge(
            "pds_circuit_breakers",
            "Failing servers, by the state of their circuit breaker",
            ["tenant", "state"],
        ),
        metrics.gauge(
            "shadow_accounts",
            "Shadow accounts, and those whose owner has signed in since",
            ["tenant", "state"],
        ),
        metrics.gauge("series_migrated", "Series imported from the older model", ["tenant"]),
        away_gauge(metrics),
    )


async def work(installation: Installation, stop: asyncio.Event) -> None:
    """Refresh the gauges of one process until ``stop`` is set."""
    default = installation.default
    gauges = register_gauges(default.metrics)
    databases = {"network": default.installation}
    for platform in installation.platforms:
        databases["openmeet" if platform is default else f"openmeet-{platform.tenant.name}"] = platform.db
    show_wal(default.metrics, databases)
    while not stop.is_set():
        for platform in installation.platforms:
            try:
                await show(platform, gauges)
            except Exception as failure:  # noqa: BLE001 - a gauge that cannot be read must not end all the others
                log.error("gauges.failed", tenant=platform.tenant.name, **log_fields(failure))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await stop.wait()


async def show(platform: Platform, gauges: ProgramGauges) -> None:
    """Set every gauge of a community. If a store is unavailable, the gauges keep their values, and another gauge
    reports an unavailable database.
    """
    away = gauges.away.labels(platform.tenant.name)
    try:
        await read(platform, gauges)
    except Failure as failure:
        away.set(isinstance(failure, DatabaseUnavailable))
        log.warning("gauges.not_read", tenant=platform.tenant.name, reason=failure.why)
    else:
        away.set(0)


async def read(platform: Platform, gauges: ProgramGauges) -> None:
    """Set every gauge of a community to its current value. Raises Unavailable if a store is unavailable."""
    tenant = platform.tenant.name
    await _count_jobs(platform, gauges.jobs, gauges.oldest_job)
    await _count_failed_items(platform, gauges.failed_items)
    await _publications(platform, gauges.records, gauges.oldest_record)
    await _heard(platform, gauges.quiet)
    await _update_label_gauges(platform, gauges)
    await _disagreed(platform, gauges)
    await _open_circuits(platform, gauges.circuits)
    await _met(platform, gauges.shadows, gauges.migrated)
    depth = await platform.queue.depth()
    gauges.waiting.labels(tenant).set(depth.waiting)
    gauges.dead.labels(tenant).set(depth.dead)


async def _count_jobs(platform: Platform, number: Gauge, oldest: Gauge) -> None:
    async with platform.db.reader() as reader:
        now, rows = reader.now, await jobs.counts(reader)
    counts = {(kind, state): number for kind, state, number, _ in rows}
    since = {kind: due_at for kind, state, _, due_at in rows if state is JobState.DUE}
    for kind in JobKind:
        for state in (JobState.DUE, JobState.LEASED, JobState.FAILED):
            number.labels(platform.tenant.name, kind.value, state.value).set(counts.get((kind.value, state), 0))
        oldest.labels(platform.tenant.name, kind.value).set(max(0.0, (now - since.get(kind.value, now)) / SECOND))


async def _count_failed_items(platform: Platform, number: Gauge) -> None:
    tenant = platform.tenant.name
    async with platform.db.reader() as reader:
        counts = await failed_items.counts(reader)
    _set_values(number, {(tenant, task): count for task, count in counts.items()}, of=(tenant,))


async def _publications(platform: Platform, records: Gauge, oldest: Gauge) -> None:
    async with platform.db.reader() as reader:
        now, rows = reader.now, await publication_status.counts(reader)
    counts = {(kind, state): number for kind, state, number, _ in rows}
    for kind in publications.PublicationKind:
        for state in PublicationState:
            records.labels(platform.tenant.name, kind.value, state.value).set(counts.get((kind, state), 0))
        since = [due_at for one, state, _, due_at in rows if one is kind and state in OVERDUE]
        oldest.labels(platform.tenant.name, kind.value).set(max(0.0, (now - min(since, default=now)) / SECOND))


async def _heard(platform: Platform, quiet: Gauge) -> None:
    async with platform.installation.reader() as reader:
        now, sources = reader.now, await progress.sources(reader)
    _set_values(quiet, {(one.url,): max(0.0, (now - (one.seen_at or one.changed_at)) / SECOND) for one in sources})


def _set_values(gauge: Gauge, values: Mapping[tuple[str, ...], float], *, of: tuple[str, ...] = ()) -> None:
    """Set these values and remove all others whose labels begin with ``of``, so that an alert ends when its cause does."""
    for sample in next(iter(gauge.collect())).samples:
        label_values = tuple(sample.labels.values())
        if label_values[: len(of)] == of and label_values not in values:
            gauge.remove(*label_values)
    for label_values, value in values.items():
        gauge.labels(*label_values).set(value)


async def _update_label_gauges(platform: Platform, gauges: ProgramGauges) -> None:
    async with platform.db.reader() as reader:
        now, labelers = reader.now, await labels.labelers(reader)
    tenant = platform.tenant.name
    unread: dict[tuple[str, ...], float] = {}
    for one in labelers:
        is_read = one.state == SourceState.FOLLOWING.value
        unread[tenant, one.did] = 0.0 if is_read else max(0.0, (now - one.changed_at) / SECOND)
    cursors: dict[tuple[str, ...], float] = {(tenant, one.did): float(one.cursor) for one in labelers}
    _set_values(gauges.labelers, unread, of=(tenant,))
    _set_values(gauges.labelers_cursor, cursors, of=(tenant,))


async def _open_circuits(platform: Platform, gauge: Gauge) -> None:
    async with platform.db.reader() as reader:
        counts = circuits.counts(await circuits.known(reader), reader.now)
    for state, number in counts.items():
        gauge.labels(platform.tenant.name, state.value).set(number)


async def _disagreed(platform: Platform, gauges: ProgramGauges) -> None:
    async with platform.db.reader() as reader:
        counts = await discrepancies.count_by_kind(reader)
        gauges.quarantine.labels(platform.tenant.name).set(await quarantine.count(reader))
    for kind in Discrepancy:
        for state, is_repaired in (("standing", False), ("repaired", True)):
            gauges.disagreements.labels(platform.tenant.name, kind.value, state).set(counts.get((kind, is_repaired), 0))


async def _met(platform: Platform, shadows: Gauge, migrated: Gauge) -> None:
    async with platform.db.reader() as reader:
        unclaimed, claimed = await identity_queries.count_shadows(reader)
        migrated.labels(platform.tenant.name).set(await legacy_queries.count_series(reader))
    shadows.labels(platform.tenant.name, "unclaimed").set(unclaimed)
    shadows.labels(platform.tenant.name, "claimed").set(claimed)


def show_wal(metrics: Metrics, databases: Mapping[str, Database]) -> None:
    """Add the gauge ``database_wal_bytes``, labelled with the given names. PostgreSQL manages its own log and has no
    gauge.

    On SQLite the value stays near ``WAL_BOUND_BYTES``. If it is larger, a reader in another process prevents the log
    from shrinking.
    """
    gauge = metrics.gauge("database_wal_bytes", "Size of SQLite's write-ahead log", ["database"])
    for name, database in databases.items():
        if isinstance(database, SqliteDatabase):
            gauge.labels(name).set_function(database.wal_bytes)
