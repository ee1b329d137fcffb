"""``openmeet event-processor``: from the queue into the tenant's database. Any number may run."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from groundwork.clock import SystemClock
from openmeet.ingestion import processor
from openmeet.ingestion.events import Here
from openmeet.ingestion.processor import Processor, counting
from programs.platform import Platform, open_platform, read_platform_settings
from programs.running import run_until_stopped, stopping

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def main(
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with an [openmeet] table.")
    ] = None,
) -> None:
    """Apply messages until stopped."""
    settings = read_platform_settings(settings_file)

    async def run() -> None:
        async with open_platform(settings, SystemClock()) as platform, stopping() as stop:
            await work(platform, stop)

    run_until_stopped(run)


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply until ``stop`` is set."""
    here = Here(platform.settings.public_url)
    await processor.run(Processor(platform.db, platform.queue, here, counting(platform.metrics)), stop)
