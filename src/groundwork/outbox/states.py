"""State graph: every allowed move from one state to another is declared once; any other move is a programming error.

With ``sql_sources_of(target)`` in the ``where`` clause of a statement, the database rejects moves that the graph does not
list, also under concurrency. A statement without it may name only states from which the graph allows its move.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)


class ImpossibleMove(Exception):
    """A move that the graph does not list."""


@dataclass(frozen=True, slots=True)
class StateGraph(Generic[State]):
    """The allowed moves. ``moves`` maps each state to the states that may follow it, which can include itself."""

    moves: Mapping[State, frozenset[State]]

    def allows(self, current: State, following: State) -> bool:
        """Whether the state ``following`` may come after ``current``."""
        return following in self.moves[current]

    def require(self, current: State, following: State) -> None:
        """Raise ImpossibleMove unless the move is declared."""
        if not self.allows(current, following):
            raise ImpossibleMove(f"{current} cannot become {following}")

    def sources_of(self, target: State) -> tuple[State, ...]:
        """Return every state from which ``target`` can be reached in one move, in the order of ``moves``."""
        return tuple(state for state in self.moves if target in self.moves[state])

    def sql_sources_of(self, target: State, *, only: Iterable[State] | None = None) -> str:
        """Return ``sources_of``, or only these of them, as SQL literals. States are enum members in our code, never
        input. Raises ImpossibleMove.
        """
        if only is None:
            return sql_literals(self.sources_of(target))
        sources = tuple(only)
        for source in sources:
            self.require(source, target)
        return sql_literals(sources)


def sql_literals(states: Iterable[StrEnum]) -> str:
    """Return ``'a', 'b'`` for an ``in (…)`` clause, from members of one of our enums."""
    return ", ".join(f"'{state.value}'" for state in states)
