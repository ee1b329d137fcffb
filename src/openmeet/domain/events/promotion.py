"""How much of an event the network may get: the narrowest of what its group promotes, who may see it, and what its host holds back.

THE place that decides it (invariant 3); the publisher, its previews and the pages ask here. Pure. Lists choose in their statements by
``may_be_published`` and ``is_cut_down``, which say the same.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final

from openmeet.domain.events.model import USUAL_RECORD, Detail, Event, GroupOfEvent, RecordSettings, Visibility, narrowed
from openmeet.domain.events.visibility import is_public
from openmeet.domain.groups.model import PromotionLevel


class Reach(IntEnum):
    """From the narrowest to the widest. Minimal: name, time, whether it takes place, and a note with the link to its page."""

    NOTHING = 0
    MINIMAL = 1
    FULL = 2


class Circle(StrEnum):
    """Who may see an event, as far as that decides about its record."""

    EVERYBODY = "everybody"
    WHO_HAS_THE_ADDRESS = "who_has_the_address"
    MEMBERS = "members"
    INVITED = "invited"


BY_LEVEL: Final[Mapping[PromotionLevel, Reach]] = {
    PromotionLevel.PRIVATE: Reach.NOTHING,
    PromotionLevel.MEMBERS: Reach.MINIMAL,
    PromotionLevel.PUBLIC: Reach.FULL,
}

BY_DETAIL: Final[Mapping[Detail, Reach]] = {Detail.MINIMAL: Reach.MINIMAL, Detail.FULL: Reach.FULL}

# (who may see it, whether who owns that circle lets the network know of it): every record is public, so what needs an
# address to be seen is in none, and what needs a membership or an invitation only by its owner's word, and then with the least.
BY_CIRCLE: Final[Mapping[tuple[Circle, bool], Reach]] = {
    (Circle.EVERYBODY, False): Reach.FULL,
    (Circle.EVERYBODY, True): Reach.FULL,
    (Circle.WHO_HAS_THE_ADDRESS, False): Reach.NOTHING,
    (Circle.WHO_HAS_THE_ADDRESS, True): Reach.NOTHING,
    (Circle.MEMBERS, False): Reach.NOTHING,
    (Circle.MEMBERS, True): Reach.MINIMAL,
    (Circle.INVITED, False): Reach.NOTHING,
    (Circle.INVITED, True): Reach.MINIMAL,
}


def circle_of(chosen: Visibility, group: GroupOfEvent | None) -> Circle:
    """Who may see an event that its host wants to be so, in this group or in none."""
    match narrowed(chosen, group):
        case Visibility.PUBLIC:
            return Circle.EVERYBODY
        case Visibility.UNLISTED:
            return Circle.WHO_HAS_THE_ADDRESS
        case Visibility.PRIVATE:
            return Circle.INVITED if group is None else Circle.MEMBERS


def reach(
    chosen: Visibility,
    group: GroupOfEvent | None,
    record: RecordSettings = USUAL_RECORD,
    *,
    owes_record: bool = True,
    is_recalled: bool = False,
) -> Reach:
    """The narrowest of all. ``chosen``: what the host wants the event to be; ``owes_record``: not left to another date of its
    series; ``is_recalled``: its host took it back from the network.
    """
    if is_recalled or not owes_record or not record.is_wanted:
        return Reach.NOTHING
    circle = circle_of(chosen, group)
    is_told = record.is_announced if group is None else group.announces_events
    by_group = Reach.FULL if group is None else BY_LEVEL[group.promotion_level]
    return min(by_group, BY_DETAIL[record.detail], BY_CIRCLE[circle, is_told])


def reach_of(event: Event) -> Reach:
    """What of this event may be published by what it is; whether its host took it back the publication knows."""
    return reach(event.own_visibility, event.group, event.record, owes_record=event.owes_record)


def is_announced(event: Event) -> bool:
    """Whether everybody can read in a record that there is this event, which is not for everybody to see."""
    is_hidden = event.is_gone or event.is_draft or event.is_held or event.record_uri is None
    circle = circle_of(event.own_visibility, event.group)
    return not is_hidden and circle in {Circle.MEMBERS, Circle.INVITED} and reach_of(event) is Reach.MINIMAL


def takes_answers(event: Event) -> bool:
    """Whether answers to an event may be published: never to one of which the network does not get everything."""
    return event.record.takes_answers and reach(event.own_visibility, event.group, event.record) is Reach.FULL


def may_be_published(table: str) -> str:
    """The condition under which ``reach`` is not nothing, whatever the series' policy says."""
    group = f"select 1 from groups pg where pg.id = {table}.group_id and pg"
    is_private = f"({table}.visibility = 'private' or exists ({group}.visibility = 'private'))"
    is_told = f"({table}.group_id is null and {table}.record_announced = 1 or exists ({group}.announces_events = 1))"
    return (
        f"({table}.record_wanted = 1 and not exists ({group}.promotion_level = 'private')"
        f" and ({is_public(table)} or {is_private} and {is_told}))"
    )


def is_cut_down(table: str) -> str:
    """The condition under which less than all of a public event goes out, or no answers do."""
    return (
        f"({table}.record_wanted = 0 or {table}.record_answers = 0 or {table}.record_detail <> 'full' or exists"
        f" (select 1 from groups pg where pg.id = {table}.group_id and pg.promotion_level <> 'public'))"
    )
