"""Three-way merge of what a record says, field by field: the last version agreed with the PDS, ours, theirs. Pure.

A row with local edits is never merged step by step: it is computed anew from three stored values, so that the result does not
depend on how many versions passed by. What differs from kind to kind (fields that change together, which side a field takes)
stands in a ``Way``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from groundwork.clock import Instant
from openmeet.domain.events.model import Origin


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=_Dataclass)


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
class Merged(Generic[T]):
    """The result, and every decision that it took."""

    value: T
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Way(Generic[T]):
    """How values of one kind are merged.

    ``groups``: fields that change together; the first of each gives it its name and says whether it changed. ``reversible``: those
    that a person can put the other way round. ``contradicting``: groups whose values contradict each other; where sides were
    mixed, one side gives them all. ``decide`` (name, before, ours, theirs, facts): whose value stands where both
    sides changed it differently, and which that is; it is asked about the first field of a group. ``shown``: a value for people.
    """

    kind: type[T]
    groups: tuple[tuple[str, ...], ...]
    reversible: frozenset[str]
    decide: Callable[[str, Any, Any, Any, Facts], tuple[Policy, Side, Any]]
    shown: Callable[[object], str] = str
    contradicting: Callable[[T], tuple[tuple[str, ...], ...]] = lambda _: ()

    def edits_between(self, base: T, ours: T) -> dict[str, Any]:
        """The fields that were edited here, with our values: what ``merge`` takes as our side."""
        changed: dict[str, Any] = {}
        for group in self.groups:
            if getattr(base, group[0]) != getattr(ours, group[0]):
                changed.update({name: getattr(ours, name) for name in group})
        return changed

    def merge(self, base: T, edits: Mapping[str, Any], theirs: T, facts: Facts) -> Merged[T]:
        """What it says now. ``edits`` empty gives ``theirs``; fields of one side alone are taken without a word."""
        result = theirs
        decisions: list[Decision] = []
        for group in self.groups:
            field = group[0]
            if field not in edits:
                continue
            was, ours, their = getattr(base, field), edits[field], getattr(theirs, field)
            if ours == their:
                continue
            if their == was:
                result = replace(result, **{name: edits[name] for name in group})
                continue
            policy, side, value = self.decide(field, was, ours, their, facts)
            if side is Side.OURS:
                result = replace(result, **{name: edits[name] for name in group})
            elif side is Side.BOTH:
                result = replace(result, **{field: value})
            decisions.append(self.decision(group, was, edits, theirs, policy, side))
        return self._without_contradiction(base, edits, theirs, facts, Merged(result, tuple(decisions)))

    def _without_contradiction(
        self, base: T, edits: Mapping[str, Any], theirs: T, facts: Facts, mixed: Merged[T]
    ) -> Merged[T]:
        groups = self.contradicting(mixed.value)
        if not groups or self.contradicting(theirs) or self.contradicting(replace(base, **edits)):
            return mixed
        names = [name for group in groups for name in group]
        ours = {name: getattr(base, name) for name in names} | {name: edits[name] for name in names if name in edits}
        field = groups[0][0]
        policy, side, _ = self.decide(field, getattr(base, field), ours[field], getattr(theirs, field), facts)
        one_side = ours if side is Side.OURS else {name: getattr(theirs, name) for name in names}
        kept = [one for one in mixed.decisions if one.field not in names]
        # Whichever of them a person puts the other way round, all of them follow.
        kept += [
            self.decision((*group, *names), getattr(base, group[0]), ours, theirs, policy, side)
            for group in groups
            if ours[group[0]] != getattr(theirs, group[0])
        ]
        return Merged(replace(mixed.value, **one_side), tuple(kept))

    def decision(
        self, group: tuple[str, ...], was: object, ours: Mapping[str, Any], theirs: T, policy: Policy, side: Side
    ) -> Decision:
        """A decision about one group of fields, as it is kept. ``was``: what its first field said before."""
        field = group[0]
        kept: tuple[bytes | None, bytes | None] = (None, None)
        if field in self.reversible:
            ours_values = encode_edits({name: ours[name] for name in group})
            kept = ours_values, encode_edits({name: getattr(theirs, name) for name in group})
        their = getattr(theirs, field)
        return Decision(field, self.shown(was), self.shown(ours[field]), self.shown(their), policy, side, *kept)

    def encode(self, value: T) -> bytes:
        """For keeping beside a publication."""
        return msgspec.json.encode(value)

    def decode(self, stored: bytes) -> T:
        return msgspec.json.decode(stored, type=self.kind)

    def decode_edits(self, stored: bytes) -> dict[str, Any]:
        """What ``encode_edits`` kept."""
        raw = msgspec.json.decode(stored)
        types = {field.name: field.type for field in fields(self.kind)}
        return {name: msgspec.convert(value, types[name]) for name, value in raw.items()}


def encode_edits(edits: Mapping[str, Any]) -> bytes:
    """Edits as a whole value would be kept, edited fields only."""
    return msgspec.json.encode(dict(edits))


def most_recent(facts: Facts) -> Side:
    """Which change is later; the greater CID where the clocks agree."""
    ours_later = (facts.ours_at, facts.ours_cid) > (facts.theirs_at, facts.theirs_cid)
    return Side.OURS if ours_later else Side.THEIRS


def by_most_recent(ours: object, theirs: object, facts: Facts) -> tuple[Policy, Side, Any]:
    """The choice of every field that has no rule of its own."""
    side = most_recent(facts)
    return Policy.MOST_RECENT, side, ours if side is Side.OURS else theirs
