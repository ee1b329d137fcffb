"""One web process with the demo town of ``make demo`` on SQLite: ``python -m tests.bench.page_server PORT``.

Serves until its standard input ends. After the first line of input, it commits something ten times a second.
"""

import asyncio
import contextlib
import sys
from typing import NoReturn

from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.http.server import serve
from openmeet.domain.users import actions as users
from programs.demo.fill import fill
from tests.bench import stores
from tests.bench.loop import run
from tests.openmeet.site_under_test import site_on


async def _serve(port: int) -> None:
    async with stores.on_sqlite() as db:
        await fill(db)
        site = site_on(db, SystemClock(), pages_per_minute=0)
        serving = await serve(site.app, "127.0.0.1", port)
        writing: asyncio.Task[NoReturn] | None = None
        while await asyncio.to_thread(sys.stdin.readline):
            writing = writing or asyncio.create_task(_write_all_the_time(db))
        if writing is not None:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
        await serving.stop()


async def _write_all_the_time(db: Database) -> NoReturn:
    while True:
        async with db.transaction() as tx:
            await users.create_person(tx, display_name="Ana")
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    run(_serve(int(sys.argv[1])))
