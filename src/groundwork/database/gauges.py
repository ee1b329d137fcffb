"""Gauges about a program's databases."""

from collections.abc import Mapping

from groundwork.database.sqlite import SqliteDatabase
from groundwork.database.transaction import Database
from groundwork.telemetry.metrics import Metrics


def show_wal(metrics: Metrics, databases: Mapping[str, Database]) -> None:
    """Add the gauge ``database_wal_bytes``, labelled by the given names; PostgreSQL manages its own log.

    On SQLite it stays near ``WAL_BOUND_BYTES``; a larger log is held back by a reader in another process.
    """
    gauge = metrics.gauge("database_wal_bytes", "Size of SQLite's write-ahead log", ["database"])
    for name, database in databases.items():
        if isinstance(database, SqliteDatabase):
            gauge.labels(name).set_function(database.wal_bytes)
