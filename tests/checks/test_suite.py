"""Tests of the suite runner: real runs of pytest, each in its own folder."""

import json
import os
import signal
from pathlib import Path

import pytest

from checks import durations, suite
from tests.checks.suite_runs import run_suite, start_suite
from tests.external_dependencies import ROOT


def test_the_order_of_sets_is_the_same_in_every_run(tmp_path: Path):
    """An element taken from a set of strings is the same in every run."""
    told = "import os\ndef test_it():\n    assert os.environ['PYTHONHASHSEED'] == '0'\n"
    assert run_suite(tmp_path, "tests/other/test_story.py", told).returncode == 0


def test_imported_modules_are_compiled_once(tmp_path: Path):
    """The order is fixed even if the environment sets another one, because workers and hundreds of programs import the
    same modules.
    """
    assert run_suite(tmp_path, "tests/other/test_story.py", "def test_it():\n    pass\n").returncode == 0
    assert list((tmp_path / "tests/other/__pycache__").iterdir())


def test_temporary_folders_are_in_memory_if_possible_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suite, "MEMORY", tmp_path)
    monkeypatch.setattr(suite, "ROOM_BYTES", 1)
    with suite.folder_of_tests() as (option,):
        name, _, given = option.partition("=")
        assert name == "--basetemp"
        assert Path(given).parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(suite, "ROOM_BYTES", 1 << 60)
    with suite.folder_of_tests() as nothing:
        assert nothing == []


SHARED = """
import os
import pytest

@pytest.fixture(scope="session")
def shared():
    yield
    with open("ended", "a") as file:
        print(os.getpid(), file=file)
"""
SEVERAL = """
import os
import pytest

@pytest.mark.parametrize("number", range(8))
def test_it(number, shared):
    with open("ran", "a") as file:
        print(number, os.getpid(), file=file)
"""


def test_every_test_of_a_spread_file_runs_once_and_a_session_ends_once_per_worker(tmp_path: Path):
    """The tests of a long file are distributed. Session fixtures outlive the files and are torn down at the end."""
    (tmp_path / "tests/other").mkdir(parents=True)
    (tmp_path / "tests/other/test_second.py").write_text(SEVERAL)
    (tmp_path / "tests/conftest.py").write_text(SHARED)
    done = run_suite(tmp_path, "tests/simulation/test_long.py", SEVERAL, workers=2)
    assert "0 failed, 16 passed, 0 skipped" in done.stdout
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert sorted(int(number) for number, _ in ran) == sorted([*range(8), *range(8)])
    ended = (tmp_path / "ended").read_text().split()
    assert sorted(ended) == sorted({worker for _, worker in ran})


# Both servers keep the pipe open while they run.
INTERRUPTED = """
import subprocess
import sys
import pytest

def start(text):
    with open("servers", "w") as pipe:
        return subprocess.Popen([sys.executable, "-c", f"import signal, time; {text}; time.sleep(600)"], stdout=pipe)

@pytest.fixture(scope="session")
def server():
    process = start("pass")
    yield
    process.terminate()
    with open("ended", "w") as file:
        print(process.wait(), file=file)

def test_it(server):
    start("signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True)").wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_what_it_has_started(tmp_path: Path, number: signal.Signals):
    """Session fixtures are torn down, and whatever the tests have left is killed."""
    servers = tmp_path / "servers"
    os.mkfifo(servers)
    with start_suite(tmp_path, "tests/other/test_story.py", INTERRUPTED) as running, servers.open() as pipe:
        assert pipe.readline() == "up\n"
        running.send_signal(number)
        told, complained = running.communicate()
        assert (running.returncode, complained.strip()) == (130, "Interrupted"), told
        assert pipe.read() == ""
    assert (tmp_path / "ended").read_text().split() == [str(-signal.SIGTERM)]


def test_a_file_that_cannot_be_imported_fails_the_run_and_the_rest_goes_on(tmp_path: Path):
    (tmp_path / "tests/other").mkdir(parents=True)
    (tmp_path / "tests/other/test_broken.py").write_text("import nothing_of_this_name\n")
    done = run_suite(tmp_path, "tests/other/test_fine.py", "def test_it():\n    pass\n")
    assert done.returncode == 1
    assert "FAILED tests/other/test_broken.py (collection)" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_a_worker_that_dies_fails_the_run_and_its_test_is_named(tmp_path: Path):
    done = run_suite(tmp_path, "tests/other/test_it.py", "import os\ndef test_it():\n    os._exit(0)\n")
    assert done.returncode == 1
    assert "worker 0 ended with 0, running tests/other/test_it.py::test_it" in done.stdout


def test_a_program_that_outlives_its_worker_does_not_hold_up_the_run(tmp_path: Path):
    """A program that outlives its worker does not block the run, although it was forked and also holds the worker's end
    of the socket.
    """
    story = """
import os
import time

def test_it():
    if os.fork() == 0:
        os.setsid()
        open("program", "w").write(str(os.getpid()))
        time.sleep(600)
        os._exit(0)
