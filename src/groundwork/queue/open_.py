"""Open a queue by URL: ``embedded:`` (tables in its own database) or ``amqp://…`` (RabbitMQ)."""

import importlib

from groundwork.clock import Clock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.postgres import CONNECTIONS
from groundwork.database.transaction import Database
from groundwork.queue.contract import Queue
from groundwork.queue.embedded import EmbeddedQueue

EMBEDDED = "embedded:"
PACKAGE = "groundwork.queue"


async def open_embedded(
    database_url: str, schema: str, clock: Clock, *, max_waiting: int = 1_000_000, connections: int = CONNECTIONS
) -> Queue:
    """Open a queue in its own database, which is created if it does not exist. Closing the queue closes the database."""
    database = await open_tables(database_url, schema, clock, connections=connections)
    return EmbeddedQueue(database, clock, max_waiting=max_waiting)


async def open_tables(database_url: str, schema: str, clock: Clock, *, connections: int = CONNECTIONS) -> Database:
    """Open the tables of an embedded queue, and create them if needed."""
    await migrate(database_url, schema, PACKAGE)
    return await open_database(database_url, schema=schema, clock=clock, connections=connections)


async def open_queue(
    url: str,
    *,
    database_url: str,
    schema: str,
    clock: Clock,
    max_waiting: int = 1_000_000,
    name: str = "openmeet",
    connections: int = CONNECTIONS,
    keep_seconds: float | None = None,
) -> Queue:
    """Open the queue for a URL.

    ``database_url``, ``schema`` and ``connections`` (the maximum) are for the tables of an embedded queue. ``name`` is
    the prefix on a broker, and ``keep_seconds`` is how long messages stay there. ``amqp://user:password@host/vhost``
    connects when the queue is first used. Raises ValueError for other URLs, or if the client library is not installed.
    """
    if url == EMBEDDED:
        return await open_embedded(database_url, schema, clock, max_waiting=max_waiting, connections=connections)
    if url.startswith(("amqp://", "amqps://")):
        try:
            # The client library is an optional extra.
            rabbitmq = importlib.import_module("groundwork.queue.rabbitmq")
        except ModuleNotFoundError as missing:
            raise ValueError("amqp:// needs an optional package: run make services") from missing
        queue: Queue = rabbitmq.RabbitQueue(url, clock, name=name, max_waiting=max_waiting, keep_seconds=keep_seconds)
        return queue
    raise ValueError("a queue's URL is embedded: or begins with amqp:// or amqps://")
