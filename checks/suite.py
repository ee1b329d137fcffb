"""Run the whole test suite on several workers: ``python -m checks.suite``.

Each worker is a pytest process that asks for a file, collects it, runs it and asks again (``checks/suite_worker.py``).
So no file is collected twice, and a free worker always gets the next file. Long files come first, according to the
durations recorded in ``checks/durations.json``.

``--short`` leaves out what ``checks/short_run.py`` says, so that ``make test`` ends in about eight minutes.

A failed test fails the run. If at most six tests fail, each is run again alone:
docs/decisions/0116-run-failed-tests-again-alone.md. Why we have our own runner:
docs/decisions/0096-let-each-test-worker-collect-only-the-files-it-runs.md.
"""

import argparse
import bisect
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.stale_databases import process_of

from checks import durations, inventory, postgres, rerun, short_run
from checks.durations import Record

# On a disk, each of tens of thousands of database commits would wait for it. Data in memory survives the end of a
# program just as well.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30

# The variable with the folder in which the processes of a run keep compiled templates (tests/compiled_templates.py).
COMPILED_TEMPLATES = "OPENMEET_TEST_TEMPLATES"
# The tests of a file that takes longer are distributed over the workers.
SPREAD_SECONDS = 45.0
# A worker reports each test, and a test may take fifteen minutes (pyproject.toml). A worker that reports nothing for
# longer is stuck.
SILENT_SECONDS = 1000.0
# Estimates for files without a recorded duration: files in these folders take minutes, others seconds.
LONG = ("tests/simulation/", "tests/attack/", "tests/interop/", "tests/system/")
LONG_SECONDS, SHORT_SECONDS = 60.0, 1.0

