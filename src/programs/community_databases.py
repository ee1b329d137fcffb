"""Open the databases and queues of all communities at start. A community is served when both are open.

A database that does not answer does not stop the other communities: it is opened as soon as it answers. The start fails
if the only community's database is unavailable, or if none of several answers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import Gauge

from groundwork.clock import Clock
from groundwork.database.deferred import DeferredDatabase
from groundwork.database.migrate import current_revision, migrate
from groundwork.database.open_ import POSTGRES, open_database
from groundwork.database.transaction import Database
from groundwork.errors import Failure, Refused
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from openmeet.settings import Settings
from programs.community_queues import tables_of

# The longest time that the start waits for a server that is gone without closing the connection: as long as a restart
# takes.
PATIENCE_SECONDS = 10.0
AGAIN_SECONDS = 5.0
# An unavailable database is logged repeatedly, because operators read the newest lines.
_REPORTED_EVERY = 12


@dataclass(frozen=True, slots=True)
class CommunityDatabases:
    """The open databases of a community. ``queue_tables``: the database of an embedded queue; None if the queue is on a
    broker.
    """

    db: Database
    queue_tables: Database | None


def away_gauge(metrics: Metrics) -> Gauge:
    """A gauge that is 1 if a community's database does not answer, otherwise 0."""
    return metrics.gauge("databases_away", "1 if a community's database does not respond, otherwise 0", ["tenant"])


Prepare = Callable[[Settings, Database], Awaitable[object]]


async def _no_preparation(_settings: Settings, _db: Database) -> None:
    """The default ``prepare``, which does nothing."""


@asynccontextmanager
async def open_databases(
    settings: Mapping[str, Settings], clock: Clock, metrics: Metrics, prepare: Prepare = _no_preparation
) -> AsyncIterator[Mapping[str, CommunityDatabases]]:
    """Open and migrate the database and the queue of every community, by community name. They are closed at the end of
    the block.

    ``prepare``: called with each database before anybody uses it. If it fails, or a database cannot be reached, that
    database is opened later, in the background. Raises the first error if none can be reached, and Refused or
    ValueError for wrong settings.
    """
    opening = _Opening(clock, away_gauge(metrics), asyncio.Lock(), prepare)
    async with AsyncExitStack() as stack:
        queues = await asyncio.gather(*(opening.try_queue(*one) for one in settings.items()), return_exceptions=True)
        tried = await asyncio.gather(
            *(opening.try_after_queue(queue, own) for queue, own in zip(queues, settings.values(), strict=True)),
            return_exceptions=True,
        )
        for one in (*queues, *tried):
            if one is not None and not isinstance(one, BaseException):
                stack.push_async_callback(one.close)
        failures = [one for one in tried if isinstance(one, BaseException)]
        for failure in failures:
            if len(failures) == len(tried) or _is_permanent(failure):
                raise failure
        stores_by_tenant: dict[str, CommunityDatabases] = {}
        for (name, own), queue, one in zip(settings.items(), queues, tried, strict=True):
            opening.away.labels(name).set(isinstance(one, BaseException))
            if not isinstance(one, BaseException) and not isinstance(queue, BaseException):
                stores_by_tenant[name] = CommunityDatabases(one, queue)
                continue
            if isinstance(one, BaseException):
                _log_failure(name, one)
            late = DeferredDatabase("postgresql" if own.tenant_database_url.startswith(POSTGRES) else "sqlite")
            stack.push_async_callback(late.close)
            late_queue = DeferredDatabase("sqlite") if isinstance(queue, BaseException) else None
            if late_queue is not None:
                stack.push_async_callback(late_queue.close)
            waiting = asyncio.create_task(
                opening.open_when_available(name, own, late, late_queue), name=f"database of {name}"
            )
            stack.push_async_callback(_ended, waiting)
            stores_by_tenant[name] = CommunityDatabases(late, late_queue if isinstance(queue, BaseException) else queue)
        yield stores_by_tenant


class _Opening:
    """Opens the databases of the communities. Migrations run one at a time, because Alembic does not allow more."""

    def __init__(self, clock: Clock, away: Gauge, turn: asyncio.Lock, prepare: Prepare) -> None:
        self.away = away
        self._prepare = prepare
        self._clock = clock
        self._turn = turn

    async def try_queue(self, name: str, settings: Settings) -> Database | None:
        """Open the database of an embedded queue; None if the queue is on a broker. Raises on failure."""
        async with self._turn:
            return await tables_of(name, settings, self._clock)

    async def try_after_queue(self, queue: Database | BaseException | None, settings: Settings) -> Database:
        """Open the database if the queue could be opened; otherwise raise the queue's error."""
        if isinstance(queue, BaseException):
            raise queue
        return await self.try_(settings)

    async def try_(self, settings: Settings) -> Database:
        """Open the database. Raises on failure."""
        url, schema = settings.tenant_database_url, settings.database_schema
        # Only the connection has a timeout here. A migration reports its own progress.
        async with asyncio.timeout(PATIENCE_SECONDS):
            await current_revision(url, schema, "openmeet")
        async with self._turn:
            await migrate(url, schema, "openmeet")
        async with asyncio.timeout(PATIENCE_SECONDS):
            db = await open_database(url, schema=schema, clock=self._clock, connections=settings.database_connections)
        try:
            await self._prepare(settings, db)
        except BaseException:
            await db.close()
            raise
        return db

    async def open_when_available(
        self, name: str, settings: Settings, late: DeferredDatabase, late_queue: DeferredDatabase | None
    ) -> None:
        """Retry until the database answers. The queue is opened first, so if the database is open, the queue is open,
        too.
        """
        tries = 0
        while not late.is_open.is_set():
            await asyncio.sleep(AGAIN_SECONDS)
            tries += 1
            try:
                if late_queue is not None and not late_queue.is_open.is_set():
                    await self._open_late_queue(name, settings, late_queue)
                late.open_as(await self.try_(settings))
            except Exception as failure:  # noqa: BLE001 - the edge of one community: the others go on being served
                if tries % _REPORTED_EVERY == 0:
                    _log_failure(name, failure)
        self.away.labels(name).set(0)
        log.info("tenant.database_came", tenant=name)

    async def _open_late_queue(self, name: str, settings: Settings, late_queue: DeferredDatabase) -> None:
        tables = await self.try_queue(name, settings)
        if tables is not None:
            late_queue.open_as(tables)


def _is_permanent(failure: BaseException) -> bool:
    """Whether waiting does not fix this error: wrong settings, or a request to stop."""
    return isinstance(failure, (Refused, ValueError)) or not isinstance(failure, Exception)


def _log_failure(name: str, failure: BaseException) -> None:
    reason = str(failure) if isinstance(failure, Failure) else f"{type(failure).__name__}: {failure}"
    log.error("tenant.database_away", tenant=name, reason=reason, exc_info=None)


async def _ended(waiting: "asyncio.Task[None]") -> None:
    waiting.cancel()
    await asyncio.wait([waiting])
