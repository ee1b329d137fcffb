"""Addresses in mails that work without signing in: one per person and purpose, each for one thing, each revocable.

The token is derived from the server's key and the row's serial, and only its hash is stored (invariant 8): a payer can write the
same link again and again, a copy of the database opens none. A new serial makes every earlier token invalid.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum

from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey
from openmeet.domain.users.model import UserId


class LinkPurpose(StrEnum):
    """What a link is for; its subject is a topic or an event."""

    UNSUBSCRIBE = "unsubscribe"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class EmailLink:
    """Whose link it is and what it is about."""

    user_id: UserId
    purpose: LinkPurpose
    subject: str


async def token_for(tx: Transaction, key: SigningKey, link: EmailLink) -> str:
    """The token of the one link of this person, purpose and subject, from now on known here."""
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

    # What earlier letters carry goes on: another token would end it.
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
    """What the token opens; None when it is unknown, revoked, or for something else."""
    row = await reader.fetch_one(
        "select user_id, subject from mail_links where token_hash = :token_hash and purpose = :purpose",
        token_hash=_hash(token),
        purpose=purpose.value,
    )
    return EmailLink(UserId(row["user_id"]), purpose, row["subject"]) if row else None


async def revoke_all(tx: Transaction, user_id: UserId) -> int:
    """No link in any earlier mail to this person works any more."""
    return await tx.execute(
        "update mail_links set serial = serial + 1, token_hash = null where user_id = :user_id", user_id=user_id
    )


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
