"""How much of a group itself the network may get, and who speaks for it there. Pure.

Every record is public: a group that not everybody may see has none. How much of its events goes out ``events.promotion`` decides.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from openmeet.domain.groups.model import Group, GroupVisibility, PromotionLevel
from openmeet.domain.users.model import UserId


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
