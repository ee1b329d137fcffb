"""The e-mails that this server sends, and their delivery. No request waits for it, and an e-mail is sent at most twice.

A job only names the e-mail. Content and recipient are read when it is sent, and an e-mail whose token has been used or
replaced is no longer sent.
"""

from aurora_locus.accounts import sign_in_links
from aurora_locus.accounts.email_tokens import LIFETIME, EmailTokens, TokenEmail, TokenPurpose, find_email
from aurora_locus.i18n.catalogue import gettext, lazy, speaking
from aurora_locus.settings import PdsSettings
from groundwork.clock import MINUTE, Clock
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, RemoteSlow
from groundwork.mail.address import EmailAddress, parse_address
from groundwork.mail.contract import Mail, Mailer, Sender
from groundwork.mail.open_ import open_mailer
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job

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


# Purposes of codes that may be typed on this server's sign-in pages. The others belong to the account pages, or to the
# app that requested them.
_PAGES = {
    TokenPurpose.CONFIRM_EMAIL: "/confirm-email",
    TokenPurpose.RESET_PASSWORD: "/reset-password/code",
}


def mailer_of(settings: PdsSettings, clock: Clock) -> Mailer | None:
    """Return how e-mail is delivered: by SMTP, into a folder in development, or None if it is not configured."""
    if not settings.mail_url:
        return None
    sender = Sender(settings.hostname, parse_address(settings.mail_from))
    return open_mailer(settings.mail_url, sender, clock)


def email_handler(db: Database, tokens: EmailTokens, mailer: Mailer, hostname: str, url: str) -> JobHandler:
    """Return the handler of ``PdsJobKind.MAIL``. ``url`` is this server's address, for links. If the mail server's
    reply is lost, delivery is retried once. After a second loss the e-mail counts as sent, so that nobody gets a third
    copy.
    """

    async def deliver(job: Job) -> None:
        async with db.reader() as reader:
            email = await find_email(reader, job.subject) or await sign_in_links.find_email(reader, job.subject)
        if email is None:
            return
        try:
            await mailer.send(_composed(email, job.subject, tokens, hostname, url))
        except RemoteSlow:
            if job.reason_code == ANSWER_LOST:
                return
            raise RemoteSlow("The mail server did not answer after the message was sent.", name=ANSWER_LOST) from None

    return deliver


def _composed(email: TokenEmail, number: str, tokens: EmailTokens, hostname: str, url: str) -> Mail:
    with speaking(email.language):
        if email.purpose is TokenPurpose.SIGN_IN_LINK:
            return compose_link(email, number, tokens.of_link(number), hostname, url)
        return compose(email, number, tokens.of_email(number), hostname, url)


def compose_link(email: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """Compose the e-mail with a sign-in link, in the current language. Raises InvalidInput if the stored address is
    invalid.
    """
    parts = (
        gettext(
            "Somebody typed too many wrong passwords for @%(handle)s on %(server)s. Nothing changes where you’re "
            "already signed in.",
            handle=email.handle,
            server=hostname,
        ),
        gettext("To sign in on a new device, open this link there and type your password:"),
        f"    {url}/sign-in?link={token}",
        gettext(
            "The link works for 24 hours, and only with your password. If you weren’t trying to sign in, ignore "
            "this e-mail."
        ),
    )
    subject = gettext("Your link to sign in on %(server)s", server=hostname)
    return Mail(_address(email), subject, _text(parts), message_id=f"<{number}@{hostname}>")


def compose(email: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """Compose the e-mail, in the current language. Raises InvalidInput if the stored address is invalid."""
    page = _PAGES.get(email.purpose)
    code_page_lines: tuple[str, ...] = ()
    if page is not None:
        code_page_lines = (gettext("Don’t know where to type it? Open this page:"), f"    {url}{page}?code={token}")
    parts = (
        _WISHES[email.purpose].filled(handle=email.handle, server=hostname),
        f"    {token}",
        *code_page_lines,
        gettext("It works once, for an hour.")
        if email.purpose is TokenPurpose.RESET_PASSWORD
        else gettext("It works once, for %(minutes)s minutes.", minutes=LIFETIME // MINUTE),
        gettext("Didn’t ask for this? Ignore this e-mail, and don’t give the code to anyone."),
    )
    return Mail(_address(email), str(_SUBJECTS[email.purpose]), _text(parts), message_id=f"<{number}@{hostname}>")


def _text(parts: tuple[str, ...]) -> str:
    return "\n\n".join(parts) + "\n"


def _address(email: TokenEmail) -> EmailAddress:
    try:
        return parse_address(email.email)
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
