"""``openmeet`` commands as processes that are forked from one that has already imported them.

Importing takes two seconds of processor time, more than most commands need for their work, and the tests start hundreds
of commands. A forked process has its own id, environment, folder, files and signals. Only what happens before and after
``main`` is skipped; ``tests/programs/test_cli.py``, the tour and the benchmarks therefore start the script itself.

``python -m tests.fork_server FD`` is the process that forks. Each line on its socket requests a command and passes four
descriptors: stdin, stdout, stderr, and a socket on which it reports the process id and, at the end, the exit status.
"""

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

from tests.compiled_templates import keep_compiled_templates

# Set by tests/conftest.py. Benchmarks and the tour leave it unset and start the script.
is_enabled = False

_REQUEST_BYTES = 1 << 20
_ROOT = Path(__file__).parent.parent


def inherited_environment() -> dict[str, str]:
    """The environment of the tests without the settings of servers."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PDS_", "OPENMEET_", "PLC_"))}


class ForkedCommand:
    """A running command, with the part of ``asyncio.subprocess.Process`` that tests use."""

    def __init__(self, told: socket.socket, pid: int) -> None:
        self._told = told
        self._status: int | None = None
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        """None while the command runs; the negative signal number if a signal ended it."""
        if self._status is None:
            self._listen()
        return self._status

    def end(self) -> int:
        """Block until the command ends."""
        if self._status is None:
            self._listen(0)
        assert self._status is not None
        return self._status

    async def wait(self) -> int:
        """Wait until the command ends."""
        while self._status is None:
            if self._listen():
                break
            await _readable(self._told)
        assert self._status is not None
        return self._status

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _listen(self, flags: int = socket.MSG_DONTWAIT) -> bool:
        try:
            line = self._told.recv(100, flags)
        except BlockingIOError:
            return False
        if not line:
            raise RuntimeError("the preloaded process has ended")
        self._status = int(line)
        self._told.close()
        return True


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


class ForkServer:
    """The process that forks commands; started with the first command."""

    def __init__(self) -> None:
        self._requests: socket.socket | None = None
        self._opening = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: int,
        stderr: int,
        *,
        stdin: int | None = None,
        folder: Path = _ROOT,
    ) -> ForkedCommand:
        """Start ``openmeet ARGUMENTS`` with exactly this environment."""
        with self._opening:
            requests = self._requests or self._open()
        told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = {"arguments": list(arguments), "environment": dict(environment), "folder": str(folder)}
        with telling, Path(os.devnull).open("rb") as nothing:
            files = [nothing.fileno() if stdin is None else stdin, stdout, stderr, telling.fileno()]
            socket.send_fds(requests, [json.dumps(asked).encode()], files)
        return ForkedCommand(told, int(told.recv(100)))

    def run(
        self, *arguments: str, environment: dict[str, str], given: str = "", folder: Path = _ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, like ``subprocess.run``."""
        with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
            stdin.write(given.encode())
            for file in (stdin, stdout, stderr):
                file.seek(0)
            outputs = stdout.fileno(), stderr.fileno()
            running = self.start(
                arguments, inherited_environment() | environment, *outputs, stdin=stdin.fileno(), folder=folder
            )
            status = running.end()
            stdout.seek(0)
            stderr.seek(0)
            said, complained = stdout.read().decode(), stderr.read().decode()
            return subprocess.CompletedProcess(["openmeet", *arguments], status, said, complained)

    def _open(self) -> socket.socket:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST_BYTES)
        with there:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(there.fileno())],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
            )
        self._requests = here

        def end() -> None:
            here.close()  # tells the process to end
            process.wait()

        atexit.register(end)
        return here


FORK_SERVER = ForkServer()


def serve(requests: socket.socket) -> list[str] | None:
    """Fork for each request. Returns twice: None at the end, and in each forked process the arguments of its command."""
    import_commands()
    keep_compiled_templates()
    # Objects that are never collected are not copied into the forked processes.
    gc.freeze()
    woken, waking = socket.socketpair()
    woken.setblocking(False)
    waking.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # Ctrl-C is meant for the tests; this process ends after them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(waking.fileno())
    running: dict[int, socket.socket] = {}
    asked: dict[str, Any] = {}
    files: list[int] = []
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                _tell_ends(running)
            if requests not in ready:
                continue
            text, files, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
            if not text:
                return None
            asked = json.loads(text)
            pid = os.fork()
            if not pid:
                break
            for file in files[:3]:
                os.close(file)
            running[pid] = socket.socket(fileno=files[3])
            running[pid].send(str(pid).encode())
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for inherited_environment in (woken, waking, requests, *running.values()):
        inherited_environment.close()
    for file in files:
        os.close(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    sys.path.remove(str(_ROOT))
    random.seed()
    found: list[str] = asked["arguments"]
    return found


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Report all processes that have ended, because the system may merge several signals into one."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        # The test is over and no longer reads the reports.
        with running.pop(pid) as told, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            told.send(str(os.waitstatus_to_exitcode(status)).encode())


def import_commands() -> None:
    """Import every role, noun and verb as the command does, and the modules that every command would load again."""
    import typer  # imported here because the tests that use this module import no program

    import programs
    from aurora_locus.i18n import catalogue as messages_of_the_pds
    from openmeet.i18n import catalogue as messages_of_the_site
    from programs import cli

    tables = (cli.ROLES, cli.NOUNS, *cli.VERBS.values())
    # A role imports its parts when it starts.
    parts = {f"programs.{found.name}" for found in pkgutil.iter_modules(programs.__path__)}
    for module in sorted(parts | {module for table in tables for module, _ in table.values()}):
        importlib.import_module(module)
    # Typer imports its argument parser with the first command; this and the messages take a tenth of a second.
    nothing = typer.Typer(add_completion=False)
    nothing.command()(lambda: None)
    nothing([], standalone_mode=False)
    for messages in (messages_of_the_pds, messages_of_the_site):
        messages.CATALOGUE.read_all()
    # A thread does not survive a fork, and the locks that it holds would stay locked.
    assert threading.active_count() == 1, threading.enumerate()


def _main() -> NoReturn:
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    if arguments is None:
        sys.exit(0)
    from programs.cli import main  # imported here because the process that requests commands does not need it

    sys.argv = ["openmeet", *arguments]
    _end(main())


def _end(status: int) -> NoReturn:
    """End as multiprocessing ends a forked process: tearing down two thousand modules would cost more than most
    commands.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # private
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _main()
