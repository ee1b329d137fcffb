"""What two servers answered to one group of requests, against the table of deliberate differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.witnesses.parity.answers import Exchange, differences
from tests.witnesses.parity.deliberate import DELIBERATE, Deliberate


@dataclass(frozen=True)
class Comparison:
    """``unexplained``: one text for each request whose answers differ otherwise than the table says; ``used``: its rows that were needed."""

    requests: int
    unexplained: tuple[str, ...]
    used: frozenset[Deliberate]


def compare(group: str, pairs: Sequence[tuple[Exchange, Exchange]]) -> Comparison:
    """Every exchange of the group."""
    unexplained = []
    used: set[Deliberate] = set()
    for ours, theirs in pairs:
        assert ours.label == theirs.label
        left = []
        for difference in differences(ours, theirs):
            rows = [row for row in DELIBERATE if _covers(row, group, ours.label, difference)]
            used.update(rows)
            if not rows:
                left.append(difference)
        if left:
            unexplained.append(_told(group, ours, theirs, left))
    return Comparison(len(pairs), tuple(unexplained), frozenset(used))


def _covers(row: Deliberate, group: str, label: str, difference: str) -> bool:
    return (
        any(fnmatchcase(group, pattern) for pattern in row.groups)
        and any(fnmatchcase(label, pattern) for pattern in row.requests)
        and any(fnmatchcase(difference, pattern) for pattern in row.differences)
    )


def _told(group: str, ours: Exchange, theirs: Exchange, left: list[str]) -> str:
    lines = [f"{group}: {ours.label}", f"  request    {ours.request}"]
    if theirs.request != ours.request:
        lines.append(f"  (there)    {theirs.request}")
    lines += [f"  ours       {ours.answer}", f"  reference  {theirs.answer}"]
    return "\n".join([*lines, *(f"  differs    {each}" for each in left)])
