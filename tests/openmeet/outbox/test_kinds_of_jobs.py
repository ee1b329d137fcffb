"""Stored jobs have the kinds that the program knows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundwork.clock import HandClock
from groundwork.database.migrate import migrate
from groundwork.database.open_ import open_database
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.domain.notifications.model import DIGEST_MAIL, NOTIFICATION_MAIL
from openmeet.outbox.emails import due_email_of
from openmeet.outbox.kinds import JobKind
from tests.databases import drop_schemas

# The kinds that revision 0066 changes, and one that it does not.
OLD = {
    "waiting_answers": JobKind.GAINED_ACCESS,
    "suspended_person": JobKind.BLOCKED_PERSON,
    "compare_answers": JobKind.COMPARE_RSVPS,
    "freed_seats": JobKind.FILL_SEATS,
    "standing_answers": JobKind.NEW_DATE,
    "chat_news": JobKind.NOTIFY_CHAT,
    "late_create": JobKind.LATE_WRITE,
    "backfill": JobKind.BACKFILL,
}
SCHEMA = "kinds_of_jobs"


@pytest.fixture
async def url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """URL of a database without the schema."""
    if engine == "sqlite":
        yield f"sqlite://{tmp_path}/"
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    await drop_schemas(url, [SCHEMA])


def test_kinds_are_their_names() -> None:
    assert [one.value for one in JobKind] == [one.name.lower() for one in JobKind]


async def test_kinds_of_existing_jobs_are_renamed(url: str, clock: HandClock) -> None:
    stored = [(kind, "x") for kind in OLD]
    stored += [("mail", f"{kind}\x1fana\x1fnewsletter") for kind in ("news", "digest")]
    await migrate(url, SCHEMA, "openmeet", to="0065")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.transaction() as tx:
        for kind, subject in stored:
            await tx.execute(
                "insert into outbox_jobs (kind, subject, revision, partition, priority, state, due_at, attempts, lease,"
                " reason_code, reason_params, enqueued_at) values (:kind, :subject, 1, '', 0, 'due', 0, 0, 0, '', "
                "'{}', 0)",
                kind=kind,
                subject=subject,
            )
    await db.close()
    await migrate(url, SCHEMA, "openmeet")
    db = await open_database(url, schema=SCHEMA, clock=clock)
    async with db.reader() as reader:
        rows = await reader.fetch("select kind from outbox_jobs order by kind")
        mails = [due_email_of(job) for job in await jobs.in_state(reader, JobState.DUE, kind=JobKind.MAIL)]
    await db.close()
    assert sorted(row["kind"] for row in rows if row["kind"] != JobKind.MAIL) == sorted(OLD.values())
    assert sorted((one.kind, one.person, one.subject_id) for one in mails) == [
        (DIGEST_MAIL, "ana", "newsletter"),
        (NOTIFICATION_MAIL, "ana", "newsletter"),
    ]
