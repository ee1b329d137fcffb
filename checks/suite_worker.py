"""A worker of the suite, as a plugin of pytest: it runs the files that ``checks/suite.py`` hands out, and reports each test.

The conversation goes over a socket, a line of JSON each: ``{}`` asks for work and is answered with parts (file, first test, every
how many); an empty answer is the end. ``{"running": test}`` and ``{"report": …}`` are told and not answered.
"""

import json
import os
import socket
import traceback
from typing import Any

import pytest


class _More(pytest.Item):
    """Stands for the next test while nobody has collected it: what belongs to the whole session is kept until the end."""

    def runtest(self) -> None:
        raise AssertionError("it is never run")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--suite-fd", type=int, required=True, help="the socket of checks/suite.py")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Worker(config.getoption("--suite-fd")), "suite-worker")


class Worker:
    """Collects lazily: the files are known from the start, a file is imported when its turn has come."""

    def __init__(self, descriptor: int) -> None:
        self._stream = socket.socket(fileno=descriptor).makefile("rw", encoding="utf-8")
        self._files: dict[str, pytest.Collector] = {}
        self._spread: dict[str, list[pytest.Item]] = {}
        self._cpu_told = _cpu_seconds()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Walk the folders for their files and conftests, and import no test."""
        session.perform_collect(genitems=False)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[Any]) -> None:
        """The first call comes with folders. Afterwards pytest forgets conftests whose folders nobody has read."""
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
                self._tell(running=f"the collection of {file}")
                items = self._spread.pop(file, None) or self._items(session, file)
                if of > 1:
                    self._spread[file] = items
                items = items[first::of]
                for item, following in zip(items, [*items[1:], more], strict=False):
                    self._tell(running=item.nodeid)
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        self._tell(running="the end of the session")
        try:
            session._setupstate.teardown_exact(None)  # noqa: SLF001 — pytest does the same afterwards, and reports nothing
        except Exception:  # noqa: BLE001 — whatever it is, it is told
            session.testsfailed += 1
            self._report("the end of the session", "teardown", "failed", 0.0, traceback.format_exc())
        self._tell(running=None)
        return True

    def _items(self, session: pytest.Session, file: str) -> list[pytest.Item]:
        if file not in self._files:
            raise pytest.UsageError(f"pytest does not find {file}")
        items = list(session.genitems(self._files[file]))
        session.testscollected += len(items)
        session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
        # Fixtures, marks and modules that many files have collected live as long as the process.
        session._collection_cache.clear()  # noqa: SLF001
        return items

    def _ask(self) -> list[tuple[str, int, int]]:
        self._send({})
        answer = self._stream.readline()
        return [(file, first, of) for file, first, of in json.loads(answer)] if answer else []

    def _tell(self, **what: Any) -> None:
        self._send(what)

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
        context = getattr(report, "context", None)  # a subtest has one, and what it is about in it
        name = report.nodeid if context is None else f"{report.nodeid} {context.msg or ''} {dict(context.kwargs)}"
        self._report(name, report.when, report.outcome, report.duration, text, test=report.nodeid)

    def _report(self, nodeid: str, when: str, outcome: str, seconds: float, text: str, **more: object) -> None:
        # Since the last report, so that importing a file counts for its first test.
        cpu, self._cpu_told = self._cpu_told, _cpu_seconds()
        told = {"id": nodeid, "when": when, "outcome": outcome, "seconds": seconds, "text": text}
        self._tell(report={**told, **more, "cpu": self._cpu_told - cpu})


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])
