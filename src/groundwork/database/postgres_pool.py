"""Connections to PostgreSQL: a pool, and the settings that the planner of the server gets with each connection."""

from typing import Any

import asyncpg


class _PlainConnection(asyncpg.Connection):
    """Skips asyncpg's reset, which costs a round trip. Our connections keep no state between transactions."""

    def get_reset_query(self) -> str:
        return ""


def open_pool(url: str, *, connections: int, idle_seconds: float) -> "asyncpg.Pool[Any]":
    """Return a pool, to be awaited, that can serve any schema of the database. If a process hangs, the server ends its
    transaction after it has been idle for ``idle_seconds``.
    """
    return asyncpg.create_pool(
        url,
        min_size=1,
        max_size=connections,
        connection_class=_PlainConnection,
        statement_cache_size=512,
        server_settings={
            "search_path": "",
            "timezone": "UTC",
            # The statements of this project take milliseconds. JIT compilation and parallel workers take hundreds, and
            # the planner chooses them if it overestimates the number of rows.
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
            # With the default of 4 MB, a search for a common word cannot track single rows and reads whole pages.
            "work_mem": "32MB",
            # The default of 4 is for hard disks, and lets statements that find some rows by key read small tables as a
            # whole instead. Such a plan may stay in use when the table has grown.
            "random_page_cost": "1.1",
            "idle_in_transaction_session_timeout": str(int(idle_seconds * 1000)),
        },
    )
