"""Groups that were elsewhere before: what only then is known of them, and taking them back. All of it SQL of groups."""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.groups.model import GroupId


async def note(tx: Transaction, group_id: GroupId, *, slug: str, created_at: Instant | None) -> None:
    """Keep the age of a group that was just stored, and its address where no group has it, or had it."""
    await tx.execute(
        """
        update groups
           set created_at = coalesce(:created_at, created_at),
               slug = case when :slug = '' or exists (select 1 from groups o where o.slug = :slug)
                             or exists (select 1 from group_slugs s where s.slug = :slug)
                           then slug else :slug end
         where id = :id
        """,
        id=group_id,
        slug=slug,
        created_at=created_at,
    )


async def erase_members(tx: Transaction, member_ids: Sequence[str]) -> None:
    """Take memberships back that were imported."""
    await tx.execute_many("delete from group_members where id = :id", [{"id": one} for one in member_ids])


async def erase(tx: Transaction, group_ids: Sequence[GroupId]) -> None:
    """Take groups back that were imported; their events are gone already."""
    named = [{"id": one} for one in group_ids]
    for table in ("group_members", "group_roles_log", "group_slugs"):
        await tx.execute_many(f"delete from {table} where group_id = :id", named)
    await tx.execute_many("delete from groups where id = :id", named)
