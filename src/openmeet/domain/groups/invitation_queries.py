"""All SQL of what stands around memberships: invitations, the log, followed DIDs."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.groups.model import GroupId, GroupLogAction, GroupRole, Invitation, InvitationId, Logged
from openmeet.domain.paging import WHOLE, Page
from openmeet.domain.users.model import UserId

_INVITATION = "id, group_id, email, invited_by, uses, uses_left, expires_at, revoked_at, declined_at, created_at"
LOGGED = "id, user_id, acted_by, act, role_before, role_after, created_at, note"


# What the log notes beside things that nobody did at that moment: they are no trace of anybody.
BY_CLOCK = "by the clock"
# And beside what somebody did in the repository that the group's records stand in.
IN_ANOTHER_APP = "in another app"


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


async def open_invitations(reader: Reader, group_id: GroupId, page: Page = WHOLE) -> list[Invitation]:
    """Those that still let somebody in, the newest first."""
    rows = await reader.fetch(
        f"select {_INVITATION} from group_invitations where group_id = :group_id and revoked_at is null"
        f" and declined_at is null and uses_left > 0 and expires_at > :now{page.clause('created_at', 'id')}",
        group_id=group_id,
        now=reader.now,
        **page.values,
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


async def decline_invitation(tx: Transaction, invitation_id: InvitationId) -> bool:
    """The addressee of a mail says no; False where it is over anyway."""
    return (
        await tx.execute(
            "update group_invitations set declined_at = :now where id = :id and email is not null"
            " and declined_at is null and revoked_at is null and uses_left > 0",
            id=invitation_id,
            now=tx.now,
        )
        == 1
    )


async def stop_invitations(tx: Transaction, invitation_id: InvitationId) -> bool:
    """The addressee of a mail wants no further ones of this group, whatever became of that one; False where there is no such mail."""
    return (
        await tx.execute(
            "update group_invitations set declined_at = coalesce(declined_at, :now) where id = :id and email is not null",
            id=invitation_id,
            now=tx.now,
        )
        == 1
    )


async def written_to(reader: Reader, group_id: GroupId, emails: Sequence[str]) -> set[str]:
    """Those of these addresses that have an open invitation of the group, or said no to one."""
    if not emails:
        return set()
    rows = await reader.fetch(
        "select distinct email from group_invitations where group_id = :group_id and email in :emails and"
        " (declined_at is not null or revoked_at is null and uses_left > 0 and expires_at > :now) order by email",
        group_id=group_id,
        emails=list(emails),
        now=reader.now,
    )
    return {row["email"] for row in rows}


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Invitations by mail that had ended by then. Who said no to one stays written down: they are not asked again."""
    return await tx.execute(
        "delete from group_invitations where email is not null and declined_at is null and expires_at <= :before",
        before=before,
    )


async def is_inside_with(reader: Reader, group_id: GroupId, email: str) -> bool:
    """Whether somebody with this address is in the group, or was banned from it: neither is written to."""
    row = await reader.fetch_one(
        "select 1 as found from group_members m join users u on u.id = m.user_id where m.group_id = :group_id"
        " and u.email = :email and m.role in ('owner', 'admin', 'moderator', 'member', 'banned')",
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
    """Write down what was done, to whom and by whom; lines are only added."""
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


async def logged(reader: Reader, group_id: GroupId, *, limit: int, before: str | None = None) -> list[Logged]:
    """Lines of the log, the newest first; ``before``: the id of the last one seen."""
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
    """False where the group follows it already."""
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
    """False where the group does not follow it."""
    gone = await tx.execute(
        "delete from group_follows where group_id = :group_id and did = :did", group_id=group_id, did=did
    )
    return gone == 1


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
        uses=row["uses"],
        uses_left=row["uses_left"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        declined_at=row["declined_at"],
        created_at=row["created_at"],
    )


def logged_of(row: Row) -> Logged:
    """The model value of a row that has ``LOGGED``."""
    return Logged(
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
