"""Runs of ``checks.suite`` on a folder with one test file."""

import os
import subprocess
import sys
from pathlib import Path

from checks import postgres
from tests.external_dependencies import ROOT


def run_suite(folder: Path, name: str, story: str, workers: int = 1, *more: str) -> "subprocess.CompletedProcess[str]":
    with start_suite(folder, name, story, workers, *more) as running:
        told, complained = running.communicate()
    return subprocess.CompletedProcess(running.args, running.returncode, told, complained)


def start_suite(folder: Path, name: str, story: str, workers: int = 1, *more: str) -> "subprocess.Popen[str]":
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(story)
    # Installed plugins are not part of these tests, and importing them takes seconds.
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHONHASH"))}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    # None of these tests needs a database.
    environment.setdefault(postgres.VARIABLE, "postgresql://nobody.asks")
    command = [sys.executable, "-m", "checks.suite", "--workers", str(workers), *more]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)
