"""E-mails, their encoding as messages, and the contract of a mailer."""

from dataclasses import dataclass
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Protocol

from groundwork.clock import Instant, to_datetime
from groundwork.mail.address import EmailAddress


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of our e-mail: name and address, and where replies go, if elsewhere."""

    name: str
    address: EmailAddress
    reply_to: EmailAddress | None = None


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """An iCalendar file beside the text; ``method`` is the one inside it (RFC 6047, section 2.4)."""

    content: bytes
    method: str
    name: str = "event.ics"


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail to one person.

    ``message_id`` (``<something@our.host>``) is derived from the job, so that a second attempt carries the same one
    (invariant 10). ``unsubscribe_url`` works with one click and without signing in (RFC 8058).
    """

    to: EmailAddress
    subject: str
    text: str
    message_id: str
    html: str = ""
    unsubscribe_url: str = ""
    calendar: CalendarFile | None = None


class _WholeLine(UnstructuredHeader, BaseHeader):
    """A header on one line: folding encodes a long URL into encoded words, which changes it (RFC 8058 needs a plain
    URI).
    """

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _WholeLine)
_POLICY = SMTP.clone(header_factory=_HEADERS)


class Mailer(Protocol):
    """Contract of a mailer. Raises ``Refused`` (this e-mail will never be accepted), ``RemoteFailed`` (perhaps later)
    or ``RemoteSlow``.

    ``RemoteSlow`` means that the reply after the text was lost: it may have been accepted.
    """

    async def send(self, mail: Mail) -> None: ...

    async def check(self) -> None:
        """Go as far as before the text of an e-mail, to learn at start whether e-mail can be sent."""

    async def close(self) -> None: ...


def compose(mail: Mail, sender: Sender, now: Instant) -> EmailMessage:
    """Encode the message. Line breaks in a header value are refused by the policy (ValueError), so nothing can be
    injected.
    """
    message = EmailMessage(policy=_POLICY)
    local, _, domain = sender.address.rpartition("@")
    message["From"] = Address(sender.name, local, domain)
    if sender.reply_to is not None:
        message["Reply-To"] = sender.reply_to
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(to_datetime(now))
    message["Message-ID"] = mail.message_id
    # RFC 3834 5: asks vacation responders to keep quiet.
    message["Auto-Submitted"] = "auto-generated"
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
