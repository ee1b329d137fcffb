"""The e-mails that this server sends, and their delivery. No request waits for it, and an e-mail is sent at most twice.

A job only names the e-mail. Content and recipient are read when it is sent, and an e-mail whose token has been used or
replaced is no longer sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2

from aurora_locus.accounts import sign_in_links
from aurora_locus.accounts.email_tokens import LIFETIME, EmailTokens, TokenEmail, TokenPurpose, find_email
from aurora_locus.i18n.catalogue import CATALOGUE, current, gettext, lazy, speaking
from aurora_locus.settings import PdsSettings
from groundwork import ui
from groundwork.clock import MINUTE, Clock
from groundwork.database.transaction import Database
from groundwork.errors import Failure, InvalidInput, RemoteSlow, Unavailable, reason_of
from groundwork.i18n.templates import speak
from groundwork.mail.address import EmailAddress, parse_address
from groundwork.mail.contract import Mail, Mailer, Sender
from groundwork.mail.hyphens import keep_hyphens
from groundwork.mail.open_ import open_mailer
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.outbox.retry import is_worth_retrying, retry_after_seconds
from groundwork.ui.colours import accents

# The reason code for a delivery whose reply was lost.
ANSWER_LOST = "AnswerLost"

_SUBJECTS = {
    TokenPurpose.CONFIRM_EMAIL: lazy("Your code to confirm your address"),
    TokenPurpose.UPDATE_EMAIL: lazy("Your code to change your address"),
    TokenPurpose.RESET_PASSWORD: lazy("Your code for a new password"),
    TokenPurpose.DELETE_ACCOUNT: lazy("Your code to delete your account"),
    TokenPurpose.PLC_OPERATION: lazy("Your code to change your identity"),
    TokenPurpose.SIGN_IN: lazy("Your code to sign in"),
}
_WISHES = {
    TokenPurpose.CONFIRM_EMAIL: lazy(
        "This code confirms that your e-mail address belongs to @%(handle)s on %(server)s:"
    ),
    TokenPurpose.UPDATE_EMAIL: lazy("Use this code to change the e-mail address of @%(handle)s on %(server)s:"),
    TokenPurpose.RESET_PASSWORD: lazy("Use this code to choose a new password for @%(handle)s on %(server)s:"),
    TokenPurpose.DELETE_ACCOUNT: lazy("Use this code to permanently delete @%(handle)s on %(server)s:"),
    TokenPurpose.PLC_OPERATION: lazy(
        "Use this code to change the keys of @%(handle)s on %(server)s, or to move the account to another server:"
    ),
    TokenPurpose.SIGN_IN: lazy("Your password for @%(handle)s on %(server)s was correct. Sign in with this code:"),
}


# Pages for codes that may be typed on this server's sign-in pages, and the labels of their links. The other codes belong
# to the account pages, or to the app that requested them.
_PAGES = {
    TokenPurpose.CONFIRM_EMAIL: ("/confirm-email", lazy("Confirm the address")),
    TokenPurpose.RESET_PASSWORD: ("/reset-password/code", lazy("Choose a new password")),
}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
                jinja2.PrefixLoader({"ui": jinja2.FileSystemLoader(ui.TEMPLATES)}),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    speak(environment, CATALOGUE)
    environment.globals["language"] = current
    return environment


_TEMPLATES = _environment()


def mailer_of(settings: PdsSettings, clock: Clock) -> Mailer | None:
    """Return how e-mail is delivered: by SMTP, into a folder in development, or None if it is not configured."""
    if not settings.mail_url:
        return None
    sender = Sender(settings.hostname, parse_address(settings.mail_from))
    return open_mailer(settings.mail_url, sender, clock)


@dataclass(frozen=True, slots=True)
class EmailContent:
    """What an e-mail says. Everything but subject and opening may be empty. ``validity``: how long and how often code
    and link work.
    """

    subject: str
    opening: str
    validity: str = ""
    closing: str = ""
    code: str = ""
    link_introduction: str = ""
    link_words: str = ""
    link_url: str = ""


@dataclass(frozen=True, slots=True)
class EmailBranding:
    """What every e-mail shows about this server. ``colour`` is ``#rrggbb``, or empty for the default."""

    hostname: str
    name: str
    url: str
    colour: str = ""


def branding_of(settings: PdsSettings) -> EmailBranding:
    """Return the operator's choices for e-mails."""
    return EmailBranding(
        settings.hostname, settings.service_name or settings.hostname, settings.url, settings.primary_color
    )


