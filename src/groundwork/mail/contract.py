"""E-mails, their encoding as messages, and the contract of a mailer."""

from dataclasses import dataclass
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Final, Protocol

from groundwork.clock import Instant, to_datetime
from groundwork.mail.address import EmailAddress


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of our e-mail: name and address, and the reply address if it differs."""

    name: str
    address: EmailAddress
    reply_to: EmailAddress | None = None


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """An attached iCalendar file. ``method`` is the one inside the file (RFC 6047, section 2.4)."""

    content: bytes
    method: str
    name: str = "event.ics"


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail to one person.

    ``message_id`` (``<something@our.host>``) is derived from the job, so that a second attempt carries the same one
    (invariant 10). ``unsubscribe_url`` works with one click and without signing in (RFC 8058). ``thread_id`` has the
    same form as ``message_id`` but belongs to no e-mail. All e-mails about one thing share it, so that mail programs
    group them.
    """

    to: EmailAddress
    subject: str
    text: str
    message_id: str
    html: str = ""
    unsubscribe_url: str = ""
    calendar: CalendarFile | None = None
    thread_id: str = ""


class _WholeLine(UnstructuredHeader, BaseHeader):
    """A header on a single line. Folding would encode a long URL into encoded words and change it (RFC 8058 needs a
    plain URI).
    """

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


# Characters per line (RFC 5322, section 2.1.1).
_LONGEST_LINE: Final = 78


class _Verbatim(UnstructuredHeader, BaseHeader):
    """A header text that people wrote, kept exactly as it is.

    The library would decode encoded words (RFC 2047) even in a new value; line breaks inside them could end the header
    and begin another one, or the body. This class encodes such words again instead.
    """

    @classmethod
    def parse(cls, value: str, kwds: dict[str, object]) -> None:
        kwds["decoded"], kwds["parse_tree"] = value, None

    def fold(self, *, policy: Policy) -> str:
        fits = len(self.name) + 2 + len(self) <= _LONGEST_LINE
        is_plain = fits and self.isascii() and self.isprintable() and "=?" not in self
        charset = "us-ascii" if is_plain else "utf-8"
        written = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {written}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("subject", _Verbatim)
_HEADERS.map_to_type("list-unsubscribe", _WholeLine)
_POLICY = SMTP.clone(header_factory=_HEADERS)


class Mailer(Protocol):
    """Contract of a mailer.

    Raises ``Refused`` (this e-mail will never be accepted), ``RemoteFailed`` (might work later) or ``RemoteSlow``.
    ``RemoteSlow`` means that the reply after the text was lost, so the e-mail might have been accepted.
    """

    async def send(self, mail: Mail) -> None: ...

    async def check(self) -> None:
        """Do everything up to sending the text of an e-mail, to find out at start whether e-mail can be sent."""

    async def close(self) -> None: ...


def compose(mail: Mail, sender: Sender, now: Instant) -> EmailMessage:
    """Encode the message.

    Nothing can be injected: line breaks in a header value are rejected by the policy (ValueError), and encoded words
    are not decoded.
    """
    message = EmailMessage(policy=_POLICY)
    local, _, domain = sender.address.rpartition("@")
    message["From"] = Address(sender.name.replace("=?", "= ?"), local, domain)
    if sender.reply_to is not None:
        message["Reply-To"] = sender.reply_to
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(to_datetime(now))
    message["Message-ID"] = mail.message_id
    # RFC 3834 5: asks auto-responders not to reply.
    message["Auto-Submitted"] = "auto-generated"
    if mail.thread_id:
        message["In-Reply-To"] = mail.thread_id
        message["References"] = mail.thread_id
    if mail.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    if mail.calendar is not None:
        message.add_attachment(
            mail.calendar.content,
            maintype="text",
            subtype="calendar",
            filename=mail.calendar.name,
            params={"charset": "utf-8", "method": mail.calendar.method},
        )
    return message
