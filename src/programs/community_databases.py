"""The databases of all communities, opened at a start. One that does not answer stops nobody else: it is opened as soon as it does.

Who has one community alone is told at once that its database is away, by a start that fails; so is who has several and none answers.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import Gauge

from groundwork.clock import Clock
from groundwork.database.late import LateDatabase
from groundwork.database.migrate import current_revision, migrate
from groundwork.database.open_ import POSTGRES, open_database
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from groundwork.telemetry.logs import log
from groundwork.telemetry.metrics import Metrics
from openmeet.settings import Settings

# A server that is gone without a word lets nobody wait for longer than a restart takes.
PATIENCE_SECONDS = 10.0
AGAIN_SECONDS = 5.0
# The log says again and again what is missing: somebody looks at the newest lines.
_TOLD_EVERY = 12


def away_gauge(metrics: Metrics) -> Gauge:
    """1 where a community's database does not answer, else 0."""
    return metrics.gauge("databases_away", "Whether a community's database does not answer", ["tenant"])


@asynccontextmanager
async def open_databases(
    settings: Mapping[str, Settings], clock: Clock, metrics: Metrics
) -> AsyncIterator[Mapping[str, Database]]:
    """By the community's name, migrated. Raises what the first one raised where none can be opened; Refused, ValueError: settings."""
    opening = _Opening(clock, away_gauge(metrics), asyncio.Lock())
    async with AsyncExitStack() as stack:
        tried = await asyncio.gather(*(opening.try_(one) for one in settings.values()), return_exceptions=True)
        for one in tried:
            if not isinstance(one, BaseException):
                stack.push_async_callback(one.close)
        failures = [one for one in tried if isinstance(one, BaseException)]
        for failure in failures:
            if len(failures) == len(tried) or _is_our_fault(failure):
                raise failure
        found: dict[str, Database] = {}
        for (name, own), one in zip(settings.items(), tried, strict=True):
            opening.away.labels(name).set(isinstance(one, BaseException))
            if not isinstance(one, BaseException):
                found[name] = one
                continue
            _tell(name, one)
            late = LateDatabase("postgresql" if own.tenant_database_url.startswith(POSTGRES) else "sqlite")
            stack.push_async_callback(late.close)
            waiting = asyncio.create_task(opening.until_there(name, own, late), name=f"database of {name}")
            stack.push_async_callback(_ended, waiting)
            found[name] = late
        yield found


class _Opening:
    """What opening takes; migrations take turns, because Alembic knows one at a time."""

    def __init__(self, clock: Clock, away: Gauge, turn: asyncio.Lock) -> None:
        self.away = away
        self._clock = clock
        self._turn = turn

    async def try_(self, settings: Settings) -> Database:
        """Raises whatever there is in the way."""
        url, schema = settings.tenant_database_url, settings.database_schema
        # Whether it answers at all; how long a migration then takes, it says itself.
        async with asyncio.timeout(PATIENCE_SECONDS):
            await current_revision(url, schema, "openmeet")
        async with self._turn:
            await migrate(url, schema, "openmeet")
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await open_database(url, schema=schema, clock=self._clock, connections=settings.database_connections)

    async def until_there(self, name: str, settings: Settings, late: LateDatabase) -> None:
        """Try again until it answers."""
        tries = 0
        while not late.is_open.is_set():
            await asyncio.sleep(AGAIN_SECONDS)
            tries += 1
            try:
                late.open_as(await self.try_(settings))
            except Exception as failure:  # noqa: BLE001 - the edge of one community: the others are served meanwhile
                if tries % _TOLD_EVERY == 0:
                    _tell(name, failure)
        self.away.labels(name).set(0)
        log.info("tenant.database_came", tenant=name)


def _is_our_fault(failure: BaseException) -> bool:
    """What no waiting mends: the settings, or that everything is being stopped."""
    return isinstance(failure, (Refused, ValueError)) or not isinstance(failure, Exception)


def _tell(name: str, failure: BaseException) -> None:
    why = failure.__cause__ or failure
    log.error("tenant.database_away", tenant=name, reason=f"{type(why).__name__}: {why}", exc_info=None)


async def _ended(waiting: "asyncio.Task[None]") -> None:
    waiting.cancel()
    await asyncio.wait([waiting])
