"""Worker of the suite, as a pytest plugin: it runs the files that ``checks/suite.py`` assigns to it and reports each
test.

They communicate over a socket, with one JSON value per line. ``{}`` requests work; the response is a list of parts
(file, first test, every how many), which is empty if nothing is left. ``{"running": test}`` and ``{"report": …}`` have
no response.
"""

import json
import os
import socket
import traceback
from typing import Any

import pytest


class _More(pytest.Item):
    """Placeholder for a next test that is not collected yet. It makes pytest keep session fixtures until the end."""

    def runtest(self) -> None:
        raise AssertionError("it is never run")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite-fd", type=int, required=True, help="the socket of checks/suite.py")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Worker(config.getoption("--suite-fd")), "suite-worker")


class Worker:
    """Collects lazily: all files are known from the start, but each is imported only just before it runs."""

    def __init__(self, descriptor: int) -> None:
        self._stream = socket.socket(fileno=descriptor).makefile("rw", encoding="utf-8")
        self._files: dict[str, pytest.Collector] = {}
        self._spread: dict[str, list[pytest.Item]] = {}
        self._cpu_reported = _cpu_seconds()

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
                items = items[first::of]
                for item, following in zip(items, [*items[1:], more], strict=False):
                    self._send({"running": item.nodeid})
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self._send({"running": "the end of the session"})
        try:
            session._setupstate.teardown_exact(None)  # noqa: SLF001 — pytest does the same afterwards, and reports nothing
        except Exception:  # noqa: BLE001 — reported, whatever it is
            session.testsfailed += 1
            self._report("the end of the session", "teardown", "failed", 0.0, traceback.format_exc())
        self._send({"running": None})
        return True

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
        # Processor time since the last report, so that importing a file counts towards its first test.
        cpu, self._cpu_reported = self._cpu_reported, _cpu_seconds()
        report = {"id": nodeid, "when": when, "outcome": outcome, "seconds": seconds, "text": text}
        self._send({"report": {**report, **more, "cpu": self._cpu_reported - cpu}})


def _cpu_seconds() -> float:
    """Processor time of this process and of its child processes that have ended."""
    return sum(os.times()[:4])
