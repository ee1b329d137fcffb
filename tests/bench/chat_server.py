"""A second web process of an installation on PostgreSQL: ``python -m tests.bench.chat_server SCHEMA STREAMS``.

Prints its address, and serves until its standard input ends.
"""

import asyncio
import sys

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from groundwork.http.server import serve
from programs.running import collect_garbage_rarely
from tests.bench.loop import run
from tests.databases import SERVER
from tests.openmeet.site_under_test import site_on


async def _serve(schema: str, streams: int) -> None:
    clock = SystemClock()
    db = await open_database(SERVER, schema=schema, clock=clock)
    changes = {"database_url": SERVER, "database_schema": schema}
    site = site_on(db, clock, live_streams=streams, pages_per_minute=0, workers=None, **changes)
    collect_garbage_rarely()
    serving = await serve(site.app, "127.0.0.1", 0, connections=3 * streams, connections_of_address=2 * streams)
    print(serving.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await serving.stop()
    await db.close()


if __name__ == "__main__":
    run(_serve(sys.argv[1], int(sys.argv[2])))
