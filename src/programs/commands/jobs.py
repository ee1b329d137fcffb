"""``openmeet jobs …``: list, retry and drop outbox jobs, especially failed ones."""

from collections.abc import AsyncIterator
from typing import Annotated

import typer

from groundwork.database.transaction import Database, Reader
from groundwork.errors import NotFound
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.i18n.reasons.messages import MESSAGES, explain
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, one_of, print_json, say
from programs.platform import Platform, run_on_platform

app = noun("List, retry and delete outbox jobs: e-mails, accounts, repositories to read.")

Kind = Annotated[str, typer.Argument(help="The job's kind; see `openmeet jobs list`.")]
Subject = Annotated[str, typer.Argument(help="What it is about.")]
All = Annotated[bool, typer.Option("--all", help="All failed jobs.")]
State = Annotated[
    JobState,
    typer.Option(help=f"State of the jobs to list: {', '.join(JobState)}.", parser=one_of(JobState), metavar="STATE"),
]


@app.command(name="list")
def list_(
    state: State = JobState.FAILED,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """List failed jobs with the reason, or the jobs in another state."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            listed = [job async for job in _all_jobs(reader, state)]
        if as_json:
            print_json([{"kind": one.kind, "subject": one.subject, "reason": _reason(one)} for one in listed])
            return
        for one in listed:
            say(f"{one.kind}  {one.subject}\n    {_reason(one)}")
        if not listed:
            say("There are none.")

    run_on_platform(settings_file, tenant, show)


@app.command()
def retry(
    kind: Kind = "",
    subject: Subject = "",
    everything: All = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Make failed jobs due again. The publisher then delivers them."""
    if everything == bool(kind and subject):
        raise typer.BadParameter("Give the kind and subject of a job, or --all.")

    async def act(platform: Platform) -> None:
        count = await _wake_failed(platform.db) if everything else await _wake(platform.db, kind, subject)
        say(f"{count} due again")

    run_on_platform(settings_file, tenant, act)


@app.command()
def drop(
    kind: Annotated[str, typer.Argument(help="The job's kind; see `openmeet jobs list`.")],
    subject: Annotated[str, typer.Argument(help="What it is about.")],
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Delete a waiting or failed job, so that it is not delivered unless it is enqueued again."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            if not await jobs.drop(tx, kind, subject):
                raise _no_such_job(kind, subject)
        say("Dropped.")

    run_on_platform(settings_file, tenant, act)


async def _wake(db: Database, kind: str, subject: str) -> int:
    async with db.transaction() as tx:
        if not await jobs.retry_now(tx, kind, subject):
            raise _no_such_job(kind, subject)
    return 1


async def _wake_failed(db: Database) -> int:
    """Wake every failed job and return how many there were. Each page has a transaction of its own, because all of them
    could take longer than a transaction may.
    """
    count, last = 0, ("", "")
    while True:
        async with db.transaction() as tx:
            page = await jobs.in_state(tx, JobState.FAILED, after=last)
            for job in page:
                count += await jobs.retry_now(tx, job.kind, job.subject)
        if not page:
            return count
        last = (page[-1].kind, page[-1].subject)


def _no_such_job(kind: str, subject: str) -> NotFound:
    return NotFound(f"There is no waiting or failed job {kind} {subject}.")


def _reason(job: jobs.Job) -> str:
    if job.why is None:
        return ""
    return f"{job.reason_code}: {explain(job.why) if job.why.code in MESSAGES else job.why}"


async def _all_jobs(reader: Reader, state: JobState) -> AsyncIterator[jobs.Job]:
    last = ("", "")
    while page := await jobs.in_state(reader, state, after=last):
        for job in page:
            yield job
        last = (page[-1].kind, page[-1].subject)
