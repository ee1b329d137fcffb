"""Compares the responses of two servers to one group of requests, using the table of deliberate differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.interop.parity.answers import Exchange, differences
from tests.interop.parity.deliberate import DELIBERATE, Case, Deliberate

Needed = tuple[Case, str]
"""One pattern of a case, with the case."""


@dataclass(frozen=True)
class Comparison:
    """``unexplained``: one text for each request whose responses differ in a way that the table does not list.
    ``needed``: the table's patterns that matched a difference.
    """

    requests: int
    unexplained: tuple[str, ...]
    needed: frozenset[Needed]


def compare(group: str, pairs: Sequence[tuple[Exchange, Exchange]]) -> Comparison:
    """Compare every exchange of the group."""
    unexplained = []
    needed: set[Needed] = set()
    for ours, theirs in pairs:
        assert ours.label == theirs.label
        left = []
        for difference in differences(ours, theirs):
            found = [each for row in DELIBERATE for each in _covering(row, group, ours.label, difference)]
            needed.update(found)
            if not found:
                left.append(difference)
        if left:
            unexplained.append(_told(group, ours, theirs, left))
    return Comparison(len(pairs), tuple(unexplained), frozenset(needed))


def patterns(row: Deliberate) -> set[Needed]:
    """The patterns of all cases."""
    return {(case, each) for case in row.cases for each in (*case.groups, *case.requests, *case.differences)}


def _covering(row: Deliberate, group: str, label: str, difference: str) -> list[Needed]:
    """The patterns of each case that cover this difference."""
    found: list[Needed] = []
    for case in row.cases:
        parts = ((case.groups, group), (case.requests, label), (case.differences, difference))
        matching = [[each for each in offered if fnmatchcase(text, each)] for offered, text in parts]
        if all(matching):
            found += [(case, each) for each in (*matching[0], *matching[1], *matching[2])]
    return found


def _told(group: str, ours: Exchange, theirs: Exchange, left: list[str]) -> str:
    lines = [f"{group}: {ours.label}", f"  request    {ours.request}"]
    if theirs.request != ours.request:
        lines.append(f"  (there)    {theirs.request}")
    lines += [f"  ours       {ours.answer}", f"  reference  {theirs.answer}"]
    return "\n".join([*lines, *(f"  differs    {each}" for each in left)])
