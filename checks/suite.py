"""The whole suite on several workers: ``python -m checks.suite``.

Each worker is one pytest process that asks for a file, collects it, runs it and asks again (``checks/suite_worker.py``): nothing is
collected twice, and whoever is free takes what is left. Long files come first, by the times recorded in ``checks/durations.json``.

A failing test fails the run. Where at most six failed, they are run again, each alone: docs/decisions/0116-run-failed-tests-again-alone.md.
Why a runner of our own: docs/decisions/0096-let-each-test-worker-collect-only-the-files-it-runs.md.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
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

from checks import inventory, postgres, second_look

# Every commit of a database waits for the disk, tens of thousands of times; what lies in memory is as safe from a program's end.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30

DURATIONS = Path("checks/durations.json")
# A file that takes longer is spread over the workers, test by test.
SPREAD_SECONDS = 45.0
# A worker reports each test, and a test may take fifteen minutes (pyproject.toml): one that is silent for longer hangs.
SILENT_SECONDS = 1000.0
# Where nothing is recorded: files of these folders take minutes, others seconds.
LONG = ("tests/simulation/", "tests/attack/", "tests/interop/", "tests/system/")
LONG_SECONDS, SHORT_SECONDS = 60.0, 1.0

# Files that one worker runs one after the other: what they start is shared between them, or is too much for a machine twice at once.
# Of PostgreSQL's hundred connections those of "cluster" leave few. Two groups start whole installations, so that two run at a time:
# with four, servers took longer to start than the tests wait for them.
TOGETHER = {
    "tests/aurora_locus/reference_import/test_reference_import.py": "reference",
    "tests/system/test_account_merge.py": "up",
    "tests/system/test_cluster_kills.py": "cluster",
    "tests/system/test_communities.py": "cluster",
    "tests/system/test_disk_full.py": "up",
    "tests/system/test_durable_answers.py": "up",
    "tests/system/test_parts_away.py": "cluster",
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
    """Every ``of``-th test of a file, beginning with number ``first``; the file is the name as pytest gives it."""

    file: str
    first: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker takes at once; ``seconds`` is how long it took last time."""

    seconds: float
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Seconds by file. ``wall`` decides about order, since a worker is taken by what waits, too; ``cpu`` is what runs are compared by.

    ``pace``: of the machine, see ``measured_pace``; 0 where nothing is recorded.
    """

    pace: float
    files: dict[str, dict[str, float]]


def plan(files: Iterable[str], durations: Mapping[str, float], workers: int) -> list[Unit]:
    """All tests of all files, each once; the longest units first."""
    units: list[Unit] = []
    groups: dict[str, list[str]] = {}
    for file in sorted(files):
        expected = durations.get(file) or _estimate(file)
        if file in TOGETHER:
            groups.setdefault(TOGETHER[file], []).append(file)
        elif expected > SPREAD_SECONDS:
            units += (Unit(expected / workers, (Part(file, first, workers),)) for first in range(workers))
        else:
            units.append(Unit(expected, (Part(file),)))
    for group in groups.values():
        units.append(
            Unit(sum(durations.get(file) or _estimate(file) for file in group), tuple(Part(file) for file in group))
        )
    return sorted(units, key=lambda unit: -unit.seconds)


def _estimate(file: str) -> float:
    is_long = file.startswith(LONG) or file in TOGETHER
    return LONG_SECONDS if is_long else SHORT_SECONDS


@dataclass
class Outcome:
    """What the workers have reported; each of them writes here from a thread of its own."""

    passed: int = 0
    failed: list[second_look.Failure] = field(default_factory=list)
    unsteady: list[second_look.Unsteady] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)
    cases: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, report: dict[str, Any]) -> None:
        """One phase of one test, or a file that cannot be collected."""
        with self.lock:
            file = report["id"].partition("::")[0]
            self.seconds[file] += report["seconds"]
            self.cpu[file] += report["cpu"]
            if report["when"] == "call" or report["outcome"] == "skipped":
                self.cases.append(report["id"])
            match report["outcome"]:
                case "passed" if report["when"] == "call":
                    self.passed += 1
                case "skipped":
                    self.skipped[report["text"]] += 1
                case "failed":
                    name, text = f"{report['id']} ({report['when']})", report["text"]
                    self.failed.append(second_look.Failure(name, report.get("test", ""), text))
                    print(f"\nFAILED {name}\n{text}", flush=True)


class Suite:
    """One run: the units that nobody has taken yet, and what has been reported."""

    def __init__(self, units: list[Unit], folder: Path, arguments: list[str]) -> None:
        self.outcome = Outcome()
        self._units, self._left = len(units), units
        self._folder, self._arguments = folder, arguments
        self._began = time.monotonic()

    def work(self, number: int) -> None:
        """Run one worker to its end."""
        here, there = socket.socketpair()
        log = self._folder / f"worker-{number}.log"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "checks.suite_worker", f"--suite-fd={there.fileno()}"]
        arguments = [f"{it}-{number}" if it.startswith("--basetemp=") else it for it in self._arguments]
        with here, there, log.open("wb") as output, here.makefile("rw", encoding="utf-8") as stream:
            process = subprocess.Popen(
                [*command, "-p", "no:cacheprovider", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                pass_fds=[there.fileno()],
            )
            there.close()
            heard = _Heard(time.monotonic())
            watch = threading.Thread(target=_watch, args=(process, here, heard))
            watch.start()
            running, has_failed = self._converse(stream, heard)
            status = process.wait()
            watch.join()
        # 5: it came too late to get a test.
        if running is not None or status not in ({1} if has_failed else {0, 5}):
            text = log.read_text(encoding="utf-8", errors="replace")[-20_000:]
            with self.outcome.lock:
                self.outcome.broken.append(f"worker {number} ended with {status}, running {running}")
                print(f"\nWORKER {number} ended with {status}, running {running}\n{text}", flush=True)

    def _converse(self, stream: Any, heard: "_Heard") -> tuple[str | None, bool]:
        """Answer a worker until it falls silent: what it was doing then (None at its end), and whether it reported a failure."""
        running: str | None = "nothing yet"
        has_failed = False
        for line in stream:
            heard.at = time.monotonic()
            message = json.loads(line)
            if "report" in message:
                self.outcome.hear(message["report"])
                has_failed |= message["report"]["outcome"] == "failed"
            elif "running" in message:
                running = message["running"]
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
class _Heard:
    """When a worker last said something."""

    at: float


def _watch(process: "subprocess.Popen[bytes]", here: socket.socket, heard: _Heard) -> None:
    """End a worker that hangs, after it has written where; and the conversation once it has ended.

    A program that it forked and that outlives it holds the other end of the socket, so the end of the stream would never come.
    """
    while process.poll() is None:
        if time.monotonic() - heard.at > SILENT_SECONDS:
            # Pytest has asked faulthandler to write the stack of every thread.
            process.send_signal(signal.SIGABRT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
    # What it has sent can still be read.
    here.shutdown(socket.SHUT_RDWR)


def main() -> int:
    """Exit status 0 when every test of every file passed or was skipped, and every worker came to its end."""
    parser = argparse.ArgumentParser(prog="python -m checks.suite", description=__doc__)
    parser.add_argument("paths", nargs="*", default=["tests"], help="folders and files; all tests without any")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--record", action="store_true", help=f"write the times of this run to {DURATIONS}")
    parser.add_argument(
        "--compare", action="store_true", help=f"fail when processor time has grown by a fifth since {DURATIONS}"
    )
    parser.add_argument(
        "--inventory", type=Path, metavar="FILE", help="write what the run held: see checks/inventory.py"
    )
    arguments = parser.parse_args()
    recorded, pace = read_record(), measured_pace()
    files = _files(arguments.paths)
    units = plan(files, {file: times["wall"] for file, times in recorded.files.items()}, arguments.workers)
    with contextlib.ExitStack() as stack:
        options = stack.enter_context(folder_of_tests())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="openmeet-suite-"))
        log = Path(folder, "postgres.log") if arguments.inventory else None
        _bring_postgres(stack, log)
        suite = Suite(units, Path(folder), [*options, *arguments.paths])
        with ThreadPoolExecutor(arguments.workers) as pool:
            list(pool.map(suite.work, range(arguments.workers)))
        outcome = suite.outcome
        if not outcome.broken:
            outcome.failed, outcome.unsteady = second_look.look_again(outcome.failed, options, _environment())
        if arguments.inventory:
            inventory.write(inventory.inventory_of(outcome.cases, log), arguments.inventory)
    ran = Record((pace + measured_pace()) / 2, _times(outcome))
    if arguments.record:
        write_record(recorded, ran)
    status = _summary(outcome)
    print(f"{_all_processor_seconds():.0f} s of processor time, servers and programs that the tests started included")
    has_grown = has_grown_by_a_fifth(recorded, ran)
    return 1 if arguments.compare and has_grown else status


def has_grown_by_a_fifth(recorded: Record, ran: Record) -> bool:
    """Say both; whether it is so. Of files that are in both, as this machine would have taken for what is recorded."""
    both = recorded.files.keys() & ran.files.keys()
    before = sum(recorded.files[file]["cpu"] for file in both) * ran.pace / (recorded.pace or 1.0)
    now = sum(ran.files[file]["cpu"] for file in both)
    print(f"{len(both)} files that are recorded took {now:.0f} s of it; expected of this machine: {before:.0f} s")
    has_grown = before > 0 and now > 1.2 * before
    if has_grown:
        print(f"The tests take a fifth more than recorded: make them cheaper, or record again ({DURATIONS}).")
    return has_grown


def measured_pace() -> float:
    """How many seconds of processor time a fixed piece of work takes: the least of several tries.

    Processor time says more of the tests than wall time, and less of what else a machine does; but machines differ in it, too.
    """
    tries = []
    for _ in range(5):
        began = time.process_time()
        for number in range(500):
            json.loads(json.dumps({str(key): [key, number, "text"] for key in range(20)}))
        tries.append(time.process_time() - began)
    return min(tries)


def _all_processor_seconds() -> float:
    return sum(os.times()[:4])


def read_record() -> Record:
    """Empty where nothing has been recorded."""
    if not DURATIONS.is_file():
        return Record(0.0, {})
    found = json.loads(DURATIONS.read_text())
    return Record(found["pace"], found["files"])


def write_record(before: Record, ran: Record) -> None:
    """What ran, and what is known of other files that are still there; folders may be recorded one after the other."""
    pace = before.pace or ran.pace
    # In the time of the machine that has recorded the others.
    now = {file: {"wall": times["wall"], "cpu": times["cpu"] * pace / ran.pace} for file, times in ran.files.items()}
    files = {file: times for file, times in {**before.files, **now}.items() if Path(file).is_file()}
    rounded = {file: {kind: round(spent, 1) for kind, spent in files[file].items()} for file in sorted(files)}
    DURATIONS.write_text(json.dumps({"pace": round(pace, 4), "files": rounded}, indent=1) + "\n")


def _files(paths: Iterable[str]) -> set[str]:
    found = (file for path in map(Path, paths) for file in ([path] if path.is_file() else path.rglob("test_*.py")))
    return {file.as_posix() for file in found if "node_modules" not in file.parts}


@contextlib.contextmanager
def folder_of_tests() -> Iterator[list[str]]:
    """What tells pytest to put its folders into memory, where there is room; they go with the run."""
    if not _has_room():
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="openmeet-tests-", dir=MEMORY, ignore_cleanup_errors=True) as folder:
        yield [f"--basetemp={folder}/tests"]


def _has_room() -> bool:
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES


def _bring_postgres(stack: contextlib.ExitStack, log: Path | None) -> None:
    """A server of the run's own where the tests are not told of another. ``log``: where it logs each statement, if it shall."""
    if postgres.VARIABLE in os.environ:
        if log is not None:
            raise SystemExit(f"unset {postgres.VARIABLE}: an inventory needs the log of a server of its own")
        return
    settings = postgres.SETTINGS if log is None else {**postgres.SETTINGS, **inventory.SERVER_SETTINGS}
    url = stack.enter_context(postgres.throw_away_server(MEMORY if _has_room() else None, settings=settings, log=log))
    if url is not None:
        os.environ[postgres.VARIABLE] = url


