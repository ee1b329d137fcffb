"""All SQL of what stands around memberships: invitations, the log of roles, followed DIDs, when somebody was last here."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.fresh_id import new_id
from openmeet.groups.model import Act, GroupId, Invitation, InvitationId, Logged, Role
from openmeet.users.model import UserId

_INVITATION = "id, group_id, email, invited_by, uses_left, expires_at, revoked_at, created_at"
_LOGGED = "id, user_id, acted_by, act, role_before, role_after, created_at"


async def insert_invitation(tx: Transaction, invitation: Invitation) -> None:
    await tx.execute(
        f"insert into group_invitations ({_INVITATION})"
        " values (:id, :group_id, :email, :invited_by, :uses_left, :expires_at, null, :created_at)",
        id=invitation.id,
        group_id=invitation.group_id,
        email=invitation.email,
        invited_by=invitation.invited_by,
        uses_left=invitation.uses_left,
        expires_at=invitation.expires_at,
        created_at=invitation.created_at,
    )


async def invitation(reader: Reader, invitation_id: InvitationId) -> Invitation | None:
    row = await reader.fetch_one(f"select {_INVITATION} from group_invitations where id = :id", id=invitation_id)
    return _invitation_of(row) if row else None


async def open_invitations(reader: Reader, group_id: GroupId) -> list[Invitation]:
    """Those that still let somebody in, the newest first."""
    rows = await reader.fetch(
        f"select {_INVITATION} from group_invitations where group_id = :group_id and revoked_at is null"
        " and uses_left > 0 and expires_at > :now order by created_at desc, id desc",
        group_id=group_id,
        now=reader.now,
    )
    return [_invitation_of(row) for row in rows]


async def mails_since(reader: Reader, group_id: GroupId, since: Instant) -> int:
    """How many invitations went out by mail."""
    row = await reader.fetch_one(
        "select count(*) as mails from group_invitations"
        " where group_id = :group_id and email is not null and created_at > :since",
        group_id=group_id,
        since=since,
    )
    return int(row["mails"]) if row else 0


async def use_invitation(tx: Transaction, invitation_id: InvitationId) -> bool:
    """Take one use; False where none is left: the statement itself decides between two who come at once."""
    return (
        await tx.execute(
            "update group_invitations set uses_left = uses_left - 1"
            " where id = :id and uses_left > 0 and revoked_at is null and expires_at > :now",
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


async def log(
    tx: Transaction,
    group_id: GroupId,
    user_id: UserId,
    act: Act,
    *,
    by: UserId,
    before: Role | None,
    after: Role | None,
) -> None:
    """Write down what happened to somebody's standing; lines are only added."""
    await tx.execute(
        """
        insert into group_roles_log (id, group_id, user_id, acted_by, act, role_before, role_after, created_at)
        values (:id, :group_id, :user_id, :by, :act, :before, :after, :now)
        """,
        id=new_id(tx.now),
        group_id=group_id,
        user_id=user_id,
        by=by,
        act=act.value,
        before=before.value if before else None,
        after=after.value if after else None,
        now=tx.now,
    )


async def logged(reader: Reader, group_id: GroupId, *, limit: int) -> list[Logged]:
    """The newest lines of the log, the newest first."""
    rows = await reader.fetch(
        f"select {_LOGGED} from group_roles_log where group_id = :group_id order by created_at desc, id desc"
        " limit :limit",
        group_id=group_id,
        limit=limit,
    )
    return [_logged_of(row) for row in rows]


async def last_change_of_owner(reader: Reader, group_id: GroupId) -> Logged | None:
    """The line about who was owner before the present one, if they lost it to a take-over; None after a willing change."""
    row = await reader.fetch_one(
        f"select {_LOGGED} from group_roles_log where group_id = :group_id and role_before = 'owner'"
        " order by created_at desc, id desc limit 1",
        group_id=group_id,
    )
    found = _logged_of(row) if row else None
    return found if found is not None and found.act is Act.TAKEN_OVER else None


async def last_seen(reader: Reader, user_id: UserId) -> Instant:
    """The newest trace of a person that is kept anyway: signing in, reading news, changing their profile, acting in a group."""
    row = await reader.fetch_one(
        """
        select max(at) as at from (
          select updated_at as at from users where id = :user_id
          union all select created_at from sessions where user_id = :user_id
          union all select read_at from notifications where user_id = :user_id and read_at is not null
          union all select created_at from group_roles_log where acted_by = :user_id
        ) as traces
        """,
        user_id=user_id,
    )
    return Instant(row["at"]) if row and row["at"] is not None else Instant(0)


async def follow(tx: Transaction, group_id: GroupId, did: str, by: UserId) -> None:
    await tx.execute(
        "insert into group_follows (group_id, did, followed_by, created_at) values (:group_id, :did, :by, :now)"
        " on conflict (group_id, did) do nothing",
        group_id=group_id,
        did=did,
        by=by,
        now=tx.now,
    )


async def unfollow(tx: Transaction, group_id: GroupId, did: str) -> None:
    await tx.execute("delete from group_follows where group_id = :group_id and did = :did", group_id=group_id, did=did)


async def followed(reader: Reader, group_id: GroupId) -> Sequence[str]:
    """DIDs whose public events the group shows, in the order of their names."""
    rows = await reader.fetch(
        "select did from group_follows where group_id = :group_id order by did", group_id=group_id
    )
    return [row["did"] for row in rows]


def _invitation_of(row: Row) -> Invitation:
    return Invitation(
        id=InvitationId(row["id"]),
        group_id=GroupId(row["group_id"]),
        email=row["email"],
        invited_by=UserId(row["invited_by"]),
        uses_left=row["uses_left"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        created_at=row["created_at"],
    )


def _logged_of(row: Row) -> Logged:
    return Logged(
        id=row["id"],
        user_id=UserId(row["user_id"]),
        acted_by=UserId(row["acted_by"]),
        act=Act(row["act"]),
        before=Role(row["role_before"]) if row["role_before"] else None,
        after=Role(row["role_after"]) if row["role_after"] else None,
        created_at=row["created_at"],
    )
