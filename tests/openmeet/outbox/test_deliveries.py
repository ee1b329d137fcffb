"""E-mail jobs: one e-mail per person, kind, subject and revision."""

import asyncio

from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import RemoteFailed, RemoteSlow
from groundwork.outbox import jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from groundwork.outbox.jobs import JobState
from openmeet.outbox.emails import COMPOSED_AT_ONCE, DueEmail, EmailReason, OutgoingEmail, email_handler, enqueue_email
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.timeouts import TIMEOUT_SECONDS


class _Post:
    """Accepts e-mails. First raises the given failures, in order."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[tuple[str, str]] = []

    async def send(self, letter: OutgoingEmail, message_id: str) -> None:
        self.taken.append((letter.text, message_id))
        if self.failures:
            raise self.failures.pop(0)


async def compose(_db: Database, due: DueEmail) -> OutgoingEmail | None:
    if due.subject_id == "gone":
        return None
    return OutgoingEmail("ana@example.org", "News", f"{due.kind} {due.subject_id} {due.revision}")


async def deliver(db: Database, post: _Post) -> None:
    await run_once(db, {JobKind.MAIL: one_job_per_call(email_handler(db, {"notification": compose}, post.send))})


async def enqueue(db: Database, subject_id: str, revision: int = 1) -> None:
    async with db.transaction() as tx:
        await enqueue_email(tx, kind="notification", person="ana", subject_id=subject_id, revision=revision)


async def test_one_mail_is_sent_per_revision(make_database: MakeDatabase):
    db, post = await make_database("openmeet"), _Post()
    for revision in (1, 1, 2, 2, 1):
        await enqueue(db, "tea", revision)
        await deliver(db, post)
    assert [text for text, _ in post.taken] == ["notification tea 1", "notification tea 2"]


async def test_a_mail_without_content_is_dropped(make_sqlite: MakeDatabase):
    db, post = await make_sqlite("openmeet"), _Post()
    await enqueue(db, "gone")
    await deliver(db, post)
    await deliver(db, post)
    assert post.taken == []


async def test_a_server_that_is_down_is_retried(make_sqlite: MakeDatabase, clock: HandClock):
    db, post = await make_sqlite("openmeet"), _Post(RemoteFailed("away"))
    await enqueue(db, "tea")
    await deliver(db, post)
    clock.turn(HOUR)
    await deliver(db, post)
    await deliver(db, post)
    assert len(post.taken) == 2


async def test_a_lost_response_is_retried_once_with_the_same_message_id(make_sqlite: MakeDatabase, clock: HandClock):
    """Invariant 10: the e-mail is sent at most twice, with the same Message-ID."""
    db, post = await make_sqlite("openmeet"), _Post(RemoteSlow("?"), RemoteSlow("?"), RemoteSlow("?"))
    await enqueue(db, "tea")
    await deliver(db, post)
    async with db.reader() as reader:
        (job,) = await jobs.in_state(reader, JobState.DUE)
    assert job.why == EmailReason.RESPONSE_LOST()
    for _ in range(3):
        clock.turn(HOUR)
        await deliver(db, post)
    assert len(post.taken) == 2
    assert len({message_id for _, message_id in post.taken}) == 1


async def test_a_lost_response_is_remembered_while_the_server_is_down(make_sqlite: MakeDatabase, clock: HandClock):
    """Nobody gets a third copy, because the failure in between does not count as a new beginning."""
    lost, down = RemoteSlow("?"), RemoteFailed("away")
    db, post = await make_sqlite("openmeet"), _Post(lost, down, lost, lost)
    await enqueue(db, "tea")
    for _ in range(5):
        await deliver(db, post)
        clock.turn(HOUR)
    assert post.failures == [lost]


async def test_few_mails_are_composed_at_once_and_all_are_sent_at_once(make_sqlite: MakeDatabase):
    """Somebody who answers waits only for the mails that are being composed, also if many are due or a mail server is
    slow.
    """
    db, due = await make_sqlite("openmeet"), 10
    composing, most, sending, all_are_sending = 0, 0, 0, asyncio.Event()

    async def compose_in_transaction(db: Database, due_email: DueEmail) -> OutgoingEmail | None:
        nonlocal composing, most
        composing += 1
        most = max(most, composing)
        async with db.transaction() as tx:
            await tx.fetch("select 1 as one")
        composing -= 1
        return await compose(db, due_email)

    async def send_slowly(_email: OutgoingEmail, _message_id: str) -> None:
        nonlocal sending
        sending += 1
        if sending == due:
            all_are_sending.set()
        await all_are_sending.wait()

    for number in range(due):
        await enqueue(db, f"tea {number}")
    handler = email_handler(db, {"notification": compose_in_transaction}, send_slowly)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await run_once(db, {JobKind.MAIL: one_job_per_call(handler)})
    assert (most, sending) == (COMPOSED_AT_ONCE, due)
