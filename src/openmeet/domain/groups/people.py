"""SQL about many standings at once: everybody in some roles, all groups of one person, who comes after an owner."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.groups.model import INSIDE, GroupId, MemberId, Membership, Role
from openmeet.domain.groups.queries import MEMBER_COLUMNS, member_of
from openmeet.domain.notifications.preferences import AT_ONCE
from openmeet.domain.users.model import UserId

_COLUMNS = ", ".join(f"m.{name.strip()}" for name in MEMBER_COLUMNS.split(","))


async def ids_in_roles(reader: Reader, group_id: GroupId, roles: Sequence[Role], *, who_listen: bool) -> list[UserId]:
    """Everybody in these roles; ``who_listen``: only those who want to hear of the group."""
    listening = " and notifications_enabled = 1" if who_listen else ""
    rows = await reader.fetch(
        f"select user_id from group_members where group_id = :group_id and role in :roles{listening} order by user_id",
        group_id=group_id,
        roles=[role.value for role in roles],
    )
    return [UserId(row["user_id"]) for row in rows]


async def members_by_ids(reader: Reader, member_ids: Sequence[str]) -> dict[MemberId, Membership]:
    """Standings by their own ids."""
    if not member_ids:
        return {}
    rows = await reader.fetch(
        f"select {MEMBER_COLUMNS} from group_members where id in :ids order by id", ids=list(dict.fromkeys(member_ids))
    )
    return {one.id: one for one in map(member_of, rows)}


async def standings_of(reader: Reader, user_id: UserId) -> list[Membership]:
    """Every standing of one person in a group that is not deleted."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_members m join groups g on g.id = m.group_id"
        " where m.user_id = :user_id and g.deleted_at is null order by m.group_id",
        user_id=user_id,
    )
    return [member_of(row) for row in rows]


async def longest_inside(reader: Reader, group_id: GroupId, *, besides: UserId) -> list[Membership]:
    """Who is in beside one person: the most trusted first, among equals who is in for longest; shadow accounts never are."""
    rank = " ".join(f"when '{role.value}' then {number}" for number, role in enumerate(INSIDE))
    rows = await reader.fetch(
        f"select {_COLUMNS} from group_members m join users u on u.id = m.user_id and u.kind = 'person'"
        f" where m.group_id = :group_id and m.user_id <> :besides and m.role in :inside"
        f" order by case m.role {rank} end, m.joined_at, m.id",
        group_id=group_id,
        besides=besides,
        inside=[role.value for role in INSIDE],
    )
    return [member_of(row) for row in rows]


async def roles_of(reader: Reader, group_id: GroupId, user_ids: Sequence[UserId]) -> dict[UserId, Role]:
    """How each of these people stands in a group."""
    found: dict[UserId, Role] = {}
    for start in range(0, len(user_ids), AT_ONCE):
        rows = await reader.fetch(
            "select user_id, role from group_members where group_id = :group_id and user_id in :user_ids"
            " order by user_id",
            group_id=group_id,
            user_ids=list(user_ids[start : start + AT_ONCE]),
        )
        found |= {UserId(row["user_id"]): Role(row["role"]) for row in rows}
    return found
