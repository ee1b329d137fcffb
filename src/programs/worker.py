"""A worker as a separate role: open the platform, serve ``/health`` and ``/metrics`` if a port is set, stop cleanly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from groundwork.clock import SystemClock
from groundwork.database.deferred import until_opened
from groundwork.http.application import Application
from groundwork.http.operations import operations_routes
from groundwork.http.server import serve
from groundwork.task_group import run_concurrently
from groundwork.telemetry.probes import probing
from programs import gauges
from programs.command_line import say
from programs.platform import Installation, Platform, open_installation
from programs.platform_settings import log_misspelt_names, read_installation_settings
from programs.probes import NeededChecks, probes_of, serving_of
from programs.running import run_until_stopped, stopping

Work = Callable[[Installation, asyncio.Event], Awaitable[None]]


def for_each(work: Callable[[Platform, asyncio.Event], Coroutine[Any, Any, None]]) -> Work:
    """Run the same work for every community concurrently, so that a slow database or PDS delays only its own community.

    If a database is unavailable, the work begins when it is back. Queued messages wait and use up no attempts.
    """

    async def for_one(platform: Platform, stop: asyncio.Event) -> None:
        if await until_opened(platform.db, stop):
            await work(platform, stop)

    async def for_all(installation: Installation, stop: asyncio.Event) -> None:
        async with run_concurrently() as group:
            for platform in installation.platforms:
                group.create_task(for_one(platform, stop), name=f"for {platform.tenant.name}")

    return for_all


def run_worker(work: Work, what: str, needed: NeededChecks, settings_file: Path | None) -> None:
    """Run the worker until the process is asked to stop. ``what`` describes it in a sentence."""
    settings = read_installation_settings(settings_file)

    async def run() -> None:
        log_misspelt_names()
        async with (
            open_installation(settings, SystemClock()) as installation,
            serve_health(installation, needed),
            stopping() as stop,
        ):
            sites = ", ".join(one.public_url for one in settings.values())
            say(f"{what.removesuffix(' until stopped.')} for {sites}. Ctrl-C stops it.")
            await work(installation, stop)

    run_until_stopped(run)


@asynccontextmanager
async def serve_health(installation: Installation, needed: NeededChecks) -> AsyncIterator[None]:
    """Serve health and metrics on a separate port, if one is set."""
    settings, metrics = installation.default.settings, installation.default.metrics
    if not settings.operations_port:
        yield
        return
    async with probing(probes_of(installation, needed), metrics) as probes:
        routes = operations_routes(
            metrics,
            {},
            probes=probes,
            serving=serving_of(installation, needed),
            metrics_token=settings.metrics_token.reveal(),
        )
        serving = await serve(Application(routes, metrics), settings.host, settings.operations_port)
        over = asyncio.Event()
        watching = asyncio.create_task(gauges.work(installation, over), name="gauges")
        try:
            yield
        finally:
            over.set()
            try:
                await watching
            finally:
                await serving.stop()
