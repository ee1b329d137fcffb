"""Events of groups: who may create them, and what an event inherits from its group."""

from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import Event, EventId, GroupOfEvent
from openmeet.domain.events.rules import GroupEventAccess, access_by
from openmeet.domain.groups import actions, membership_queries, rules
from openmeet.domain.groups.model import Group, GroupId, GroupSlug
from openmeet.domain.groups.queries import by_ids, is_deleted, role_in
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.users.model import UserId

# The length of a list that people can still choose from.
MAX_OFFERED: Final = 100


async def group_for(reader: Reader, slug: str, caller: UserId) -> GroupOfEvent | None:
    """The group for a new event of this person; None if ``slug`` is empty. Raises NotFound, Forbidden."""
    if not slug:
        return None
    group, membership = await actions.visible(reader, GroupSlug(slug), caller)
    rules.require_permission(membership.role if membership else None, GroupPermission.CREATE_EVENT)
    return as_group_of_event(group)


async def groups_offered(reader: Reader, user_id: UserId) -> list[Group]:
    """The groups in which this person may create events, by name."""
    memberships = await membership_queries.memberships_of(reader, user_id)
    ids = [one.group_id for one in memberships if rules.may(one.role, GroupPermission.CREATE_EVENT)]
    found = await by_ids(reader, ids)
    return sorted(found.values(), key=lambda group: (group.details.name.casefold(), group.id))[:MAX_OFFERED]


async def may_make_events(reader: Reader, group: GroupOfEvent | None, user_id: UserId) -> bool:
    """Whether this person may create events in the group now. Events of a deleted group belong to their host alone."""
    if group is None:
        return True
    role = await role_in(reader, group.id, user_id)
    return rules.may(role, GroupPermission.CREATE_EVENT) or (role is None and await is_deleted(reader, group.id))


async def lets_its_author(reader: Reader, event: Event) -> bool:
    """Whether the event's group, if any, lets its author change it.

    Drafts, and dates of a series (whose rule creates more), require the permission to create events. A published single
    event may have been transferred to somebody without it, so its author loses the right only by leaving the group or
    being removed from it.
    """
    if event.group is None:
        return True
    if event.is_draft or event.position_in_series is not None:
        return await may_make_events(reader, event.group, event.author_id)
    return access_by(await role_in(reader, event.group.id, event.author_id)) is not GroupEventAccess.FORMER_MEMBER


async def group_of_copy(reader: Reader, event: Event, caller: UserId) -> GroupOfEvent | None:
    """The group for a copy: the same one if this person may create events in it, else none."""
    role = await role_in(reader, event.group.id if event.group else None, caller)
    return event.group if rules.may(role, GroupPermission.CREATE_EVENT) else None


def as_group_of_event(group: Group) -> GroupOfEvent:
    """The properties of a group that its events need."""
    return GroupOfEvent(
        group.id, group.details.visibility, group.details.promotion_level, group.details.announces_events
    )


async def set_network_group(tx: Transaction, event_id: EventId, group_id: GroupId | None) -> None:
    """Set the group of an event from the network, as its records say. A group chosen on this site is kept."""
    await tx.execute(
        "update events set group_id = :group_id where id = :id and origin = 'network'"
        " and (group_id is null or group_id in (select id from groups where is_read_only = 1))",
        id=event_id,
        group_id=group_id,
    )


async def leave_network_group(tx: Transaction, group_id: GroupId) -> None:
    """Detach the group's events, because the group was removed from the network."""
    await tx.execute("update events set group_id = null where group_id = :id and origin = 'network'", id=group_id)
