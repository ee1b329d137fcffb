"""What a short run leaves out, and that nothing is lost on PostgreSQL by leaving it out."""

import ast
import json
from collections import Counter
from pathlib import Path

import pytest
from checks.short_run import LeftOut, RecordedTest

from checks import durations, short_run, suite
from tests.checks.suite_runs import run_suite
from tests.external_dependencies import ROOT

A, B, C, D = (f"tests/openmeet/test_a.py::test_{name}[postgresql]" for name in "abcd")


def variant(seconds: float, *produced: str, is_about_concurrency: bool = False) -> RecordedTest:
    return RecordedTest(seconds, True, is_about_concurrency, frozenset(produced))


def other(seconds: float, *produced: str) -> RecordedTest:
    return RecordedTest(seconds, False, False, frozenset(produced))


def test_the_cheapest_variants_that_produce_everything_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(short_run, "SLOW_SECONDS", 1.0)
    tests = {A: variant(0.9, "1", "2"), B: variant(0.2, "1"), C: variant(0.2, "2"), D: variant(0.3)}
    assert short_run.to_leave_out(tests) == LeftOut(frozenset(), frozenset({A, D}))


def test_a_variant_is_left_out_if_other_tests_produce_the_same():
    """Tests that run anyway count, whether they are variants or not."""
    tests = {A: variant(0.1, "1"), B: other(0.1, "1"), C: variant(0.1, "2"), D: variant(0.1, "2")}
    assert short_run.to_leave_out(tests).repeated == {A, D}
    tests[D] = variant(0.1, "2", is_about_concurrency=True)
    assert short_run.to_leave_out(tests).repeated == {A, C}


def test_a_slow_test_is_left_out_unless_only_it_produces_something():
    limit = short_run.SLOW_SECONDS
    tests = {A: other(limit + 0.1), B: other(limit), C: other(limit + 0.1, "1"), D: variant(limit + 0.1, "2")}
    assert short_run.to_leave_out(tests) == LeftOut(frozenset({A}), frozenset())
    tests["tests/openmeet/test_a.py::test_e"] = other(0.1, "1", "2")
    assert short_run.to_leave_out(tests) == LeftOut(frozenset({A, C, D}), frozenset())


def test_a_variant_of_a_test_of_concurrency_stays_however_slow():
    slow = short_run.SLOW_SECONDS + 0.1
    tests = {A: variant(slow, "1", is_about_concurrency=True), B: other(0.1, "1"), C: variant(slow, "1")}
    assert short_run.to_leave_out(tests) == LeftOut(frozenset({C}), frozenset())


def test_tests_of_long_folders_are_not_recorded():
    """A statement that only they produce keeps no other test, and they do not keep others out."""
    tests = {"tests/system/test_up.py::test_a": other(9.0, "1"), A: variant(0.1, "1")}
    assert short_run.to_leave_out(tests) == LeftOut(frozenset(), frozenset())


def test_files_are_recorded_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Entries of files that did not run and still exist are kept."""
    monkeypatch.chdir(tmp_path)
    Path("checks").mkdir()
    Path("tests/openmeet").mkdir(parents=True)
    for name in ("a", "b"):
        Path(f"tests/openmeet/test_{name}.py").touch()
    kept, gone = "tests/openmeet/test_b.py::test_f", "tests/openmeet/test_gone.py::test_g"
    old = LeftOut(frozenset({kept, gone, A}), frozenset({B}))
    short_run.write(old, {B: variant(0.1), C: variant(0.1)}, was_short=False)
    assert short_run.read() == LeftOut(frozenset({kept}), frozenset({B, C}))
    assert json.loads(short_run.RECORD.read_text())["repeated"] == {
        "tests/openmeet/test_a.py": ["test_b[postgresql]", "test_c[postgresql]"]
    }


def test_a_short_run_adds_to_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A short run says nothing about the tests that it left out, so they stay out."""
    monkeypatch.chdir(tmp_path)
    Path("checks").mkdir()
    Path("tests/openmeet").mkdir(parents=True)
    Path("tests/openmeet/test_a.py").touch()
    new = "tests/openmeet/test_a.py::test_new"
    short_run.write(LeftOut(frozenset({A}), frozenset({B})), {C: variant(0.1), new: other(9.0)}, was_short=True)
    assert short_run.read() == LeftOut(frozenset({A, new}), frozenset({B, C}))