def _environment() -> dict[str, str]:
    # Without them each worker, and each program that a test starts, compiles all it imports anew.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # The order of sets is the same in every run; ``make soak`` tries others.
    environment.setdefault("PYTHONHASHSEED", "0")
    return environment


def _times(outcome: Outcome) -> dict[str, dict[str, float]]:
    return {
        file: {"wall": wall, "cpu": outcome.cpu[file]} for file, wall in outcome.seconds.items() if file.endswith(".py")
    }


def _summary(outcome: Outcome) -> int:
    print("\nThe ten slowest files:")
    for file, spent in outcome.seconds.most_common(10):
        print(f"  {spent:6.1f} s  {file}")
    for reason, count in outcome.skipped.most_common():
        print(f"SKIPPED [{count}] {reason}")
    for one in outcome.unsteady:
        print(
            f"\nUNSTEADY {one.test}\n{one.text}\nIt failed beside others and passed alone: see CONTRIBUTING.md, and {one.file}"
        )
    for what in (*(failure.name for failure in outcome.failed), *outcome.broken):
        print(f"FAILED {what}")
    unsteady = f", {len(outcome.unsteady)} unsteady" if outcome.unsteady else ""
    print(f"{len(outcome.failed)} failed, {outcome.passed} passed, {outcome.skipped.total()} skipped{unsteady}")
    return 1 if outcome.failed or outcome.broken or not outcome.passed else 0


if __name__ == "__main__":
    sys.exit(main())
