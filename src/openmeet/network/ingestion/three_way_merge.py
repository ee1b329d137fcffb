"""Three-way merge by field: which fields change together, and which side is chosen. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from groundwork.clock import Instant
from openmeet.domain.events.content import EXTENDED, extension_of
from openmeet.domain.events.model import Event, EventStatus, NetworkEvent, RecordOrigin
from openmeet.domain.events.values import NOWHERE, Accessibility, EventLink, Tickets, Venue
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS, AccessFeature, Category
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.network.records.places import share_a_part


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)


@dataclass(frozen=True, slots=True)
class MergeInput:
    """Input of the merge rules.

    ``ours_at``: the time of the local change. ``theirs_at``: the time in the rev of the remote commit, capped at now.
    ``ours_cid`` and ``theirs_cid`` break ties.
    """

    origin: RecordOrigin
    ours_at: Instant
    theirs_at: Instant
    ours_cid: str
    theirs_cid: str


@dataclass(frozen=True, slots=True)
class MergeResult(Generic[T]):
    """The merged value and all decisions."""

    value: T
    decisions: tuple[FieldDecision, ...]


@dataclass(frozen=True, slots=True)
class MergeRule(Generic[T]):
    """The rules for merging values of one type.

    ``groups``: fields that change together; the first field of a group names it. ``following``: fields that do not
    decide whether their group changed. ``reversible``: fields that a person can reverse. ``contradicting``: groups
    whose values contradict each other in a mixed result; one side then provides all of them. ``decide`` (name, before,
    ours, theirs, facts) returns the side and value to use if both sides made different changes; it is called for the
    first field of a group. ``shown`` formats a value for people.
    """

    kind: type[T]
    groups: tuple[tuple[str, ...], ...]
    reversible: frozenset[str]
    decide: Callable[[str, Any, Any, Any, MergeInput], tuple[MergeReason, MergeSide, Any]]
    shown: Callable[[object], str] = str
    contradicting: Callable[[T], tuple[tuple[str, ...], ...]] = lambda _: ()
    following: frozenset[str] = frozenset()

    def is_same(self, group: tuple[str, ...], one: T, other: T) -> bool:
        """Whether a group of fields has the same values on both sides."""
        return all(getattr(one, name) == getattr(other, name) for name in group if name not in self.following)

    def edits_between(self, base: T, ours: T) -> dict[str, Any]:
        """Return the fields that were edited here, with our values: the ``edits`` argument of ``merge``."""
        changed: dict[str, Any] = {}
        for group in self.groups:
            if not self.is_same(group, base, ours):
                changed.update({name: getattr(ours, name) for name in group})
        return changed

    def merge(self, base: T, edits: Mapping[str, Any], theirs: T, facts: MergeInput) -> MergeResult[T]:
        """Merge three versions. Without ``edits`` the result is ``theirs``. Fields that only one side changed are
        adopted without a decision.
        """
        result = theirs
        decisions: list[FieldDecision] = []
        for group in self.groups:
            field = group[0]
            if field not in edits:
                continue
            was, ours, their = getattr(base, field), edits[field], getattr(theirs, field)
            with_ours = replace(result, **{name: edits[name] for name in group})
            if self.is_same(group, with_ours, theirs):
                continue
            if self.is_same(group, theirs, base):
                result = with_ours
                continue
            policy, side, value = self.decide(field, was, ours, their, facts)
            if side is MergeSide.OURS:
                result = with_ours
            elif side is MergeSide.BOTH:
                result = replace(result, **{field: value})
            decisions.append(self.decision(group, was, edits, theirs, policy, side))
        return self._without_contradiction(base, edits, theirs, facts, MergeResult(result, tuple(decisions)))

    def in_our_favor(self, base: T, ours: T, theirs: T, policy: MergeReason) -> tuple[FieldDecision, ...]:
        """Decide for our values in all fields that they changed, without a merge."""
        return tuple(
            self.decision(
                group,
                getattr(base, group[0]),
                {name: getattr(ours, name) for name in group},
                theirs,
                policy,
                MergeSide.OURS,
            )
            for group in self.groups
            if not self.is_same(group, base, theirs) and not self.is_same(group, ours, theirs)
        )

    def _without_contradiction(
        self, base: T, edits: Mapping[str, Any], theirs: T, facts: MergeInput, mixed: MergeResult[T]
    ) -> MergeResult[T]:
        groups = self.contradicting(mixed.value)
        if not groups or self.contradicting(theirs) or self.contradicting(replace(base, **edits)):
            return mixed
        names = [name for group in groups for name in group]
        ours = {name: getattr(base, name) for name in names} | {name: edits[name] for name in names if name in edits}
        field = groups[0][0]
        policy, side, _ = self.decide(field, getattr(base, field), ours[field], getattr(theirs, field), facts)
        one_side = ours if side is MergeSide.OURS else {name: getattr(theirs, name) for name in names}
        remaining_decisions = [one for one in mixed.decisions if one.field not in names]
        # If a person reverses one of these fields, the others follow.
        remaining_decisions += [
            self.decision((*group, *names), getattr(base, group[0]), ours, theirs, policy, side)
            for group in groups
            if ours[group[0]] != getattr(theirs, group[0])
        ]
        return MergeResult(replace(mixed.value, **one_side), tuple(remaining_decisions))

    def decision(
        self,
        group: tuple[str, ...],
        was: object,
        ours: Mapping[str, Any],
        theirs: T,
        policy: MergeReason,
        side: MergeSide,
    ) -> FieldDecision:
        """Build the decision about one group of fields, as stored. ``was``: the previous value of its first field."""
        field = group[0]
        kept_values: tuple[bytes | None, bytes | None] = (None, None)
        if field in self.reversible:
            ours_values = encode_edits({name: ours[name] for name in group})
            kept_values = ours_values, encode_edits({name: getattr(theirs, name) for name in group})
        their = getattr(theirs, field)
        return FieldDecision(
            field, self.shown(was), self.shown(ours[field]), self.shown(their), policy, side, *kept_values
        )

    def encode(self, value: T) -> bytes:
        """Encode a value for storage with a publication."""
        return msgspec.json.encode(value)

    def decode(self, stored: bytes) -> T:
        return msgspec.json.decode(stored, type=self.kind)

    def decode_edits(self, stored: bytes) -> dict[str, Any]:
        """Decode the output of ``encode_edits``."""
        raw = msgspec.json.decode(stored)
        types = {field.name: field.type for field in fields(self.kind)}
        return {name: msgspec.convert(value, types[name]) for name, value in raw.items()}


def encode_edits(edits: Mapping[str, Any]) -> bytes:
    """Encode edits in the same way as a whole value, but only the edited fields."""
    return msgspec.json.encode(dict(edits))


def most_recent(facts: MergeInput) -> MergeSide:
    """Return the side that changed later. If the times are equal, the greater CID decides."""
    ours_later = (facts.ours_at, facts.ours_cid) > (facts.theirs_at, facts.theirs_cid)
    return MergeSide.OURS if ours_later else MergeSide.THEIRS


def by_most_recent(ours: object, theirs: object, facts: MergeInput) -> tuple[MergeReason, MergeSide, Any]:
    """Choose the side that changed later. This is the rule for all fields that have no special rule."""
    side = most_recent(facts)
    return MergeReason.MOST_RECENT, side, ours if side is MergeSide.OURS else theirs


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
        name: getattr(merged, name) for group in GROUPS if not MERGE_RULE.is_same(group, ours, merged) for name in group
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


MERGE_RULE: Final = MergeRule(NetworkEvent, GROUPS, REVERSIBLE, _decide, _shown, _contradicting, _TEXTS)
