"""Each community's queue. An embedded queue has its own database, because its writes come in bursts."""

from groundwork.clock import DAY, SECOND, Clock
from groundwork.database.open_ import SQLITE
from groundwork.database.transaction import Database
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue
from groundwork.queue.open_ import EMBEDDED, open_queue, open_tables
from groundwork.settings import SettingsRefused
from openmeet.settings import PREFIX, Settings
from openmeet.tenants.names import DEFAULT_TENANT


async def tables_of(name: str, settings: Settings, clock: Clock) -> Database | None:
    """The database of the community's queue, created if needed; None if the queue is on a broker."""
    if settings.broker_url != EMBEDDED:
        return None
    url, schema = _queue_location(name, settings)
    return await open_tables(url, schema, clock, connections=settings.database_connections)


async def queue_over(name: str, settings: Settings, tables: Database | None, clock: Clock) -> Queue:
    """The community's queue in the database of ``tables_of``. Raises SettingsRefused for an invalid URL."""
    if tables is not None:
        return EmbeddedQueue(tables, clock)
    url, schema = _queue_location(name, settings)
    try:
        return await open_queue(
            settings.broker_url,
            database_url=url,
            schema=schema,
            clock=clock,
            name=settings.broker_name,
            connections=settings.database_connections,
            keep_seconds=settings.deleted_kept_days * DAY / SECOND if settings.deleted_kept_days else None,
        )
    except ValueError as error:
        raise SettingsRefused([f"{PREFIX}BROKER_URL: {error}."]) from None


async def open_queue_alone(name: str, settings: Settings, clock: Clock) -> Queue:
    """Open the queue of one community, for a program that needs nothing else from it. Closing the queue closes its
    database.
    """
    return await queue_over(name, settings, await tables_of(name, settings, clock), clock)


def _queue_location(name: str, settings: Settings) -> tuple[str, str]:
    url = settings.installation_database_url
    if url.startswith(SQLITE):
        url = f"{SQLITE}{(settings.data_directory / 'queue.db').absolute()}"
    return url, "openmeet_queue" if name == DEFAULT_TENANT else f"queue_of_{name.replace('-', '_')}"
