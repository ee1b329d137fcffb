"""Opens the queue that a URL names: ``embedded:`` (tables in a database of its own) or ``amqp://…`` (RabbitMQ)."""

from groundwork.clock import Clock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue

EMBEDDED = "embedded:"
PACKAGE = "groundwork.queue"


async def open_embedded(database_url: str, schema: str, clock: Clock, *, max_waiting: int = 1_000_000) -> Queue:
    """The queue in a database of its own, made if it is not there; closing the queue closes the database."""
    await migrate(database_url, schema, PACKAGE)
    database = await open_database(database_url, schema=schema, clock=clock)
    return EmbeddedQueue(database, clock, max_waiting=max_waiting)
