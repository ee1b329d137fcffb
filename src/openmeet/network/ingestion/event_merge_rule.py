"""The merge rule of events: which side of each field is chosen. Pure."""

from dataclasses import fields, replace
from typing import Any, Final

from groundwork.clock import Instant
from openmeet.domain.events.content import EXTENDED, extension_of
from openmeet.domain.events.model import Event, EventStatus, NetworkEvent, RecordOrigin
from openmeet.domain.events.values import NOWHERE, Accessibility, EventLink, Tickets, Venue
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, AccessFeature, Category
from openmeet.domain.merge_decisions.model import MergeReason, MergeSide
from openmeet.network.ingestion.three_way_merge import MergeInput, MergeRule, by_most_recent
from openmeet.network.records.places import share_a_part

# Fields of our installations that are not part of the calendar Lexicon. They are stored in an object of our own.
DETAILS: Final = EXTENDED

# Fields that change together: the text of a time is meaningless without the time.
_TEXTS: Final = frozenset({"starts_text", "ends_text"})
_BEGINNING: Final = ("starts_at", "starts_text", "is_all_day")
_END: Final = ("ends_at", "ends_text")
GROUPS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("description",),
    _BEGINNING,
    _END,
    ("time_zone",),
    ("mode",),
    ("status",),
    ("venues",),
    ("online_url",),
    ("links",),
    ("is_discoverable",),
    *((name,) for name in DETAILS),
)

# Fields that we write into records and can therefore reverse. Links in a record belong to other apps.
REVERSIBLE = frozenset(
    {"name", "description", "starts_at", "ends_at", "time_zone", "mode", "status", "venues", "online_url", *DETAILS}
)

_RESTRICTION = {
    EventStatus.SCHEDULED: 0,
    EventStatus.RESCHEDULED: 1,
    EventStatus.PLANNED: 2,
    EventStatus.POSTPONED: 3,
    EventStatus.CANCELLED: 4,
}

_VENUE_PARTS = tuple(part.name for part in fields(Venue))


def _decide(field: str, was: Any, ours: Any, theirs: Any, facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    match field:
        case "name" | "description":
            return MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, ours
        case "starts_at" | "ends_at" | "time_zone":
            side = MergeSide.OURS if facts.origin is RecordOrigin.HERE else MergeSide.THEIRS
            return MergeReason.ORIGIN_WINS, side, ours if side is MergeSide.OURS else theirs
        case "status":
            side = MergeSide.OURS if _RESTRICTION[ours] > _RESTRICTION[theirs] else MergeSide.THEIRS
            return MergeReason.MORE_RESTRICTIVE, side, ours if side is MergeSide.OURS else theirs
        case "venues":
            both = both_venues(was, ours, theirs) or union_of_venues(was, ours, theirs)
            if both is not None:
                return MergeReason.PARTS_ADD_UP, MergeSide.BOTH, both
        case _:
            pass
    return by_most_recent(ours, theirs, facts)


def both_venues(was: tuple[Venue, ...], ours: tuple[Venue, ...], theirs: tuple[Venue, ...]) -> tuple[Venue, ...] | None:
    """Combine the changes of both sides to one venue if they changed different parts; None if they contradict each
    other.
    """
    if len(was) > 1 or len(ours) != 1 or len(theirs) < 1 or theirs[1:] != was[1:]:
        return None
    before = was[0] if was else NOWHERE
    parts: dict[str, str] = {}
    for part in _VENUE_PARTS:
        old, our, their = getattr(before, part), getattr(ours[0], part), getattr(theirs[0], part)
        if our not in {old, their} and their != old:
            return None
        parts[part] = their if our == old else our
    return (Venue(**parts), *theirs[1:])


def union_of_venues(
    was: tuple[Venue, ...], ours: tuple[Venue, ...], theirs: tuple[Venue, ...]
) -> tuple[Venue, ...] | None:
    """Return the venues that either side added, without those that either side removed. Ours come first, beginning with
    the event's own venue.

    None if our first venue is an old one, if the other side added none, or if one side has no venues left. None also if
    both changed the first venue differently, because then one of them must be wrong.
    """
    added = [one for one in theirs if one not in was and one not in ours]
    if not ours or not theirs or not added or ours[0] in was or share_a_part(ours[0], added[0]):
        return None
    return (*(one for one in ours if one in theirs or one not in was), *added)


def ends_too_early(starts_at: Instant | None, ends_at: Instant | None) -> bool:
    """Whether this end is impossible for an event with this start."""
    return ends_at is not None and (starts_at is None or ends_at < starts_at)


def _contradicting(event: NetworkEvent) -> tuple[tuple[str, ...], ...]:
    # One side moved the event and the other changed its length. Neither intended an end that is before the start or has
    # no start.
    return (_BEGINNING, _END) if ends_too_early(event.starts_at, event.ends_at) else ()


def with_local_values(event: Event, ours: NetworkEvent, merged: NetworkEvent) -> NetworkEvent:
    """Return the value for the events package: fields that the merge did not change keep the row's own values.

    A record contains less than the row (no join link for attendees, countries as codes only). Writing the mapped value
    back would reduce the row to what is public.
    """
    local_event = NetworkEvent(
        name=event.title,
        description=event.content.description,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        starts_text=event.starts_text,
        ends_text=event.ends_text,
        time_zone=event.named_zone,
        mode=event.content.mode,
        status=event.status,
        venues=() if event.content.venue.is_empty else (event.content.venue,),
        online_url=event.content.online_url,
        links=event.content.links,
        is_discoverable=merged.is_discoverable,
        created_at=event.created_at,
        is_all_day=event.is_all_day,
        is_zone_assumed=merged.is_zone_assumed,
        **extension_of(event.content),
    )
    changed = {
        name: getattr(merged, name) for group in GROUPS if not EVENT_RULE.is_same(group, ours, merged) for name in group
    }
    if "venues" in changed and ours.venues[:1] == merged.venues[:1]:
        # The row's own venue did not change; only other venues were added after it.
        changed["venues"] = (*local_event.venues, *merged.venues[1:])
    return replace(local_event, **changed)


def with_details_of(event: NetworkEvent, before: NetworkEvent) -> NetworkEvent:
    """Return the event with the details of another version, because its record was written by an app that does not know
    them. With the same times, it lasts whole days as before.
    """
    is_all_day = before.is_all_day and (event.starts_at, event.ends_at) == (before.starts_at, before.ends_at)
    return replace(event, is_all_day=is_all_day, **extension_of(before))


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case tuple():
            return "; ".join(map(_shown, value))
        case Venue():
            return ", ".join(value.lines)
        case EventLink():
            return value.uri
        case Tickets():
            return _shown(tuple(filter(None, (value.price, value.url))))
        case Accessibility():
            return _shown((*value.features, *filter(None, (value.note,))))
        case AccessFeature():
            return str(ACCESS_LABELS[value])
        case Category():
            return str(CATEGORY_LABELS[value])
        case _:
            return str(value)


EVENT_RULE: Final = MergeRule(NetworkEvent, GROUPS, REVERSIBLE, _decide, _shown, _contradicting, _TEXTS)
