"""What ``make test`` leaves out, so that it ends in about eight minutes on two cores. ``make test-all`` runs everything.

Three kinds of tests are left out:

- those of the folders in ``LONG``, except ``SMOKE``;
- those that took more than ``SLOW_SECONDS`` of processor time when they were recorded;
- the PostgreSQL variant of a test, if the tests that run produce all of its SQL statements and constraint violations.
  Tests of concurrency always keep their variant.

``python -m checks.suite --record`` writes the last two kinds to ``RECORD``, and ``--short --record`` adds those of new
tests. A test that is not in this file runs, so a new or renamed test does. A slow test also runs if it is the only one
that produces a statement on PostgreSQL.
"""

import heapq
import inspect
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RECORD = Path("checks/short_run.json")
SLOW_SECONDS = 0.1

LONG: Final = ("attack", "browser", "interop", "simulation", "soak", "system")
# One test of each kind, as pytest's id of a test or of all its cases.
SMOKE: Final = frozenset(
    {
        "tests/attack/test_pages.py::test_form_from_another_origin_is_refused",
        "tests/browser/test_main_flows.py::test_answering_in_one_tap_and_changing_ones_mind",
        "tests/interop/test_official_clients.py::test_official_client_works_for_a_whole_session",
        "tests/simulation/test_simulation.py::test_everything_agrees_in_short_runs[5]",
        "tests/soak/test_ledger.py::test_a_row_is_one_line_of_the_table",
        "tests/system/test_up.py::test_everything_answers",
    }
)

SLOW = f"tests that took more than {SLOW_SECONDS:g} s of processor time"
REPEATED = "variants on PostgreSQL that send only statements that other tests send as well"

# Does a test run several things at once, or is it named after that?
_CONCURRENT = re.compile(
    r"concurren|simultaneous|parallel|_races?\b|_races?_|at_the_same_(?:time|moment)"
    r"|\bgather\(|TaskGroup\(|create_task\(|Thread\(|ThreadPoolExecutor\(|CapacityLimiter"
)


@dataclass(frozen=True, slots=True)
class RecordedTest:
    """What the suite has recorded about one test.

    ``seconds``: processor time. ``is_variant``: it is the PostgreSQL variant of a test. ``produced``: the statements
    that it sent to PostgreSQL and the constraints that it violated there.
    """

    seconds: float
    is_variant: bool
    is_about_concurrency: bool
    produced: frozenset[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The tests to leave out besides the long folders, as pytest's ids."""

    slow: frozenset[str]
    repeated: frozenset[str]


def read() -> LeftOut:
    """What is recorded; nothing if the file does not exist."""
    found = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {"slow": {}, "repeated": {}}
    return LeftOut(*(frozenset(_ids(found[kind])) for kind in ("slow", "repeated")))


def write(before: LeftOut, recorded: Mapping[str, RecordedTest], *, was_short: bool) -> None:
    """Write what to leave out of the recorded files, and keep what was written about other files that still exist.

    ``was_short``: the run left out what was written before. All of that is kept, so what it leaves out only grows.
    """
    now = to_leave_out(recorded)
    replaced = set() if was_short else {_file(test) for test in recorded}
    kinds = {}
    for kind in ("slow", "repeated"):
        kept = {test for test in getattr(before, kind) if _file(test) not in replaced and Path(_file(test)).is_file()}
        by_file: dict[str, list[str]] = {}
        for test in sorted(kept | getattr(now, kind)):
            file, _, name = test.partition("::")
            by_file.setdefault(file, []).append(name)
        kinds[kind] = by_file
    RECORD.write_text(json.dumps(kinds, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_leave_out(recorded: Mapping[str, RecordedTest]) -> LeftOut:
    """Choose what to leave out, so that the other tests still produce on PostgreSQL what all of them produce."""
    tests = {test: one for test, one in recorded.items() if not is_long(test)}
    stays = {
        test
        for test, one in tests.items()
        if (one.is_about_concurrency if one.is_variant else one.seconds <= SLOW_SECONDS)
    }
    stays |= _needed({test: one for test, one in tests.items() if test not in stays}, [tests[test] for test in stays])
    slow = {test for test, one in tests.items() if test not in stays and one.seconds > SLOW_SECONDS}
    return LeftOut(frozenset(slow), frozenset(tests.keys() - stays - slow))


def _needed(tests: Mapping[str, RecordedTest], others: Iterable[RecordedTest]) -> set[str]:
    """Tests that produce everything that the others do not, chosen greedily by what each adds per second."""
    lacking = set().union(*(one.produced for one in tests.values())).difference(*(one.produced for one in others))

    def rank(test: str) -> float:
        # In steps, so that small differences between two recordings do not choose other tests.
        return -len(tests[test].produced & lacking) / max(0.1, round(tests[test].seconds, 1))

    # What a test adds only ever shrinks, so the first of the queue is the best if its rank is still right.
    queue = [(rank(test), test) for test in tests]
    heapq.heapify(queue)
    found = set()
    while lacking:
        _, test = queue[0]
        now = rank(test)
        if now > queue[0][0]:
            heapq.heapreplace(queue, (now, test))
            continue
        heapq.heappop(queue)
        found.add(test)
        lacking -= tests[test].produced
    return found


def is_long(test: str) -> bool:
    """Whether a test or a file is in one of the long folders."""
    return test.split("/")[1] in LONG


def is_smoke(test: str) -> bool:
    return test in SMOKE or test.partition("[")[0] in SMOKE


def files_to_run(files: Iterable[str]) -> tuple[set[str], Counter[str]]:
    """The files that have tests to run, and how many the others are, by folder."""
    with_smoke = {_file(test) for test in SMOKE}
    left = {file for file in files if is_long(file) and file not in with_smoke}
    return set(files) - left, Counter(file.split("/")[1] for file in left)


def why_left_out(test: str, left: LeftOut) -> str | None:
    """The kind of tests that are left out to which this one belongs; None if it runs."""
    if is_long(test):
        return None if is_smoke(test) else test.split("/")[1]
    if test in left.slow:
        return SLOW
    return REPEATED if test in left.repeated else None


def is_variant(item: Any) -> bool:
    """Whether a test of pytest is the PostgreSQL variant."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("engine") == "postgresql"


def is_about_concurrency(item: Any) -> bool:
    """Whether a test of pytest runs several things at once, as far as its name, file and source say so."""
    return any(map(_CONCURRENT.search, (item.nodeid.partition("[")[0], inspect.getsource(item.function))))


def summary(left: Counter[str], files: Counter[str]) -> list[str]:
    """Lines about what a run left out. ``left``: tests by kind. ``files``: files of which no test ran, by folder."""
    lines = ["Left out of this short run; `make test-all` runs everything:"]
    lines += [f"  {left[kind]:5} {kind}" for kind in (SLOW, REPEATED) if left[kind]]
    for folder in LONG:
        if files[folder] or left[folder]:
            more = f" and {left[folder]} tests" if left[folder] else ""
            lines.append(f"  {files[folder]:5} files{more} of tests/{folder}: python -m checks.suite tests/{folder}")
    return lines


def _file(test: str) -> str:
    return test.partition("::")[0]


def _ids(by_file: Mapping[str, Collection[str]]) -> Iterable[str]:
    return (f"{file}::{name}" for file, names in by_file.items() for name in names)
