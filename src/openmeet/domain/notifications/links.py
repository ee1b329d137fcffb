"""Links in e-mails that work without signing in: one per user, purpose and subject, each revocable.

The token is derived from the server's key and the row's serial, and only its hash is stored (invariant 8): a handler
can render the same link repeatedly, and a copy of the database opens none. A new serial invalidates every earlier
token.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey
from openmeet.domain.users.model import UserId


class LinkPurpose(StrEnum):
    """What a link allows; its subject is a topic or an event."""

    UNSUBSCRIBE = "unsubscribe"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class EmailLink:
    """Whose link it is and what it is about."""

    user_id: UserId
    purpose: LinkPurpose
    subject: str


async def token_for(tx: Transaction, key: SigningKey, link: EmailLink) -> str:
    """The token of the one link for this user, purpose and subject; creates the link if needed."""
    row = await tx.fetch_one(
        """
        insert into mail_links (user_id, purpose, subject, serial, token_hash, created_at)
        values (:user_id, :purpose, :subject, 1, null, :now)
            on conflict (user_id, purpose, subject) do update set serial = mail_links.serial
        returning serial, token_hash
        """,
        user_id=link.user_id,
        purpose=link.purpose.value,
        subject=link.subject,
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # inserted or updated
    name = "\n".join((link.purpose, link.user_id, link.subject, str(row["serial"])))

    def made(one: SigningKey) -> str:
        return base64.urlsafe_b64encode(one.digest(b"mail link\x00" + name.encode())).rstrip(b"=").decode()

    # Keep the serial: links in earlier e-mails must go on working.
    token = key.fitting(made, lambda one: _hash(one) == row["token_hash"]) or made(key)
    await tx.execute(
        "update mail_links set token_hash = :token_hash"
        " where user_id = :user_id and purpose = :purpose and subject = :subject",
        token_hash=_hash(token),
        user_id=link.user_id,
        purpose=link.purpose.value,
        subject=link.subject,
    )
    return token


async def find(reader: Reader, token: str, purpose: LinkPurpose) -> EmailLink | None:
    """The link behind a token; None if it is unknown, revoked, or for another purpose."""
    row = await reader.fetch_one(
        "select user_id, subject from mail_links where token_hash = :token_hash and purpose = :purpose",
        token_hash=_hash(token),
        purpose=purpose.value,
    )
    return EmailLink(UserId(row["user_id"]), purpose, row["subject"]) if row else None


async def revoke_all(tx: Transaction, user_id: UserId) -> int:
    """Revoke every link in earlier e-mails to this user."""
    return await tx.execute(
        "update mail_links set serial = serial + 1, token_hash = null where user_id = :user_id", user_id=user_id
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
