"""What waits, for operators: read every few seconds from the databases and the queue, shown at ``/metrics``."""

import asyncio
import contextlib

from prometheus_client import Gauge

from groundwork.clock import SECOND
from groundwork.database.gauges import show_wal
from groundwork.errors import Failure
from groundwork.outbox import owe
from groundwork.outbox.owe import DebtState
from groundwork.telemetry.logs import log
from openmeet.debts import publications
from openmeet.debts.kinds import Debt
from openmeet.debts.publications import State
from programs.platform import Platform

EVERY_SECONDS = 10.0


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Keep the gauges of one process fresh until ``stop`` is set."""
    metrics = platform.metrics
    show_wal(metrics, {"openmeet": platform.db, "network": platform.installation})
    debts = metrics.gauge("debts", "What is owed outside and not paid", ["kind", "state"])
    oldest = metrics.gauge("debts_oldest_age_seconds", "How long the longest overdue debt has been due", ["kind"])
    records = metrics.gauge("publications", "Records promised to repositories, by state", ["kind", "state"])
    waiting = metrics.gauge("queue_waiting_messages", "Messages published and not yet applied")
    dead = metrics.gauge("queue_dead_letters", "Messages that were given up")
    while not stop.is_set():
        try:
            await _owed(platform, debts, oldest)
            await _promised(platform, records)
            depth = await platform.queue.depth()
            waiting.set(depth.waiting)
            dead.set(depth.dead)
        except Failure as away:
            log.warning("gauges.not_read", reason=away.why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await stop.wait()


async def _owed(platform: Platform, debts: Gauge, oldest: Gauge) -> None:
    async with platform.db.reader() as reader:
        now, rows = reader.now, await owe.waiting(reader)
    counts = {(kind, state): number for kind, state, number, _ in rows}
    since = {kind: due_at for kind, state, _, due_at in rows if state is DebtState.DUE}
    for kind in Debt:
        for state in (DebtState.DUE, DebtState.LEASED, DebtState.GIVEN_UP):
            debts.labels(kind.value, state.value).set(counts.get((kind.value, state), 0))
        oldest.labels(kind.value).set(max(0.0, (now - since.get(kind.value, now)) / SECOND))


async def _promised(platform: Platform, records: Gauge) -> None:
    async with platform.db.reader() as reader:
        counts = {(kind, state): number for kind, state, number, _ in await publications.counts(reader)}
    for kind in publications.Kind:
        for state in State:
            records.labels(kind.value, state.value).set(counts.get((kind, state), 0))