def test_without_a_record_only_long_folders_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert short_run.read() == LeftOut(frozenset(), frozenset())
    assert short_run.why_left_out(A, short_run.read()) is None
    assert short_run.why_left_out("tests/attack/test_forms.py::test_a", short_run.read()) == "attack"


def test_every_smoke_test_is_there():
    """Each long folder has one, so that a short run says something about each."""
    assert sorted(test.split("/")[1] for test in short_run.SMOKE) == sorted(short_run.LONG)
    for test in short_run.SMOKE:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name.partition("[")[0] in {getattr(one, "name", None) for one in tree.body}


def test_files_without_a_smoke_test_are_not_even_imported():
    files = {"tests/system/test_up.py", "tests/system/test_tour.py", "tests/openmeet/test_a.py"}
    assert short_run.files_to_run(files) == (files - {"tests/system/test_tour.py"}, Counter({"system": 1}))


TWO_ENGINES = """
import asyncio
import pytest

@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request):
    return request.param

def test_it(engine):
    pass

async def at_once():
    await asyncio.gather()

def test_other(engine):
    asyncio.run(at_once())
"""


def test_a_short_run_leaves_out_what_is_recorded_and_says_so(tmp_path: Path):
    file = "tests/other/test_story.py"
    (tmp_path / "checks").mkdir()
    (tmp_path / "tests/system").mkdir(parents=True)
    (tmp_path / "tests/system/test_tour.py").write_text("def test_it():\n    raise AssertionError\n")
    record = {"slow": {file: ["test_other[sqlite]"]}, "repeated": {file: ["test_it[postgresql]"]}}
    (tmp_path / short_run.RECORD).write_text(json.dumps(record))
    done = run_suite(tmp_path, file, TWO_ENGINES, 1, "--short")
    assert "0 failed, 2 passed, 0 skipped" in done.stdout
    assert f"      1 {short_run.SLOW}\n      1 {short_run.REPEATED}\n" in done.stdout
    assert "      1 files of tests/system: python -m checks.suite tests/system\n" in done.stdout
    assert run_suite(tmp_path, file, TWO_ENGINES, 1, "--short", "--record").returncode == 0
    recorded = json.loads((tmp_path / durations.DURATIONS).read_text())
    assert recorded["pace"] > 0
    assert [(name, [*times]) for name, times in recorded["files"].items()] == [(file, ["short"])]
    assert json.loads((tmp_path / short_run.RECORD).read_text())["slow"] == record["slow"]


def test_what_a_test_sent_is_found_by_its_time_and_the_database_of_its_worker(tmp_path: Path):
    log = tmp_path / "log"
    lines = [(5.0, 1, "a"), (5.5, 2, "b"), (6.5, 1, "c"), (8.0, 1, "in between"), (10.0, 1, "d"), (10.0, 3, "e")]
    log.write_text(
        "".join(f"{at}|openmeet_tests_{pid}_0|x|LOG:  00000: statement: {text}\n" for at, pid, text in lines)
        + "5.0|postgres|x|LOG:  00000: statement: of no worker\n"
        + '5.0|openmeet_tests_1|x|ERROR:  23505: row violates check constraint "f"\n'
    )
    told = {"seconds": 0.5, "is_variant": True, "is_about_concurrency": False}
    ran = [
        {"id": "y", "pid": 1, "began": 9.0, "ended": 11.0, **told},
        {"id": "x", "pid": 1, "began": 4.0, "ended": 7.0, **told},
        {"id": "z", "pid": 2, "began": 4.0, "ended": 7.0, **told},
    ]
    found = suite.recorded_tests(ran, log)
    assert {test: set(one.produced) for test, one in found.items()} == {
        "x": {"a", "c", 'row violates check constraint "f"'},
        "y": {"d"},
        "z": {"b"},
    }


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("def test_it():\n    asyncio.gather(one(), two())\n", "test_it", True),
        ("def test_it():\n    pass\n", "test_concurrent_answers", True),
        ("def test_it():\n    pass\n", "test_traces_are_short", False),
    ],
)
def test_tests_of_concurrency_are_recognised(monkeypatch: pytest.MonkeyPatch, source: str, name: str, expected: bool):
    monkeypatch.setattr("inspect.getsource", lambda function: source)

    class Item:
        nodeid = f"tests/a/test_a.py::{name}"
        function = None

    assert short_run.is_about_concurrency(Item) is expected
