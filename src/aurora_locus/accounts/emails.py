"""The e-mails that this server sends, and their delivery: never within a request, at most twice.

A job names the e-mail; content and recipient are read when it is sent, and an e-mail whose token was used or replaced
in between is no longer sent.
"""

from aurora_locus.accounts import sign_in_links
from aurora_locus.accounts.email_tokens import EmailTokens, TokenEmail, TokenPurpose, find_email
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, RemoteSlow
from groundwork.mail.address import EmailAddress, parse_address
from groundwork.mail.contract import Mail, Mailer
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job

# The reason code of a lost reply.
ANSWER_LOST = "AnswerLost"

_SUBJECTS = {
    TokenPurpose.CONFIRM_EMAIL: "Confirm your e-mail address",
    TokenPurpose.UPDATE_EMAIL: "Change your e-mail address",
    TokenPurpose.RESET_PASSWORD: "Choose a new password",
    TokenPurpose.DELETE_ACCOUNT: "Delete your account",
    TokenPurpose.PLC_OPERATION: "Change your identity",
    TokenPurpose.SIGN_IN: "Sign in",
    TokenPurpose.SIGN_IN_LINK: "Your link to sign in",
}
_WISHES = {
    TokenPurpose.CONFIRM_EMAIL: "Somebody, hopefully you, wants to confirm that this address belongs to the account",
    TokenPurpose.UPDATE_EMAIL: "Somebody, hopefully you, wants to change the e-mail address of the account",
    TokenPurpose.RESET_PASSWORD: "Somebody, hopefully you, wants to choose a new password for the account",
    TokenPurpose.DELETE_ACCOUNT: "Somebody, hopefully you, wants to delete, for good, the account",
    TokenPurpose.PLC_OPERATION: "Somebody, hopefully you, wants to change the identity, perhaps to move away, of the account",
    TokenPurpose.SIGN_IN: "Somebody, hopefully you, knows the password and wants to sign in to the account",
}


# Codes that may be typed without an app; the others belong to the account pages or to the app that asked.
_PAGES = {
    TokenPurpose.CONFIRM_EMAIL: "/confirm-email",
    TokenPurpose.RESET_PASSWORD: "/reset-password/code",
}


def email_handler(db: Database, tokens: EmailTokens, mailer: Mailer, hostname: str, url: str) -> JobHandler:
    """Handle ``PdsJobKind.MAIL``; ``url`` is this server's address, for links. A lost answer is retried once; a second
    loss counts as sent, because a third copy helps nobody.
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
    if email.purpose is TokenPurpose.SIGN_IN_LINK:
        return compose_link(email, number, tokens.of_link(number), hostname, url)
    return compose(email, number, tokens.of_email(number), hostname, url)


def compose_link(email: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """The e-mail with a sign-in link. Raises InvalidInput for an invalid stored address."""
    text = (
        f"Hello,\n\nSomebody typed too many wrong passwords for @{email.handle} on {hostname}. Where you signed in before, "
        "nothing changes for you.\n\n"
        "To sign in on a new device, open this link there and type your password:\n\n"
        f"    {url}/sign-in?link={token}\n\n"
        "The link works for 24 hours, and only together with your password. If you don't want to sign in now, there is "
        "nothing you need to do.\n"
    )
    return Mail(_address(email), _SUBJECTS[email.purpose], text, message_id=f"<{number}@{hostname}>")


def compose(email: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """Compose the e-mail. Raises InvalidInput for an invalid stored address."""
    page = _PAGES.get(email.purpose)
    link = "" if page is None else f"Nowhere? Then open this page:\n\n    {url}{page}?code={token}\n\n"
    text = (
        f"Hello,\n\n{_WISHES[email.purpose]} {email.handle} on {hostname}.\n\n"
        f"If it was you, give this code where you were asked for it:\n\n    {token}\n\n{link}"
        "It works once and for fifteen minutes. If it was not you, nothing needs to be done; give the code to nobody.\n"
    )
    return Mail(_address(email), _SUBJECTS[email.purpose], text, message_id=f"<{number}@{hostname}>")


def _address(email: TokenEmail) -> EmailAddress:
    try:
        return parse_address(email.email)
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
