"""The log of a group: what its members did, changes of roles first of all. Entries are never changed."""

from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.groups.model import GroupId, GroupLogAction, GroupLogEntry, GroupRole
from openmeet.domain.users.model import UserId

COLUMNS = "id, user_id, acted_by, act, role_before, role_after, created_at, note"

# Note of log entries that the scheduler wrote. They do not count as activity of a person.
BY_CLOCK = "by_clock"
# Note of log entries for changes that another app made in the repository with the group's records.
IN_ANOTHER_APP = "in_another_app"


async def add(
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
    """Append an entry: what was done, to whom and by whom. ``note``: the object of the action if that is not a user, or
    one of the notes of this module.
    """
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


async def entries(reader: Reader, group_id: GroupId, *, limit: int, before: str | None = None) -> list[GroupLogEntry]:
    """Return entries, newest first. ``before`` is the id of the last entry of the previous page."""
    older = (
        ""
        if before is None
        else " and (created_at, id) < (select created_at, id from group_roles_log where id = :before)"
    )
    rows = await reader.fetch(
        f"select {COLUMNS} from group_roles_log where group_id = :group_id{older} order by created_at desc, id desc"
        " limit :limit",
        group_id=group_id,
        limit=limit,
        **({} if before is None else {"before": before}),
    )
    return [entry_of(row) for row in rows]


def entry_of(row: Row) -> GroupLogEntry:
    """Parse a row with the columns of ``COLUMNS``."""
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
