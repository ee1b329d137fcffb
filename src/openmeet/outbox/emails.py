"""Mail that is owed: one debt per person, kind and subject, sent at most once per revision.

The debt names the mail, not its words: ``compose`` of the room concerned reads the present when it is paid and may find
that nothing needs saying any more. The Message-ID follows from the debt, so a mail that had to be sent twice is
recognised as one (invariant 10).
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
    """Which mail is owed to whom: ``person`` is a user id, or whatever the room knows its addressee by."""

    kind: str
    person: str
    subject_id: str
    revision: int

    @property
    def message_id_local(self) -> str:
        """The left side of the Message-ID; the same for every attempt."""
        name = "\n".join((self.kind, self.person, self.subject_id, str(self.revision)))
        return hashlib.sha256(name.encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """What a room wants said, and the address it goes to: plain text, the same as HTML, how to stop it, a calendar file."""

    to: str
    subject: str
    text: str
    html: str = ""
    unsubscribe_url: str = ""
    calendar: CalendarFile | None = None


# A room's composer: reads what it needs; None when there is nothing to say any more (the code expired, the event went).
Composer = Callable[[Database, Due], Awaitable[OutgoingEmail | None]]
Sender = Callable[[OutgoingEmail, str], Awaitable[None]]

_SEPARATOR = "\x1f"  # the ASCII unit separator occurs in no id, kind or address


async def enqueue_email(tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int = 1) -> None:
    """Promise a mail; what it says and where it goes is read when it is sent."""
    await jobs.enqueue(tx, JobKind.MAIL, _name(kind, person, subject_id), revision)


def email_job(tx: Transaction, *, kind: str, person: str, subject_id: str, revision: int, due_at: Instant) -> SqlWrite:
    """``owe_mail``, to be written together with what it is about, and due later."""
    return jobs.enqueue_write(tx, JobKind.MAIL, _name(kind, person, subject_id), revision, due_at=due_at)


async def enqueue_emails(
    tx: Transaction, kind: str, owed: Sequence[tuple[str, str, Instant]], *, renews: bool = False
) -> None:
    """Promise mails to many: (person, subject, when it is due). What was promised before stays as it is.

    ``renews``: unless it was to be sent earlier than now promised; when it is due is its revision then.
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
    """Mails (kind, subject) that wait for one person are owed to another; what is owed to that one already stays once."""
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
    """What a row of the outbox owes."""
    kind, person, subject_id = job.subject.split(_SEPARATOR)
    return Due(kind, person, subject_id, job.revision)


def email_handler(db: Database, composers: Mapping[str, Composer], send: Sender) -> JobHandler:
    """The payer of ``Debt.MAIL``: ``composers`` by kind of mail, ``send`` gets the letter and its Message-ID's name.

    ``send`` raises RemoteSlow only when the answer after the message was lost: then it is sent once more, and a second
    lost answer counts as sent, because a third copy helps nobody.
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
    """What is kept of an address; capitals make no other one."""
    return AddressHash(hashlib.sha256(b"left alone\x00" + email.strip().casefold().encode()).hexdigest())


def url_of(key: SigningKey, public_url: str, email: str) -> str:
    """Where the owner of an address says that they want no such letters; for the header of the letter, and its end."""
    return f"{public_url}/mail/never/{token_of(key, hash_of(email))}"


def token_of(key: SigningKey, address: AddressHash) -> str:
    proof = key.digest(b"left alone\x00" + address.encode()).hex()
    return f"{address}.{proof[:32]}"


def address_in(key: SigningKey, token: str) -> AddressHash | None:
    """Whose a link is; None where it was made up."""
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
    """No more such letters; once more changes nothing."""
    await tx.execute(
        "insert into addresses_left_alone (address, created_at) values (:address, :now) on conflict (address) do nothing",
        address=address,
        now=tx.now,
    )


async def write_again(tx: Transaction, address: AddressHash) -> None:
    """Its owner wants such letters after all, or has come here themselves."""
    await tx.execute("delete from addresses_left_alone where address = :address", address=address)


def closing(url: str) -> str:
    """The end of a letter that somebody else has caused."""
    return f"Never get such letters from this site again, whoever wants to send them:\n{url}\n"
