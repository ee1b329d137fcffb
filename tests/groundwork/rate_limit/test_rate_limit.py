"""Fixed windows, counted per key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.clock import SECOND, HandClock, Instant
from groundwork.errors import TooMany
from groundwork.rate_limit.contract import Limit, RateLimited, headers_of, spend
from groundwork.rate_limit.in_process import InProcessCounters

NOW = Instant(1_795_000_000_000_000)
SIGN_INS = Limit("sign-in", 3, 300)
PER_DAY = Limit("sign-in-day", 5, 86_400)


async def test_the_window_opens_with_the_first_attempt_and_ends():
    counters, clock = InProcessCounters(), HandClock(NOW)
    for left in (2, 1, 0):
        assert (await spend(counters, [(SIGN_INS, "a")], now=clock.now())).remaining == left
    with pytest.raises(TooMany) as refused:
        await spend(counters, [(SIGN_INS, "a")], now=clock.now())
    assert refused.value.after_seconds == 300
    assert refused.value.headers["RateLimit-Remaining"] == "0"
    clock.turn(300 * SECOND)
    assert (await spend(counters, [(SIGN_INS, "a")], now=clock.now())).remaining == 2


async def test_keys_and_limits_count_apart():
    counters = InProcessCounters()
    for _ in range(3):
        await spend(counters, [(SIGN_INS, "a")], now=NOW)
    assert (await spend(counters, [(SIGN_INS, "b")], now=NOW)).remaining == 2
    assert (await spend(counters, [(PER_DAY, "a")], now=NOW)).remaining == 4


async def test_the_tightest_is_told_and_the_longest_is_waited_for():
    counters = InProcessCounters()
    charges = [(SIGN_INS, "a"), (PER_DAY, "a")]
    assert (await spend(counters, charges, now=NOW)).limit is SIGN_INS
    for _ in range(2):
        await spend(counters, charges, now=NOW)
    later = Instant(NOW + 301 * SECOND)
    for _ in range(2):
        await spend(counters, charges, now=later)
    with pytest.raises(RateLimited) as refused:
        await spend(counters, charges, now=later)
    assert refused.value.standing.limit is PER_DAY
    assert refused.value.after_seconds == 86_400 - 301


async def test_an_expensive_attempt_that_does_not_fit_takes_nothing():
    """Three points for a create: two that are left still do for an update."""
    counters = InProcessCounters()
    writes = Limit("writes", 5, 3600)
    await spend(counters, [(writes, "did")], now=NOW, points=3)
    with pytest.raises(TooMany):
        await spend(counters, [(writes, "did")], now=NOW, points=3)
    assert (await spend(counters, [(writes, "did")], now=NOW, points=2)).remaining == 0


async def test_headers():
    standing = await spend(InProcessCounters(), [(SIGN_INS, "a")], now=NOW)
    assert headers_of(standing) == {
        "RateLimit-Limit": "3",
        "RateLimit-Remaining": "2",
        "RateLimit-Reset": str(NOW // SECOND + 300),
        "RateLimit-Policy": "3;w=300",
    }


async def test_memory_is_bounded():
    counters = InProcessCounters(max_keys=10)
    for number in range(1000):
        await spend(counters, [(SIGN_INS, str(number))], now=NOW)
    assert len(counters._windows) == 10


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 200)), max_size=60))
async def test_no_window_ever_gives_more_than_its_points(attempts):
    counters, clock = InProcessCounters(), HandClock(NOW)
    given_by_window: dict[int, int] = {}
    for points, seconds in attempts:
        clock.turn(seconds * SECOND)
        standing = await counters.add(SIGN_INS, "a", points, clock.now())
        if not standing.is_refused:
            window = standing.resets_at
            given_by_window[window] = given_by_window.get(window, 0) + points
    assert all(points <= SIGN_INS.points for points in given_by_window.values())