"""
    try:
        done = run_suite(tmp_path, "tests/other/test_it.py", story)
        assert "0 failed, 1 passed" in done.stdout
    finally:
        os.kill(int((tmp_path / "program").read_text()), signal.SIGKILL)


def test_a_worker_that_hangs_is_ended_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A worker that hangs where Python cannot handle a signal, as in a lock of a C library, is ended and the test is
    named.
    """
    file = "tests/other/test_it.py"
    story = "import ctypes\n\ndef test_it():\n    while True:\n        ctypes.PyDLL(None).pause()\n"
    (tmp_path / "tests/other").mkdir(parents=True)
    (tmp_path / file).write_text(story)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(suite, "SILENT_SECONDS", 15.0)
    running = suite.Suite([suite.Unit(1.0, (suite.Part(file),))], tmp_path, ["tests"])
    running.work(0)
    assert running.outcome.broken == [f"worker 0 ended with {-signal.SIGABRT}, running {file}::test_it"]
    assert 'test_it.py", line 5 in test_it' in (tmp_path / "worker-0.log").read_text()


def test_failure_after_the_last_test_fails_the_run(tmp_path: Path):
    """A session fixture whose teardown fails makes the run fail."""
    story = """
import pytest

@pytest.fixture(scope="session")
def shared():
    yield
    raise RuntimeError("cannot end")

def test_it(shared):
    pass
"""
    done = run_suite(tmp_path, "tests/other/test_it.py", story)
    assert done.returncode == 1
    assert "cannot end" in done.stdout


def test_skip_reasons_are_printed(tmp_path: Path):
    story = (
        "import pytest\n@pytest.mark.skip(reason='no moon')\ndef test_it():\n    pass\ndef test_other():\n    pass\n"
    )
    done = run_suite(tmp_path, "tests/other/test_it.py", story)
    assert (done.returncode, "SKIPPED [1] Skipped: no moon" in done.stdout) == (0, True)


def test_every_file_of_a_group_is_there():
    assert [file for file in suite.TOGETHER if not (ROOT / file).is_file()] == []


def test_recorded_duration_is_preferred_to_an_estimate():
    file = "tests/system/test_up.py"
    assert suite.plan([file], {}, 2)[0].seconds == suite.LONG_SECONDS
    assert suite.plan([file], {file: 7.0}, 2)[0].seconds == 7.0


def test_a_plan_holds_every_file_once_the_longest_first():
    """A plan contains every file once, the longest first. Groups stay together, and the tests of long files are
    distributed.
    """
    group = [file for file, name in suite.TOGETHER.items() if name == "cluster"]
    files = [*group, "tests/a/test_short.py", "tests/a/test_slow.py", "tests/a/test_very_slow.py"]
    units = suite.plan(files, {"tests/a/test_slow.py": 40.0, "tests/a/test_very_slow.py": 200.0}, 2)
    assert [[(part.file, part.first, part.of) for part in unit.parts] for unit in units] == [
        [(file, 0, 1) for file in sorted(group)],
        [("tests/a/test_very_slow.py", 0, 2)],
        [("tests/a/test_very_slow.py", 1, 2)],
        [("tests/a/test_slow.py", 0, 1)],
        [("tests/a/test_short.py", 0, 1)],
    ]


COSTLY = """
import time

def test_it():
    ends = time.process_time() + {seconds}
    while time.process_time() < ends:
        pass
"""


def test_cost_of_a_run_is_recorded_and_compared(tmp_path: Path):
    """The cost of a run is recorded, and compared if everything is run, or with the option. It is processor time, so
    neither waiting nor a busy machine counts.
    """
    (tmp_path / "checks").mkdir()
    name = "tests/other/test_story.py"
    assert run_suite(tmp_path, name, COSTLY.format(seconds=0.5), 1, "--record").returncode == 0
    recorded = json.loads((tmp_path / durations.DURATIONS).read_text())["files"]
    assert recorded.keys() == {name}
    assert recorded[name]["cpu"] >= 0.5
    assert run_suite(tmp_path, name, COSTLY.format(seconds=0.1), 1, "--compare").returncode == 0
    dear = COSTLY.format(seconds=5 * recorded[name]["cpu"])
    done = run_suite(tmp_path, name, dear, 1, "--compare")
    assert done.returncode == 1
    assert "more processor time than recorded" in done.stdout
    assert f"s  {name}" in done.stdout
    assert run_suite(tmp_path, name, dear, 1, "tests").returncode == 0
    assert run_suite(tmp_path, name, dear).returncode == 1


def test_cost_includes_programs_that_still_run(tmp_path: Path):
    """A browser runs for a whole file. Its processor time counts towards the test during which it was used."""
    (tmp_path / "checks").mkdir()
    story = """
import subprocess
import sys

import pytest

BUSY = "import time\\nwhile time.process_time() < 0.5: pass\\nprint(flush=True)\\ntime.sleep(600)"

@pytest.fixture(scope="session")
def program():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as running:
        yield running
        running.kill()

def test_it(program):
    program.stdout.readline()
"""
    assert run_suite(tmp_path, "tests/other/test_story.py", story, 1, "--record").returncode == 0
    recorded = json.loads((tmp_path / durations.DURATIONS).read_text())["files"]
    assert recorded["tests/other/test_story.py"]["cpu"] >= 0.5
