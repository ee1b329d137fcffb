"""The e-mails that this server sends, and their delivery: never within a request, at most twice.

A job names the e-mail; content and recipient are read when it is sent, and an e-mail whose token was used or replaced
meanwhile is no longer sent.
"""

from aurora_locus.accounts import sign_in_links
from aurora_locus.accounts.email_tokens import EmailTokens, TokenEmail, TokenPurpose, find_letter
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput, RemoteSlow
from groundwork.mail.address import EmailAddress, parse_address
from groundwork.mail.contract import Mail, Mailer
from groundwork.outbox.dispatcher import JobHandler
from groundwork.outbox.jobs import Job

ANSWER_LOST = "The mail server did not answer after the message was sent."

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

    async def pay(job: Job) -> None:
        async with db.reader() as reader:
            letter = await find_letter(reader, job.subject) or await sign_in_links.find_letter(reader, job.subject)
        if letter is None:
            return
        try:
            await mailer.send(_composed(letter, job.subject, tokens, hostname, url))
        except RemoteSlow:
            if job.reason == ANSWER_LOST:
                return
            raise RemoteSlow(ANSWER_LOST) from None

    return pay


def _composed(letter: TokenEmail, number: str, tokens: EmailTokens, hostname: str, url: str) -> Mail:
    if letter.purpose is TokenPurpose.SIGN_IN_LINK:
        return compose_link(letter, number, tokens.of_link(number), hostname, url)
    return compose(letter, number, tokens.of_letter(number), hostname, url)


def compose_link(letter: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """The e-mail with a sign-in link. Raises InvalidInput for an invalid stored address."""
    text = (
        f"Hello,\n\nSomebody typed too many wrong passwords for @{letter.handle} on {hostname}. Where you signed in before, "
        "nothing changes for you.\n\n"
        "To sign in on a new device, open this link there and type your password:\n\n"
        f"    {url}/sign-in?link={token}\n\n"
        "The link works for 24 hours, and only together with your password. If you don't want to sign in now, there is "
        "nothing you need to do.\n"
    )
    return Mail(_address(letter), _SUBJECTS[letter.purpose], text, message_id=f"<{number}@{hostname}>")


def compose(letter: TokenEmail, number: str, token: str, hostname: str, url: str) -> Mail:
    """Compose the e-mail. Raises InvalidInput for an invalid stored address."""
    page = _PAGES.get(letter.purpose)
    link = "" if page is None else f"Nowhere? Then open this page:\n\n    {url}{page}?code={token}\n\n"
    text = (
        f"Hello,\n\n{_WISHES[letter.purpose]} {letter.handle} on {hostname}.\n\n"
        f"If it was you, give this code where you were asked for it:\n\n    {token}\n\n{link}"
        "It works once and for fifteen minutes. If it was not you, nothing needs to be done; give the code to nobody.\n"
    )
    return Mail(_address(letter), _SUBJECTS[letter.purpose], text, message_id=f"<{number}@{hostname}>")


def _address(letter: TokenEmail) -> EmailAddress:
    try:
        return parse_address(letter.email)
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
