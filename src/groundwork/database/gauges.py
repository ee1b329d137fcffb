"""Gauges about a program's databases."""

from collections.abc import Mapping

from groundwork.database.sqlite import SqliteDatabase
from groundwork.database.transaction import Database
from groundwork.telemetry.metrics import Metrics


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
