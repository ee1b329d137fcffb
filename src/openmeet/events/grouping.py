"""Making an event in a group: who may, and what the group makes of it."""

from groundwork.database.transaction import Reader
from openmeet.events.model import Event, GroupOfEvent
from openmeet.groups import actions, rules
from openmeet.groups.model import Group, GroupSlug
from openmeet.groups.queries import role_in
from openmeet.groups.rules import Action
from openmeet.users.model import UserId


async def group_for(reader: Reader, slug: str, caller: UserId) -> GroupOfEvent | None:
    """The group for a new event of this person; None where none is named. Raises NotFound, Forbidden."""
    if not slug:
        return None
    group, mine = await actions.visible(reader, GroupSlug(slug), caller)
    rules.must_be_allowed(mine.role if mine else None, Action.CREATE_EVENT)
    return of_event(group)


async def group_of_copy(reader: Reader, event: Event, caller: UserId) -> GroupOfEvent | None:
    """The group of a copy of an event: the same where this person may make events in it, else none."""
    role = await role_in(reader, event.group.id if event.group else None, caller)
    return event.group if rules.may(role, Action.CREATE_EVENT) else None


def of_event(group: Group) -> GroupOfEvent:
    """What an event needs to know of its group."""
    return GroupOfEvent(group.id, group.details.visibility, group.details.promotion_level)
