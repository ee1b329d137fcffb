"""Which moves a state graph allows, as SQL."""

from enum import StrEnum

import pytest

from groundwork.outbox.states import ImpossibleMove, StateGraph


class Light(StrEnum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"


GRAPH = StateGraph(
    {
        Light.RED: frozenset({Light.GREEN}),
        Light.AMBER: frozenset({Light.RED, Light.GREEN}),
        Light.GREEN: frozenset({Light.AMBER}),
    }
)


def test_a_statement_names_all_sources_or_some() -> None:
    assert GRAPH.sql_sources_of(Light.GREEN) == "'red', 'amber'"
    assert GRAPH.sql_sources_of(Light.GREEN, only=[Light.AMBER]) == "'amber'"


def test_a_source_that_the_graph_does_not_list_is_an_error() -> None:
    with pytest.raises(ImpossibleMove):
        GRAPH.sql_sources_of(Light.RED, only=[Light.AMBER, Light.GREEN])
