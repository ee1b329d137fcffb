"""``openmeet pds``: Aurora Locus alone, configured by environment variables (``PDS_…``) and the ``[pds]`` table of a
TOML file.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import typer

from aurora_locus import reference_settings
from aurora_locus.app import open_server
from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance.schedule import before_migrating
from aurora_locus.settings import PACKAGE, SCHEMA
from aurora_locus.settings_checks import read_checked
from groundwork import private_file
from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate_apart
from groundwork.database.open_ import POSTGRES, sqlite_path
from groundwork.errors import Refused
from groundwork.http.server import serve
from groundwork.telemetry.logs import log
from programs.running import VERSION, free_ports, run_until_stopped, wait_for_stop
from programs.settings_file import read_table


def serve_repositories(settings_file: Path | None) -> None:
    """Serve repositories until stopped."""
    settings = read_checked(os.environ, read_table(settings_file, "pds"))
    if not settings.port:
        # The public address of a development server includes its port, so the port must be known first.
        settings = replace(settings, port=next(free_ports(settings.bind_address)))

    unknown = reference_settings.unknown(name for name, value in os.environ.items() if value)

    async def run() -> None:
        with _only_process(settings.database):
            await serve_locked()

    async def serve_locked() -> None:
        if unknown:
            log.warning("settings.not_used", names=[*map(reference_settings.advice_on, unknown)])
        # The backup comes first: once the other process has changed the tables, there is no way back.
        await before_migrating(settings, partial(open_store, settings), SystemClock(), version=VERSION)
        await migrate_apart(settings.database, SCHEMA, PACKAGE)
        async with open_server(settings, SystemClock(), version=VERSION) as server:
            serving = await serve(
                server.app,
                settings.bind_address,
                settings.port,
                connections=settings.client_connections,
                connections_of_address=settings.client_connections_per_address,
                is_proxy=settings.is_proxy,
            )
            typer.echo(f"Aurora Locus answers at {settings.url} (listening on {serving.url})")
            typer.echo(settings.client_address_rule)
            try:
                await wait_for_stop()
            finally:
                await serving.stop()

    run_until_stopped(run)


@contextmanager
def _only_process(database_url: str) -> Iterator[None]:
    """Lock an SQLite database for this process: commits of another one would not reach the subscribers of this one.

    Raises Refused if another process has it.
    """
    if database_url.startswith(POSTGRES):
        yield
        return
    path = sqlite_path(database_url, SCHEMA)
    lock_path = path.with_name(path.name + ".lock")
    private_file.touch(lock_path)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            why = f"Another PDS process is running on {path}. Stop it, or use PostgreSQL for several processes."
            raise Refused(why) from None
        yield
