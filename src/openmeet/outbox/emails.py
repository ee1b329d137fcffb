"""E-mail jobs: one job per recipient, kind and subject. Each revision is sent once, or twice if the first response was
lost.

The job names the e-mail but does not contain its text. A composer reads the current state when the job is handled, and
may find that no e-mail is needed any more. The Message-ID is derived from the job, so that mail programs recognise an
e-mail that was sent twice (invariant 10).
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import Failure, InvalidInput, Reason, RemoteSlow, Unavailable
from groundwork.mail.contract import CalendarFile
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, Priority
from groundwork.outbox.retry import is_worth_retrying, retry_after_seconds
from openmeet.outbox.kinds import JobKind

# E-mails composed at the same time; any number is sent at the same time. Each is composed in a transaction, and on SQLite,
# where all share one writer, everybody who answers meanwhile waits for those that are ahead.
COMPOSED_AT_ONCE: Final = 2

# Reason code of a job whose e-mail a mail server refused permanently, usually because the address does not exist.
_REFUSED: Final = "MailRefused"


class EmailReason(Reason):
    """Why an e-mail job is refused or tried again. The messages are in ``i18n/reasons/site.py``."""

    SEPARATOR_IN_NAME = "email.separator_in_name"
    RESPONSE_LOST = "email.response_lost"  # the message was sent, but the mail server did not confirm it


@dataclass(frozen=True, slots=True)
class DueEmail:
    """An e-mail to be composed: its kind, recipient and subject. ``person`` is a user id, or another id by which the
    composer finds the recipient.
    """

    kind: str
    person: str
    subject_id: str
    revision: int

    @property
    def message_id_local(self) -> str:
        """The local part of the Message-ID, the same for every attempt."""
        name = "\n".join((self.kind, self.person, self.subject_id, str(self.revision)))
        return hashlib.sha256(name.encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """A composed e-mail: address, subject, plain text, HTML, unsubscribe link and calendar file.

    ``thread``: the id of the event or other item that the e-mail is about. Mail programs group e-mails with the same
    ``thread``.
    """

    to: str
    subject: str
    text: str
    html: str = ""
    unsubscribe_url: str = ""
    calendar: CalendarFile | None = None
    thread: str = ""

    @property
    def thread_local(self) -> str:
        """The local part of the Message-ID that all e-mails of the thread refer to; empty without a thread."""
        return hashlib.sha256(f"thread\n{self.thread}".encode()).hexdigest()[:40] if self.thread else ""


# Composes an e-mail from the database. Returns None if no e-mail is needed any more (the code expired, the event was
# deleted).
Composer = Callable[[Database, DueEmail], Awaitable[OutgoingEmail | None]]
Sender = Callable[[OutgoingEmail, str], Awaitable[None]]

_SEPARATOR = "\x1f"  # the ASCII unit separator, which occurs in no id, kind or address


async def enqueue_email(
    tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int = 1, priority: Priority = Priority.NORMAL
) -> None:
    """Enqueue an e-mail. Its text and the recipient's address are read when it is sent.

    ``priority``: ``FIRST`` if somebody is waiting for it, as for a sign-in code. It is then sent before any bundle of
    notifications.
    """
    await jobs.enqueue(tx, JobKind.MAIL, _job_subject(kind, person, subject_id), revision, priority=priority)


def email_job_write(
    tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int, due_at: Instant
) -> SqlWrite:
    """The SQL write of ``enqueue_email``, for a batch together with the change that causes the e-mail. It is due at
    ``due_at``.
    """
    return jobs.job_write(tx, JobKind.MAIL, _job_subject(kind, person, subject_id), revision, due_at=due_at)


async def enqueue_emails(
    tx: Transaction, kind: str, mails: Sequence[tuple[str, str, Instant]], *, renews: bool = False
) -> None:
    """Enqueue e-mails to many recipients, given as (person, subject, due at). Jobs that already exist are unchanged.

    ``renews``: move existing jobs to the later time; the due time is then the job's revision.
    """
    await jobs.enqueue_many(
        tx,
        JobKind.MAIL,
        [
            (_job_subject(kind, person, subject_id), int(due_at) if renews else 1, due_at)
            for person, subject_id, due_at in mails
        ],
    )


def was_never_enqueued_sql(person: str) -> str:
    """SQL condition: there is no job for the e-mail of kind ``:mail_kind`` to this person (a column) about
    ``:mail_subject``, not even a completed one.
    """
    name = f"cast(:mail_kind as text) || '{_SEPARATOR}' || {person} || '{_SEPARATOR}' || cast(:mail_subject as text)"
    # A subselect with a limit, because PostgreSQL may read all jobs for ``not exists``.
    return (
        f"(select j.subject from outbox_jobs j where j.kind = '{JobKind.MAIL}' and j.subject = {name} limit 1) is null"
    )


async def readdress(tx: Transaction, mails: Sequence[tuple[str, str]], *, from_person: str, to_person: str) -> None:
    """Change the recipient of waiting e-mails, given as (kind, subject). If the new recipient already has the same job,
    only one is kept. An e-mail that was already sent to the former recipient is not sent to the new one.
    """
    await jobs.rename_many(
        tx,
        JobKind.MAIL,
        [
            (_job_subject(kind, from_person, subject_id), _job_subject(kind, to_person, subject_id))
            for kind, subject_id in mails
        ],
    )


def _job_subject(*parts: str) -> str:
    if any(_SEPARATOR in part for part in parts):
        raise InvalidInput("subject", EmailReason.SEPARATOR_IN_NAME)
    return _SEPARATOR.join(parts)


def due_email_of(job: Job) -> DueEmail:
    """Parse the subject of a ``MAIL`` job into kind of e-mail, recipient and subject."""
    kind, person, subject_id = job.subject.split(_SEPARATOR)
    return DueEmail(kind, person, subject_id, job.revision)


async def refused_emails(reader: Reader, limit: int) -> list[DueEmail]:
    """Return the e-mails that a mail server refused permanently, the latest first."""
    return [due_email_of(job) for job in await jobs.failed_for(reader, JobKind.MAIL, _REFUSED, limit=limit)]


async def close_refused(tx: Transaction, due: Sequence[DueEmail]) -> None:
    """Complete the failed jobs of these e-mails, so that operators no longer see them."""
    await jobs.complete_failed(tx, JobKind.MAIL, [_job_subject(one.kind, one.person, one.subject_id) for one in due])


def email_handler(db: Database, composers: Mapping[str, Composer], send: Sender) -> JobHandler:
    """Handler of ``JobKind.MAIL``.

    ``composers``: the composer of each kind of e-mail. ``send`` is called with the e-mail and the local part of its
    Message-ID. It raises RemoteSlow only if the reply was lost after the message had been sent. The e-mail is then sent
    again; a second lost reply counts as sent, because a third copy would help nobody.
    """
    composing = asyncio.Semaphore(COMPOSED_AT_ONCE)

    async def compose_and_send(due_email: DueEmail, *, is_second_copy: bool) -> None:
        async with composing:
            email = await composers[due_email.kind](db, due_email)
        if email is None:
            return
        try:
            await send(email, due_email.message_id_local)
        except RemoteSlow:
            if not is_second_copy:
                raise RemoteSlow(EmailReason.RESPONSE_LOST) from None

    async def deliver(job: Job) -> None:
        is_second_copy = job.reason_code == EmailReason.RESPONSE_LOST
        try:
            await compose_and_send(due_email_of(job), is_second_copy=is_second_copy)
        except Failure as failure:
            if not is_second_copy or not is_worth_retrying(failure):
                raise
            # With another reason, a response lost after this failure would count as the first one.
            raise Unavailable(EmailReason.RESPONSE_LOST, after_seconds=retry_after_seconds(failure)) from failure

    return deliver
