"""Publication of groups and memberships: the jobs to enqueue after a change, and what may be published.

The job's handler looks at the present state and decides whether to publish, retract or do nothing. Nothing is enqueued
for groups and people who never asked to be published.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.groups.model import Group, GroupId, GroupVisibility, Membership, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.outbox import bulk_changes, publications
from openmeet.outbox.bulk_changes import BulkChange, making_due
from openmeet.outbox.publication_status import subjects_with_publication
from openmeet.outbox.publications import PublicationKind


async def enqueue_group(tx: Transaction, group: Group) -> None:
    """Enqueue publication of the group's record."""
    is_wanted = group.details.sync_enabled and not group.is_read_only
    if is_wanted or await subjects_with_publication(tx, PublicationKind.GROUP, [group.id]):
        await publications.enqueue(
            tx,
            kind=PublicationKind.GROUP,
            subject_id=group.id,
            user_id=record_holder_of(group),
            revision=group.revision,
        )


async def enqueue_member(tx: Transaction, membership: Membership) -> None:
    """Enqueue the member's statement and the group's acceptance of it."""
    if not (membership.sync_enabled or membership.statement_uri is not None):
        return
    user_id, revision = membership.user_id, membership.revision
    await publications.enqueue(
        tx, kind=PublicationKind.MEMBERSHIP, subject_id=membership.id, user_id=user_id, revision=revision
    )
    row = await tx.fetch_one(
        "select coalesce(account_id, owner_id) as speaker, is_read_only from groups where id = :id",
        id=membership.group_id,
    )
    if row is not None and not row["is_read_only"]:
        await publications.enqueue(
            tx, kind=PublicationKind.ACCEPTANCE, subject_id=membership.id, user_id=row["speaker"], revision=revision
        )


MEMBERS_OF_GROUP: Final = BulkChange(
    "members_of_group",
    "select id, id as key from group_members where group_id {owner} and (sync_enabled = 1 or external_id is not null)",
    making_due(PublicationKind.MEMBERSHIP, PublicationKind.ACCEPTANCE, resets_write_count=True),
)


async def enqueue_members(tx: Transaction, group_id: GroupId) -> None:
    """Enqueue the records of all members. Needed when the group's own record moved, or when its content grew or shrank."""
    await bulk_changes.apply(tx, MEMBERS_OF_GROUP, [group_id])


class GroupPublishLevel(IntEnum):
    """Publication levels, narrowest first.

    ``MINIMAL``: the name and the page. ``FULL``: everything on the page, and the members who want to be named.
    """

    NOTHING = 0
    MINIMAL = 1
    FULL = 2


# The only table that decides this (invariants 3, 11). In addition, the owner must want the group to be published.
BY_LEVEL: Final[Mapping[tuple[GroupVisibility, PromotionLevel], GroupPublishLevel]] = {
    (GroupVisibility.PUBLIC, PromotionLevel.PRIVATE): GroupPublishLevel.NOTHING,
    (GroupVisibility.PUBLIC, PromotionLevel.MEMBERS): GroupPublishLevel.MINIMAL,
    (GroupVisibility.PUBLIC, PromotionLevel.PUBLIC): GroupPublishLevel.FULL,
    (GroupVisibility.UNLISTED, PromotionLevel.PRIVATE): GroupPublishLevel.NOTHING,
    (GroupVisibility.UNLISTED, PromotionLevel.MEMBERS): GroupPublishLevel.NOTHING,
    (GroupVisibility.UNLISTED, PromotionLevel.PUBLIC): GroupPublishLevel.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.PRIVATE): GroupPublishLevel.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.MEMBERS): GroupPublishLevel.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.PUBLIC): GroupPublishLevel.NOTHING,
}


def publish_level_of(group: Group) -> GroupPublishLevel:
    """The publication level of a group created on this site."""
    if group.deleted_at is not None or not group.details.sync_enabled or group.is_read_only:
        return GroupPublishLevel.NOTHING
    return BY_LEVEL[group.details.visibility, group.details.promotion_level]


def record_holder_of(group: Group) -> UserId:
    """The user whose repository holds the group's records: the group's own account if it has one, otherwise the owner."""
    return group.network.account_id or group.owner_id
