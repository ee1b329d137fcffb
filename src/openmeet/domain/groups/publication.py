"""Which records are owed when a group or somebody's standing in it changes. Called by whatever stores either.

What becomes of them (publish, take back, nothing) the payer decides from the present. Nothing is promised about groups and people that
nobody wanted on the network.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.groups.model import Group, GroupId, GroupVisibility, Membership, PromotionLevel
from openmeet.domain.users.model import UserId
from openmeet.outbox import publications
from openmeet.outbox.publication_counts import promised_among
from openmeet.outbox.publications import PublicationKind


async def enqueue_group(tx: Transaction, group: Group) -> None:
    """The group's own record."""
    is_wanted = group.details.sync_enabled and not group.is_read_only
    if is_wanted or await promised_among(tx, PublicationKind.GROUP, [group.id]):
        await publications.enqueue(
            tx, kind=PublicationKind.GROUP, subject_id=group.id, user_id=speaker_of(group), revision=group.revision
        )


async def enqueue_member(tx: Transaction, standing: Membership) -> None:
    """What the member says of themselves, and what the group says of them once they have."""
    if not (standing.sync_enabled or standing.statement_uri is not None):
        return
    user_id, revision = standing.user_id, standing.revision
    await publications.enqueue(
        tx, kind=PublicationKind.MEMBERSHIP, subject_id=standing.id, user_id=user_id, revision=revision
    )
    row = await tx.fetch_one(
        "select coalesce(account_id, owner_id) as speaker, is_read_only from groups where id = :id",
        id=standing.group_id,
    )
    if row is not None and not row["is_read_only"]:
        await publications.enqueue(
            tx, kind=PublicationKind.ACCEPTANCE, subject_id=standing.id, user_id=row["speaker"], revision=revision
        )


async def look_at_members(tx: Transaction, group_id: GroupId) -> None:
    """The group's record is elsewhere, or says more or less: what is said of who belongs to it is decided anew."""
    rows = await tx.fetch(
        "select id from group_members where group_id = :group_id and (sync_enabled = 1 or external_id is not null)"
        " order by id",
        group_id=group_id,
    )
    ids = [row["id"] for row in rows]
    await publications.look_again(tx, kind=PublicationKind.MEMBERSHIP, subject_ids=ids, is_edit=True)
    await publications.look_again(tx, kind=PublicationKind.ACCEPTANCE, subject_ids=ids, is_edit=True)


class Share(IntEnum):
    """From the narrowest to the widest. Least: its name and its page; all: what its page says, and the members who want to be named."""

    NOTHING = 0
    LEAST = 1
    ALL = 2


# THE table (invariants 3, 11). That its owner wants it published at all comes on top.
BY_LEVEL: Final[Mapping[tuple[GroupVisibility, PromotionLevel], Share]] = {
    (GroupVisibility.PUBLIC, PromotionLevel.PRIVATE): Share.NOTHING,
    (GroupVisibility.PUBLIC, PromotionLevel.MEMBERS): Share.LEAST,
    (GroupVisibility.PUBLIC, PromotionLevel.PUBLIC): Share.ALL,
    (GroupVisibility.UNLISTED, PromotionLevel.PRIVATE): Share.NOTHING,
    (GroupVisibility.UNLISTED, PromotionLevel.MEMBERS): Share.NOTHING,
    (GroupVisibility.UNLISTED, PromotionLevel.PUBLIC): Share.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.PRIVATE): Share.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.MEMBERS): Share.NOTHING,
    (GroupVisibility.PRIVATE, PromotionLevel.PUBLIC): Share.NOTHING,
}


def share_of(group: Group) -> Share:
    """What the network may get of a group that was made here."""
    if group.deleted_at is not None or not group.details.sync_enabled or group.is_read_only:
        return Share.NOTHING
    return BY_LEVEL[group.details.visibility, group.details.promotion_level]


def speaker_of(group: Group) -> UserId:
    """In whose repository the group's records stand: the group's own, where it has one, else its owner's."""
    return group.network.account_id or group.owner_id
