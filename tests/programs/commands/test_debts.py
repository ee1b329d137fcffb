"""What was given up is seen by the operator, and tried again when they say so."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.parts import ROOT

from groundwork.clock import SystemClock
from groundwork.errors import Refused
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.dispatcher import HandlerOptions
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.outbox.kinds import JobKind
from programs.platform import open_platform
from programs.platform_settings import read_platform_settings

GONE = "did:web:gone.example"
WHY = "gone.example says: no such repository"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}


def openmeet(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return of_program(environment, "debts", *arguments)


def run(environment: dict[str, str], *arguments: str) -> str:
    """What a command says on a wide terminal."""
    return of_program({**environment, "COLUMNS": "400"}, *arguments).stdout


def of_program(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "programs.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT / "src",
        env={**os.environ, **environment},
    )


async def test_columns_are_apart_however_long_a_word_is(environment: dict[str, str]):
    """``sync status`` with the longest kind of debt, and ``services make --help`` with every scope as it is written."""
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await jobs.enqueue(tx, JobKind.REFRESH_IDENTITY, GONE)
        await dispatcher.run_once(platform.db, {JobKind.REFRESH_IDENTITY: HandlerOptions(refuse)})
        said = run(environment, "sync", "status")
        assert re.search(r"refresh_identity given_up +1$", said, re.MULTILINE)
        assert re.search(r"dead letters +0$", said, re.MULTILINE)
    words = run(environment, "services", "make", "--help")
    assert [scope for scope in ServiceScope if scope not in words] == []


async def refuse(_debt: Job) -> None:
    raise Refused(WHY)


async def test_a_debt_that_was_given_up_is_listed_and_becomes_due_again(environment: dict[str, str]):
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await jobs.enqueue(tx, JobKind.BACKFILL, GONE)
        await dispatcher.run_once(platform.db, {JobKind.BACKFILL: HandlerOptions(refuse)})

        listed = openmeet(environment, "given-up", "--json")
        assert json.loads(listed.stdout) == [{"kind": "backfill", "subject": GONE, "reason": f"Refused: {WHY}"}]
        assert openmeet(environment, "retry", "backfill", GONE).stdout == "1 due again\n"
        async with platform.db.reader() as reader:
            job = await jobs.find(reader, JobKind.BACKFILL, GONE)
        assert job is not None
        assert (job.state, job.attempts) == (JobState.DUE, 0)
        assert openmeet(environment, "given-up").stdout == "Nothing was given up.\n"


def test_naming_what_is_not_owed_is_refused_and_naming_nothing_is_misuse(environment: dict[str, str]):
    unknown = openmeet(environment, "retry", "backfill", GONE)
    assert (unknown.returncode, unknown.stderr) == (
        1,
        f"openmeet debts: There is no unpaid debt backfill {GONE}.\n",
    )
    assert openmeet(environment, "retry").returncode == 2
    assert openmeet(environment, "retry", "backfill", GONE, "--all").returncode == 2
