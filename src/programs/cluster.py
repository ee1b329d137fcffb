"""``openmeet cluster``: the distributed form on one machine. Every part is a process. PostgreSQL, RabbitMQ and Redis
run separately.

There are two processes of each part that can run more than once: web, event-processor, publisher, PDS. There is one
directory, one consumer and one scheduler. The platform and the PDS store everything in PostgreSQL, communicate through
RabbitMQ and share a Redis. A part that ends is restarted. Passwords and keys are in the folder, as with ``openmeet
up``.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import typer

from groundwork import private_file
from groundwork.database.connection_failures import CONNECTION_FAILURES, connection_failure
from groundwork.errors import Refused
from groundwork.sealing import fresh_key
from groundwork.telemetry.logs import log
from programs import dev_accounts
from programs.balancer import listen_balanced
from programs.cluster_environment import HOST, NETWORK_SCHEMA, OPENMEET_SCHEMA, OPERATOR, ClusterOptions, environment_of
from programs.command_line import with_path
from programs.dev_accounts import DevAccounts
from programs.platform_settings import read_installation_settings
from programs.running import free_ports, run_until_stopped, stopping

COUNTS: Mapping[str, int] = {
    "plc": 1,
    "pds": 2,
    "web": 2,
    "firehose-consumer": 1,
    "event-processor": 2,
    "publisher": 2,
    "scheduler": 1,
}
READY_SECONDS = 120.0
_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 30.0


@dataclass(slots=True)
class Member:
    """One process of the cluster: its address, and how often it was restarted."""

    name: str
    role: str
    environment: dict[str, str]
    ready_url: str
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0


class ClusterMember(msgspec.Struct, frozen=True):
    """A process as listed in ``members.json``."""

    role: str
    pid: int
    ready_url: str
    restarts: int


# For operators' commands: `. var-cluster/openmeet.env`.
ENVIRONMENT_FILE = "openmeet.env"


class ClusterReady(msgspec.Struct, frozen=True):
    """Content of ``members.json`` in the folder. The file is rewritten whenever a member is started, and deleted when the
    cluster has stopped.
    """

    openmeet: str
    communities: dict[str, str]
    pds: str
    plc: str
    admin_password: str
    members: dict[str, ClusterMember]


def run_cluster(options: ClusterOptions) -> None:
    """Start every part and keep all of them running until the process is asked to stop."""

    async def run() -> None:
        async with stopping() as stop, running(options, stop) as ready:
            typer.echo(greeting(ready, options.folder))
            await stop.wait()
            typer.echo("Stopping…")

    run_until_stopped(run)


@asynccontextmanager
async def running(options: ClusterOptions, stop: asyncio.Event) -> AsyncIterator[ClusterReady]:
    """Run the cluster for the duration of the block. Raises Refused if a part does not start, if a port is taken, or if
    ``stop`` is set before all parts answer.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(dev_accounts.lock_folder(options.folder))
        home = dev_accounts.find_or_make(options.folder, options.pds_port)
        await _make_schemas(options)
        members, ports = _members(options, home)
        shown = _MembersFile(options, home, members)
        stack.callback(shown.delete)
        for public, kind in ((options.pds_port, "pds"), (options.web_port, "web")):
            try:
                await stack.enter_async_context(listen_balanced(HOST, public, ports[kind]))
            except OSError as error:
                raise Refused(f"Port {public} of {HOST} cannot be used: {error.strerror or error}.") from error
        typer.echo(f"Starting {len(members)} processes. Their logs are in {options.folder}.")
        over = asyncio.Event()
        watches: list[asyncio.Task[None]] = []
        stack.push_async_callback(_stop, over, watches, members)
        # Start the first process of each kind that migrates a database, one after another; then all others.
        firsts = [next(one for one in members if one.role == kind) for kind in ("plc", "pds", "web")]
        for together in (*([one] for one in firsts), [one for one in members if one not in firsts]):
            for member in together:
                await _start_process(options, member)
            await asyncio.gather(*(_until_ready(options, member, stop) for member in together))
            watches += [
                asyncio.create_task(_keep_running(options, member, shown, over), name=f"watch {member.name}")
                for member in together
            ]
        shown.write()
        shown.write_environment()
        yield shown.ready()


@dataclass(frozen=True, slots=True)
class _MembersFile:
    """The file that lists the running members."""

    options: ClusterOptions
    home: DevAccounts
    members: list[Member]

    def ready(self) -> ClusterReady:
        return ClusterReady(
            openmeet=f"http://{HOST}:{self.options.web_port}",
            communities={name: self.options.address_of(name) for name in self.options.communities},
            pds=f"http://localhost:{self.options.pds_port}",
            plc=next(one.ready_url.rpartition("/")[0] for one in self.members if one.role == "plc"),
            admin_password=self.home.admin_password,
            members={
                one.name: ClusterMember(one.role, one.process.pid, one.ready_url, one.restarts)
                for one in self.members
                if one.process is not None
            },
        )

    @property
    def path(self) -> Path:
        return self.options.folder / "members.json"

    def write(self) -> None:
        private_file.write(self.path, msgspec.json.encode(self.ready()))

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    def write_environment(self) -> None:
        """Write a shell file with the environment for commands that operate on the cluster. It contains the
        administrator's password.
        """
        variables = {name: value for kind in ("pds", "scheduler") for name, value in self._of(kind).items()}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(variables.items())]
        private_file.write(self.options.folder / ENVIRONMENT_FILE, "".join(lines).encode())

    def _of(self, kind: str) -> dict[str, str]:
        return next(one.environment for one in self.members if one.role == kind)


