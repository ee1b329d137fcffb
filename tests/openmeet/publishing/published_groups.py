"""Groups in the small network with their members, events and pictures, published by the site."""

from dataclasses import replace
from typing import Any

from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event, group_for
from openmeet.domain.groups import actions, administration, publication_settings, queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import Caller
from tests.openmeet.deployment import Deployment, deliver_all_publications, details
from tests.openmeet.groups.people import details as group_details
from tests.openmeet.groups.people import group_by
from tests.openmeet.publishing.pictures import draw_jpeg
from tests.worker_pool import WORKERS

CHESS_SECRET = "zugzwang"


async def create_group(deployment: Deployment, owner: Caller, **typed: str) -> Group:
    """A new group, which has been published."""
    async with deployment.db.transaction() as tx:
        group = await actions.create(
            tx, owner, group_details(**{"country": "DE", "description": "We meet.", "sync_enabled": "on", **typed})
        )
    await deliver_all_publications(deployment)
    return await current_group(deployment, group)


async def current_group(deployment: Deployment, group: Group) -> Group:
    async with deployment.db.reader() as reader:
        kept = await queries.by_id(reader, group.id)
    assert kept is not None
    return kept


async def revise_group(deployment: Deployment, owner: Caller, group: Group, **changes: Any) -> Group:
    before = await current_group(deployment, group)
    async with deployment.db.transaction() as tx:
        await group_hosting.revise(tx, owner, before.slug, replace(before.details, **changes))
    await deliver_all_publications(deployment)
    return await current_group(deployment, group)


async def let_into_group(
    deployment: Deployment, owner: Caller, group: Group, who: Caller, role: GroupRole = GroupRole.MEMBER
) -> None:
    async with deployment.db.transaction() as tx:
        link = await administration.invite_by_link(tx, owner, group.slug, uses=1)
        await administration.accept(tx, who, link.id)
        await administration.change_role(tx, owner, group.slug, who.user_id, role)
    await deliver_all_publications(deployment)


async def show_membership(deployment: Deployment, who: Caller, group: Group, *, is_public: bool = True) -> None:
    async with deployment.db.transaction() as tx:
        await publication_settings.show_membership(tx, who, group.slug, is_public=is_public)
    await deliver_all_publications(deployment)


async def create_group_event(deployment: Deployment, host: Caller, group: Group, **typed: str):
    async with deployment.db.transaction() as tx:
        event = await events.create(tx, host, details(**typed), group=await group_for(tx, group.slug, host.user_id))
    await deliver_all_publications(deployment)
    return event


async def create_group_with_event(deployment: Deployment, host, **typed: str):
    """A group with one of its events, whose description and street are secret."""
    async with deployment.db.transaction() as tx:
        group = await group_by(tx, host, **typed)
        said = details(title="Chess evening", description=CHESS_SECRET, street=CHESS_SECRET)
        return group, await events.create(tx, host, said, group=as_group_of_event(group))


async def set_group_picture(deployment: Deployment, owner: Caller, group: Group, color: str) -> None:
    assert deployment.publisher.pictures is not None
    key, made = await uploads.store_picture(
        deployment.db, deployment.publisher.pictures, WORKERS, owner.user_id, draw_jpeg(color)
    )
    async with deployment.db.transaction() as tx:
        await actions.set_picture(tx, owner, group.slug, Picture(key, "A flag.", made.width, made.height))
