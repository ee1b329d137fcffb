"""E-mail jobs: one job per recipient, kind and subject, sent at most once per revision; and opt-outs of addresses.

The job names the e-mail, not its text: a composer reads the present when the job is handled, and may find that there is
nothing left to say. The Message-ID is derived from the job, so that mail programs recognise an e-mail that had to be
sent twice (invariant 10).
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType

from groundwork.clock import Instant
from groundwork.database.together import SqlWrite
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import InvalidInput, RemoteSlow
from groundwork.mail.contract import CalendarFile
from groundwork.outbox import jobs
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.signing_key import SigningKey
from openmeet.outbox.kinds import JobKind

ANSWER_LOST = "The mail server did not answer after the message was sent."


@dataclass(frozen=True, slots=True)
class Due:
    """Which e-mail goes to whom: ``person`` is a user id, or whatever else the composer knows its recipient by."""

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
    """A composed e-mail: address, plain text, the same as HTML, the unsubscribe link, a calendar file."""

    to: str
    subject: str
    text: str
    html: str = ""
    unsubscribe_url: str = ""
    calendar: CalendarFile | None = None


# Reads what it needs; None when there is nothing left to say (the code expired, the event was deleted).
Composer = Callable[[Database, Due], Awaitable[OutgoingEmail | None]]
Sender = Callable[[OutgoingEmail, str], Awaitable[None]]

_SEPARATOR = "\x1f"  # the ASCII unit separator occurs in no id, kind or address


async def enqueue_email(tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int = 1) -> None:
    """Enqueue an e-mail; its text and address are read when it is sent."""
    await jobs.enqueue(tx, JobKind.MAIL, _name(kind, person, subject_id), revision)


def email_job(tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int, due_at: Instant) -> SqlWrite:
    """The statement of ``enqueue_email``, to be written together with its cause; due at ``due_at``."""
    return jobs.enqueue_write(tx, JobKind.MAIL, _name(kind, person, subject_id), revision, due_at=due_at)


async def enqueue_emails(
    tx: Transaction, kind: str, owed: Sequence[tuple[str, str, Instant]], *, renews: bool = False
) -> None:
    """Enqueue e-mails to many: (person, subject, due at). Jobs that exist already stay as they are.

    ``renews``: a job that exists is moved to a later time; its due time is then its revision.
    """
    await jobs.enqueue_many(
        tx,
        JobKind.MAIL,
        [
            (_name(kind, person, subject_id), int(due_at) if renews else 1, due_at)
            for person, subject_id, due_at in owed
        ],
    )


async def readdress(tx: Transaction, owed: Sequence[tuple[str, str]], *, from_person: str, to_person: str) -> None:
    """Give waiting e-mails (kind, subject) of one person to another; where that one has the same job already, one
    stays.
    """
    await jobs.rename_many(
        tx,
        JobKind.MAIL,
        [(_name(kind, from_person, subject_id), _name(kind, to_person, subject_id)) for kind, subject_id in owed],
    )


def _name(*parts: str) -> str:
    if any(_SEPARATOR in part for part in parts):
        raise InvalidInput("subject", "An identifier may not contain control characters.")
    return _SEPARATOR.join(parts)


def due_of(job: Job) -> Due:
    """What a job of kind ``MAIL`` sends."""
    kind, person, subject_id = job.subject.split(_SEPARATOR)
    return Due(kind, person, subject_id, job.revision)


def email_handler(db: Database, composers: Mapping[str, Composer], send: Sender) -> JobHandler:
    """Handler of ``JobKind.MAIL``: ``composers`` by kind of e-mail; ``send`` gets the e-mail and the local part of its
    Message-ID.

    ``send`` raises RemoteSlow only when the reply after the message was lost: then it is sent once more, and a second
    lost reply counts as sent, because a third copy helps nobody.
    """

    async def pay(job: Job) -> None:
        due = due_of(job)
        letter = await composers[due.kind](db, due)
        if letter is None:
            return
        try:
            await send(letter, due.message_id_local)
        except RemoteSlow:
            if job.reason == ANSWER_LOST:
                return
            raise RemoteSlow(ANSWER_LOST) from None

    return pay


AddressHash = NewType("AddressHash", str)

_TOKEN = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{32})")


def hash_of(email: str) -> AddressHash:
    """The stored hash of an address; upper and lower case are the same."""
    return AddressHash(hashlib.sha256(b"left alone\x00" + email.strip().casefold().encode()).hexdigest())


def url_of(key: SigningKey, public_url: str, email: str) -> str:
    """Link by which the owner of an address opts out; for the header and the end of the e-mail."""
    return f"{public_url}/mail/never/{token_of(key, hash_of(email))}"


def token_of(key: SigningKey, address: AddressHash) -> str:
    proof = key.digest(b"left alone\x00" + address.encode()).hex()
    return f"{address}.{proof[:32]}"


def address_in(key: SigningKey, token: str) -> AddressHash | None:
    """The address hash that a link is for; None for a forged link."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    address = AddressHash(found[1])
    return address if key.made(token, lambda one: token_of(one, address)) else None


async def is_left_alone(reader: Reader, address: AddressHash) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from addresses_left_alone where address = :address", address=address
    )
    return row is not None


async def leave_alone(tx: Transaction, address: AddressHash) -> None:
    """Opt out of such e-mails; idempotent."""
    await tx.execute(
        "insert into addresses_left_alone (address, created_at) values (:address, :now) on conflict (address) do nothing",
        address=address,
        now=tx.now,
    )


async def write_again(tx: Transaction, address: AddressHash) -> None:
    """Undo the opt-out: the owner asked for it, or has used the site themselves."""
    await tx.execute("delete from addresses_left_alone where address = :address", address=address)


def closing(url: str) -> str:
    """Closing lines of an e-mail that somebody else has caused."""
    return f"Never get such letters from this site again, whoever wants to send them:\n{url}\n"
