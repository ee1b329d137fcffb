"""One web process with the demo town of ``make demo`` on SQLite: ``python -m tests.bench.page_server PORT FILE``.

Writes the token of a session of the first person in the town to the file, and serves until its standard input ends.
After the first line of input, it commits something ten times a second.
"""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import NoReturn

from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.http.server import serve
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from programs.demo.fill import address_of, fill
from programs.demo.town import PEOPLE
from tests.bench import stores
from tests.bench.loop import run
from tests.openmeet.site_under_test import site_on


async def _serve(port: int, token_file: Path) -> None:
    async with stores.on_sqlite() as db:
        await fill(db)
        async with db.transaction() as tx:
            (eva,) = await tx.fetch("select id from users where email = :address", address=address_of(PEOPLE[0]))
            token = (await open_session(tx, eva["id"], SessionTransport.BROWSER)).token
        await asyncio.to_thread(token_file.write_text, token)
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
    run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
