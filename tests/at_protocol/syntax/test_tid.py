"""TIDs: their bits, and a clock that only moves forward."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed, Misuse
from at_protocol.syntax.tid import (
    MAX_MICROSECONDS,
    Tid,
    TidClock,
    from_microseconds,
    parse_tid,
    to_clock_id,
    to_integer,
    to_microseconds,
)

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    "text, microseconds, clock_id",
    [
        ("3jzfcijpj2z2a", 1_688_137_381_887_007, 6),
        ("2222222222222", 0, 0),
        ("3migo7fijwi2k", 1_775_045_738_708_878, 16),
        ("bzzzzzzzzzzzz", MAX_MICROSECONDS, 1023),
    ],
)
def test_worked_examples(text, microseconds, clock_id):
    tid = parse_tid(text)
    assert (to_microseconds(tid), to_clock_id(tid)) == (microseconds, clock_id)
    assert from_microseconds(microseconds, clock_id) == text


def test_first_character_carries_four_bits():
    """The first character carries four bits: ``k`` would be a 65th bit, while ``j`` is well-formed although no
    generator makes it.
    """
    with pytest.raises(Malformed):
        parse_tid("kjzfcijpj2z2a")
    assert to_microseconds(parse_tid("jzzzzzzzzzzzz")) > MAX_MICROSECONDS


@given(st.integers(0, MAX_MICROSECONDS), st.integers(0, 1023))
def test_round_trip(microseconds, clock_id):
    tid = from_microseconds(microseconds, clock_id)
    assert parse_tid(tid) == tid
    assert tid[0] in "23456789ab"
    assert (to_microseconds(tid), to_clock_id(tid)) == (microseconds, clock_id)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_text_sorts_as_the_number_does(one, other):
    first, second = (from_microseconds(number >> 10, number & 1023) for number in (one, other))
    assert (first < second) == (to_integer(first) < to_integer(second)) == (one < other)


def test_ten_thousand_tids_increase_even_if_the_clock_is_set_back():
    """Ten thousand TIDs strictly increase without duplicates, even if the clock is set back."""
    clock = TidClock(7)
    now = 1_700_000_000_000_000
    made = [clock.next(now) for _ in range(10_000)] + [clock.next(now - HOUR) for _ in range(10)]
    assert made == sorted(set(made))


def test_next_rev_follows_one_from_a_fast_clock():
    """The next rev follows the previous one even if that is ahead of our clock, and so do all later ones."""
    clock = TidClock(0)
    ahead = from_microseconds(1_700_000_000_000_000 + HOUR, 1023)
    first = clock.next(1_700_000_000_000_000, after=ahead)
    assert ahead < first < clock.next(1_700_000_000_000_001)


@pytest.mark.parametrize("microseconds, clock_id", [(-1, 0), (MAX_MICROSECONDS + 1, 0), (0, 1024), (0, -1)])
def test_out_of_range_values_are_misuse(microseconds, clock_id):
    with pytest.raises(Misuse):
        from_microseconds(microseconds, clock_id)


def test_a_clock_id_has_ten_bits():
    with pytest.raises(Misuse):
        TidClock(1024)


@pytest.mark.parametrize("text", ["3jzfcijpj2z2a\n", "3jzf-cij-pj2z-2a", "3JZFCIJPJ2Z2A", "3jzfcijpj2z2\u0661", ""])
def test_invalid_tids_are_refused(text):
    with pytest.raises(Malformed):
        parse_tid(text)


@given(st.text())
def test_garbage_is_malformed_and_nothing_else(text):
    with pytest.raises(Malformed):
        parse_tid(text + "!")


def test_old_revs_near_1970_are_accepted():
    """An old rev near 1970 is accepted."""
    assert to_microseconds(Tid("222222d7n7i22")) < 10**12
