"""E-mail jobs: one e-mail per person, kind, subject and revision."""

from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import RemoteFailed, RemoteSlow
from groundwork.outbox.delivery import one_by_one
from groundwork.outbox.dispatcher import run_once
from openmeet.outbox.emails import DueEmail, OutgoingEmail, email_handler, enqueue_email
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase


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
    await run_once(db, {JobKind.MAIL: one_by_one(email_handler(db, {"news": compose}, post.send))})


async def enqueue(db: Database, subject_id: str, revision: int = 1) -> None:
    async with db.transaction() as tx:
        await enqueue_email(tx, kind="news", person="ana", subject_id=subject_id, revision=revision)


async def test_one_mail_is_sent_per_revision(make_database: MakeDatabase):
    db, post = await make_database("openmeet"), _Post()
    for revision in (1, 1, 2, 2, 1):
        await enqueue(db, "tea", revision)
        await deliver(db, post)
    assert [text for text, _ in post.taken] == ["news tea 1", "news tea 2"]


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
    for _ in range(4):
        await deliver(db, post)
        clock.turn(HOUR)
    assert len(post.taken) == 2
    assert len({message_id for _, message_id in post.taken}) == 1
