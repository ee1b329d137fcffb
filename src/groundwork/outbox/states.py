"""State graph: every allowed move is declared once; any other move is a programming error.

Statements that move a row carry ``sources_of(target)`` in their ``where`` clause, so the database refuses what the
graph does not list, also under concurrency.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)


class ImpossibleMove(Exception):
    """A change of state that the graph does not list."""


@dataclass(frozen=True, slots=True)
class Graph(Generic[State]):
    """Allowed changes of state. ``moves`` maps each state to the states that may follow it; a state may list itself."""

    moves: Mapping[State, frozenset[State]]

    def allows(self, current: State, following: State) -> bool:
        """Whether the state ``following`` may come after ``current``."""
        return following in self.moves[current]

    def require(self, current: State, following: State) -> None:
        """Raises ImpossibleMove unless the move is declared."""
        if not self.allows(current, following):
            raise ImpossibleMove(f"{current} cannot become {following}")

    def sources_of(self, target: State) -> tuple[State, ...]:
        """Every state from which ``target`` can be reached in one move, in the order of the enumeration."""
        return tuple(state for state in self.moves if target in self.moves[state])

    def sql_sources_of(self, target: State) -> str:
        """The same as a list of SQL literals. States are names of an enumeration in our code, never input."""
        return sql_literals(self.sources_of(target))


def sql_literals(states: Iterable[StrEnum]) -> str:
    """``'a', 'b'``: for a fixed ``in (…)`` clause, made of an enumeration of ours."""
    return ", ".join(f"'{state.value}'" for state in states)
