"""List, retry and drop outbox jobs (``openmeet jobs …``)."""

from collections.abc import AsyncIterator
from pathlib import Path

from groundwork.database.transaction import Database, Reader
from groundwork.errors import NotFound
from groundwork.outbox import jobs
from groundwork.outbox.jobs import Job, JobState
from openmeet.i18n.reasons.messages import MESSAGES, explain
from programs.command_line import one_of, print_json, say
from programs.platform import Platform, run_on_platform


def show(state: str, tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print the jobs in this state. Raises BadParameter for an unknown state."""
    chosen = one_of(JobState, "--state")(state)

    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            listed = [job async for job in _all_jobs(reader, chosen)]
        if as_json:
            print_json([{"kind": one.kind, "subject": one.subject, "reason": _reason(one)} for one in listed])
            return
        for one in listed:
            say(f"{one.kind}  {one.subject}\n    {_reason(one)}")
        if not listed:
            say("There are none.")

    run_on_platform(settings_file, tenant, act)


def retry(job: tuple[str, str] | None, tenant: str, settings_file: Path | None) -> None:
    """Make the job of this kind and subject due again, or every failed job. Raises NotFound."""

    async def act(platform: Platform) -> None:
        count = await _wake_failed(platform.db) if job is None else await _wake(platform.db, *job)
        say(f"{count} due again")

    run_on_platform(settings_file, tenant, act)


def drop(kind: str, subject: str, tenant: str, settings_file: Path | None) -> None:
    """Delete a waiting or failed job. Raises NotFound."""

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


def _reason(job: Job) -> str:
    if job.why is None:
        return ""
    return f"{job.reason_code}: {explain(job.why) if job.why.code in MESSAGES else job.why}"


async def _all_jobs(reader: Reader, state: JobState) -> AsyncIterator[Job]:
    last = ("", "")
    while page := await jobs.in_state(reader, state, after=last):
        for job in page:
            yield job
        last = (page[-1].kind, page[-1].subject)
