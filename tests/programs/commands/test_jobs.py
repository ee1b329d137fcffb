"""Operators list failed jobs and retry or delete them."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.fork_server import FORK_SERVER
from tests.programs.commands.command_output import output_of, run_command
from tests.programs.platforms import open_platform, read_platform_settings

from groundwork.clock import SystemClock, from_datetime
from groundwork.errors import FailureReason, Refused, with_stored_reason
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.api_tokens.scopes import ServiceScope
from openmeet.outbox.kinds import JobKind

GONE = "did:web:gone.example"
WHY = "gone.example says: no such repository"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"OPENMEET_DATA_DIRECTORY": str(tmp_path), "OPENMEET_DEV_MAILBOX": "true"}


def openmeet(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command(environment, "jobs", *arguments)


async def test_columns_do_not_run_together(environment: dict[str, str]):
    """Columns do not run together: ``sync status`` with the longest job kind, and ``services make --help`` with every
    scope in full.
    """
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await jobs.enqueue(tx, JobKind.REFRESH_IDENTITY, GONE)
        await dispatcher.run_once(platform.db, {JobKind.REFRESH_IDENTITY: one_job_per_call(refuse)})
        said = output_of(environment, "sync", "status")
        assert re.search(r"refresh_identity failed +1$", said, re.MULTILINE)
        assert re.search(r"dead letters +0$", said, re.MULTILINE)
    words = output_of(environment, "services", "make", "--help")
    assert [scope for scope in ServiceScope if scope not in words] == []


async def test_the_status_says_when_waiting_jobs_are_due(environment: dict[str, str]):
    """Many jobs are enqueued for later: their number alone looks as if nothing were delivered."""
    first = datetime(2031, 3, 4, 18, tzinfo=UTC)
    async with (
        open_platform(read_platform_settings(None, environment), SystemClock()) as platform,
        platform.db.transaction() as tx,
    ):
        await jobs.enqueue(tx, JobKind.MAIL, "a", due_at=from_datetime(first))
        await jobs.enqueue(tx, JobKind.MAIL, "b", due_at=from_datetime(first + timedelta(days=1)))
    said = output_of(environment, "sync", "status")
    assert re.search(r"mail due +2, the first at 2031-03-04 18:00:00 UTC$", said, re.MULTILINE)
    assert json.loads(output_of(environment, "sync", "status", "--json"))["jobs"] == {"mail due": 2}


async def refuse(_job: Job) -> None:
    raise with_stored_reason(Refused(WHY), FailureReason.SERVER_SAID(host="gone.example", words="no such repository"))


async def test_a_failed_job_is_listed_and_becomes_due_again_or_is_dropped(environment: dict[str, str]):
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await jobs.enqueue(tx, JobKind.BACKFILL, GONE)
        await dispatcher.run_once(platform.db, {JobKind.BACKFILL: one_job_per_call(refuse)})

        listed = openmeet(environment, "list", "--json")
        assert json.loads(listed.stdout) == [{"kind": "backfill", "subject": GONE, "reason": f"Refused: {WHY}"}]
        assert openmeet(environment, "retry", "backfill", GONE).stdout == "1 due again\n"
        async with platform.db.reader() as reader:
            job = await jobs.find(reader, JobKind.BACKFILL, GONE)
        assert job is not None
        assert (job.state, job.attempts) == (JobState.DUE, 0)
        assert openmeet(environment, "list").stdout == "There are none.\n"
        due = json.loads(openmeet(environment, "list", "--state", "due", "--json").stdout)
        assert due == [{"kind": "backfill", "subject": GONE, "reason": ""}]
        assert openmeet(environment, "drop", "backfill", GONE).stdout == "Dropped.\n"
        async with platform.db.reader() as reader:
            assert await jobs.find(reader, JobKind.BACKFILL, GONE) is None


async def test_all_failed_jobs_become_due_again(environment: dict[str, str]):
    async with open_platform(read_platform_settings(None, environment), SystemClock()) as platform:
        async with platform.db.transaction() as tx:
            await jobs.enqueue_many(tx, JobKind.BACKFILL, [(f"did:web:h{n}.example", 1, tx.now) for n in range(130)])
        while await dispatcher.run_once(platform.db, {JobKind.BACKFILL: one_job_per_call(refuse, jobs_per_lease=130)}):
            pass
        assert openmeet(environment, "retry", "--all").stdout == "130 due again\n"
        async with platform.db.reader() as reader:
            assert await jobs.in_state(reader, JobState.FAILED) == []


def test_unknown_job_is_refused_and_no_job_is_misuse(environment: dict[str, str]):
    unknown = openmeet(environment, "retry", "backfill", GONE)
    assert (unknown.returncode, unknown.stderr) == (
        1,
        f"openmeet jobs: There is no waiting or failed job backfill {GONE}.\n",
    )
    assert openmeet(environment, "retry").returncode == 2
    assert openmeet(environment, "retry", "backfill", GONE, "--all").returncode == 2
    # It would retry jobs of every kind.
    assert openmeet(environment, "retry", "backfill", "--all").returncode == 2


def test_help_names_every_state_of_a_job(environment: dict[str, str]) -> None:
    shown = output_of(environment, "jobs", "list", "--help")
    assert f"State of the jobs to list: {', '.join(JobState)}." in shown


def test_command_without_settings_creates_no_database(tmp_path: Path) -> None:
    """An empty database in the current folder would say that no job has failed."""
    refused = FORK_SERVER.run("jobs", "list", environment={}, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Name the settings of your site with --settings FILE." in refused.stderr
    assert list(tmp_path.iterdir()) == []
