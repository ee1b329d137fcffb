"""SQL for invitations, the group log and followed DIDs."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.groups.model import (
    INSIDE,
    GroupId,
    GroupLogAction,
    GroupLogEntry,
    GroupRole,
    Invitation,
    InvitationId,
    roles_sql,
)
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.model import UserId

_INVITATION = "id, group_id, email, invited_by, uses, uses_left, expires_at, revoked_at, declined_at, created_at"
LOGGED = "id, user_id, acted_by, act, role_before, role_after, created_at, note"


# Note of log entries that the scheduler wrote. They do not count as activity of a person.
BY_CLOCK = "by_clock"
# Note of log entries for changes that another app made in the repository with the group's records.
IN_ANOTHER_APP = "in_another_app"


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
    return await tx.execute(
        "delete from group_invitations where (email is not null or declined_at is not null) and expires_at <= :before",
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


async def log(
    tx: Transaction,
    group_id: GroupId,
    user_id: UserId,
    act: GroupLogAction,
    *,
    by: UserId,
    before: GroupRole | None = None,
    after: GroupRole | None = None,
    note: str = "",
) -> None:
    """Append a log entry: what was done, to whom and by whom."""
    await tx.execute(
        """
        insert into group_roles_log (id, group_id, user_id, acted_by, act, role_before, role_after, note, created_at)
        values (:id, :group_id, :user_id, :by, :act, :before, :after, :note, :now)
        """,
        id=new_id(tx.now),
        group_id=group_id,
        user_id=user_id,
        by=by,
        act=act.value,
        before=before.value if before else None,
        after=after.value if after else None,
        note=note,
        now=tx.now,
    )


async def logged(reader: Reader, group_id: GroupId, *, limit: int, before: str | None = None) -> list[GroupLogEntry]:
    """Return log entries, newest first. ``before`` is the id of the last entry of the previous page."""
    older = (
        ""
        if before is None
        else " and (created_at, id) < (select created_at, id from group_roles_log where id = :before)"
    )
    rows = await reader.fetch(
        f"select {LOGGED} from group_roles_log where group_id = :group_id{older} order by created_at desc, id desc"
        " limit :limit",
        group_id=group_id,
        limit=limit,
        **({} if before is None else {"before": before}),
    )
    return [logged_of(row) for row in rows]


async def follow(tx: Transaction, group_id: GroupId, did: str, by: UserId) -> bool:
    """Show the public events of a DID in a group. Returns False if the group already follows it."""
    made = await tx.execute(
        "insert into group_follows (group_id, did, followed_by, created_at) values (:group_id, :did, :by, :now)"
        " on conflict (group_id, did) do nothing",
        group_id=group_id,
        did=did,
        by=by,
        now=tx.now,
    )
    return made == 1


async def unfollow(tx: Transaction, group_id: GroupId, did: str) -> bool:
    """Stop following a DID. Returns False if the group does not follow it."""
    gone = await tx.execute(
        "delete from group_follows where group_id = :group_id and did = :did", group_id=group_id, did=did
    )
    return gone == 1


async def followed(reader: Reader, group_id: GroupId, page: Page = ALL_ROWS) -> list[tuple[str, Instant]]:
    """Return the DIDs that the group follows, with the time at which it started to follow them, newest first."""
    rows = await reader.fetch(
        f"select did, created_at from group_follows where group_id = :group_id{page.clause('created_at', 'did')}",
        group_id=group_id,
        **page.values,
    )
    return [(row["did"], Instant(row["created_at"])) for row in rows]


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


def logged_of(row: Row) -> GroupLogEntry:
    """Parse a row with the columns of ``LOGGED``."""
    return GroupLogEntry(
        id=row["id"],
        user_id=UserId(row["user_id"]),
        acted_by=UserId(row["acted_by"]),
        act=GroupLogAction(row["act"]),
        before=GroupRole(row["role_before"]) if row["role_before"] else None,
        after=GroupRole(row["role_after"]) if row["role_after"] else None,
        created_at=row["created_at"],
        note=row["note"],
    )


async def forget_did(tx: Transaction, did: str) -> None:
    await tx.execute("delete from group_follows where did = :did", did=did)
    await tx.execute("update groups set backup_admin_did = null where backup_admin_did = :did", did=did)
