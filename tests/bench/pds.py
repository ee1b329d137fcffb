"""A PDS to be measured: its database is filled through the write path, then the real program runs in a separate
process.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b32encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import cbor
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import parse_handle
from aurora_locus.accounts import queries
from aurora_locus.accounts.model import SessionScope
from aurora_locus.accounts.registry import Registry
from aurora_locus.app import open_server
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from aurora_locus.settings import PdsSettings
from aurora_locus.settings_checks import read_checked
from groundwork.clock import SystemClock
from groundwork.database.transaction import Writer
from tests.bench.figure import Wrong
from tests.bench.loop import run
from tests.bench.machine import processor_seconds, resident_mb
from tests.external_dependencies import ROOT
from tests.simulation.processes import free_port

T = TypeVar("T")

# Accounts per transaction while a database is being filled.
_AT_ONCE = 250


@dataclass(frozen=True)
class Account:
    """An account with a repository, and a token that can write to it."""

    did: Did
    key: K256PrivateKey
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class Pds:
    """One data folder and port. :meth:`fill` fills it, then :meth:`running` serves it."""

    def __init__(self, folder: Path, directory: str = "http://127.0.0.1:9") -> None:
        """``directory``: the URL of a PLC directory. By default no server listens at that URL, because few requests
        need it.
        """
        self.folder = folder
        self.port = free_port()
        self.environment = {
            "PDS_DEV_MODE": "true",
            "PDS_PORT": str(self.port),
            "PDS_DATA_DIRECTORY": str(folder / "pds"),
            "PDS_DID_PLC_URL": directory,
        }
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> PdsSettings:
        return read_checked(self.environment)

    def fill(self, work: Callable[[Registry], Awaitable[T]]) -> T:
        """Open the server in this process, without a socket, and let ``work`` write."""

        async def filling() -> T:
            async with open_server(self.settings, SystemClock(), version="bench", access_log=False) as server:
                return await work(server.registry)

        return run(filling())

    @contextmanager
    def running(self) -> Iterator["Running"]:
        """Run ``openmeet pds`` until the block ends. It must then stop cleanly."""
        pure = [] if cbor.IS_COMPILED else ["--pure"]
        command = [sys.executable, "-m", "tests.bench.program", *pure, "pds"]
        log = self.folder / "pds.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **self.environment}, stdout=output, stderr=output
            )
        try:
            _wait_until_ready(self.url, process, log)
            yield Running(self.url, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(timeout=20)
        if status != 0:
            raise Wrong(f"the PDS ended with status {status}:\n{log.read_text()[-2000:]}")


@dataclass(frozen=True)
class Running:
    """The address and the process of a running server."""

    url: str
    pid: int

    @property
    def resident_mb(self) -> float:
        return resident_mb(self.pid)

    @property
    def processor_seconds(self) -> float:
        return processor_seconds(self.pid)


async def make_accounts(registry: Registry, count: int, done: Callable[[int], None] = lambda _: None) -> list[Account]:
    """Create and announce active accounts with empty repositories and sealed keys, several per transaction. The
    functions are those that createAccount uses, without a password or a directory, which are not measured.
    """
    accounts = [_account(registry, number) for number in range(count)]
    for first in range(0, count, _AT_ONCE):
        some = accounts[first : first + _AT_ONCE]
        beginnings = [hosting.begin(registry.repositories, account.did, account.key) for account in some]

        def work(w: Writer, first: int = first, some: list[Account] = some, begun: list = beginnings) -> None:
            for number, (account, beginning) in enumerate(zip(some, begun, strict=True), first):
                handle = parse_handle(f"person{number}.test")
                hosting.create(w, beginning, HostingStatus.ACTIVE)
                queries.insert(w, account.did, handle, email=None, password_hash=None)
                registry.repositories.keys.make_current(w, account.did, account.key)
                hosting.announce_creation(w, registry.repositories, handle, beginning)

        await registry.db.write(work)
        done(first + len(some))
    return accounts


def _account(registry: Registry, number: int) -> Account:
    secret = hashlib.sha256(f"bench {number}".encode()).digest()
    did = parse_did("did:plc:" + b32encode(secret)[:24].decode().lower())
    return Account(did, K256PrivateKey(secret), registry.tokens.access(did, SessionScope.FULL, SystemClock().now()))


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/xrpc/_health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise Wrong(f"the PDS did not start:\n{log.read_text()[-2000:]}")