async def _make_schemas(options: ClusterOptions) -> None:
    try:
        connection = await asyncpg.connect(options.database)
    except CONNECTION_FAILURES as failure:
        raise connection_failure(options.database, failure) from failure
    try:
        for schema in (OPENMEET_SCHEMA, NETWORK_SCHEMA):
            await connection.execute(f'create schema if not exists "{schema}"')
    finally:
        await connection.close()


def _members(options: ClusterOptions, home: DevAccounts) -> tuple[list[Member], dict[str, list[int]]]:
    # A port must still be free when its member is restarted.
    free = free_ports(HOST)
    ports = {kind: [next(free) for _ in range(number)] for kind, number in COUNTS.items()}
    plc_url = f"http://{HOST}:{ports['plc'][0]}"
    keys = _keys(options.folder)
    members = []
    for kind, number in COUNTS.items():
        for index, port in enumerate(ports[kind]):
            path = {"plc": "/_health", "pds": "/xrpc/_health"}.get(kind, "/health/ready")
            environment = environment_of(kind, options, home, port=port, plc_url=plc_url, keys=keys)
            name = f"{kind}-{index + 1}" if number > 1 else kind
            if kind == "web":
                read_installation_settings(None, environment)  # report invalid settings before anything is started
            members.append(Member(name, kind, environment, f"http://{HOST}:{port}{path}"))
    return members, ports


def _keys(folder: Path) -> str:
    """Sealing keys, shared by all processes: a value that one of them sealed must be readable by the others."""
    path = folder / "sealing.keys"
    if not path.exists():
        private_file.write(path, fresh_key().encode())
    return path.read_text()


async def _start_process(options: ClusterOptions, member: Member) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PDS_", "OPENMEET_", "PLC_"))
    }
    with (options.folder / f"{member.name}.log").open("ab") as output:
        member.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "programs.cli",
            member.role,
            env={**inherited, **member.environment},
            stdout=output,
            stderr=output,
        )


async def _until_ready(options: ClusterOptions, member: Member, stop: asyncio.Event) -> None:
    """Wait until every member answers. Raises Refused, naming the log to look at."""
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while member.process is not None and member.process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(member.ready_url) as answer:
                    if answer.status == 200:
                        return
            if asyncio.get_running_loop().time() > deadline:
                break
            if stop.is_set():
                raise Refused("Stopped before all parts had started. The parts that had started are stopped, too.")
            await asyncio.sleep(0.1)
    raise Refused(f"{member.name} did not start; see {options.folder / f'{member.name}.log'}.")


async def _keep_running(options: ClusterOptions, member: Member, shown: _MembersFile, over: asyncio.Event) -> None:
    """Restart the member whenever it ends, until the cluster stops."""
    while member.process is not None:
        status = await member.process.wait()
        if over.is_set():
            return
        log.warning("member.ended", member=member.name, status=status)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN_SECONDS):
                await over.wait()
            return
        member.restarts += 1
        await _start_process(options, member)
        if over.is_set():  # the cluster was stopped while this process was being started
            with contextlib.suppress(ProcessLookupError):
                member.process.terminate()
        shown.write()


async def _stop(over: asyncio.Event, watches: list[asyncio.Task[None]], members: list[Member]) -> None:
    """Stop the members in reverse order, and kill those that do not end in time."""
    over.set()
    for process in _running(members):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            while running := _running(members):
                await asyncio.gather(*(process.wait() for process in running))
    except TimeoutError:
        for process in _running(members):
            process.kill()
    await asyncio.gather(*watches)


def _running(members: list[Member]) -> list[asyncio.subprocess.Process]:
    """The processes that have not ended, the last started first."""
    return [one.process for one in reversed(members) if one.process is not None and one.process.returncode is None]


def greeting(ready: ClusterReady, folder: Path) -> str:
    """Text that the terminal shows when every part answers."""
    command, environment_path = with_path(sys.argv[0]), with_path(folder / ENVIRONMENT_FILE)
    parts = "\n".join(f"  {name:20}{one.pid:8}  {one.ready_url}" for name, one in ready.members.items())
    communities = "".join(f"  {name:13}{address}\n" for name, address in ready.communities.items())
    return f"""
OpenMeet       {ready.openmeet}
  mailbox      {ready.openmeet}/dev/mail    (sign-in codes arrive here)
  operators    {ready.openmeet}/operating   (sign up as {OPERATOR})
{communities}Aurora Locus   {ready.pds}   (operators: admin, {ready.admin_password})

Processes (a process that ends is restarted):
{parts}

For operators:
  (. {environment_path}; {command} sync status)
  (. {environment_path}; {command} pds account list)
Ctrl-C stops them all.
"""
