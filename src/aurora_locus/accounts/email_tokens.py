"""E-mailed tokens, which prove that the caller reads the e-mail of an address.

There is one per account and purpose; a new one replaces the old. It can be used once, is valid for fifteen minutes (an
hour for a new password) and becomes invalid after ten wrong guesses. The token is derived from a random number and a
key of this server. The job that sends the e-mail can therefore derive it again, while the database stores only its
hash.
"""

import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from at_protocol.syntax.did import Did
from aurora_locus.accounts import queries
from aurora_locus.i18n.language import stated_language
from aurora_locus.i18n.sentences import gettext_noop
from aurora_locus.jobs import PdsJobKind
from groundwork.clock import HOUR, MINUTE, Instant
from groundwork.database.transaction import Reader, Transaction, Writer
from groundwork.errors import InvalidInput, NotSignedIn
from groundwork.outbox.jobs import enqueue

LIFETIME = 15 * MINUTE
# Longer than the others: no second token is sent while one is valid, so its owner needs time to find the e-mail.
RESET_LIFETIME = HOUR
MAX_WRONG_TRIES = 10


class TokenPurpose(StrEnum):
    """What a token authorizes."""

    CONFIRM_EMAIL = "confirm_email"
    UPDATE_EMAIL = "update_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose's name
    DELETE_ACCOUNT = "delete_account"
    PLC_OPERATION = "plc_operation"
    SIGN_IN = "sign_in"
    SIGN_IN_LINK = "sign_in_link"


class TokenVerdict(StrEnum):
    """Result of presenting a token. This is returned, not raised, because a wrong guess must be counted and committed."""

    GOOD = "good"
    WRONG = "wrong"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEmail:
    """An e-mail to be sent. ``email`` is the account's current address; ``language`` is a language tag."""

    did: Did
    handle: str
    email: str
    purpose: TokenPurpose
    requested_at: Instant
    language: str


_INSERT = """
    insert into email_tokens (did, purpose, token_hash, wrong_tries, requested_at, email_id, language)
    values (:did, :purpose, :token_hash, 0, :requested_at, :email_id, :language)
    on conflict (did, purpose) do update
       set token_hash = excluded.token_hash, wrong_tries = 0, requested_at = excluded.requested_at,
           email_id = excluded.email_id, language = excluded.language
"""
# This statement settles races: of several concurrent uses of a token, one succeeds.
_TAKE = """
    delete from email_tokens where did = :did and purpose = :purpose and token_hash = :token_hash returning requested_at
"""
_TAKE_ANYBODYS = """
    delete from email_tokens where purpose = :purpose and token_hash = :token_hash returning did, requested_at
"""
_COUNT = "update email_tokens set wrong_tries = wrong_tries + 1 where did = :did and purpose = :purpose"
_END = "delete from email_tokens where did = :did and purpose = :purpose and wrong_tries >= :limit"
_DROP_ALL = "delete from email_tokens where did = :did"
_SWEEP = "delete from email_tokens where requested_at < :before"
_FIND_EMAIL = """
    select t.did, a.handle, a.email, t.purpose, t.requested_at, t.language
      from email_tokens t join accounts a on a.did = t.did
     where t.email_id = :email_id
"""


