"""A measured figure, and its form as a line of text.

Durations are information, never assertions: a missed target is marked, and only a wrong answer (``Wrong``) fails.
"""

from dataclasses import asdict, dataclass
from typing import Any


class Wrong(Exception):
    """The measured code gave a wrong result, so its speed means nothing."""


@dataclass(frozen=True)
class Peer:
    """Other software that does the same work in the same run."""

    name: str
    value: float


@dataclass(frozen=True)
class Figure:
    """One measurement. ``target``: a lower bound, or an upper bound if ``less_is_better``."""

    name: str
    value: float
    unit: str
    target: float | None = None
    less_is_better: bool = False
    peer: Peer | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the target is met, or there is none."""
        if self.target is None:
            return True
        return self.value <= self.target if self.less_is_better else self.value >= self.target

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer it is."""
        if self.peer is None or not self.value or not self.peer.value:
            return None
        return self.peer.value / self.value if self.less_is_better else self.value / self.peer.value


def check(holds: bool, what: str) -> None:
    """Raise ``Wrong`` unless the condition holds. Unlike ``assert``, it also works under ``python -O``."""
    if not holds:
        raise Wrong(what)


def shown(value: float, unit: str) -> str:
    """Three significant digits, with thousands separators: ``31,950 /s``, ``0.094 ms``."""
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f} {unit}"


def line(figure: Figure, pure: Figure | None) -> str:
    """The figure as it is printed. ``pure``: the same figure without the compiled codec."""
    parts = [f"  {figure.name:<58}{shown(figure.value, figure.unit):>18}"]
    if figure.target is not None:
        bound = "at most" if figure.less_is_better else "at least"
        verdict = "ok" if figure.holds else "MISSED"
        parts.append(f"{bound} {shown(figure.target, figure.unit)}: {verdict}")
    if pure is not None:
        parts.append(f"pure Python {shown(pure.value, pure.unit)}")
    if figure.peer is not None and figure.ratio is not None:
        parts.append(f"{figure.peer.name} {shown(figure.peer.value, figure.unit)}: {figure.ratio:.1f}x")
    if figure.note:
        parts.append(figure.note)
    return "  | ".join(parts)


def as_json(figure: Figure) -> dict[str, Any]:
    """The figure for programs, including the values that the line derives."""
    return {**asdict(figure), "holds": figure.holds, "ratio": figure.ratio}
