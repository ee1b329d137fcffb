"""Tests that must not run beside each other: their files are there, and the scheduler in use keeps them on one worker."""

import os
import subprocess
import sys
from pathlib import Path

from tests.one_worker import TOGETHER
from tests.parts import ROOT

CONFTEST = """
import pytest
from tests import one_worker

one_worker.TOGETHER = {"test_it.py": "it"}

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return one_worker.OneWorker(config, log)
"""
TESTS = """
import os
import pytest

@pytest.mark.parametrize("number", range(8))
def test_it(number):
    with open("workers", "a") as file:
        print(os.environ["PYTEST_XDIST_WORKER"], file=file)
"""


def test_every_file_of_a_group_is_there() -> None:
    assert [file for file in TOGETHER if not (ROOT / file).is_file()] == []


def test_a_group_is_run_by_one_worker(tmp_path: Path) -> None:
    """Really run: xdist's own marks stopped having an effect without a word."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist.plugin", "-n", "2", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    ran = (tmp_path / "workers").read_text().split()
    assert (len(ran), len(set(ran))) == (8, 1)
