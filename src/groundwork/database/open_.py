"""Open a database by URL. Code outside this package does not depend on the engine.

- ``sqlite:///abs/path.db``: that file. ``sqlite:///abs/folder/``: the file ``<schema>.db`` in that folder.
- ``postgresql://user:password@host:port/name``: the given schema of that database (default ``public``).
"""

from pathlib import Path

from groundwork.clock import Clock
from groundwork.database.postgres import CONNECTIONS, check_schema_name, open_postgres
from groundwork.database.sqlite import open_sqlite
from groundwork.database.transaction import Database
from groundwork.errors import Refused

SQLITE = "sqlite://"
POSTGRES = ("postgresql://", "postgres://")


async def open_database(
    url: str,
    *,
    schema: str = "",
    clock: Clock,
    transaction_seconds: float = 2.0,
    reader_seconds: float = 10.0,
    connections: int = CONNECTIONS,
) -> Database:
    """Open the database. ``connections`` is the maximum number of connections to a PostgreSQL server.

    Raises Refused for any other URL, and DatabaseUnavailable if the database does not answer.
    """
    if url.startswith(POSTGRES):
        return await open_postgres(
            url,
            schema or "public",
            clock,
            connections=connections,
            transaction_seconds=transaction_seconds,
            reader_seconds=reader_seconds,
        )
    return open_sqlite(
        sqlite_path(url, schema), clock, transaction_seconds=transaction_seconds, reader_seconds=reader_seconds
    )


def sqlite_path(url: str, schema: str = "") -> Path:
    """Return the file of an SQLite URL. The part after ``sqlite://`` is an absolute path. Raises Refused for any other
    URL.
    """
    text = url.removeprefix(SQLITE)
    if not url.startswith(SQLITE):
        raise Refused("A database URL begins with postgresql:// or sqlite:///. Change the one in the settings.")
    if not text.startswith("/"):
        raise Refused("An SQLite URL has an absolute path, like sqlite:///var/lib/openmeet/openmeet.db.")
    if text.endswith("/"):
        return Path(text) / f"{check_schema_name(schema or 'main')}.db"
    return Path("/" + text.lstrip("/"))
