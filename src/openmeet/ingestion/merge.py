"""Three-way merge of an event, field by field: the last version agreed with the PDS, ours, theirs. Pure.

A row with local edits is never merged step by step: it is computed anew from three stored values, so that the result
does not depend on how many versions passed by. Which side a field takes stands in ``GROUPS`` and ``_decide``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

import msgspec

from groundwork.clock import Instant
from openmeet.events.model import NOWHERE, Event, NetworkEvent, Origin, Status, Venue


class Side(StrEnum):
    """Whose value stands."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


class Policy(StrEnum):
    """Why."""

    MANUAL_EDIT_IS_KEPT = "manual edit is kept"
    ORIGIN_WINS = "origin wins"
    PARTS_ADD_UP = "different parts add up"
    MORE_RESTRICTIVE = "more restrictive wins until reviewed"
    MOST_RECENT = "most recent change wins"
    LATEST_ANSWER = "latest answer wins"


@dataclass(frozen=True, slots=True)
class Decision:
    """One field that both sides changed, and what was chosen; values as text for people.

    ``ours_values``, ``theirs_values``: the same as kept by ``encode_edits``, so that a person can reverse the decision;
    None where nobody can.
    """

    field: str
    base: str
    ours: str
    theirs: str
    policy: Policy
    result: Side
    ours_values: bytes | None = None
    theirs_values: bytes | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the policies look at. ``ours_at``: the instant of the local change; ``theirs_at``: the time in the rev of
    the remote commit, capped at now; ``ours_cid``, ``theirs_cid`` break ties.
    """

    origin: Origin
    ours_at: Instant
    theirs_at: Instant
    ours_cid: str
    theirs_cid: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The result, and every decision that it took."""

    event: NetworkEvent
    decisions: tuple[Decision, ...]


# Fields that change together: the text of an instant is nothing without the instant.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("description",),
    ("starts_at", "starts_text"),
    ("ends_at", "ends_text"),
    ("time_zone",),
    ("mode",),
    ("status",),
    ("venues",),
    ("online_url",),
    ("links",),
    ("is_discoverable",),
)

# What we write into records, and so can put the other way round; links of a record are other apps' business.
REVERSIBLE = frozenset(
    {"name", "description", "starts_at", "ends_at", "time_zone", "mode", "status", "venues", "online_url"}
)

_RESTRICTION = {
    Status.SCHEDULED: 0,
    Status.RESCHEDULED: 1,
    Status.PLANNED: 2,
    Status.POSTPONED: 3,
    Status.CANCELLED: 4,
}

_VENUE_PARTS = tuple(part.name for part in fields(Venue))


def edits_between(base: NetworkEvent, ours: NetworkEvent) -> dict[str, Any]:
    """The fields that were edited here, with our values: what ``merge`` takes as our side."""
    changed: dict[str, Any] = {}
    for group in GROUPS:
        if getattr(base, group[0]) != getattr(ours, group[0]):
            changed.update({name: getattr(ours, name) for name in group})
    return changed


def merge(base: NetworkEvent, edits: Mapping[str, Any], theirs: NetworkEvent, facts: Facts) -> Merged:
    """What the event says now. ``edits`` empty gives ``theirs``; fields of one side alone are taken without a word."""
    result = theirs
    decisions: list[Decision] = []
    for group in GROUPS:
        field = group[0]
        if field not in edits:
            continue
        was, ours, their = getattr(base, field), edits[field], getattr(theirs, field)
        if ours == their:
            continue
        if their == was:
            result = replace(result, **{name: edits[name] for name in group})
            continue
        policy, side, value = _decide(field, was, ours, their, facts)
        if side is Side.OURS:
            result = replace(result, **{name: edits[name] for name in group})
        elif side is Side.BOTH:
            result = replace(result, **{field: value})
        kept: tuple[bytes | None, bytes | None] = (None, None)
        if field in REVERSIBLE:
            ours_values = encode_edits({name: edits[name] for name in group})
            kept = ours_values, encode_edits({name: getattr(theirs, name) for name in group})
        decisions.append(Decision(field, _shown(was), _shown(ours), _shown(their), policy, side, *kept))
    return Merged(result, tuple(decisions))


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
            both = _both_venues(was, ours, theirs)
            if both is not None:
                return Policy.PARTS_ADD_UP, Side.BOTH, both
        case _:
            pass
    side = most_recent(facts)
    return Policy.MOST_RECENT, side, ours if side is Side.OURS else theirs


def most_recent(facts: Facts) -> Side:
    """Which change is later; the greater CID where the clocks agree."""
    ours_later = (facts.ours_at, facts.ours_cid) > (facts.theirs_at, facts.theirs_cid)
    return Side.OURS if ours_later else Side.THEIRS


def _both_venues(
    was: tuple[Venue, ...], ours: tuple[Venue, ...], theirs: tuple[Venue, ...]
) -> tuple[Venue, ...] | None:
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
    )
    changed = {
        name: getattr(merged, name)
        for group in GROUPS
        if getattr(ours, group[0]) != getattr(merged, group[0])
        for name in group
    }
    return replace(kept, **changed)


def encode_event(event: NetworkEvent) -> bytes:
    """For keeping beside a publication."""
    return msgspec.json.encode(event)


def decode_event(stored: bytes) -> NetworkEvent:
    return msgspec.json.decode(stored, type=NetworkEvent)


def encode_edits(edits: Mapping[str, Any]) -> bytes:
    """Edits as a whole event would be kept, edited fields only."""
    return msgspec.json.encode(dict(edits))


def decode_edits(stored: bytes) -> dict[str, Any]:
    raw = msgspec.json.decode(stored)
    types = {field.name: field.type for field in fields(NetworkEvent)}
    return {name: msgspec.convert(value, types[name]) for name, value in raw.items()}


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "; ".join(
            ", ".join(one.lines) if isinstance(one, Venue) else str(getattr(one, "uri", one)) for one in value
        )
    return "" if value is None else str(value)
