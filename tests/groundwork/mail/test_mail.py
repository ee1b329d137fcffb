"""Mail: safe composition, the development mailbox, delivery to a real server, and the meaning of failures."""

import asyncio
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.smtp import SMTP
from structlog.testing import capture_logs

from groundwork.clock import SECOND, HandClock, Instant
from groundwork.errors import NotFound, Refused, RemoteFailed, RemoteSlow, Unavailable
from groundwork.mail.address import EmailAddress, parse_address
from groundwork.mail.contract import Mail, Sender, compose
from groundwork.mail.folder import FolderMailbox
from groundwork.mail.hyphens import keep_hyphens
from groundwork.mail.open_ import check_mailer, open_mailer
from groundwork.mail.smtp import SmtpMailer, SmtpServer, parse_smtp_url
from groundwork.settings import Secret

NOW = Instant(1_795_000_000_000_000)
SENDER = Sender("Town Events", EmailAddress("events@town.net"))
MAIL = Mail(
    to=EmailAddress("ana@example.org"),
    subject="Grüße: Picnic",
    text="Your code is 123456.\n",
    html="<p>Your code is <b>123456</b>.</p>",
    message_id="<m1@town.net>",
    unsubscribe_url="https://town.net/unsubscribe/x",
)


# --- Composing


def test_message_has_sender_date_and_unsubscribe_headers():
    message = message_from_bytes(compose(MAIL, SENDER, NOW).as_bytes(), policy=default)
    assert message["From"] == "Town Events <events@town.net>"
    assert message["Subject"] == MAIL.subject
    assert message["Message-ID"] == "<m1@town.net>"
    assert message["Date"].datetime.timestamp() == NOW / SECOND
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == MAIL.text
    assert message.get_body(("html",)).get_content().strip() == MAIL.html


@pytest.mark.parametrize("subject", ["Hello\r\nBcc: eve@example.org", "a\nb"])
def test_no_header_can_be_injected(subject):
    with pytest.raises(ValueError, match="may not contain"):
        compose(Mail(MAIL.to, subject, "x", "<m@x>"), SENDER, NOW)


INJECTION = "=?utf-8?q?x=0D=0AReply-To:_eve@evil.example=0D=0A=0D=0AAll_is_hers.?="


@pytest.mark.parametrize("before", ["", "Eve invites you: ", "Grüße von Eve: " + "viele " * 30])
def test_encoded_words_of_users_start_no_header(before):
    """Encoded words in a user's text start no header, although Python decodes them and would write their line breaks
    (RFC 2047, section 5).

    """
    sender = Sender(before + INJECTION, SENDER.address)
    raw = compose(Mail(MAIL.to, before + INJECTION, "x", "<m@x>"), sender, NOW).as_bytes()
    message = message_from_bytes(raw, policy=default)
    assert message["Reply-To"] is None
    assert str(message["Subject"]) == before + INJECTION
    assert message.get_content() == "x\r\n"


@pytest.mark.parametrize(
    "subject", ["w" * 300, "Ä" * 300, "a " * 199 + "a", "日本語の催し物" * 20, "e\u0301" * 80, "🎉" * 60]
)
def test_long_subjects_are_folded_and_stay_what_they_are(subject):
    head = compose(Mail(MAIL.to, subject, "x", "<m@x>"), SENDER, NOW).as_bytes().partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert message_from_bytes(head, policy=default)["Subject"] == subject


# --- Addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ana@example.org", "ana@example.org"),
        (" Ana.B+tag@Example.ORG ", "Ana.B+tag@example.org"),
        ("o'neil@xn--bcher-kva.example", "o'neil@xn--bcher-kva.example"),
        ("ana@bücher.example", "ana@bücher.example"),
    ],
)
def test_e_mail_addresses_are_read(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@localhost",
            "ana@example..org",
            "ana@-x.org",
            "ana@x-.org",
            ".a@x.org",
        ),
        *("a.@x.org", "a..b@x.org", "a b@x.org", "a@b@x.org", "a@x.org\r\nBcc: e@x.org", "a@1.2.3.4", "<a@x.org>"),
        *("a@[1.2.3.4]", '"a b"@x.org', "a" * 65 + "@x.org", "a@" + "x." * 130 + "org", "a@x_y!.org"),
    ],
)
def test_texts_that_are_no_e_mail_address_are_refused(text):
    with pytest.raises(ValueError, match=r"e-mail|domain|before the @"):
        parse_address(text)


# --- The development mailbox


async def test_the_mailbox_shows_the_newest_first_and_by_address(tmp_path):
    clock = HandClock(NOW)
    mailbox = FolderMailbox(tmp_path / "mail", SENDER, clock)
    for name in ("ana", "ben", "ana"):
        clock.turn(SECOND)
        await mailbox.send(Mail(EmailAddress(f"{name}@example.org"), f"to {name}", "x", "<m@x>"))
    assert [kept.to for kept in await mailbox.newest()] == ["ana@example.org", "ben@example.org", "ana@example.org"]
    assert [kept.sent_at for kept in await mailbox.newest(1)] == [NOW + 3 * SECOND]
    assert len(await mailbox.newest(to="Ana@example.org")) == 2


async def test_stored_mail_is_read_back_unchanged(tmp_path):
    mailbox = FolderMailbox(tmp_path, SENDER, HandClock(NOW))
    await mailbox.send(MAIL)
    (kept,) = await mailbox.newest()
    assert (kept.subject, kept.text, kept.html.strip()) == (MAIL.subject, MAIL.text, MAIL.html)
    assert await mailbox.find(kept.id) == kept
    for absent in ("x", "../" + kept.id, ""):
        with pytest.raises(NotFound):
            await mailbox.find(absent)