# Groups of files that one worker runs one after the other, because they share what they start, or because two of them
# at once are too much for the machine. The group "cluster" leaves few of PostgreSQL's hundred connections. Only two
# groups start whole installations, so at most two run at a time: with four, servers took longer to start than the tests
# wait for them.
TOGETHER = {
    "tests/aurora_locus/reference_import/test_reference_import.py": "reference",
    "tests/system/test_account_merge.py": "up",
    "tests/system/test_cluster_kills.py": "cluster",
    "tests/system/test_communities.py": "cluster",
    "tests/system/test_disk_full.py": "up",
    "tests/system/test_durable_answers.py": "up",
    "tests/system/test_unavailable_services.py": "cluster",
    "tests/system/test_pds_kills.py": "up",
    "tests/system/test_publishing.py": "up",
    "tests/system/test_tour.py": "up",
    "tests/system/test_up.py": "up",
    "tests/system/test_worker_kills.py": "cluster",
    "tests/openmeet/site/test_openapi.py": "openapi",
    "tests/interop/parity/test_parity.py": "parity",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Every ``of``-th test of a file, starting with test number ``first``. ``file``: its name as in pytest."""

    file: str
    first: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Unit:
    """Work that a worker takes at once. ``seconds``: its expected duration."""

    seconds: float
    parts: tuple[Part, ...]


def plan(files: Iterable[str], recorded: Mapping[str, float], workers: int) -> list[Unit]:
    """Distribute the tests of all files over units, each test once. The longest units come first."""
    units: list[Unit] = []
    groups: dict[str, list[str]] = {}
    for file in sorted(files):
        expected = recorded.get(file) or _estimate(file)
        if file in TOGETHER:
            groups.setdefault(TOGETHER[file], []).append(file)
        elif expected > SPREAD_SECONDS:
            units += (Unit(expected / workers, (Part(file, first, workers),)) for first in range(workers))
        else:
            units.append(Unit(expected, (Part(file),)))
    for group in groups.values():
        units.append(
            Unit(sum(recorded.get(file) or _estimate(file) for file in group), tuple(Part(file) for file in group))
        )
    return sorted(units, key=lambda unit: -unit.seconds)


def _estimate(file: str) -> float:
    is_long = file.startswith(LONG) or file in TOGETHER
    return LONG_SECONDS if is_long else SHORT_SECONDS


@dataclass
class Outcome:
    """What the workers have reported. Each of them writes here from its own thread."""

    passed: int = 0
    failed: list[rerun.Failure] = field(default_factory=list)
    flaky: list[rerun.FlakyTest] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)
    cases: list[str] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    ran: list[dict[str, Any]] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, report: dict[str, Any]) -> None:
        """Add the report about one phase of one test, or about a file that cannot be collected."""
        with self.lock:
            file = report["id"].partition("::")[0]
            self.seconds[file] += report["seconds"]
            if report["when"] == "call" or report["outcome"] == "skipped":
                self.cases.append(report["id"])
            match report["outcome"]:
                case "passed" if report["when"] == "call":
                    self.passed += 1
                case "skipped":
                    self.skipped[report["text"]] += 1
                case "failed":
                    name, text = f"{report['id']} ({report['when']})", report["text"]
                    self.failed.append(rerun.Failure(name, report.get("test", ""), text))
                    print(f"\nFAILED {name}\n{text}", flush=True)


class Suite:
    """One run: the units that no worker has taken yet, and the reports so far."""

    def __init__(self, units: list[Unit], folder: Path, arguments: list[str]) -> None:
        self.outcome = Outcome()
        self._units, self._left = len(units), units
        self._folder, self._arguments = folder, arguments
        self._began = time.monotonic()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._interrupted = threading.Event()

    def work(self, number: int) -> None:
        """Run one worker until it ends."""
        here, there = socket.socketpair()
        log = self._folder / f"worker-{number}.log"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "checks.suite_worker", f"--suite-fd={there.fileno()}"]
        arguments = [f"{it}-{number}" if it.startswith("--basetemp=") else it for it in self._arguments]
        with here, there, log.open("wb") as output, here.makefile("rw", encoding="utf-8") as stream:
            with self.outcome.lock:
                if self._interrupted.is_set():
                    return
                process = subprocess.Popen(
                    [*command, "-p", "no:cacheprovider", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=_environment(),
                    pass_fds=[there.fileno()],
                    start_new_session=True,
                )
                self._processes.append(process)
            there.close()
            last = _LastMessage(time.monotonic())
            watch = threading.Thread(target=_watch, args=(process, here, last))
            watch.start()
            running, has_failed = self._converse(stream, last)
            status = process.wait()
            watch.join()
        rerun.kill_session(process)
        if self._interrupted.is_set():
            return
        # Pytest's exit status 5: the worker started too late to get a test.
        if running is not None or status not in ({1} if has_failed else {0, 5}):
            text = log.read_text(encoding="utf-8", errors="replace")[-20_000:]
            with self.outcome.lock:
                self.outcome.broken.append(f"worker {number} ended with {status}, running {running}")
                print(f"\nWORKER {number} ended with {status}, running {running}\n{text}", flush=True)

    def interrupt(self) -> None:
        """End all workers and what they have started."""
        with self.outcome.lock:
            self._interrupted.set()
        rerun.interrupt(self._processes)
        for process in self._processes:
            rerun.kill_session(process)

    def _converse(self, stream: Any, last: "_LastMessage") -> tuple[str | None, bool]:
        """Serve a worker until it closes the connection. Returns the test that it was running then (None if it ended
        normally), and whether it reported a failure.
        """
        running: str | None = "nothing yet"
        has_failed = False
        for line in stream:
            last.at = time.monotonic()
            message = json.loads(line)
            if "report" in message:
                self.outcome.add(message["report"])
                has_failed |= message["report"]["outcome"] == "failed"
            elif "running" in message:
                running = message["running"]
            elif "left" in message:
                with self.outcome.lock:
                    self.outcome.left.update(message["left"])
            elif "pace" in message:
                with self.outcome.lock:
                    self.outcome.paces.append(message["pace"])
            elif "ran" in message:
                ran = message["ran"]
                with self.outcome.lock:
                    self.outcome.ran.append(ran)
                    self.outcome.cpu[ran["id"].partition("::")[0]] += ran["with_import"]
            else:
                unit = self._take()
                parts = [] if unit is None else [(part.file, part.first, part.of) for part in unit.parts]
                stream.write(json.dumps(parts) + "\n")
                stream.flush()
        return running, has_failed

    def _take(self) -> Unit | None:
        with self.outcome.lock:
            taken = self._units - len(self._left)
            if self._left and taken % 35 == 0:
                minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
                print(
                    f"{minutes:3}:{seconds:02} {100 * taken // self._units:3} % {self.outcome.passed} passed",
                    flush=True,
                )
            return self._left.pop(0) if self._left else None


@dataclass
class _LastMessage:
    """The time of a worker's last message."""

    at: float


def _watch(process: "subprocess.Popen[bytes]", here: socket.socket, last: _LastMessage) -> None:
    """Kill a worker that hangs, after it has written its stacks. Once it has exited, close the socket: a process that
    the worker forked may still run and keep the other end open, so that waiting for the end of the stream might never
    return.
    """
    while process.poll() is None:
        if time.monotonic() - last.at > SILENT_SECONDS:
            # Pytest has enabled faulthandler, which writes the stack of every thread.
            process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    # Messages that the worker has sent can still be read.
    here.shutdown(socket.SHUT_RDWR)


def main() -> int:
    """Run the suite. The exit status is 0 if every test of every file passed or was skipped and every worker ended
    normally.
    """
    parser = argparse.ArgumentParser(prog="python -m checks.suite", description=__doc__)
    parser.add_argument("paths", nargs="*", help="folders and files; default: all tests, compared with their record")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="leave out what checks/short_run.py says")
    parser.add_argument("--record", action="store_true", help="write down what the tests take: docs/decisions/0171")
    parser.add_argument(
        "--compare", action="store_true", help="fail if these paths take a fifth more processor time than recorded"
    )
    parser.add_argument(
        "--inventory", type=Path, metavar="FILE", help="write an inventory of the run: see checks/inventory.py"
    )
    arguments = parser.parse_args()
    is_whole = not arguments.paths
    compares = arguments.compare or (is_whole and not arguments.record)
    paths = arguments.paths or ["tests"]
    recorded = durations.read_record()
    files, left = durations.test_files(paths), Counter[str]()
    if arguments.short:
        files, left = short_run.files_to_run(files)
    units = plan(files, {file: times.get("wall", 0.0) for file, times in recorded.files.items()}, arguments.workers)
    with contextlib.ExitStack() as stack:
        options = stack.enter_context(folder_of_tests())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="openmeet-suite-"))
        needs_log = arguments.inventory or (arguments.record and postgres.VARIABLE not in os.environ)
        log = Path(folder, "postgres.log") if needs_log else None
        os.environ[COMPILED_TEMPLATES] = stack.enter_context(tempfile.TemporaryDirectory(prefix="openmeet-templates-"))
        _bring_postgres(stack, log)
        worker = ["--suite-short"] * arguments.short + ["--suite-costs"] * (arguments.record or compares)
        suite = Suite(units, Path(folder), [*worker, *options, *paths])
        with ThreadPoolExecutor(arguments.workers) as pool:
            try:
                list(pool.map(suite.work, range(arguments.workers)))
            except KeyboardInterrupt:
                suite.interrupt()
                raise
        outcome = suite.outcome
        if not outcome.broken:
            outcome.failed, outcome.flaky = rerun.rerun_failed(outcome.failed, options, _environment())
        if arguments.inventory:
            inventory.write(inventory.inventory_of(outcome.cases, log), arguments.inventory)
        if arguments.record and log is not None and log.is_file():
            short_run.write(short_run.read(), recorded_tests(outcome.ran, log), was_short=arguments.short)
    ran = Record(statistics.median(outcome.paces) if outcome.paces else 0.0, _times(outcome, arguments.short))
    status = _summary(outcome)
    if arguments.record and arguments.short:
        durations.write_short_record(recorded, ran)
    elif arguments.record:
        durations.write_record(Record(0.0, {}) if is_whole else recorded, ran)
    if arguments.short:
        print(*short_run.summary(outcome.left, left), sep="\n")
    print(f"{_all_processor_seconds():.0f} s of processor time, including servers and programs that the tests started")
    if compares:
        has_grown, lines = durations.comparison(recorded, ran, "short" if arguments.short else "cpu")
        print(*lines, sep="\n")
        return 1 if has_grown else status
    return status


