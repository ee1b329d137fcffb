"""What the tests of each file take, as recorded in ``checks/durations.json``, and whether a run takes a fifth more.

Runs are compared by processor time, which depends less on other programs than wall time, and in units of a fixed piece
of work that each worker does once a second between its tests. So a slower machine, and one that is shared, expect more:
docs/decisions/0171-fail-runs-that-take-a-fifth-more-processor-time.md.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DURATIONS = Path("checks/durations.json")
MAX_GROWTH = 1.2
# Tests and the piece of work do not slow down alike on a machine that differs more from the one that recorded.
SLOWEST_SCALE = 1.5
RECORD_COMMAND = "python -m checks.suite --record"
RECORD_SHORT_COMMAND = "python -m checks.suite --short --record"
LIST_COMMAND = "python -m checks.durations"

_ROWS = [(key, f"text {key}", key / 7) for key in range(100)]

CostKind = Literal["cpu", "short"]


@dataclass(frozen=True, slots=True)
class Record:
    """Durations in seconds, by file.

    ``wall`` decides the order, because a waiting test also occupies a worker. ``cpu`` and ``short`` are processor time,
    which includes programs such as browsers: of all tests, and of those of a short run.
    ``pace``: the pace of the machine during the run (``measured_pace``); 0 if nothing is recorded.
    """

    pace: float
    files: Mapping[str, Mapping[str, float]]


def measured_pace() -> float:
    """Processor time in seconds for a fixed piece of work, a mixture of what the tests do. About four milliseconds."""
    began = time.process_time()
    for _ in range(50):
        json.loads(json.dumps({str(key): [key, number, text] for key, text, number in _ROWS[:20]}))
    database = sqlite3.connect(":memory:")
    database.execute("create table t (a integer primary key, b text, c real)")
    database.executemany("insert into t values (?, ?, ?)", _ROWS)
    database.execute("select b, sum(c) from t group by b order by 2 desc").fetchall()
    database.close()
    digest = b""
    for _ in range(500):
        digest = hashlib.sha256(digest).digest()
    sorted((row[1][::-1], len(row)) for row in _ROWS * 5)
    return time.process_time() - began


def read_record() -> Record:
    """The recorded durations; empty if there are none."""
    if not DURATIONS.is_file():
        return Record(0.0, {})
    found = json.loads(DURATIONS.read_text())
    return Record(found["pace"], found["files"])


def write_record(before: Record, ran: Record) -> None:
    """Write the durations of this run, and keep those of other files that still exist, so that folders can be recorded
    one after the other.
    """
    pace = before.pace or ran.pace
    _write(pace, {**before.files, **_converted(ran, pace)})


def write_short_record(before: Record, ran: Record) -> None:
    """Write the processor time of this short run, and keep everything else. If nothing is recorded, the pace of this
    run becomes the recorded one.
    """
    pace = before.pace or ran.pace
    spent = {file: {"short": times["short"]} for file, times in _converted(ran, pace).items()}
    files = before.files.keys() | spent.keys()
    _write(pace, {file: {**before.files.get(file, {}), **spent.get(file, {})} for file in files})


def _converted(ran: Record, pace: float) -> dict[str, dict[str, float]]:
    # Processor time is converted to the pace of the machine that recorded the others.
    scale = pace / ran.pace if ran.pace else 1.0
    scales = {"wall": 1.0, "cpu": scale, "short": scale}
    return {file: {kind: spent * scales[kind] for kind, spent in times.items()} for file, times in ran.files.items()}


def _write(pace: float, files: Mapping[str, Mapping[str, float]]) -> None:
    kept = {file: files[file] for file in sorted(files) if Path(file).is_file()}
    rounded = {file: {kind: round(spent, 2) for kind, spent in times.items()} for file, times in kept.items()}
    DURATIONS.write_text(json.dumps({"pace": round(pace, 6), "files": rounded}, indent=1) + "\n")


def test_files(paths: Iterable[str]) -> set[str]:
    """The test files among these files and in these folders."""
    found = (file for path in map(Path, paths) for file in ([path] if path.is_file() else path.rglob("test_*.py")))
    return {file.as_posix() for file in found if "node_modules" not in file.parts}


def problems(files: Collection[str], recorded: Record) -> list[str]:
    """Say which files have no entry, and which entries no file."""
    differing = sorted(recorded.files.keys() ^ set(files))
    return [f"{file}: its entry in {DURATIONS} is missing or has no file: {LIST_COMMAND}" for file in differing]


def list_files() -> None:
    """Drop the entries of files that no longer exist, and give new files an empty one, which a recording fills."""
    before = read_record()
    files = test_files(["tests"])
    write_record(before, Record(before.pace, {file: before.files.get(file, {}) for file in files}))


def comparison(recorded: Record, ran: Record, kind: CostKind) -> tuple[bool, list[str]]:
    """Compare the processor time of the files that both runs contain, in units of the pace.

    Returns whether it has grown by more than a fifth, and lines that say so, with the files that grew most.
    """
    command = RECORD_SHORT_COMMAND if kind == "short" else RECORD_COMMAND
    both = [file for file in ran.files if kind in recorded.files.get(file, {})]
    if not both or not recorded.pace or not ran.pace:
        return False, [f"Nothing is recorded in {DURATIONS} that this run could be compared with: {command}"]
    scale = ran.pace / recorded.pace
    if not SLOWEST_SCALE >= scale >= 1 / SLOWEST_SCALE:
        return False, [f"NOT COMPARED: this machine was {scale:.2f} times as slow as when {DURATIONS} was recorded."]
    expected = {file: recorded.files[file][kind] * scale for file in both}
    now = {file: ran.files[file]["cpu"] for file in both}
    before_sum, sum_ = sum(expected.values()), sum(now.values())
    expectation = f"expected of this machine, at {scale:.2f} times the recorded pace: {before_sum:.0f} s"
    lines = [f"{len(both)} files that are recorded took {sum_:.0f} s of processor time; {expectation}"]
    if sum_ <= MAX_GROWTH * before_sum:
        return False, lines
    lines.append(
        f"The tests take {100 * (sum_ / before_sum - 1):.0f} % more processor time than recorded, more than a fifth: "
        f"make them cheaper, or record again with `{command}`. The files that grew most:"
    )
    grown = sorted(both, key=lambda file: expected[file] - now[file])
    lines += [f"  {now[file] - expected[file]:+6.1f} s  {file}" for file in grown[:10]]
    return True, lines


if __name__ == "__main__":
    list_files()