async def test_the_mailbox_is_opened_by_url_and_survives_a_restart(tmp_path):
    url = f"folder:{tmp_path}/mail"
    await open_mailer(url, SENDER, HandClock(NOW)).send(MAIL)
    again = open_mailer(url, SENDER, HandClock(NOW))
    assert len(await again.newest()) == 1  # type: ignore[attr-defined]  # every one here has it


async def test_without_a_server_nothing_counts_as_sent():
    with pytest.raises(Unavailable, match="No mail server"):
        await open_mailer("", SENDER, HandClock(NOW)).send(MAIL)


# --- A real SMTP server


class Inbox:
    """How the server answers a mail, by reply code."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.reply_to_recipient = "250 OK"
        self.reply_to_data = "250 OK"
        self.hangs_up_after_data = False

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802  # aiosmtpd's name
        if self.reply_to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.reply_to_recipient

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802  # aiosmtpd's name
        self.received.append(envelope.content)
        if self.hangs_up_after_data:
            server.transport.abort()
        return self.reply_to_data


@pytest.fixture
async def inbox():
    return Inbox()


@pytest.fixture
async def port(inbox):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="test", loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
def mailer(port):
    return SmtpMailer(SmtpServer("127.0.0.1", port, uses_tls=False), SENDER, HandClock(NOW))


async def test_a_mail_arrives(mailer, inbox):
    await mailer.send(MAIL)
    (content,) = inbox.received
    message = message_from_bytes(content, policy=default)
    assert (message["Subject"], message["To"], message["Message-ID"]) == (MAIL.subject, MAIL.to, MAIL.message_id)
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == MAIL.text


@pytest.mark.parametrize(
    ("recipient", "data", "failure"),
    [
        ("550 no such user", "250 OK", Refused),
        ("450 try later", "250 OK", RemoteFailed),
        ("250 OK", "554 spam", Refused),
        ("250 OK", "451 try later", RemoteFailed),
    ],
)
async def test_permanent_and_temporary_refusals(mailer, inbox, recipient, data, failure):
    """A 5yz reply is permanent, a 4yz reply is retried (RFC 5321 4.2.1)."""
    inbox.reply_to_recipient, inbox.reply_to_data = recipient, data
    with pytest.raises(failure):
        await mailer.send(MAIL)


async def test_lost_response_is_not_a_refusal(mailer, inbox):
    """After a lost response the mail may have been accepted. It is retried once with the same Message-ID (invariant
    10).
    """
    inbox.hangs_up_after_data = True
    with pytest.raises(RemoteSlow):
        await mailer.send(MAIL)
    assert len(inbox.received) == 1


async def test_unreachable_server_is_retried(port):
    mailer = SmtpMailer(SmtpServer("127.0.0.1", 1, uses_tls=False), SENDER, HandClock(NOW))
    with pytest.raises(RemoteFailed):
        await mailer.send(MAIL)
    with pytest.raises(RemoteFailed, match="cannot be reached"):
        await mailer.check()


async def test_checking_the_server_sends_no_mail(mailer, inbox, tmp_path):
    """Checking the server sends no mail. Without a server there is nothing to report."""
    for one in (
        mailer,
        open_mailer(f"folder:{tmp_path}", SENDER, HandClock(NOW)),
        open_mailer("", SENDER, HandClock(NOW)),
    ):
        await one.check()
    assert inbox.received == []
    assert list(tmp_path.iterdir()) == []


async def test_a_password_is_not_sent_without_encryption(port, inbox):
    server = SmtpServer("127.0.0.1", port, uses_tls=False, user="u", password=Secret("hunter2"))
    with pytest.raises(RemoteFailed):
        await SmtpMailer(server, SENDER, HandClock(NOW)).send(MAIL)
    assert inbox.received == []


def test_smtp_urls_are_parsed_or_refused():
    server = parse_smtp_url("smtp://user%40town:p%2Fw@mail.town.net")
    assert (server.host, server.port, server.uses_tls, server.user) == ("mail.town.net", 587, False, "user@town")
    assert server.password.reveal() == "p/w"
    assert parse_smtp_url("smtps://mail.town.net").port == 465
    for bad in ("http://x", "smtp://", "mail.town.net", "smtp://x/inbox"):
        with pytest.raises(ValueError, match="looks like"):
            parse_smtp_url(bad)


async def test_unusable_mail_server_is_reported_at_start_with_advice():
    """The setting is named, but not its password."""
    server = SmtpServer("127.0.0.1", 1, uses_tls=False, user="u", password=Secret("hunter2"))
    with capture_logs() as logs:
        await check_mailer(SmtpMailer(server, SENDER, HandClock(NOW)), "MAIL_URL")
        await check_mailer(open_mailer("", SENDER, HandClock(NOW)), "MAIL_URL")
    assert [(one["event"], one["advice"]) for one in logs] == [("mail.check_failed", "Check MAIL_URL; e-mails wait.")]
    assert "hunter2" not in str(logs)


def test_the_word_e_mail_stays_in_one_line() -> None:
    """Titles, styles and attributes have no markup inside. The rest of a compound may be on the next line."""
    html = '<title>Deine E-Mail</title><style>.e-mail{}</style><p title="E-Mail">Deine E-Mail-Adresse, two e-mails</p>'
    shown = '<span style="white-space: nowrap">%s</span>'
    assert keep_hyphens(html) == (
        '<title>Deine E-Mail</title><style>.e-mail{}</style><p title="E-Mail">Deine '
        f"{shown % 'E-Mail'}-Adresse, two {shown % 'e-mails'}</p>"
    )