def _all_processor_seconds() -> float:
    return sum(os.times()[:4])


def recorded_tests(ran: Iterable[Mapping[str, Any]], log: Path) -> dict[str, short_run.RecordedTest]:
    """The tests of a run with what they sent to PostgreSQL: each worker has its own databases and runs one test at a
    time. ``ran``: the workers' messages. ``log``: the server's log.
    """
    by_worker: dict[int, list[Mapping[str, Any]]] = {}
    for one in sorted(ran, key=lambda one: one["began"]):
        by_worker.setdefault(one["pid"], []).append(one)
    starts = {pid: [one["began"] for one in tests] for pid, tests in by_worker.items()}
    sent: dict[str, set[str]] = {one["id"]: set() for tests in by_worker.values() for one in tests}
    for made in inventory.produced(log):
        pid = process_of(made.database) or 0
        number = bisect.bisect(starts.get(pid, []), made.at) - 1
        if number >= 0 and made.at <= by_worker[pid][number]["ended"]:
            sent[by_worker[pid][number]["id"]].add(made.text)
    return {
        one["id"]: short_run.RecordedTest(
            one["seconds"], one["is_variant"], one["is_about_concurrency"], frozenset(sent[one["id"]])
        )
        for tests in by_worker.values()
        for one in tests
    }


