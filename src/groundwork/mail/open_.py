"""Open a mailer by URL: ``folder:/abs/path`` (development), ``smtp://…`` or ``smtps://…``. An empty URL is for a
process that sends nothing.
"""

from pathlib import Path

from groundwork.clock import Clock
from groundwork.errors import Failure, Unavailable
from groundwork.mail.contract import Mail, Mailer, Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.mail.smtp import SmtpMailer, parse_smtp_url
from groundwork.telemetry.logs import log

FOLDER = "folder:"


class NoMailer:
    """The mailer of a process that sends nothing: an operator's command only enqueues e-mails, and the site sends them.
    Sending raises Unavailable, so that no e-mail counts as sent.
    """

    async def send(self, mail: Mail) -> None:
        raise Unavailable(f"No mail server is configured here. The mail with the id {mail.message_id} is not sent.")

    async def check(self) -> None:
        return

    async def close(self) -> None:
        return


def open_mailer(url: str, sender: Sender, clock: Clock) -> Mailer:
    """Open the mailer for a URL. Raises ValueError with a sentence for an invalid URL."""
    if url.startswith(FOLDER):
        return FolderMailbox(Path(url.removeprefix(FOLDER)), sender, clock)
    if not url:
        return NoMailer()
    return SmtpMailer(parse_smtp_url(url), sender, clock)


async def check_mailer(mailer: Mailer, setting: str) -> None:
    """Log a warning if e-mail cannot be sent. Called at start, so that the operator notices before users wait for one."""
    try:
        await mailer.check()
    except Failure as failure:
        log.warning("mail.check_failed", reason=failure.why, advice=f"Check {setting}; e-mails wait.")
