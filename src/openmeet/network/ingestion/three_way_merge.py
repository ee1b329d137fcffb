"""Three-way merge by field: which fields change together, and which side is chosen. Pure.

The rules are ``event_merge_rule.EVENT_RULE``, ``local_groups.GROUP_RULE`` and ``local_series.SERIES_RULE``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from groundwork.clock import Instant
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide


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
class MergeSides(Generic[T]):
    """The three versions that are merged. ``base``: the agreed one."""

    base: T
    ours: T
    theirs: T


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

    def in_our_favor(self, sides: MergeSides[T], policy: MergeReason) -> tuple[FieldDecision, ...]:
        """Decide for our values in all fields that they changed, without a merge."""
        base, ours, theirs = sides.base, sides.ours, sides.theirs
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
