"""``openmeet up``: the whole network in one process on SQLite: directory, PDS, and platform with its workers.

Its data is in one folder, so that the next start continues with it. With ``--ephemeral``, nothing is kept.
"""

import asyncio
import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec
import typer
from starlette.types import ASGIApp

from aurora_locus import settings as pds_settings
from aurora_locus.accounts import account_requests, creation, queries
from aurora_locus.accounts.registry import Registry
from aurora_locus.app import open_server
from aurora_locus.identity import handles
from aurora_locus.settings_checks import check_settings
from groundwork import private_file
from groundwork.clock import SystemClock
from groundwork.database.open_ import sqlite_path
from groundwork.database.sqlite import open_sqlite
from groundwork.errors import InvalidInput, Refused
from groundwork.http.client import HttpClient
from groundwork.http.connection_limit import MAX_CONNECTIONS
from groundwork.http.reach import DEVELOPMENT
from groundwork.http.server import HttpServer, serve
from groundwork.settings import Secret, read_settings
from openmeet.domain.places.gazetteer import Gazetteer, places_path
from openmeet.settings import PREFIX, Settings
from openmeet.tenants.configured import checked
from openmeet.tenants.names import DEFAULT_TENANT
from plc_directory.app import open_directory
from plc_directory.settings import PlcSettings
from programs import dev_accounts, workers
from programs.command_line import with_path
from programs.demo import other_apps
from programs.demo.fill import address_of, fill
from programs.demo.pictures import TownPictures
from programs.demo.town import PEOPLE, ZONE
from programs.dev_accounts import DevAccounts
from programs.platform import Platform, open_installation
from programs.running import VERSION, free_ports, run_until_stopped, wait_for_stop
from programs.sources import sort_by_kind
from programs.web import open_sites

HOST = "127.0.0.1"
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the servers that ``openmeet up`` starts: PLC directory, PDS and website."""

    plc: int
    pds: int
    web: int


# For `openmeet sync`, `openmeet pds account` and the roles: `--settings var/settings.toml`.
SETTINGS_FILE = "settings.toml"


@dataclass(frozen=True, slots=True)
class FurtherSources:
    """Sources in addition to the network's own PDS, and the directory of their accounts."""

    sources: tuple[str, ...] = ()
    plc_url: str = ""


class NetworkReady(msgspec.Struct, frozen=True):
    """Content of ``--ready-file``, for programs that run tests against this network."""

    openmeet: str
    pds: str
    plc: str
    admin_password: str
    people: tuple[dev_accounts.DevAccount, ...]
    settings: str
    pid: int


def run_network(
    data: Path | None, ports: Ports, ready_file: Path | None, *, further: FurtherSources, with_demo: bool
) -> None:
    """Start a network and keep it running until the process is asked to stop. ``data``: its folder; None to keep
    nothing.
    """

    async def run() -> None:
        async with network(folder, ports, ready_file, further=further, with_demo=with_demo) as ready:
            typer.echo(greeting(ready, is_kept=data is not None, has_town=with_demo))
            await wait_for_stop()
            typer.echo("Stopping…")

    with (
        tempfile.TemporaryDirectory(prefix="openmeet-") if data is None else contextlib.nullcontext(data) as folder_name
    ):
        folder = Path(folder_name).absolute()
        run_until_stopped(run)


def ports_of(default: Ports, **requested: int | None) -> Ports:
    """The requested ports, with the default for each that is None. Raises InvalidInput, naming the option."""
    chosen_ports = {name: port for name, port in requested.items() if port is not None}
    for name, port in chosen_ports.items():
        if not 1 <= port <= MAX_PORT:
            raise InvalidInput(name, f"--{name}-port must be between 1 and {MAX_PORT}; {port} is not.")
    return replace(default, **chosen_ports)


def ephemeral_ports() -> Ports:
    """Three different free ports. Raises Refused if there are none."""
    ports = list(islice(free_ports(HOST), 3))
    if len(ports) < 3:
        raise Refused(
            f"There are no three free ports on {HOST}. Choose them with --plc-port, --pds-port and --web-port."
        )
    return Ports(*ports)


