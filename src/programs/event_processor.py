"""``openmeet event-processor``: from the queue into the tenant's database. Any number may run."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from openmeet.ingestion import processor
from openmeet.ingestion.events import Here
from openmeet.ingestion.processor import Processor, counting
from programs.platform import Platform
from programs.worker import run_worker

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def main(
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file with an [openmeet] table.")
    ] = None,
) -> None:
    """Apply messages until stopped."""
    run_worker(work, settings_file)


async def work(platform: Platform, stop: asyncio.Event) -> None:
    """Apply until ``stop`` is set."""
    here = Here(platform.settings.public_url)
    await processor.run(Processor(platform.db, platform.queue, here, counting(platform.metrics)), stop)