def email_handler(db: Database, tokens: EmailTokens, mailer: Mailer, branding: EmailBranding) -> JobHandler:
    """Return the handler of ``PdsJobKind.MAIL``."""

    async def deliver(job: Job) -> None:
        with at_most_two_copies(job):
            async with db.reader() as reader:
                email = await find_email(reader, job.subject) or await sign_in_links.find_email(reader, job.subject)
            if email is not None:
                await mailer.send(compose(email, job.subject, tokens, branding))

    return deliver


@contextmanager
def at_most_two_copies(job: Job) -> Iterator[None]:
    """Deliver the e-mail of a job inside this context. If the mail server's reply is lost, delivery is retried once.
    After a second loss the e-mail counts as sent, so that nobody gets a third copy.
    """
    is_second_copy = job.reason_code == ANSWER_LOST
    try:
        yield
    except RemoteSlow:
        if not is_second_copy:
            raise RemoteSlow("The mail server did not answer after the message was sent.", name=ANSWER_LOST) from None
    except Failure as failure:
        if not is_second_copy or not is_worth_retrying(failure):
            raise
        # With another code, a reply lost after this failure would count as the first one.
        again = Unavailable(
            "The second copy was not sent.", after_seconds=retry_after_seconds(failure), name=ANSWER_LOST
        )
        again.stored_reason = reason_of(failure)
        raise again from failure


def compose(email: TokenEmail, number: str, tokens: EmailTokens, branding: EmailBranding) -> Mail:
    """Compose the e-mail in the language of its recipient. ``number`` identifies it. Raises InvalidInput if the stored
    address is invalid.
    """
    hostname, url = branding.hostname, branding.url
    with speaking(email.language):
        if email.purpose is TokenPurpose.SIGN_IN_LINK:
            content = _link_content(email, tokens.of_link(number), hostname, url)
        else:
            content = _code_content(email, tokens.of_email(number), hostname, url)
        return Mail(
            _address(email),
            content.subject,
            _text(content),
            message_id=f"<{number}@{hostname}>",
            html=html_of(content, branding),
        )


def html_of(content: EmailContent, branding: EmailBranding) -> str:
    """Lay out the e-mail as HTML, in the current language."""
    html = _TEMPLATES.get_template("email.html").render(
        content=content,
        subject=content.subject,
        site_name=branding.name,
        site_url=branding.url,
        colours=accents(branding.colour) if branding.colour else None,
    )
    return keep_hyphens(html)


def _link_content(email: TokenEmail, token: str, hostname: str, url: str) -> EmailContent:
    return EmailContent(
        gettext("Your link to sign in on %(server)s", server=hostname),
        gettext(
            "Somebody typed too many wrong passwords for @%(handle)s on %(server)s. Nothing changes where you’re "
            "already signed in.",
            handle=email.handle,
            server=hostname,
        ),
        gettext("The link works for 24 hours, and only with your password."),
        gettext("Weren’t trying to sign in? Ignore this e-mail."),
        link_introduction=gettext("To sign in on a new device, open this link there and type your password:"),
        link_words=gettext("Sign in"),
        link_url=f"{url}/sign-in?link={token}",
    )


def _code_content(email: TokenEmail, token: str, hostname: str, url: str) -> EmailContent:
    validity = (
        gettext("It works once, for an hour.")
        if email.purpose is TokenPurpose.RESET_PASSWORD
        else gettext("It works once, for %(minutes)s minutes.", minutes=LIFETIME // MINUTE)
    )
    content = EmailContent(
        str(_SUBJECTS[email.purpose]),
        _WISHES[email.purpose].filled(handle=email.handle, server=hostname),
        validity,
        gettext("Didn’t ask for this? Ignore this e-mail, and don’t give the code to anyone."),
        code=token,
    )
    if email.purpose not in _PAGES:
        return content
    path, words = _PAGES[email.purpose]
    return replace(
        content,
        link_introduction=gettext("Don’t know where to type it? Open this page:"),
        link_words=str(words),
        link_url=f"{url}{path}?code={token}",
    )


def _text(content: EmailContent) -> str:
    link = [content.link_introduction, f"    {content.link_url}"] if content.link_url else []
    middle = [f"    {content.code}", content.validity, *link] if content.code else [*link, content.validity]
    return "\n\n".join([content.opening, *middle, content.closing]) + "\n"


def _address(email: TokenEmail) -> EmailAddress:
    try:
        return parse_address(email.email)
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
