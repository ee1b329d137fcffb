"""E-mail jobs: one job per recipient, kind and subject, sent at most once per revision.

The job names the e-mail, not its text: a composer reads the present when the job is handled, and may find that there is
nothing left to say. The Message-ID is derived from the job, so that mail programs recognise an e-mail that had to be
sent twice (invariant 10).
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.bulk import SqlWrite
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, RemoteSlow
from groundwork.mail.contract import CalendarFile
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, Priority
from openmeet.i18n.catalogue import gettext
from openmeet.outbox.kinds import JobKind

# Reason code of a job whose mail server took the message and did not answer.
ANSWER_LOST = "AnswerLost"


@dataclass(frozen=True, slots=True)
class DueEmail:
    """The kind of an e-mail and its recipient: ``person`` is a user id, or another id by which the composer finds the recipient."""

    kind: str
    person: str
    subject_id: str
    revision: int

    @property
    def message_id_local(self) -> str:
        """Local part of the Message-ID; the same for every attempt."""
        name = "\n".join((self.kind, self.person, self.subject_id, str(self.revision)))
        return hashlib.sha256(name.encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """A composed e-mail: address, plain text, the same as HTML, the unsubscribe link, a calendar file. ``thread``: the id
    of what it is about; e-mails with the same are shown together.
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
        """Local part of the Message-ID that all e-mails of the thread refer to; empty without a thread."""
        return hashlib.sha256(f"thread\n{self.thread}".encode()).hexdigest()[:40] if self.thread else ""


# Reads what it needs; None when there is nothing left to say (the code expired, the event was deleted).
Composer = Callable[[Database, DueEmail], Awaitable[OutgoingEmail | None]]
Sender = Callable[[OutgoingEmail, str], Awaitable[None]]

_SEPARATOR = "\x1f"  # the ASCII unit separator occurs in no id, kind or address


async def enqueue_email(
    tx: Transaction,
    *,
    kind: str,
    person: str,
    subject_id: str,
    revision: int = 1,
    priority: Priority = Priority.NORMAL,
) -> None:
    """Enqueue an e-mail; its text and address are read when it is sent.

    ``priority``: ``FIRST`` if somebody is waiting for it (a sign-in code): it goes before any bundle of notifications.
    """
    await jobs.enqueue(tx, JobKind.MAIL, _name(kind, person, subject_id), revision, priority=priority)


def enqueue_email_write(
    tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int, due_at: Instant
) -> SqlWrite:
    """The SQL write of ``enqueue_email``, to be executed in one batch with its cause; due at ``due_at``."""
    return jobs.enqueue_write(tx, JobKind.MAIL, _name(kind, person, subject_id), revision, due_at=due_at)


async def enqueue_emails(
    tx: Transaction, kind: str, mails: Sequence[tuple[str, str, Instant]], *, renews: bool = False
) -> None:
    """Enqueue e-mails to many: (person, subject, due at). Jobs that exist already stay as they are.

    ``renews``: a job that exists is moved to a later time; its due time is then its revision.
    """
    await jobs.enqueue_many(
        tx,
        JobKind.MAIL,
        [
            (_name(kind, person, subject_id), int(due_at) if renews else 1, due_at)
            for person, subject_id, due_at in mails
        ],
    )


async def readdress(tx: Transaction, mails: Sequence[tuple[str, str]], *, from_person: str, to_person: str) -> None:
    """Change the recipient of waiting e-mails, given as (kind, subject). If the new recipient has the same job already,
    only one stays.
    """
    await jobs.rename_many(
        tx,
        JobKind.MAIL,
        [(_name(kind, from_person, subject_id), _name(kind, to_person, subject_id)) for kind, subject_id in mails],
    )


def _name(*parts: str) -> str:
    if any(_SEPARATOR in part for part in parts):
        raise InvalidInput("subject", "An identifier cannot contain control characters.")
    return _SEPARATOR.join(parts)


def due_email_of(job: Job) -> DueEmail:
    """Parse the subject of a job of kind ``MAIL``: kind of e-mail, recipient, subject."""
    kind, person, subject_id = job.subject.split(_SEPARATOR)
    return DueEmail(kind, person, subject_id, job.revision)


def email_handler(db: Database, composers: Mapping[str, Composer], send: Sender) -> JobHandler:
    """Handler of ``JobKind.MAIL``: ``composers`` by kind of e-mail; ``send`` gets the e-mail and the local part of its
    Message-ID.

    ``send`` raises RemoteSlow only when the reply after the message was lost: then it is sent again, and a second
    lost reply counts as sent, because a third copy helps nobody.
    """

    async def deliver(job: Job) -> None:
        due = due_email_of(job)
        email = await composers[due.kind](db, due)
        if email is None:
            return
        try:
            await send(email, due.message_id_local)
        except RemoteSlow:
            if job.reason_code == ANSWER_LOST:
                return
            raise RemoteSlow("The mail server did not answer after the message was sent.", name=ANSWER_LOST) from None

    return deliver


def opt_out_lines(url: str) -> str:
    """Closing lines, with the opt-out link, of an e-mail that another person caused."""
    return link(gettext("Stop all e-mails like this from this site, from anyone"), url) + "\n"


def link(words: str, url: str) -> str:
    """A link in a text; in HTML the words are the link."""
    return f"{words}:\n{url}"
