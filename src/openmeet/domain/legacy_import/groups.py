"""Bringing in groups and who belongs to them: not the subject of the older model, but who sees an event hangs on its group."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.model import Visibility
from openmeet.domain.groups import actions, membership_queries, queries
from openmeet.domain.groups.model import (
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_PLACE,
    GroupDetails,
    GroupId,
    GroupVisibility,
    JoinPolicy,
    PromotionLevel,
    Role,
)
from openmeet.domain.legacy_import.details import UNTITLED, group_visibility
from openmeet.domain.legacy_import.model import OldGroup, OldMember
from openmeet.domain.legacy_import.plan import Plan
from openmeet.domain.legacy_import.queries import Kind, known, note
from openmeet.domain.users.model import Caller, UserId
from openmeet.i18n.markdown import one_line

_VISIBILITIES = {
    Visibility.PUBLIC: GroupVisibility.PUBLIC,
    Visibility.UNLISTED: GroupVisibility.UNLISTED,
    Visibility.PRIVATE: GroupVisibility.PRIVATE,
}
# An old guest waited for a yes. There is one owner here: who else was one is an admin.
_ROLES = {
    "owner": Role.ADMIN,
    "admin": Role.ADMIN,
    "moderator": Role.MODERATOR,
    "member": Role.MEMBER,
    "guest": Role.PENDING,
}
_MEMBERS = 200


async def bring_groups(
    db: Database, run_id: str, plan: Plan, people: Mapping[int, UserId], tell: Callable[[str, int, int], None]
) -> dict[int, str]:
    """Old ids of groups to new ones."""
    async with db.reader() as reader:
        done = await known(reader, run_id, Kind.GROUP)
        members = await known(reader, run_id, Kind.MEMBER)
    for number, group in enumerate(plan.groups, 1):
        if group.id not in done:
            async with db.transaction() as tx:
                done[group.id] = await _group(tx, group, people[group.created_by or 0])
                await note(tx, run_id, Kind.GROUP, [(group.id, done[group.id])])
        tell("groups", number, len(plan.groups))
    waiting = [one for one in plan.members if one.id not in members]
    for start in range(0, len(waiting), _MEMBERS):
        async with db.transaction() as tx:
            for one in waiting[start : start + _MEMBERS]:
                await note(tx, run_id, Kind.MEMBER, [(one.id, await _member(tx, one, done, people))])
    return done


async def _group(tx: Transaction, group: OldGroup, owner: UserId) -> GroupId:
    details = GroupDetails(
        name=one_line(group.name)[:MAX_NAME] or UNTITLED,
        time_zone="UTC",
        description=group.description.replace("\r\n", "\n").strip()[:MAX_DESCRIPTION],
        locality=one_line(group.location)[:MAX_PLACE],
        join_policy=JoinPolicy.REQUEST if group.requires_approval else JoinPolicy.OPEN,
        visibility=_VISIBILITIES[group_visibility(group)],
        # Nothing of it was on the network; that is for its owner to say.
        promotion_level=PromotionLevel.PRIVATE,
    )
    made = await actions.create(tx, Caller(owner, ""), details)
    await membership_queries.note(tx, made.id, slug=group.slug, created_at=group.created_at)
    return made.id


async def _member(tx: Transaction, one: OldMember, groups: Mapping[int, str], people: Mapping[int, UserId]) -> str:
    group_id, user_id = GroupId(groups[one.group_id]), people[one.user_id]
    standing = await queries.find_member(tx, group_id, user_id)
    if standing is not None:
        return standing.id
    role = _ROLES.get(one.role, Role.PENDING)
    made = queries.new_membership(tx.now, group_id, user_id, role)
    await queries.put_member(tx, replace(made, joined_at=None if role is Role.PENDING else tx.now))
    return made.id
