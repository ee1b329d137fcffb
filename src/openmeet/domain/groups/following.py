"""Following a group without being in it: its public events are told, and nothing that is for members."""

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.groups.actions import visible
from openmeet.domain.groups.model import Group, GroupId, GroupSlug
from openmeet.domain.users.model import Caller, UserId


async def follow(tx: Transaction, caller: Caller, slug: GroupSlug, *, enabled: bool = True) -> Group:
    """The caller hears of new events; again with another ``enabled`` switches that. Raises NotFound."""
    group, _ = await visible(tx, slug, caller.user_id)
    await tx.execute(
        """
        insert into group_followers (group_id, user_id, notifications_enabled, created_at, updated_at)
        values (:group_id, :user_id, :enabled, :now, :now)
            on conflict (group_id, user_id) do update
           set notifications_enabled = excluded.notifications_enabled, updated_at = excluded.updated_at
        """,
        group_id=group.id,
        user_id=caller.user_id,
        enabled=int(enabled),
        now=tx.now,
    )
    return group


async def unfollow(tx: Transaction, caller: Caller, slug: GroupSlug) -> None:
    """Once more changes nothing. Raises NotFound."""
    group, _ = await visible(tx, slug, caller.user_id)
    await tx.execute(
        "delete from group_followers where group_id = :group_id and user_id = :user_id",
        group_id=group.id,
        user_id=caller.user_id,
    )


async def is_following(reader: Reader, group_id: GroupId, user_id: UserId) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from group_followers where group_id = :group_id and user_id = :user_id",
        group_id=group_id,
        user_id=user_id,
    )
    return row is not None


async def count(reader: Reader, group_id: GroupId) -> int:
    row = await reader.fetch_one(
        "select count(*) as followers from group_followers where group_id = :group_id", group_id=group_id
    )
    return int(row["followers"]) if row else 0


async def listeners(reader: Reader, group_id: GroupId) -> list[UserId]:
    """Members and followers who want to hear of the group; who is in and follows too counts as being in."""
    rows = await reader.fetch(
        """
        select user_id from group_members
         where group_id = :group_id and role in ('owner', 'admin', 'moderator', 'member') and notifications_enabled = 1
        union
        select f.user_id from group_followers f
         where f.group_id = :group_id and f.notifications_enabled = 1
           and not exists (select 1 from group_members m where m.group_id = f.group_id and m.user_id = f.user_id
                            and m.role in ('owner', 'admin', 'moderator', 'member', 'banned'))
         order by user_id
        """,
        group_id=group_id,
    )
    return [UserId(row["user_id"]) for row in rows]
