"""A site that sends e-mails through a real SMTP server, and an inbox that parses them."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP

from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Engine
from groundwork.mail.address import EmailAddress
from groundwork.mail.contract import Sender
from groundwork.mail.smtp import SmtpMailer, SmtpServer
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import email_handler
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import sender
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import all_rows
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, site_on

HEAD = EmailContext(CODE_KEY, "Town Events", ORIGIN)
FROM = Sender("Town Events", EmailAddress("events@town.net"), EmailAddress("host@town.net"))


@dataclass
class Inbox:
    """The SMTP server: the messages that it received, and the replies that it gives."""

    received: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    reply: str = "250 OK"
    hangs_up: bool = False

    async def handle_DATA(self, server, _session, envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.raw.append(envelope.content)
        self.received.append(message_from_bytes(envelope.content, EmailMessage, policy=default))
        if self.hangs_up:
            server.transport.abort()
        return self.reply


@dataclass
class Post:
    """A site, its outbox dispatcher and the SMTP server."""

    site: Site
    inbox: Inbox
    mailer: SmtpMailer
    engine: Engine

    @property
    def db(self) -> Database:
        return self.site.db

    async def deliver(self) -> list[EmailMessage]:
        """Run the jobs that are due. Returns the e-mails that arrived, sorted by recipient."""
        self.inbox.received.clear()
        handler = email_handler(self.db, composers(HEAD), sender(self.mailer, ORIGIN))
        while await run_once(self.db, {JobKind.MAIL: one_job_per_call(handler)}):
            pass
        return sorted(self.inbox.received, key=lambda mail: str(mail["To"]))

    async def contents(self) -> dict[str, list[str]]:
        """Every row of every table."""
        return await all_rows(self.db, self.engine)


@pytest.fixture
async def post(make_database: MakeDatabase, clock: HandClock, engine: Engine) -> AsyncIterator[Post]:
    loop, inbox = asyncio.get_running_loop(), Inbox()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="test", loop=loop), "127.0.0.1", 0)
    mailer = SmtpMailer(SmtpServer("127.0.0.1", server.sockets[0].getsockname()[1], uses_tls=False), FROM, clock)
    yield Post(site_on(await make_database("openmeet"), clock), inbox, mailer, engine)
    server.close()
    await server.wait_closed()


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def links_of(mail: EmailMessage) -> set[str]:
    """Every link in the text, the HTML and the headers."""
    everything = text_of(mail) + html_of(mail).replace("&amp;", "&") + str(mail["List-Unsubscribe"])
    return set(re.findall(r"https?://[^\s\"<>]+", everything))


def link_to(mail: EmailMessage, part: str) -> str:
    """The path of the only link that contains this substring."""
    (found,) = {link for link in links_of(mail) if part in link}
    return found.removeprefix(ORIGIN)


def calendar_of(mail: EmailMessage) -> EmailMessage | None:
    return next((part for part in mail.iter_attachments() if part.get_content_type() == "text/calendar"), None)
