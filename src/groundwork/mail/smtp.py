"""E-mail through an SMTP server, with one connection per e-mail, because our volume does not justify a pool.

The only setting is a URL: ``smtp://user:password@host:587`` (STARTTLS if offered, required with a password) or
``smtps://host:465`` (implicit TLS).
"""

from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

from groundwork.clock import Clock
from groundwork.errors import Refused, RemoteFailed, RemoteSlow
from groundwork.mail.contract import Mail, Sender, compose
from groundwork.settings import Secret
from groundwork.tls import trusted_authorities

# RFC 5321 4.5.3.2 allows minutes per step, but a worker's lease is shorter.
_STEP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Address and credentials of the server."""

    host: str
    port: int
    uses_tls: bool
    user: str = ""
    password: Secret | None = None


def parse_smtp_url(url: str) -> SmtpServer:
    """Parse an ``smtp://`` or ``smtps://`` URL. Raises ValueError with a sentence that does not repeat the password."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/"):
        raise ValueError("A mail URL looks like smtp://user:password@host:587 or smtps://host:465.")
    uses_tls = parts.scheme == "smtps"
    return SmtpServer(
        parts.hostname,
        parts.port or (465 if uses_tls else 587),
        uses_tls,
        unquote(parts.username or ""),
        Secret(unquote(parts.password)) if parts.password else None,
    )


class SmtpMailer:
    """Sends e-mail through one server."""

    def __init__(self, server: SmtpServer, sender: Sender, clock: Clock) -> None:
        self._server = server
        self._sender = sender
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        message = compose(mail, self._sender, self._clock.now())
        client = self._client()
        try:
            await self._greet(client)
            await self._hand_over(client, message, mail)
        finally:
            client.close()

    async def check(self) -> None:
        """Connect and sign in. Raises RemoteFailed."""
        client = self._client()
        try:
            await self._greet(client)
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            use_tls=self._server.uses_tls,
            # A password is never sent unencrypted. Without a password, encryption is used if it is offered.
            start_tls=False if self._server.uses_tls else (True if self._server.password else None),
            timeout=_STEP_SECONDS,
            tls_context=trusted_authorities(),
        )

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        """Connect and sign in. If this fails, the e-mail has not been sent."""
        try:
            await client.connect()
            if self._server.password:
                await client.login(self._server.user, self._server.password.reveal())
        except aiosmtplib.SMTPAuthenticationError as error:
            # An operator can fix this, and then the e-mail can be sent, so the job must not fail.
            raise RemoteFailed("The mail server rejects our user name or password.", status=error.code) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise RemoteFailed("The mail server cannot be reached.") from error

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage, mail: Mail) -> None:
        try:
            await client.send_message(message, sender=self._sender.address, recipients=[mail.to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _for_code(error.recipients[0].code, "the recipient") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _for_code(error.code, "the mail") from error
        except aiosmtplib.SMTPNotSupported as error:
            raise Refused("The mail server cannot deliver to this address.", name="MailRefused") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # The timeout might have been after the text, so the e-mail might have been accepted.
            raise RemoteSlow("The mail server did not confirm the mail.") from error

    async def close(self) -> None:
        """Do nothing: no connection is held open."""


def _for_code(code: int, command: str) -> Refused | RemoteFailed:
    """Return the failure for an SMTP code: 4yz is temporary, 5yz permanent (RFC 5321 4.2.1)."""
    if code >= 500:
        return Refused(f"The mail server rejects {command} (code {code}).", name="MailRefused")
    return RemoteFailed(f"The mail server cannot accept {command} now (code {code}).", status=code)
