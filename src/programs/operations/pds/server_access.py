"""How a command gets access to its Aurora Locus: through the administration API or in the database.

Changes of accounts go through the running server, because its caches must be updated and its firehose must announce
them. They use the administrator's password from the same settings. Commands that only read, or that need the server to
be stopped, open the database.
"""

import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from at_network.bearer_session import FixedHeaders
from at_network.xrpc_client import Parameters, XrpcClient
from aurora_locus.settings import SCHEMA, PdsSettings
from aurora_locus.settings_checks import read_checked
from groundwork.clock import SystemClock
from groundwork.database.open_ import SQLITE, open_database, sqlite_path
from groundwork.database.transaction import Database
from groundwork.errors import Refused, RemoteFailed, RemoteSlow
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from groundwork.startup_checks import is_own_machine
from programs.running import VERSION, run_command
from programs.settings_file import read_table

# How long a server may take to say that it runs.
_HEALTH_SECONDS = 5.0

# Addresses that a server can listen on but a client cannot connect to.
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on


class AdministrationClient:
    """Client of the administration API of one running server."""

    def __init__(self, http: HttpClient, url: str, password: str) -> None:
        self.url = url
        self.http = http
        self.headers = {"authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}
        self._xrpc = XrpcClient(http, SystemClock(), url, credentials=FixedHeaders(self.headers), timeout_seconds=60.0)

    async def query(self, nsid: str, parameters: Parameters | None = None) -> dict[str, Any]:
        """Call a query. Raises Refused if the server does not answer, and the failure that the server reports."""
        try:
            return await self._xrpc.query(nsid, parameters)
        except RemoteFailed as failure:
            raise self._unreachable(failure) from None

    async def procedure(self, nsid: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Call a procedure. Raises Refused if the server does not answer, and the failure that the server reports."""
        try:
            return await self._xrpc.procedure(nsid, body)
        except RemoteFailed as failure:
            raise self._unreachable(failure) from None

    def _unreachable(self, failure: RemoteFailed) -> Exception:
        if failure.status is not None:
            return failure
        return Refused(f"No server answers at {self.url}. Start it (openmeet pds), or give its address with --url.")


def read_settings(settings_file: Path | None) -> PdsSettings:
    """The server's own settings. Raises SettingsRefused."""
    return read_checked(os.environ, read_table(settings_file, "pds"))


def run_on_server(
    settings_file: Path | None, url: str, work: Callable[[AdministrationClient], Awaitable[None]]
) -> None:
    """Run an operator's command through the running server. Raises Refused if the password would be sent unencrypted."""
    settings = read_settings(settings_file)
    where = (url or _local_address(settings)).rstrip("/")
    parts = urlsplit(where)
    if parts.scheme != "https" and not is_own_machine(parts.hostname or ""):
        raise Refused(
            f"{where} would be sent the administration's password unencrypted. Use https, or an address of this machine."
        )

    async def run() -> None:
        http = HttpClient(DEVELOPMENT, user_agent=f"openmeet/{VERSION}")
        try:
            await work(AdministrationClient(http, where, settings.admin_password.reveal()))
        finally:
            await http.close()

    run_command(run)


def run_on_database(settings_file: Path | None, work: Callable[[Database, PdsSettings], Awaitable[None]]) -> None:
    """Run an operator's command in the server's database, without migrating it. Raises Refused if there is no database."""
    settings = read_settings(settings_file)

    async def run() -> None:
        async with open_existing(settings) as db:
            await work(db, settings)

    run_command(run)


async def require_stopped(http: HttpClient, settings: PdsSettings) -> None:
    """Raise Refused if the server answers, on this machine or at its public address. Without the server, a reverse proxy
    answers there with an error.
    """
    for url in dict.fromkeys((_local_address(settings), settings.url)):
        try:
            health = await http.get(f"{url}/xrpc/_health", timeout_seconds=_HEALTH_SECONDS)
        except (RemoteFailed, RemoteSlow):
            continue
        if health.is_ok:
            raise Refused(f"A server answers at {url}. Stop every process of it, and run this command again.")


@asynccontextmanager
async def open_existing(settings: PdsSettings) -> AsyncIterator[Database]:
    """The database of a server that has been started before. Raises Refused if there is none."""
    if settings.database.startswith(SQLITE):
        file = sqlite_path(settings.database, SCHEMA)
        if not file.exists():
            why = f"There is no Aurora Locus at {file}."
            raise Refused(f"{why} Give its settings file with --settings, or set PDS_DATA_DIRECTORY.")
    db = await open_database(settings.database, schema=SCHEMA, clock=SystemClock())
    try:
        yield db
    finally:
        await db.close()


def _local_address(settings: PdsSettings) -> str:
    host = "127.0.0.1" if settings.bind_address in _EVERYWHERE else settings.bind_address
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
