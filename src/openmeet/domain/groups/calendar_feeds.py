"""Secret calendar feed URLs for a group's events, one per member, with their SQL.

As for personal feeds, the token is derived from the server's key and a serial number, and only its hash is stored
(invariant 8). Leaving, removal or a ban revokes the URL at once, and it stays revoked if the person comes back. While a
person is deleting their account, their URLs do not work; they work again if the person keeps it.
"""

import base64

from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from openmeet.domain.groups import queries, rules
from openmeet.domain.groups.model import INSIDE, Group, GroupId, Membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId


async def token_of(reader: Reader, key: SigningKey, group_id: GroupId, user_id: UserId) -> str | None:
    """Return the member's valid token.

    None if there is none; empty if the key that it was derived from is no longer configured.
    """
    row = await reader.fetch_one(
        "select serial, token_hash from group_calendar_feeds"
        " where group_id = :group_id and user_id = :user_id and token_hash is not null",
        group_id=group_id,
        user_id=user_id,
    )
    if row is None:
        return None
    token = key.find_valid(
        lambda one: _token(one, group_id, user_id, row["serial"]), lambda one: hash_token(one) == row["token_hash"]
    )
    return token or ""


async def renew(tx: Transaction, key: SigningKey, group: Group, membership: Membership | None) -> str:
    """Create a token for a member of a locked group, and revoke the previous one. Raises Forbidden."""
    rules.require_permission(membership.role if membership else None, GroupPermission.VIEW)
    assert membership is not None  # noqa: S101  # only members have this permission
    row = await tx.fetch_one(
        """
        insert into group_calendar_feeds (group_id, user_id, serial, token_hash, created_at)
        values (:group_id, :user_id, 1, null, :now)
            on conflict (group_id, user_id) do update set serial = group_calendar_feeds.serial + 1
        returning serial
        """,
        group_id=group.id,
        user_id=membership.user_id,
        now=tx.now,
    )
    assert row is not None  # noqa: S101  # inserted or updated
    token = _token(key, group.id, membership.user_id, row["serial"])
    await tx.execute(
        "update group_calendar_feeds set token_hash = :hash where group_id = :group_id and user_id = :user_id",
        hash=hash_token(token),
        group_id=group.id,
        user_id=membership.user_id,
    )
    return token


async def close(tx: Transaction, group_id: GroupId, user_id: UserId) -> None:
    """Revoke a person's token for the group's calendar."""
    await queries.close_calendar(tx, group_id, user_id)


async def reader_of(reader: Reader, token: str) -> tuple[Group, Membership] | None:
    """Return the member and the group of this token. None if it is invalid, the member can no longer see the group or
    is deleting their account.
    """
    row = await reader.fetch_one(
        "select group_id, user_id from group_calendar_feeds"
        f" where token_hash = :hash and not {is_leaving('group_calendar_feeds.user_id')}",
        hash=hash_token(token),
    )
    if row is None:
        return None
    group = await queries.by_id(reader, GroupId(row["group_id"]))
    membership = await queries.find_member(reader, GroupId(row["group_id"]), UserId(row["user_id"]))
    if (
        group is None
        or membership is None
        or membership.role not in INSIDE
        or not rules.may_see(group, membership.role)
    ):
        return None
    return group, membership


async def revoke_all(tx: Transaction, user_id: UserId) -> None:
    """Revoke a user's feed URLs in all groups."""
    await tx.execute(
        "update group_calendar_feeds set serial = serial + 1, token_hash = null where user_id = :user_id",
        user_id=user_id,
    )


def _token(key: SigningKey, group_id: GroupId, user_id: UserId, serial: int) -> str:
    digest = key.digest(b"group calendar feed\x00" + f"{group_id}\n{user_id}\n{serial}".encode())
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
