"""Worker of the suite, as a pytest plugin: it runs the files that ``checks/suite.py`` assigns to it and reports each
test.

They communicate over a socket, with one JSON value per line. ``{}`` requests work; the response is a list of parts
(file, first test, every how many), which is empty if nothing is left. ``{"running": test}``, ``{"report": …}``,
``{"ran": …}``, ``{"pace": seconds}`` and ``{"left": tests by kind}`` have no response.
"""

import contextlib
import json
import os
import socket
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from checks import durations, short_run

# How often a worker measures the pace of the machine.
_PACE_SECONDS = 1.0


class _More(pytest.Item):
    """Placeholder for a next test that is not collected yet. It makes pytest keep session fixtures until the end."""

    def runtest(self) -> None:
        raise AssertionError("it is never run")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite-fd", type=int, required=True, help="the socket of checks/suite.py")
    parser.addoption("--suite-short", action="store_true", help="leave out what checks/short_run.py says")
    parser.addoption("--suite-costs", action="store_true", help="report the cost of each test")


def pytest_configure(config: pytest.Config) -> None:
    options = (config.getoption(name) for name in ("--suite-fd", "--suite-short", "--suite-costs"))
    config.pluginmanager.register(Worker(*options), "suite-worker")


class Worker:
    """Collects lazily: all files are known from the start, but each is imported only just before it runs."""

    def __init__(self, descriptor: int, is_short: bool, reports_costs: bool) -> None:
        self._left = short_run.read() if is_short else None
        self._reports_costs = reports_costs
        self._stream = socket.socket(fileno=descriptor).makefile("rw", encoding="utf-8")
        self._files: dict[str, pytest.Collector] = {}
        self._spread: dict[str, list[pytest.Item]] = {}
        self._cost_reported = self._cost()
        self._pace_measured = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Find the test files and conftests in the folders without importing any test."""
        session.perform_collect(genitems=False)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[Any]) -> None:
        """Find the files on the first call, which has the folders. Later, pytest forgets the conftests of folders that
        have not been read.
        """
        if not self._files:
            for folder in items:
                self._find(session, folder)

    def _find(self, session: pytest.Session, node: Any) -> None:
        if isinstance(node, pytest.File):
            self._files[node.nodeid] = node
            return
        report, _ = session._collect_one_node(node)  # noqa: SLF001 — pytest offers no way to read a folder and import nothing
        node.ihook.pytest_collectreport(report=report)
        for inside in report.result or ():
            self._find(session, inside)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        more = _More.from_parent(session, name="more")
        while parts := self._ask():
            for file, first, of in parts:
                self._send({"running": f"the collection of {file}"})
                items = self._spread.pop(file, None) or self._items(session, file)
                if of > 1:
                    self._spread[file] = items
                items = self._to_run(items[first::of])
                for item, following in zip(items, [*items[1:], more], strict=False):
                    self._run(item, following)
        self._send({"running": "the end of the session"})
        try:
            session._setupstate.teardown_exact(None)  # noqa: SLF001 — pytest does the same afterwards, and reports nothing
        except Exception:  # noqa: BLE001 — reported, whatever it is
            session.testsfailed += 1
            self._report("the end of the session", "teardown", "failed", 0.0, traceback.format_exc())
        self._send({"running": None})
        return True

    def _run(self, item: pytest.Item, following: pytest.Item) -> None:
        self._send({"running": item.nodeid})
        began, cpu = time.time(), self._cost()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if self._reports_costs:
            self._report_cost(item, began, cpu)

    def _report_cost(self, item: pytest.Item, began: float, cpu: float) -> None:
        now = self._cost()
        ran = {
            "id": item.nodeid,
            "pid": os.getpid(),
            "began": began,
            "ended": time.time(),
            "seconds": now - cpu,
            # Importing a file counts towards it, but not towards its first test.
            "with_import": now - self._cost_reported,
            "is_variant": short_run.is_variant(item),
            "is_about_concurrency": short_run.is_about_concurrency(item),
        }
        self._cost_reported = now
        self._send({"ran": ran})
        self._report_pace()

    def _report_pace(self) -> None:
        if time.monotonic() - self._pace_measured < _PACE_SECONDS:
            return
        self._send({"pace": durations.measured_pace()})
        self._pace_measured, self._cost_reported = time.monotonic(), self._cost()

    def _cost(self) -> float:
        """Processor time of this process and of all that it has started. It takes a moment to find out."""
        return sum(os.times()[:4]) + _seconds_of_children(os.getpid()) if self._reports_costs else 0.0

    def _to_run(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """The tests that a short run does not leave out. Reports how many it does."""
        if self._left is None:
            return items
        why = {item: short_run.why_left_out(item.nodeid, self._left) for item in items}
        self._send({"left": Counter(kind for kind in why.values() if kind is not None)})
        return [item for item in items if why[item] is None]

    def _items(self, session: pytest.Session, file: str) -> list[pytest.Item]:
        if file not in self._files:
            raise pytest.UsageError(f"pytest does not find {file}")
        items = list(session.genitems(self._files[file]))
        session.testscollected += len(items)
        session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
        # Without this, the fixtures, marks and modules of all collected files would stay in memory until the process
        # ends.
        session._collection_cache.clear()  # noqa: SLF001
        return items

    def _ask(self) -> list[tuple[str, int, int]]:
        self._send({})
        answer = self._stream.readline()
        return [(file, first, of) for file, first, of in json.loads(answer)] if answer else []

    def _send(self, message: dict[str, Any]) -> None:
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome == "passed":
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        self._report(report.nodeid, "collection", report.outcome, 0.0, reason)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        text = ""
        if report.outcome == "skipped":
            text = report.longrepr[2] if isinstance(report.longrepr, tuple) else "fails as expected"
        elif report.outcome == "failed":
            text = "\n".join([report.longreprtext, *(f"--- {name} ---\n{said}" for name, said in report.sections)])
        context = getattr(report, "context", None)  # only a subtest has one; it describes the subtest
        name = report.nodeid if context is None else f"{report.nodeid} {context.msg or ''} {dict(context.kwargs)}"
        self._report(name, report.when, report.outcome, report.duration, text, test=report.nodeid)

    def _report(self, nodeid: str, when: str, outcome: str, seconds: float, text: str, **more: object) -> None:
        report = {"id": nodeid, "when": when, "outcome": outcome, "seconds": seconds, "text": text}
        self._send({"report": {**report, **more}})


def _seconds_of_children(pid: int) -> float:
    """Processor time of the running child processes of a process and of theirs; 0 where ``/proc`` does not list them."""
    seconds = 0.0
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in listed.read_text().split():
                with contextlib.suppress(OSError):
                    # The name of the program, in parentheses, may contain spaces.
                    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                    seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
                    seconds += _seconds_of_children(int(child))
    return seconds
