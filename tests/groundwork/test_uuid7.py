"""Identifiers of our own rows."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from groundwork.clock import Instant
from groundwork.uuid7 import new_id, new_ids

NOW = Instant(1_795_000_000_123_456)


def test_is_a_uuid_of_version_7():
    made = uuid.UUID(new_id(NOW))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_id_contains_its_millisecond():
    """The first 48 bits are milliseconds since 1970 (RFC 9562 5.7), unless ids were made before for a later time."""
    later = Instant(4_000_000_000_000_000)
    assert uuid.UUID(new_id(later)).int >> 80 >= later // 1000


@given(st.lists(st.integers(0, 4_000_000_000_000_000), min_size=2, max_size=50))
def test_ids_grow_even_if_the_clock_is_set_back(instants):
    made = [new_id(Instant(instant)) for instant in instants]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


@given(st.lists(st.tuples(st.integers(0, 4_000_000_000_000_000), st.integers(0, 9)), min_size=1, max_size=20))
def test_ids_made_together_grow_like_single_ones(asked):
    made = [one for instant, count in asked for one in (*new_ids(Instant(instant), count), new_id(Instant(instant)))]
    assert made == sorted(made)
    assert len(set(made)) == len(made) == sum(count + 1 for _, count in asked)
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in made} == {(7, uuid.RFC_4122)}
