"""Links in e-mails that work without signing in: one per user, purpose and subject, each revocable.

The token is derived from the server's key and the row's serial number, and only its hash is stored (invariant 8). So a
handler can render the same link repeatedly, and a copy of the database contains no working link. A new serial number
invalidates every earlier token.
"""

import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from openmeet.domain.users.model import UserId

# How long a chat message can be answered from an e-mail.
WRITE_BACK_FOR: Final = 7 * DAY


# The subject of a link that mutes one chat begins with this.
ROOM: Final = "room "


class LinkPurpose(StrEnum):
    """The purpose of a link. Its subject is a topic, an event or a room.

    ``CHAT`` expires a week after the last e-mail that contains it, because it allows reading and writing.
    """

    UNSUBSCRIBE = "unsubscribe"
    ANSWER = "answer"
    CHAT = "chat"


@dataclass(frozen=True, slots=True)
class EmailLink:
    """The user that a link belongs to, and its subject."""

    user_id: UserId
    purpose: LinkPurpose
    subject: str


async def token_for(tx: Transaction, key: SigningKey, link: EmailLink) -> str:
    """The token of the link for this user, purpose and subject. Creates the link if needed."""
    row = await tx.fetch_one(
        """
        insert into email_links (user_id, purpose, subject, serial, token_hash, created_at, expires_at)
        values (:user_id, :purpose, :subject, 1, null, :now, :expires_at)
            on conflict (user_id, purpose, subject) do update
                set serial = email_links.serial, expires_at = excluded.expires_at
        returning serial, token_hash
        """,
        user_id=link.user_id,
        purpose=link.purpose.value,
        subject=link.subject,
        expires_at=Instant(tx.now + WRITE_BACK_FOR) if link.purpose is LinkPurpose.CHAT else None,
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # inserted or updated
    name = "\n".join((link.purpose, link.user_id, link.subject, str(row["serial"])))

    def made(key: SigningKey) -> str:
        return base64.urlsafe_b64encode(key.digest(b"mail link\x00" + name.encode())).rstrip(b"=").decode()

    # Keep the serial number, because links in earlier e-mails must continue to work.
    token = key.find_valid(made, lambda one: hash_token(one) == row["token_hash"]) or made(key)
    await tx.execute(
        "update email_links set token_hash = :token_hash"
        " where user_id = :user_id and purpose = :purpose and subject = :subject",
        token_hash=hash_token(token),
        user_id=link.user_id,
        purpose=link.purpose.value,
        subject=link.subject,
    )
    return token


async def find(reader: Reader, token: str, purpose: LinkPurpose) -> EmailLink | None:
    """The link behind a token. None if it is unknown, revoked, expired, or for another purpose."""
    row = await reader.fetch_one(
        "select l.user_id, l.subject from (select user_id, subject, purpose, token_hash, expires_at from email_links"
        " union all select user_id, subject, purpose, token_hash, expires_at from former_email_links) l"
        " where l.token_hash = :token_hash and l.purpose = :purpose and (l.expires_at is null or l.expires_at > :now)",
        now=reader.now,
        token_hash=hash_token(token),
        purpose=purpose.value,
    )
    return EmailLink(UserId(row["user_id"]), purpose, row["subject"]) if row else None


async def revoke_all(tx: Transaction, user_id: UserId) -> int:
    """Revoke all links in earlier e-mails to this user."""
    await tx.execute("delete from former_email_links where user_id = :user_id", user_id=user_id)
    return await tx.execute(
        "update email_links set serial = serial + 1, token_hash = null where user_id = :user_id", user_id=user_id
    )


_KEEP: Final = """
    insert into former_email_links (token_hash, user_id, purpose, subject, created_at, expires_at)
    select token_hash, {user}, purpose, {subject}, created_at, expires_at from email_links
     where token_hash is not null and {which}
"""


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Let the links in e-mails to a merged account act for the remaining one. New e-mails to it have links of their
    own.
    """
    keep = _KEEP.format(user=":to_user", subject="subject", which="user_id = :from_user")
    await tx.execute(keep, from_user=from_user, to_user=to_user)
    await tx.execute("delete from email_links where user_id = :from_user", from_user=from_user)
    await tx.execute(
        "update former_email_links set user_id = :to_user where user_id = :from_user",
        from_user=from_user,
        to_user=to_user,
    )


async def move_to_subject(tx: Transaction, from_subject: str, to_subject: str) -> None:
    """Let the links about a subject that no longer exists lead to another one."""
    keep = _KEEP.format(user="user_id", subject=":to_subject", which="subject = :from_subject")
    await tx.execute(keep, from_subject=from_subject, to_subject=to_subject)
    await tx.execute("delete from email_links where subject = :from_subject", from_subject=from_subject)
    await tx.execute(
        "update former_email_links set subject = :to_subject where subject = :from_subject",
        from_subject=from_subject,
        to_subject=to_subject,
    )
