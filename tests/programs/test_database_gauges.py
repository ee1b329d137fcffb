"""Database metrics for operators."""

from groundwork.telemetry.metrics import Metrics
from programs.gauges import show_wal


async def test_the_log_of_each_database_is_a_metric(make_sqlite):
    db = await make_sqlite()
    metrics = Metrics("openmeet")
    show_wal(metrics, {"main": db})
    await db.write(lambda writer: writer.execute("create table t (a bigint)"))
    assert db.wal_bytes() > 0
    assert f'openmeet_database_wal_bytes{{database="main"}} {db.wal_bytes()}.0' in metrics.exposition().decode()
