"""The three servers as their programs open them, in this process and without sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from aurora_locus import settings as pds_settings
from aurora_locus.app import AuroraLocus, open_server
from aurora_locus.settings_checks import check_settings
from groundwork.clock import SystemClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.database.transaction import Database
from groundwork.http.application import Application
from groundwork.settings import Secret
from groundwork.telemetry.metrics import Metrics
from groundwork.telemetry.probes import probing
from openmeet.settings import Settings
from openmeet.tenants.configured import checked
from openmeet.tenants.names import DEFAULT_TENANT
from plc_directory.app import create_app
from plc_directory.settings import PlcSettings
from plc_directory.store import OperationLimits
from programs import workers
from programs.platform import Platform, open_installation
from programs.probes import WEB, probes_of
from programs.running import VERSION
from programs.web import open_site


@dataclass(frozen=True)
class Opened:
    """The parts of a running installation, including the platform's workers."""

    platform: Platform
    site: Application
    pds: AuroraLocus
    directory: Application
    directory_metrics: Metrics


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    """Everything that ``openmeet up`` opens, once each."""
    folder = tmp_path_factory.mktemp("opened")
    clock = SystemClock()
    pds = check_settings(
        replace(
            pds_settings.PdsSettings(), data_directory=folder / "pds", dev_mode=True, admin_password=Secret("a b c")
        )
    )
    wishes = replace(Settings(), data_directory=folder / "openmeet", dev_mailbox=True, pds_handle_domain=".test")
    here = checked({DEFAULT_TENANT: wishes})
    plc = PlcSettings(data_directory=folder / "plc").database
    await migrate(plc, "", "plc_directory")
    plc_metrics = Metrics("plc_directory")
    async with (
        opened_database(plc, clock) as plc_db,
        open_server(pds, clock, version=VERSION) as server,
        open_installation(here, clock) as installation,
        workers.running(installation),
        probing(probes_of(installation, WEB), installation.default.metrics),
    ):
        directory = create_app(plc_db, OperationLimits(hourly=0, daily=0, weekly=0), plc_metrics, version=VERSION)
        yield Opened(installation.default, await open_site(installation.default), server, directory, plc_metrics)


@asynccontextmanager
async def opened_database(url: str, clock: SystemClock) -> AsyncIterator[Database]:
    """A database that is open for the length of the block."""
    db = await open_database(url, clock=clock)
    try:
        yield db
    finally:
        await db.close()


def served(app: Application) -> set[tuple[str, str]]:
    """The methods and paths of an application. HEAD is implied by GET; mounted applications have their own sections."""
    routes = [route for route in app.routes if not isinstance(route, Mount)]
    assert all(isinstance(route, Route | WebSocketRoute) for route in routes)
    return {("WS", route.path) for route in routes if isinstance(route, WebSocketRoute)} | {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }
