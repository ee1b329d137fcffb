"""A group with one person in each role, for tests."""

from openmeet.domain.groups import actions, administration, queries
from openmeet.domain.groups.model import Group, GroupDetails, GroupRole, Membership
from openmeet.domain.users.model import Caller
from openmeet.web.groups.forms import GroupSubmission, check
from tests.openmeet.site_under_test import person


def details(**typed: str) -> GroupDetails:
    """Details of a valid group with these fields changed."""
    return check(GroupSubmission(**{"name": "Chess club", "time_zone": "Europe/Berlin", "locality": "Berlin", **typed}))


async def group_by(tx, owner: Caller, **typed: str) -> Group:
    return await actions.create(tx, owner, details(**typed))


async def add_member(tx, group: Group, owner: Caller, name: str, role: GroupRole = GroupRole.MEMBER) -> Caller:
    """A new person who was invited to the group and given this role."""
    caller = await person(tx, name)
    link = await administration.invite_by_link(tx, owner, group.slug, uses=1)
    await administration.accept(tx, caller, link.id)
    await administration.change_role(tx, owner, group.slug, caller.user_id, role)
    return caller


async def membership_of(reader, group: Group, who: Caller) -> Membership | None:
    return await queries.find_member(reader, group.id, who.user_id)


async def role_of(reader, group: Group, who: Caller) -> GroupRole | None:
    found = await membership_of(reader, group, who)
    return found.role if found else None