class EmailTokens:
    """Derives and checks the tokens of one server, under its secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_email(self, email_id: str) -> str:
        """Derive the token for an e-mail: ``XXXXX-XXXXX`` in base32. Its fifty bits are enough for ten guesses in
        fifteen minutes.
        """
        letters = b32encode(self._mac("token", email_id)).decode()[:10]
        return f"{letters[:5]}-{letters[5:]}"

    def of_link(self, email_id: str) -> str:
        """Derive the token for a link: 160 bits in base32, because nobody types it."""
        return b32encode(self._mac("link", email_id)[:20]).decode()

    def hash(self, purpose: TokenPurpose, text: str) -> bytes:
        """Hash a token for storage, ignoring case and surrounding space. The hash is keyed, because fifty bits can be
        brute-forced.
        """
        return self._mac(purpose.value, text.strip().upper())

    def _mac(self, message: str, text: str) -> bytes:
        return hmac.digest(self._key, f"{message}\n{text}".encode(), sha256)


def lifetime_of(purpose: TokenPurpose) -> int:
    """How long a token is valid, in microseconds."""
    return RESET_LIFETIME if purpose is TokenPurpose.RESET_PASSWORD else LIFETIME


async def is_waiting(reader: Reader, did: Did, purpose: TokenPurpose) -> bool:
    """Whether a token has been sent that is still valid."""
    row = await reader.fetch_one(
        "select 1 as found from email_tokens where did = :did and purpose = :purpose and requested_at >= :since",
        did=did,
        purpose=purpose.value,
        since=reader.now - lifetime_of(purpose),
    )
    return row is not None


async def enqueue_token(
    tx: Transaction, tokens: EmailTokens, did: Did, purpose: TokenPurpose, *, by_operator: bool = False
) -> None:
    """Create a token, which replaces an earlier one for this purpose, and enqueue its e-mail. It is in the language of the
    request, unless the request is an operator's.
    """
    email_id = secrets.token_hex(16)
    token_hash = tokens.hash(purpose, tokens.of_email(email_id))
    await tx.execute(
        _INSERT,
        did=did,
        purpose=purpose.value,
        token_hash=token_hash,
        requested_at=tx.now,
        email_id=email_id,
        language=await queries.mail_language(tx, did, "" if by_operator else stated_language()),
    )
    await enqueue(tx, PdsJobKind.MAIL, email_id)


def spend(w: Writer, tokens: EmailTokens, did: Did, purpose: TokenPurpose, code: str) -> TokenVerdict:
    """Consume an account's token, or count a wrong guess. Commit in either case."""
    row = w.fetch_one(_TAKE, did=did, purpose=purpose.value, token_hash=tokens.hash(purpose, code))
    if row is not None:
        return _in_time(w, purpose, row["requested_at"])
    w.execute(_COUNT, did=did, purpose=purpose.value)
    w.execute(_END, did=did, purpose=purpose.value, limit=MAX_WRONG_TRIES)
    return TokenVerdict.WRONG


def spend_by_token(w: Writer, tokens: EmailTokens, purpose: TokenPurpose, code: str) -> tuple[TokenVerdict, Did | None]:
    """Consume a token that identifies the account by itself. Return the account's DID if the token is valid."""
    row = w.fetch_one(_TAKE_ANYBODYS, purpose=purpose.value, token_hash=tokens.hash(purpose, code))
    if row is None:
        return TokenVerdict.WRONG, None
    verdict = _in_time(w, purpose, row["requested_at"])
    return verdict, Did(row["did"]) if verdict is TokenVerdict.GOOD else None


def require_valid(verdict: TokenVerdict) -> None:
    """Raise NotSignedIn (``InvalidToken``, ``ExpiredToken``) unless the token was valid. Call it after the commit."""
    match verdict:
        case TokenVerdict.GOOD:
            return
        case TokenVerdict.EXPIRED:
            raise NotSignedIn(gettext_noop("This code has expired. Ask for a new one."), name="ExpiredToken")
        case TokenVerdict.WRONG:
            raise NotSignedIn(
                gettext_noop("This code is wrong, or was used already. Ask for a new one."), name="InvalidToken"
            )


def require_token(token: str | None, *, missing: str = "TokenRequired") -> str:
    """Return the token of a request that requires one. Raises InvalidInput with the name ``missing``."""
    if not token:
        raise InvalidInput("token", gettext_noop("You need the code from our e-mail."), name=missing)
    return token


def drop_all(w: Writer, did: Did) -> None:
    """Invalidate every token of this account."""
    w.execute(_DROP_ALL, did=did)


def sweep(w: Writer) -> int:
    """Delete expired tokens and return how many."""
    return w.execute(_SWEEP, before=w.now - max(lifetime_of(one) for one in TokenPurpose))


async def find_email(reader: Reader, email_id: str) -> TokenEmail | None:
    """Return the content of the e-mail; None if its token was used, replaced or has expired, or if the account has no
    address.
    """
    row = await reader.fetch_one(_FIND_EMAIL, email_id=email_id)
    if row is None or row["email"] is None:
        return None
    requested_at, purpose = Instant(row["requested_at"]), TokenPurpose(row["purpose"])
    if requested_at + lifetime_of(purpose) < reader.now:
        return None
    return TokenEmail(
        did=Did(row["did"]),
        handle=row["handle"],
        email=row["email"],
        purpose=purpose,
        requested_at=requested_at,
        language=row["language"],
    )


def _in_time(w: Writer, purpose: TokenPurpose, requested_at: int) -> TokenVerdict:
    return TokenVerdict.GOOD if w.now <= requested_at + lifetime_of(purpose) else TokenVerdict.EXPIRED
