"""How an event is merged field by field: which fields change together, and which side each takes. Pure; see ``three_way``."""

from dataclasses import fields, replace
from typing import Any, Final

from groundwork.clock import Instant
from openmeet.domain.events.model import (
    NOWHERE,
    Accessibility,
    Event,
    Link,
    NetworkEvent,
    Origin,
    Status,
    Tickets,
    Venue,
)
from openmeet.domain.events.vocabulary import ACCESS_WORDS, CATEGORY_WORDS, AccessFeature, Category
from openmeet.network.ingestion.three_way import Facts, Policy, Side, Way, by_most_recent
from openmeet.network.records.places import share_a_part

# What installations of ours say of an event beyond the calendar Lexicon, in an object of their own.
DETAILS: tuple[str, ...] = ("tickets", "accessibility", "categories", "tags", "languages")

# Fields that change together: the text of an instant is nothing without the instant.
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

# What we write into records, and so can put the other way round; links of a record are other apps' business.
REVERSIBLE = frozenset(
    {"name", "description", "starts_at", "ends_at", "time_zone", "mode", "status", "venues", "online_url", *DETAILS}
)

_RESTRICTION = {
    Status.SCHEDULED: 0,
    Status.RESCHEDULED: 1,
    Status.PLANNED: 2,
    Status.POSTPONED: 3,
    Status.CANCELLED: 4,
}

_VENUE_PARTS = tuple(part.name for part in fields(Venue))


def _decide(field: str, was: Any, ours: Any, theirs: Any, facts: Facts) -> tuple[Policy, Side, Any]:
    match field:
        case "name" | "description":
            return Policy.MANUAL_EDIT_IS_KEPT, Side.OURS, ours
        case "starts_at" | "ends_at" | "time_zone":
            side = Side.OURS if facts.origin is Origin.HERE else Side.THEIRS
            return Policy.ORIGIN_WINS, side, ours if side is Side.OURS else theirs
        case "status":
            side = Side.OURS if _RESTRICTION[ours] > _RESTRICTION[theirs] else Side.THEIRS
            return Policy.MORE_RESTRICTIVE, side, ours if side is Side.OURS else theirs
        case "venues":
            both = both_venues(was, ours, theirs) or union_of_venues(was, ours, theirs)
            if both is not None:
                return Policy.PARTS_ADD_UP, Side.BOTH, both
        case _:
            pass
    return by_most_recent(ours, theirs, facts)


def both_venues(was: tuple[Venue, ...], ours: tuple[Venue, ...], theirs: tuple[Venue, ...]) -> tuple[Venue, ...] | None:
    """Both sides' parts in one venue where they changed different ones; None where they contradict each other."""
    if len(was) > 1 or len(ours) != 1 or len(theirs) < 1 or theirs[1:] != was[1:]:
        return None
    before = was[0] if was else NOWHERE
    parts: dict[str, str] = {}
    for part in _VENUE_PARTS:
        old, mine, their = getattr(before, part), getattr(ours[0], part), getattr(theirs[0], part)
        if mine not in {old, their} and their != old:
            return None
        parts[part] = their if mine == old else mine
    return (Venue(**parts), *theirs[1:])


def union_of_venues(
    was: tuple[Venue, ...], ours: tuple[Venue, ...], theirs: tuple[Venue, ...]
) -> tuple[Venue, ...] | None:
    """The places that either side added, without those that either took away; ours first, because the first is the event's own place.

    None where one of the sides has none left, or where both say something else of the first place: one of them is wrong then.
    """
    added = [one for one in theirs if one not in was and one not in ours]
    if not ours or not theirs or not added or ours[0] in was or share_a_part(ours[0], added[0]):
        return None
    return (*(one for one in ours if one in theirs or one not in was), *added)


def ends_too_early(starts_at: Instant | None, ends_at: Instant | None) -> bool:
    """Whether this end cannot be that of something with this beginning."""
    return ends_at is not None and (starts_at is None or ends_at < starts_at)


def _contradicting(event: NetworkEvent) -> tuple[tuple[str, ...], ...]:
    # One side moved the event, the other said how long it is: neither meant an end before the beginning, or none.
    return (_BEGINNING, _END) if ends_too_early(event.starts_at, event.ends_at) else ()


def with_local_values(event: Event, ours: NetworkEvent, merged: NetworkEvent) -> NetworkEvent:
    """What to hand to the room of events: fields that the merge left alone keep the row's own values.

    A record says less than the row (no join link for attendees, a country by code): writing the mapped value back
    would cut the row down to what is public.
    """
    kept = NetworkEvent(
        name=event.title,
        description=event.description,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        starts_text=event.starts_text,
        ends_text=event.ends_text,
        time_zone=event.time_zone,
        mode=event.mode,
        status=event.status,
        venues=() if event.venue.is_empty else (event.venue,),
        online_url=event.online_url,
        links=event.links,
        is_discoverable=merged.is_discoverable,
        created_at=event.created_at,
        is_all_day=event.is_all_day,
        tickets=event.tickets,
        accessibility=event.accessibility,
        categories=event.categories,
        tags=event.tags,
        languages=event.languages,
    )
    changed = {
        name: getattr(merged, name)
        for group in GROUPS
        if getattr(ours, group[0]) != getattr(merged, group[0])
        for name in group
    }
    if "venues" in changed and ours.venues[:1] == merged.venues[:1]:
        # Only other places were added behind the row's own.
        changed["venues"] = (*kept.venues, *merged.venues[1:])
    return replace(kept, **changed)


def saying_as(event: NetworkEvent, before: NetworkEvent) -> NetworkEvent:
    """The event with the details of another version: its record was written by somebody who knows nothing of them."""
    return replace(event, **{name: getattr(before, name) for name in DETAILS})


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case tuple():
            return "; ".join(map(_shown, value))
        case Venue():
            return ", ".join(value.lines)
        case Link():
            return value.uri
        case Tickets():
            return _shown(tuple(filter(None, (value.price, value.url))))
        case Accessibility():
            return _shown((*value.features, *filter(None, (value.note,))))
        case AccessFeature():
            return ACCESS_WORDS[value]
        case Category():
            return CATEGORY_WORDS[value]
        case _:
            return str(value)


WAY: Final = Way(NetworkEvent, GROUPS, REVERSIBLE, _decide, _shown, _contradicting)
