"""Delivery rounds, one at a time per server and process. A slow server does not delay the others, and a failing one is
not called.

Due rows are leased and grouped by server; those without a repository are one group. While a server's round runs, no
further rows for it are leased. If its circuit breaker is open (``at_network.circuits``), no rows are leased. If there are
many rows of such servers, they are set aside, so that the rows behind them are found without reading them each time
(``outbox.due_publications``). If the circuit is half open, rows are tried one at a time until a call has tested the
server. Before a record is first sent, its server is only assumed. If it turns out to be another one, whose circuit is
open, no attempt is counted.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from at_network.circuits import CircuitState
from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Database
from groundwork.outbox.dispatcher import cancel, idle
from groundwork.telemetry.logs import log
from openmeet.network.publishing import delivery_results
from openmeet.network.publishing.batch import MAX_WRITES, deliver_batched
from openmeet.network.publishing.delivery import LEASE_SECONDS, count_results, deliver_one
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.repositories import circuits
from openmeet.outbox import due_publications, leased_publications
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState

# How long to wait for started rounds before further ones are started for other servers.
_WAIT_FOR_ROUNDS_SECONDS = 0.5
# Rows leased at a time, without those that are batched with them.
_ROWS_PER_LEASE = 20
# Concurrent requests to one server.
_MAX_REQUESTS_PER_SERVER = 20
# Maximum number of slow servers at a time. When it is reached, new rounds wait for one of them.
_MAX_ROUNDS = 50
# Concurrent requests to a server whose last call failed. If the circuit breaker opens, all that are in flight fail.
_MAX_AFTER_FAILURE = 2
_RETRY_AFTER = 5 * SECOND


async def run_once(dependencies: PublishingDependencies) -> int:
    """``run`` for what is due now, once, without its pauses; return how many publications were leased. Used by tests."""
    rounds = await _start_rounds(dependencies, busy=())
    return sum(await asyncio.gather(*rounds))


async def run(
    dependencies: PublishingDependencies,
    stop: asyncio.Event,
    *,
    wake: asyncio.Event,
    idle_seconds: float = 1.0,
) -> None:
    """Deliver until ``stop`` is set, then finish what has started. If this is cancelled, so are the rounds in progress.
    ``wake`` ends the idle wait early.
    """
    running: dict[asyncio.Task[int], str] = {}
    try:
        while not stop.is_set():
            wake.clear()
            started: dict[asyncio.Task[int], str] = {}
            try:
                started = await _start_rounds(dependencies, busy=running.values())
            except Exception as failure:  # noqa: BLE001 - the edge of the worker: the database is unavailable; the rows stay
                log.error("publications.lease_failed", error=repr(failure))
            running |= started
            if started:
                await asyncio.wait(started, timeout=_WAIT_FOR_ROUNDS_SECONDS)
            else:
                await idle(stop, wake, idle_seconds)
            if len(running) >= _MAX_ROUNDS:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running = {one: server for one, server in running.items() if not one.done()}
        if running:
            await asyncio.wait(running)
    finally:
        await cancel(running)


async def _start_rounds(dependencies: PublishingDependencies, *, busy: Iterable[str]) -> dict["asyncio.Task[int]", str]:
    """Start one round for each server with due rows. Return the rounds with their servers. First writes to the same
    repository are batched.

    Each round returns how many rows it had, and raises nothing.
    """
    circuit_states = dependencies.network.circuits
    await circuits.load_changes(dependencies.db, circuit_states)
    excluded = circuits.addresses_of({*busy, *circuit_states.open_ones()})
    by_server = await _lease(dependencies.db, excluded)
    # Usually something was leased, and nothing is to be set aside.
    if not by_server and excluded and await _set_aside_all(dependencies.db, excluded):
        by_server = await _lease(dependencies.db, excluded)
    return {
        asyncio.create_task(_deliver_round(dependencies, server, leased)): server
        for server, leased in by_server.items()
    }


async def _lease(db: Database, excluded_servers: Sequence[str]) -> dict[str, list[Publication]]:
    """Lease due rows, and return them by server."""
    async with db.transaction() as tx:
        publications = await leased_publications.lease_due(
            tx, limit=_ROWS_PER_LEASE, seconds=LEASE_SECONDS, excluded_servers=excluded_servers
        )
        publications += await leased_publications.lease_batchable(
            tx, publications, limit=MAX_WRITES, seconds=LEASE_SECONDS, excluded_servers=excluded_servers
        )
        servers = await leased_publications.servers_of(tx, publications)
    by_server: dict[str, list[Publication]] = defaultdict(list)
    for one in publications:
        by_server[servers[one.kind, one.subject_id].rstrip("/")].append(one)
    return by_server


async def _set_aside_all(db: Database, excluded_servers: Sequence[str]) -> bool:
    """Set rows of these servers aside until others are found behind them. Returns whether there were any."""
    has_set_aside = False
    while True:
        async with db.transaction() as tx:
            if not await due_publications.set_aside(tx, excluded_servers=excluded_servers, limit=_ROWS_PER_LEASE):
                return has_set_aside
        has_set_aside = True


async def _deliver_round(dependencies: PublishingDependencies, server: str, publications: Sequence[Publication]) -> int:
    """Deliver everything that was leased for one server, and end the leases of rows that were not tried."""
    circuit_states = dependencies.network.circuits
    remaining = _in_delivery_order(publications)
    try:
        # Half open: try one row at a time, because some rows are completed without a call that tests the server.
        while remaining and circuit_states.may_probe(server):
            await deliver_one(dependencies, remaining.pop(0))
        if circuit_states.state_of(server) is CircuitState.CLOSED:
            # Events refer to series, so everything up to the last series record is delivered first.
            series_positions = [
                position
                for position, one in enumerate(remaining)
                if one.kind is PublicationKind.SERIES and one.state is not PublicationState.RETRACTING
            ]
            split = max(series_positions, default=-1) + 1
            for part in (remaining[:split], remaining[split:]):
                await _deliver_all(dependencies, server, part)
        else:
            await _pause_untried(dependencies, server, remaining)
        await circuits.store_changes(dependencies.db, circuit_states)
        await count_results(dependencies, publications)
    except Exception as failure:  # noqa: BLE001 - the edge of the worker: the database is unavailable; the leases expire
        log.error("publications.round_failed", server=server, error=repr(failure))
    return len(publications)


def _in_delivery_order(publications: Sequence[Publication]) -> list[Publication]:
    """Sort retractions first, and a series before its events, because their records refer to the record of the series."""
    return sorted(
        publications,
        key=lambda one: (one.state is not PublicationState.RETRACTING, one.kind is not PublicationKind.SERIES),
    )


async def _deliver_all(dependencies: PublishingDependencies, server: str, publications: Sequence[Publication]) -> None:
    individual = await deliver_batched(dependencies, publications)
    has_failed = dependencies.network.circuits.of(server).failures > 0
    at_once = asyncio.Semaphore(_MAX_AFTER_FAILURE if has_failed else _MAX_REQUESTS_PER_SERVER)
    untried: list[Publication] = []

    async def deliver_if_closed(publication: Publication) -> None:
        async with at_once:
            if dependencies.network.circuits.state_of(server) is CircuitState.CLOSED:
                await deliver_one(dependencies, publication)
            else:
                untried.append(publication)

    await asyncio.gather(*(deliver_if_closed(one) for one in individual))
    await _pause_untried(dependencies, server, untried)


async def _pause_untried(
    dependencies: PublishingDependencies, server: str, publications: Sequence[Publication]
) -> None:
    """End the leases of rows that were not tried. No attempt is counted, and they become due when the server can be called
    again.
    """
    if not publications:
        return
    circuit = dependencies.network.circuits.of(server)
    soon = Instant(dependencies.network.clock.now() + _RETRY_AFTER)
    for one in publications:
        await delivery_results.pause(dependencies, one, circuit.reason, max(circuit.open_until or soon, soon))
