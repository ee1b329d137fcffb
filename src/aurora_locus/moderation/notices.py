"""E-mails from the host to an account (``com.atproto.admin.sendEmail``): enqueued, sent once, then deleted.

The content may be HTML, which moderation tools send; it is sanitized and sent together with a text version. Plain text
is sent together with the layout of all e-mails. The recipient's address is read when the e-mail is sent.
"""

import html
import re

import nh3

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.emails import EmailBranding, EmailContent, at_most_two_copies, html_of
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.second_factors import queries as factors
from aurora_locus.accounts.single_line import is_single_line
from aurora_locus.i18n.catalogue import SOURCE, gettext, speaking
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.jobs import PdsJobKind
from aurora_locus.moderation import audit_log
from aurora_locus.moderation.account_actions import account_absent, require_reachable
from aurora_locus.moderation.roles import AuditContext, OperatorAction
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, Refused
from groundwork.mail.address import parse_address
from groundwork.mail.contract import Mail, Mailer
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job
from groundwork.uuid7 import new_id

MAX_SUBJECT = 200
MAX_CONTENT = 100_000
NO_SUBJECT = gettext_noop("A message about your account")
FACTORS_REMOVED = gettext_noop("Two-step sign-in is off")
FACTORS_REMOVED_TEXT = gettext_noop(
    "The people who run this server turned off two-step sign-in for you, as you asked. You can set it up again "
    "under Security. If you didn’t ask for this, change your password and write to them."
)

_OWN_TEXTS = frozenset({NO_SUBJECT, FACTORS_REMOVED, FACTORS_REMOVED_TEXT})

_TAG = re.compile(r"<[a-zA-Z/!]")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h[1-6])\b[^>]*>", re.IGNORECASE)

_INSERT = """
    insert into notices (id, did, subject, content, created_at) values (:id, :did, :subject, :content, :created_at)
"""
_FIND = """
    select n.subject, n.content, a.email, a.language from notices n join accounts a on a.did = n.did where n.id = :id
"""
_FORGET = "delete from notices where id = :id"


async def write_to(registry: Registry, audit: AuditContext, did: Did, subject: str, content: str) -> None:
    """Enqueue the e-mail. Raises NotFound, InvalidInput, Forbidden, and Refused if the account has no address or the
    server sends no e-mail.
    """
    await require_reachable(registry, did)
    if not content.strip() or len(content) > MAX_CONTENT:
        raise InvalidInput(
            "content", localizable("An e-mail must have 1 to %(max_content)s characters.", max_content=MAX_CONTENT)
        )
    if len(subject) > MAX_SUBJECT or not is_single_line(subject):
        raise InvalidInput(
            "subject",
            localizable("The subject must be one line of up to %(max_subject)s characters.", max_subject=MAX_SUBJECT),
        )
    async with registry.db.transaction() as tx:
        await _enqueue(tx, did, subject or NO_SUBJECT, content)
        await audit_log.append_to(tx, audit, OperatorAction.SEND_EMAIL, did, after={"subject": subject or NO_SUBJECT})


async def remove_second_factors(registry: Registry, audit: AuditContext, did: Did) -> None:
    """Remove all second factors of an owner who has lost them, so that the password alone is enough to sign in. The
    owner is notified by e-mail.

    Raises NotFound, Forbidden, and Refused if the account has no second factor.
    """
    async with registry.db.transaction() as tx:
        account = await queries.find(tx, did)
        if account is None:
            raise account_absent()
        await audit_log.append_to(tx, audit, OperatorAction.REMOVE_SECOND_FACTORS, did)
        if not await factors.remove_all(tx, did):
            raise Refused(gettext_noop("This account already signs in with its password alone."), name="InvalidRequest")
        if account.email is not None and registry.sends_mail:
            await _enqueue(tx, did, FACTORS_REMOVED, FACTORS_REMOVED_TEXT)


async def _enqueue(tx: Transaction, did: Did, subject: str, content: str) -> None:
    number = new_id(tx.now)
    await tx.execute(_INSERT, id=number, did=did, subject=subject, content=content, created_at=tx.now)
    await jobs.enqueue(tx, PdsJobKind.NOTICE, number)


def notice_handler(db: Database, mailer: Mailer, branding: EmailBranding) -> JobHandler:
    """Return the handler of ``PdsJobKind.NOTICE``. As with other e-mails, delivery is retried once if the mail server's
    reply is lost.
    """

    async def deliver(job: Job) -> None:
        async with db.reader() as reader:
            row = await reader.fetch_one(_FIND, id=job.subject)
        if row is not None and row["email"] is not None:
            with at_most_two_copies(job):
                with speaking(row["language"] or SOURCE):
                    mail = compose(row["email"], row["subject"], row["content"], job.subject, branding)
                await mailer.send(mail)
        await db.write(lambda w: w.execute(_FORGET, id=job.subject))

    return deliver


def compose(email: str, subject: str, content: str, number: str, branding: EmailBranding) -> Mail:
    """Compose the e-mail in the current language. What operators write is not translated. Raises InvalidInput if the
    stored address is invalid.
    """
    subject, content = (gettext(text) if text in _OWN_TEXTS else text for text in (subject, content))
    try:
        to = parse_address(email)
    except ValueError as error:
        raise InvalidInput("email", str(error)) from None
    message_id = f"<{number}@{branding.hostname}>"
    if not _TAG.search(content):
        laid_out = html_of(EmailContent(subject, content.strip()), branding)
        return Mail(to, subject, content, message_id=message_id, html=laid_out)
    text = html.unescape(nh3.clean(_BREAK.sub("\n", content), tags=set())).strip()
    return Mail(to, subject, text, message_id=message_id, html=nh3.clean(content))
