"""A worker as a role of its own: opened, watched (``/health``, ``/metrics`` where a port is set), stopped cleanly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from groundwork.clock import SystemClock
from groundwork.http.application import Application
from groundwork.http.operations import operations_routes
from groundwork.http.server import serve
from openmeet.tenants.health import ready
from programs import gauges
from programs.command_line import SettingsFile, role, say
from programs.platform import Platform, open_platform, read_platform_settings
from programs.running import run_until_stopped, stopping

Work = Callable[[Platform, asyncio.Event], Awaitable[None]]


def worker_role(work: Work, what: str) -> typer.Typer:
    """The command that runs one worker alone; ``what`` is its help."""
    app = role()

    @app.command(help=what)
    def main(settings_file: SettingsFile = None) -> None:
        run_worker(work, what, settings_file)

    return app


def run_worker(work: Work, what: str, settings_file: Path | None) -> None:
    """Do the work until the process is asked to stop; ``what`` says what it is, in a sentence."""
    settings = read_platform_settings(settings_file)

    async def run() -> None:
        async with open_platform(settings, SystemClock()) as platform, watched(platform), stopping() as stop:
            say(f"{what.removesuffix(' until stopped.')} for {settings.public_url}. Ctrl-C stops it.")
            await work(platform, stop)

    run_until_stopped(run)


@asynccontextmanager
async def watched(platform: Platform) -> AsyncIterator[None]:
    """Answer operators on a port of its own, where one is set."""
    settings = platform.settings
    if not settings.operations_port:
        yield
        return
    checks = {"database": ready(platform.tenants.default)}
    token = settings.metrics_token.reveal()
    app = Application(operations_routes(platform.metrics, checks, metrics_token=token), platform.metrics)
    serving = await serve(app, settings.host, settings.operations_port)
    over = asyncio.Event()
    watching = asyncio.create_task(gauges.work(platform, over), name="gauges")
    try:
        yield
    finally:
        over.set()
        await watching
        await serving.stop()