@contextlib.contextmanager
def folder_of_tests() -> Iterator[list[str]]:
    """Yield the pytest options that put temporary folders in memory, if there is enough. They are deleted after the
    run.
    """
    if not _has_room():
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="openmeet-tests-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield [f"--basetemp={folder}/tests"]


def _has_room() -> bool:
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES


def _bring_postgres(stack: contextlib.ExitStack, log: Path | None) -> None:
    """Start a server for this run, unless the environment names one for the tests. ``log``: a file in which it logs
    each statement.
    """
    if postgres.VARIABLE in os.environ:
        if log is not None:
            raise SystemExit(f"unset {postgres.VARIABLE}: an inventory needs the log of a server of its own")
        return
    settings = postgres.SETTINGS if log is None else {**postgres.SETTINGS, **inventory.SERVER_SETTINGS}
    url = stack.enter_context(postgres.throw_away_server(MEMORY if _has_room() else None, settings=settings, log=log))
    if url is not None:
        os.environ[postgres.VARIABLE] = url


def _environment() -> dict[str, str]:
    # Without compiled files, each worker, and each program that a test starts, would compile all imported modules
    # again.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # With this, sets have the same order in every run. ``make soak`` tries other orders.
    environment.setdefault("PYTHONHASHSEED", "0")
    return environment


def _times(outcome: Outcome, is_short: bool) -> dict[str, dict[str, float]]:
    """What each file took. ``short`` is what a short run takes of it: all, if this is one."""
    times: dict[str, dict[str, float]] = {
        file: {"wall": wall, "cpu": outcome.cpu[file]} for file, wall in outcome.seconds.items() if file.endswith(".py")
    }
    if is_short:
        return {file: {**spent, "short": spent["cpu"]} for file, spent in times.items()}
    left = short_run.read()
    for ran in outcome.ran:
        if short_run.why_left_out(ran["id"], left) is None:
            file = times[ran["id"].partition("::")[0]]
            file["short"] = file.get("short", 0.0) + ran["with_import"]
    return times


def _summary(outcome: Outcome) -> int:
    print("\nThe ten slowest files:")
    for file, spent in outcome.seconds.most_common(10):
        print(f"  {spent:6.1f} s  {file}")
    for reason, count in outcome.skipped.most_common():
        print(f"SKIPPED [{count}] {reason}")
    for one in outcome.flaky:
        print(
            f"\nFLAKY {one.test}\n{one.text}\nIt failed together with others "
            f"and passed alone: see CONTRIBUTING.md, and {one.file}"
        )
    for what in (*(failure.name for failure in outcome.failed), *outcome.broken):
        print(f"FAILED {what}")
    flaky = f", {len(outcome.flaky)} flaky" if outcome.flaky else ""
    print(f"{len(outcome.failed)} failed, {outcome.passed} passed, {outcome.skipped.total()} skipped{flaky}")
    return 1 if outcome.failed or outcome.broken or not outcome.passed else 0


if __name__ == "__main__":
    # Both end the run, also one in the background, whose shell has it ignore Ctrl-C. Workers inherit what is ignored.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        sys.exit(130)
