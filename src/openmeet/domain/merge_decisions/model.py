"""A merge decision: a field that was changed both here and by another app, and the chosen side."""

from dataclasses import dataclass
from enum import StrEnum

from groundwork.clock import Instant


class MergeSide(StrEnum):
    """The side whose value is chosen."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


class MergeReason(StrEnum):
    """The rule by which a merge chose one side of a field."""

    MANUAL_EDIT_IS_KEPT = "manual edit is kept"
    ORIGIN_WINS = "origin wins"
    PARTS_ADD_UP = "different parts add up"
    MORE_RESTRICTIVE = "more restrictive wins until reviewed"
    MOST_RECENT = "most recent change wins"
    LATEST_ANSWER = "latest answer wins"
    FORMER_OWNER = "former owner decides nothing"


@dataclass(frozen=True, slots=True)
class FieldDecision:
    """A field that both sides changed, and the choice. Values are text for people.

    ``ours_values``, ``theirs_values``: the same values as stored by ``encode_edits``, so that a person can reverse the
    decision; None if that is not possible.
    """

    field: str
    base: str
    ours: str
    theirs: str
    policy: MergeReason
    result: MergeSide
    ours_values: bytes | None = None
    theirs_values: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """A stored decision. ``choice``: the side that a person chose later, if any. A reviewed decision without a choice was
    replaced: the field has had another value since.
    """

    uri: str
    theirs_rev: str
    ours_revision: int
    decision: FieldDecision
    decided_at: Instant
    reviewed_at: Instant | None
    choice: MergeSide | None

    @property
    def mark(self) -> tuple[int, str]:
        """The sort key of decision lists."""
        return self.decided_at, f"{self.decision.field}.{self.theirs_rev}.{self.uri}"


@dataclass(frozen=True, slots=True)
class EarlierDecision:
    """A decision about a version that was read as of ``theirs_rev`` but written earlier."""

    uri: str
    theirs_rev: str
    ours: str
    ours_revision: int
    theirs: str
    result: MergeSide
