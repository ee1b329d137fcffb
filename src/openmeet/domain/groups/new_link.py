"""Replace the link of an unlisted group. Every earlier link stops working."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain import slugs
from openmeet.domain.groups import actions, invitation_queries, queries
from openmeet.domain.groups.model import Group, GroupLogAction, GroupSlug, GroupVisibility
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.slugs import LinkKind, new_slug
from openmeet.domain.users.model import Caller


async def make(tx: Transaction, caller: Caller, slug: GroupSlug, *, expected_revision: int | None = None) -> Group:
    """Give the group a new link.

    Raises NotFound, Forbidden, PreconditionFailed, and Refused (``PublicGroup``) if the group is listed publicly.
    """
    group, _ = await actions.lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    if group.details.visibility is GroupVisibility.PUBLIC:
        raise Refused(GroupReason.PUBLIC_GROUP, name="PublicGroup")
    earlier = await queries.drop_slugs(tx, group.id)
    await slugs.retire(tx, LinkKind.GROUP, [(one, group.id) for one in (group.slug, *earlier)])
    fresh = GroupSlug(new_slug(group.details.name, otherwise="group"))
    after = replace(group, slug=fresh, revision=group.revision + 1, updated_at=tx.now)
    await actions.save(tx, after)
    await invitation_queries.log(
        tx, group.id, caller.user_id, GroupLogAction.ADDRESS_CHANGED, by=caller.user_id, note=""
    )
    return after
