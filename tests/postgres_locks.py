"""Who waits for whose locks on PostgreSQL."""

from groundwork.database.transaction import Transaction


async def is_waited_for(tx: Transaction) -> None:
    """Return once another transaction waits for this one. Other tests on the same server are ignored."""
    while not await tx.fetch(
        "select 1 from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))"
    ):
        pass