@asynccontextmanager
async def network(
    folder: Path,
    ports: Ports,
    ready_file: Path | None = None,
    *,
    further: FurtherSources = FurtherSources(),
    with_demo: bool = False,
) -> AsyncIterator[NetworkReady]:
    """Run the network for the duration of the block. Its parts communicate only over sockets. ``with_demo``: the demo
    town is written first.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        stack.enter_context(dev_accounts.lock_folder(folder))
        home = dev_accounts.find_or_make(folder, ports.pds)
        # A development network creates and changes identities faster than the public directory would allow.
        plc_settings = PlcSettings(
            port=ports.plc, data_directory=folder / "plc", hourly_limit=0, daily_limit=0, weekly_limit=0
        )
        directory = await stack.enter_async_context(open_directory(plc_settings, clock, version=VERSION))
        plc = await _serve_until_end(stack, directory, "plc", ports.plc)

        bypass_key = Secret(secrets.token_hex(16))  # only the two servers have it, and it changes at each start
        pds_settings = replace(_pds_settings(folder, ports.pds, plc.url, home), rate_limit_bypass_key=bypass_key)
        pds = await stack.enter_async_context(open_server(pds_settings, clock, version=VERSION))
        await _serve_until_end(stack, pds.app, "pds", ports.pds)
        operators = await create_dev_accounts(pds.registry, home)

        own_settings = _platform_settings(folder, ports, pds_settings.url, plc.url, home)
        platform_settings = replace(
            own_settings,
            pds_rate_limit_bypass_key=bypass_key,
            operators=operators,
            moderators=operators,
            time_zone=ZONE if with_demo else own_settings.time_zone,
        )
        tenants = checked({DEFAULT_TENANT: await _listening_to(platform_settings, further)})
        settings = tenants[DEFAULT_TENANT]
        keep_settings(settings, pds_settings, plc_settings, folder / SETTINGS_FILE)
        installation = await stack.enter_async_context(open_installation(tenants, clock))
        if with_demo:
            async with asyncio.TaskGroup() as group:
                # So that the first visitor can search near a town.
                group.create_task(_build_places(Gazetteer(places_path(settings))))
                group.create_task(_fill_town(installation.default))
        await stack.enter_async_context(workers.running(installation))
        hosts = await stack.enter_async_context(open_sites(installation))
        await _serve_until_end(stack, hosts, "web", ports.web)
        stack.callback(hosts.end_streams)
        if with_demo:
            await other_apps.write(clock, pds_settings.url, home.people)

        ready = NetworkReady(
            settings.public_url,
            pds_settings.url,
            plc.url,
            home.admin_password,
            home.people,
            str(folder / SETTINGS_FILE),
            os.getpid(),
        )
        if ready_file is not None:
            private_file.write(ready_file, msgspec.json.encode(ready))
            stack.callback(ready_file.unlink, missing_ok=True)
        yield ready


async def _build_places(gazetteer: Gazetteer) -> None:
    if not gazetteer.is_built:
        await gazetteer.build()


async def _fill_town(platform: Platform) -> None:
    """Write the demo town: over a thousand commits, which need not wait for the disk, and which may be slow on a busy
    machine, because nobody else uses the database yet.
    """
    settings = platform.settings
    db = open_sqlite(
        sqlite_path(settings.tenant_database_url, settings.database_schema),
        platform.clock,
        transaction_seconds=60.0,
        waits_for_disk=False,
    )
    try:
        await fill(db, pictures=TownPictures(platform.pictures, platform.workers))
    finally:
        await db.close()


async def _serve_until_end(stack: AsyncExitStack, app: ASGIApp, name: str, port: int) -> HttpServer:
    serving = await listen(app, name, port)
    stack.push_async_callback(serving.stop)
    return serving


async def listen(app: ASGIApp, name: str, port: int) -> HttpServer:
    """Serve one part. Raises Refused, naming the option for another port."""
    try:
        # All clients are on this machine and share one address.
        return await serve(app, HOST, port, connections_of_address=MAX_CONNECTIONS)
    except Refused as refused:
        raise Refused(
            f"{refused.why} Is another network running? The option for the port is --{name}-port."
        ) from refused


def _pds_settings(folder: Path, port: int, plc_url: str, home: DevAccounts) -> pds_settings.PdsSettings:
    """Settings of the PDS. Raises SettingsRefused for an invalid environment variable."""
    pds_settings_read = read_settings(
        pds_settings.PdsSettings,
        prefix=pds_settings.PREFIX,
        environment=_only("PDS_RATE_LIMITS_ENABLED"),
        table={"hostname": "localhost", "admin_password": home.admin_password},
    )
    return check_settings(
        replace(
            pds_settings_read,
            service_name="Aurora Locus",
            port=port,
            public_url=f"http://localhost:{port}",
            data_directory=folder / "pds",
            did_plc_url=plc_url,
            dev_mode=True,
        )
    )


def _platform_settings(folder: Path, ports: Ports, pds_url: str, plc_url: str, home: DevAccounts) -> Settings:
    """Settings of the platform. Raises SettingsRefused for an invalid environment variable."""
    return replace(
        read_settings(Settings, prefix=PREFIX, environment=_only("OPENMEET_DEV_LIMITS")),
        public_url=f"http://{HOST}:{ports.web}",
        port=ports.web,
        data_directory=folder / "openmeet",
        # People who try this out want to see their own records, including those that other tools wrote.
        network_shown="everything",
        dev_mode=True,
        dev_mailbox=True,
        allow_private_addresses=True,
        pds_url=pds_url,
        pds_admin_password=Secret(home.admin_password),
        pds_handle_domain=".test",
        plc_url=plc_url,
        firehose_urls=(pds_url.replace("http", "ws", 1),),
    )


def _only(name: str) -> dict[str, str]:
    """Only this variable of the environment. The others are for installations, and this network chooses its own
    settings.
    """
    return {name: os.environ[name]} if name in os.environ else {}


async def _listening_to(settings: Settings, further: FurtherSources) -> Settings:
    """Sort the further sources by kind. Raises InvalidInput if one is not a URL or does not answer."""
    http = HttpClient(DEVELOPMENT)
    try:
        sources = await sort_by_kind(http, SystemClock(), further.sources)
    finally:
        await http.close()
    return replace(
        settings,
        firehose_urls=(*settings.firehose_urls, *sources.pdses),
        relay_urls=sources.relays,
        jetstream_urls=sources.jetstreams,
        second_plc_url=further.plc_url.rstrip("/"),
    )


async def create_dev_accounts(registry: Registry, home: DevAccounts) -> tuple[str, ...]:
    """Create the missing development accounts. Returns the DID of the first one, whose owner also runs the site.

    Returns an empty tuple if no account has that handle any more. Accounts may be deleted or renamed, and are not
    restored.
    """
    for person in home.people:
        async with registry.db.reader() as reader:
            existing = await queries.find_by_handle(reader, person.handle)
        if existing is None:
            try:
                await creation.create(
                    registry,
                    account_requests.AccountRequest(handle=person.handle, email=person.email, password=person.password),
                )
            except Refused as refused:
                if refused.name in {handles.handle_taken().name, account_requests.email_taken().name}:
                    continue
                raise Refused(f"The account {person.handle} could not be created: {refused.why}") from refused
    async with registry.db.reader() as reader:
        first = await queries.find_by_handle(reader, home.people[0].handle)
    return () if first is None else (str(first.did),)


def keep_settings(settings: Settings, pds: pds_settings.PdsSettings, plc: PlcSettings, path: Path) -> None:
    """Write the settings for operators' commands on this network. The file contains the administrator's password."""
    tables: dict[str, dict[str, object]] = {
        "openmeet": {
            "data_directory": str(settings.data_directory),
            "public_url": settings.public_url,
            "port": settings.port,
            "pds_url": settings.pds_url,
            "pds_admin_password": settings.pds_admin_password.reveal(),
            "pds_handle_domain": settings.pds_handle_domain,
            "plc_url": settings.plc_url,
            "second_plc_url": settings.second_plc_url,
            "firehose_urls": list(settings.firehose_urls),
            "relay_urls": list(settings.relay_urls),
            "jetstream_urls": list(settings.jetstream_urls),
            "network_shown": settings.network_shown,
            "operators": list(settings.operators),
            "moderators": list(settings.moderators),
            "dev_mode": settings.dev_mode,
            "dev_mailbox": settings.dev_mailbox,
            "allow_private_addresses": settings.allow_private_addresses,
        },
        "pds": {
            "hostname": pds.hostname,
            "service_name": pds.service_name,
            "port": pds.port,
            "public_url": pds.public_url,
            "data_directory": str(pds.data_directory),
            "did_plc_url": pds.did_plc_url,
            "admin_password": pds.admin_password.reveal(),
            "dev_mode": pds.dev_mode,
        },
        "plc": {"port": plc.port, "data_directory": str(plc.data_directory)},
    }
    # JSON strings, numbers, lists and booleans are valid TOML.
    lines = [
        line
        for table, columns in tables.items()
        for line in (
            f"[{table}]",
            *(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in columns.items()),
        )
    ]
    private_file.write(path, "\n".join([*lines, ""]).encode())


def greeting(ready: NetworkReady, *, is_kept: bool = True, has_town: bool = False) -> str:
    """Text that the terminal shows when every part answers. ``has_town``: include one of the demo town’s people to sign
    in as.
    """
    ana = ready.people[0]
    collection = "community.lexicon.calendar.event"
    now = datetime.now(UTC)
    record = msgspec.json.encode(
        {
            "repo": ana.handle,
            "collection": collection,
            "record": {
                "$type": collection,
                "name": "Board games at the library",
                "createdAt": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "startsAt": (now + timedelta(days=7)).strftime("%Y-%m-%dT18:00:00Z"),
            },
        }
    ).decode()
    login = msgspec.json.encode({"identifier": ana.handle, "password": ana.password}).decode()
    width = max(len(person.handle) for person in ready.people) + 2
    people = "\n".join(f"  {person.handle:{width}}{person.password}" for person in ready.people)
    command, settings_path = with_path(sys.argv[0]), with_path(ready.settings)
    ends = (
        "Ctrl-C stops it. The data is kept for the next start." if is_kept else "Ctrl-C stops it, and nothing is kept."
    )
    town = (
        f"\n  the town     {ready.openmeet}/sign-in     (as {address_of(PEOPLE[0])}, for example)" if has_town else ""
    )
    call, json = f"curl -s {ready.pds}/xrpc/com.atproto", "-H 'Content-Type: application/json'"
    return f"""
OpenMeet       {ready.openmeet}
  mailbox      {ready.openmeet}/dev/mail    (sign-in codes arrive here){town}
  operators    {ready.openmeet}/operating   (sign in as {ana.handle}, who moderates, too)
  API          {ready.openmeet}/api/openapi.json
Aurora Locus   {ready.pds}
  accounts     {ready.pds}/account   (sign in as {ana.handle})
  operators    {ready.pds}/admin     (admin, {ready.admin_password})
PLC directory  {ready.plc}

Accounts on the PDS; handle and password also open a session in OpenMeet:
{people}

Open a session, create an event record, read it back:
  TOKEN=$({call}.server.createSession {json} -d '{login}' | sed -E 's/.*"accessJwt":"([^"]+)".*/\\1/')
  URI=$({call}.repo.createRecord {json} -H "Authorization: Bearer $TOKEN" -d '{record}' | sed -E 's/.*"uri":"([^"]+)".*/\\1/')
  {call}.repo.getRecord"?repo={ana.handle}&collection={collection}&rkey=${{URI##*/}}"

For operators:
  {command} sync status --settings {settings_path}
  {command} pds account list --settings {settings_path}
{ends}
"""
