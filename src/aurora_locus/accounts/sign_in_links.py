"""Sign-in links: e-mailed to the owner of an account whose password guesses have been used up by other people.

A link lets an unknown browser try the password; without the password it gives no access. Following it changes nothing,
because mail scanners open links; signing in uses it up. Several links can be valid at once, each for a day: anyone can
request links and so cause e-mails, but this does not invalidate the owner's links.
"""

import asyncio
import secrets
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.accounts.email_tokens import EmailTokens, TokenEmail, TokenPurpose
from aurora_locus.accounts.registry import Registry
from aurora_locus.accounts.sessions import LEAST_SECONDS_OF_REFUSAL
from aurora_locus.i18n.language import stated_language
from aurora_locus.jobs import PdsJobKind
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Writer
from groundwork.outbox.jobs import enqueue

LIFETIME = DAY
# An owner with this many unused links needs no further one.
MAX_OPEN = 5

_COUNT = "select count(*) from sign_in_links where did = :did and requested_at > :after"
_INSERT = """
    insert into sign_in_links (email_id, token_hash, did, requested_at, language)
    values (:email_id, :token_hash, :did, :requested_at, :language)
"""
_FIND = "select did, token_hash from sign_in_links where token_hash = :token_hash and requested_at > :after"
_FIND_EMAIL = """
    select l.did, a.handle, a.email, l.requested_at, l.language
      from sign_in_links l join accounts a on a.did = l.did
     where l.email_id = :email_id and l.requested_at > :after
"""
_SPEND = "delete from sign_in_links where token_hash = :token_hash"
_FORGET = "delete from sign_in_links where did = :did"
_SWEEP = "delete from sign_in_links where requested_at <= :after"


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A valid link. Guesses made with the link are counted by its ``token_hash``."""

    did: Did
    token_hash: bytes


async def send_link(registry: Registry, identifier: str) -> None:
    """E-mail a link to the owner of an account, if there is one. Neither the result nor its duration reveals whether
    there is.

    Raises Refused if this server sends no e-mail.
    """
    registry.require_mail()
    loop = asyncio.get_running_loop()
    answers_at = loop.time() + LEAST_SECONDS_OF_REFUSAL
    async with registry.db.reader() as reader:
        account = await queries.find_by_identifier(reader, identifier)
    if account is not None and account.email is not None and not account.is_deleted:
        await _send(registry, account.did)
    await asyncio.sleep(answers_at - loop.time())


async def _send(registry: Registry, did: Did) -> None:
    email_id = secrets.token_hex(16)
    tokens = registry.email_tokens
    token_hash = tokens.hash(TokenPurpose.SIGN_IN_LINK, tokens.of_link(email_id))
    async with registry.db.transaction() as tx:
        row = await tx.fetch_one(_COUNT, did=did, after=tx.now - LIFETIME)
        if row is not None and row[0] >= MAX_OPEN:
            return
        language = await queries.mail_language(tx, did, stated_language())
        await tx.execute(
            _INSERT, email_id=email_id, token_hash=token_hash, did=did, requested_at=tx.now, language=language
        )
        await enqueue(tx, PdsJobKind.MAIL, email_id)


async def find(reader: Reader, tokens: EmailTokens, token: str) -> SignInLink | None:
    """Find the link with this token; None unless it is valid."""
    token_hash = tokens.hash(TokenPurpose.SIGN_IN_LINK, token)
    row = await reader.fetch_one(_FIND, token_hash=token_hash, after=reader.now - LIFETIME)
    return None if row is None else SignInLink(Did(row["did"]), bytes(row["token_hash"]))


async def find_email(reader: Reader, email_id: str) -> TokenEmail | None:
    """Return the content of the e-mail; None if its link was used or has expired, or if the account has no address."""
    row = await reader.fetch_one(_FIND_EMAIL, email_id=email_id, after=reader.now - LIFETIME)
    if row is None or row["email"] is None:
        return None
    requested_at = Instant(row["requested_at"])
    return TokenEmail(
        did=Did(row["did"]),
        handle=row["handle"],
        email=row["email"],
        purpose=TokenPurpose.SIGN_IN_LINK,
        requested_at=requested_at,
        language=row["language"],
    )


def spend(w: Writer, link: SignInLink) -> None:
    """Delete a link after its owner has signed in with it."""
    w.execute(_SPEND, token_hash=link.token_hash)


def forget(w: Writer, did: Did) -> None:
    """Delete all links of an account."""
    w.execute(_FORGET, did=did)


def sweep(w: Writer) -> int:
    """Delete expired links and return how many."""
    return w.execute(_SWEEP, after=w.now - LIFETIME)
