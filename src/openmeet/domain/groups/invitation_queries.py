"""SQL of invitations to groups."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.groups.model import (
    INSIDE,
    GroupId,
    GroupRole,
    Invitation,
    InvitationId,
    roles_sql,
)
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import UserId

_INVITATION = "id, group_id, email, invited_by, uses, uses_left, expires_at, revoked_at, declined_at, created_at"


async def insert_invitation(tx: Transaction, invitation: Invitation) -> None:
    await tx.execute(
        f"insert into group_invitations ({_INVITATION})"
        " values (:id, :group_id, :email, :invited_by, :uses, :uses_left, :expires_at, null, null, :created_at)",
        id=invitation.id,
        group_id=invitation.group_id,
        email=invitation.email,
        invited_by=invitation.invited_by,
        uses=invitation.uses,
        uses_left=invitation.uses_left,
        expires_at=invitation.expires_at,
        created_at=invitation.created_at,
    )


async def invitation(reader: Reader, invitation_id: InvitationId) -> Invitation | None:
    row = await reader.fetch_one(f"select {_INVITATION} from group_invitations where id = :id", id=invitation_id)
    return _invitation_of(row) if row else None


async def open_invitations(reader: Reader, group_id: GroupId, page: Page = ALL_ROWS) -> list[Invitation]:
    """Return open invitations, newest first."""
    rows = await reader.fetch(
        f"select {_INVITATION} from group_invitations where group_id = :group_id and revoked_at is null"
        f" and declined_at is null and uses_left > 0 and expires_at > :now{page.clause('created_at', 'id')}",
        group_id=group_id,
        now=reader.now,
        **page.values,
    )
    return [_invitation_of(row) for row in rows]


async def mails_since(reader: Reader, group_id: GroupId, since: Instant) -> int:
    """Number of invitations that the group has sent by e-mail since this time."""
    row = await reader.fetch_one(
        "select count(*) as mails from group_invitations"
        " where group_id = :group_id and (email is not null or declined_at is not null) and created_at > :since",
        group_id=group_id,
        since=since,
    )
    return int(row["mails"]) if row else 0


async def use_invitation(tx: Transaction, invitation_id: InvitationId) -> bool:
    """Consume one use of an invitation; False if none is left. The update is atomic, so concurrent requests cannot
    share a use.
    """
    return (
        await tx.execute(
            "update group_invitations set uses_left = uses_left - 1"
            " where id = :id and uses_left > 0 and revoked_at is null and declined_at is null and expires_at > :now",
            id=invitation_id,
            now=tx.now,
        )
        == 1
    )


async def revoke_invitation(tx: Transaction, group_id: GroupId, invitation_id: InvitationId) -> bool:
    return (
        await tx.execute(
            "update group_invitations set revoked_at = :now"
            " where id = :id and group_id = :group_id and revoked_at is null",
            id=invitation_id,
            group_id=group_id,
            now=tx.now,
        )
        == 1
    )


async def revoke_links_of(tx: Transaction, group_id: GroupId, user_id: UserId) -> None:
    """Revoke the invitation links that this person made."""
    await tx.execute(
        "update group_invitations set revoked_at = :now where group_id = :group_id and invited_by = :user_id"
        " and email is null and declined_at is null and revoked_at is null",
        group_id=group_id,
        user_id=user_id,
        now=tx.now,
    )


async def decline_invitation(tx: Transaction, invitation_id: InvitationId) -> None:
    """Mark an e-mail invitation as declined and erase its address."""
    await tx.execute(
        "update group_invitations set declined_at = :now, email = null where id = :id and declined_at is null",
        id=invitation_id,
        now=tx.now,
    )


async def invited_among(reader: Reader, group_id: GroupId, emails: Sequence[str]) -> set[str]:
    """Return the given addresses that have an open invitation from the group."""
    if not emails:
        return set()
    rows = await reader.fetch(
        "select distinct email from group_invitations where group_id = :group_id and email in :emails"
        " and revoked_at is null and uses_left > 0 and expires_at > :now order by email",
        group_id=group_id,
        emails=list(emails),
        now=reader.now,
    )
    return {row["email"] for row in rows}


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Delete e-mail invitations that expired by this time, including their addresses."""
    return await delete_some(
        tx,
        "group_invitations",
        "(email is not null or declined_at is not null) and expires_at <= :before",
        before=before,
    )


async def is_member_or_banned(reader: Reader, group_id: GroupId, email: str) -> bool:
    """Whether the address belongs to a member or to a banned person. Neither is invited."""
    row = await reader.fetch_one(
        "select 1 as found from group_members m join users u on u.id = m.user_id where m.group_id = :group_id"
        f" and u.email = :email and m.role in ({roles_sql((*INSIDE, GroupRole.BANNED))})",
        group_id=group_id,
        email=email,
    )
    return row is not None


def _invitation_of(row: Row) -> Invitation:
    return Invitation(
        id=InvitationId(row["id"]),
        group_id=GroupId(row["group_id"]),
        email=row["email"],
        invited_by=UserId(row["invited_by"]),
        uses=row["uses"],
        uses_left=row["uses_left"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        declined_at=row["declined_at"],
        created_at=row["created_at"],
    )
