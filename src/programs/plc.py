"""``openmeet plc``: a did:plc directory for development networks (``PLC_…``, ``[plc]``)."""

import os
from pathlib import Path

import typer

from groundwork.clock import SystemClock
from groundwork.http.server import serve
from groundwork.settings import read_settings
from plc_directory.app import open_directory
from plc_directory.settings import PREFIX, PlcSettings
from programs.running import VERSION, run_until_stopped, wait_for_stop
from programs.settings_file import read_table


def serve_directory(settings_file: Path | None) -> None:
    """Serve the directory until stopped."""
    settings = read_settings(PlcSettings, prefix=PREFIX, environment=os.environ, table=read_table(settings_file, "plc"))

    async def run() -> None:
        async with open_directory(settings, SystemClock(), version=VERSION) as directory:
            serving = await serve(directory, settings.host, settings.port)
            typer.echo(f"The PLC directory answers at {serving.url}")
            try:
                await wait_for_stop()
            finally:
                await serving.stop()

    run_until_stopped(run)
