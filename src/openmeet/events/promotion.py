"""How much of an event the network may get: the narrowest of what its group promotes, who may see it, and what its host holds back.

THE place that decides it (invariant 3); the publisher, its previews and the pages ask here. Pure. Lists choose in their statements by
``is_kept_here`` and ``is_cut_down``, which say the same about the group.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from openmeet.events.model import Event, GroupOfEvent, Visibility, narrowed
from openmeet.groups.model import PromotionLevel


class Reach(IntEnum):
    """From the narrowest to the widest. Minimal: name, time, whether it takes place, and a note with the link to its page."""

    NOTHING = 0
    MINIMAL = 1
    FULL = 2


BY_LEVEL: Final[Mapping[PromotionLevel, Reach]] = {
    PromotionLevel.PRIVATE: Reach.NOTHING,
    PromotionLevel.MEMBERS: Reach.MINIMAL,
    PromotionLevel.PUBLIC: Reach.FULL,
}

# Every record is public: what needs an address, or a membership, to be seen is in none.
BY_VISIBILITY: Final[Mapping[Visibility, Reach]] = {
    Visibility.PUBLIC: Reach.FULL,
    Visibility.UNLISTED: Reach.NOTHING,
    Visibility.PRIVATE: Reach.NOTHING,
}


def reach(
    chosen: Visibility, group: GroupOfEvent | None, *, owes_record: bool = True, is_recalled: bool = False
) -> Reach:
    """The narrowest of all. ``chosen``: what the host wants the event to be; ``owes_record``: not left to another date of its
    series; ``is_recalled``: its host took it back from the network.
    """
    if is_recalled or not owes_record:
        return Reach.NOTHING
    by_group = Reach.FULL if group is None else BY_LEVEL[group.promotion_level]
    return min(by_group, BY_VISIBILITY[narrowed(chosen, group)])


def reach_of(event: Event) -> Reach:
    """What of this event may be published by what it is; whether its host took it back the publication knows."""
    return reach(event.own_visibility, event.group, owes_record=event.owes_record)


def is_kept_here(table: str) -> str:
    """The condition under which the group of an event keeps it off the network."""
    return f"exists (select 1 from groups pg where pg.id = {table}.group_id and pg.promotion_level = 'private')"


def is_cut_down(table: str) -> str:
    """The condition under which the group of an event lets less than all of it out: no answers then."""
    return f"exists (select 1 from groups pg where pg.id = {table}.group_id and pg.promotion_level <> 'public')"
