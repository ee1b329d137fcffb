"""Set, describe or remove a group's picture. Requires permission to edit the group."""

from dataclasses import replace

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.groups import invitation_queries
from openmeet.domain.groups.actions import lock_for, save
from openmeet.domain.groups.model import Group, GroupLogAction, GroupSlug
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import Caller


async def put(
    tx: Transaction, caller: Caller, slug: GroupSlug, picture: Picture, *, expected_revision: int | None = None
) -> Group:
    """Set the picture of a group. Raises NotFound, Forbidden, Refused, PreconditionFailed."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    return await _show(tx, caller, before, picture)


async def describe(
    tx: Transaction, caller: Caller, slug: GroupSlug, alt: str, *, expected_revision: int | None = None
) -> Group:
    """Change the picture's description. Raises the same errors as ``put``, and Refused (``NoPicture``)."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    if before.picture is None:
        raise Refused(GroupReason.NO_PICTURE, name="NoPicture")
    return await _show(tx, caller, before, replace(before.picture, alt=alt))


async def remove(tx: Transaction, caller: Caller, slug: GroupSlug, *, expected_revision: int | None = None) -> Group:
    """Remove the picture. Raises the same errors as ``put``."""
    before, _ = await lock_for(tx, caller, slug, GroupPermission.EDIT_GROUP, expected_revision=expected_revision)
    return await _show(tx, caller, before, None)


async def _show(tx: Transaction, caller: Caller, before: Group, picture: Picture | None) -> Group:
    if before.picture == picture and before.network.avatar_cid is None:
        return before
    revision = before.revision + 1
    network = replace(before.network, avatar_cid=None, picture_revision=revision)
    after = replace(before, picture=picture, network=network, revision=revision, updated_at=tx.now)
    await save(tx, after)
    await invitation_queries.log(tx, after.id, caller.user_id, GroupLogAction.EDITED, by=caller.user_id)
    return after
