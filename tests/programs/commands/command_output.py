"""Run operators' commands and read what they print."""

import subprocess

from tests.fork_server import FORK_SERVER


def output_of(environment: dict[str, str], *arguments: str) -> str:
    """The output of a command on a wide terminal."""
    return run_command({**environment, "COLUMNS": "400"}, *arguments).stdout


def run_command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return FORK_SERVER.run(*arguments, environment=environment)
