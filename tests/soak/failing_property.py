"""A property test that fails, for ``test_exploring``. Its file name keeps it out of the suite."""

from hypothesis import given
from hypothesis import strategies as st


@given(number=st.integers(0, 1000), other=st.just("a|b"))
def test_numbers_are_small(number: int, other: str) -> None:
    assert number < 10, other
