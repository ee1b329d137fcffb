"""Fixed windows, counted per key."""

import asyncio
import os
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.external_dependencies import needs

from groundwork.clock import SECOND, HandClock, Instant
from groundwork.errors import Refused, TooMany
from groundwork.rate_limit.contract import Counters, Limit, RateLimited, headers_of, spend
from groundwork.rate_limit.in_process import InProcessCounters
from groundwork.rate_limit.open_ import open_counters

REDIS_URL = os.environ.get("OPENMEET_TEST_REDIS", "redis://127.0.0.1:6379/0")

NOW = Instant(1_795_000_000_000_000)
SIGN_INS = Limit("sign-in", 3, 300)
PER_DAY = Limit("sign-in-day", 5, 86_400)


@pytest.fixture(params=["embedded:", pytest.param(REDIS_URL, marks=needs("redis"))], ids=["in-process", "redis"])
async def counters(request, monkeypatch):
    """Every driver. The time limit of Redis is raised, because shared machines may be slow."""
    monkeypatch.setattr("groundwork.rate_limit.redis._PATIENCE_SECONDS", 60.0)
    opened = open_counters(request.param, prefix=f"test-{secrets.token_hex(8)}")
    yield opened
    await opened.close()


async def test_the_window_opens_with_the_first_attempt_and_ends(counters: Counters):
    clock = HandClock(NOW)
    for left in (2, 1, 0):
        assert (await spend(counters, [(SIGN_INS, "a")], now=clock.now())).remaining == left
    with pytest.raises(TooMany) as refused:
        await spend(counters, [(SIGN_INS, "a")], now=clock.now())
    assert refused.value.after_seconds == 300
    assert refused.value.headers["RateLimit-Remaining"] == "0"
    clock.turn(300 * SECOND)
    assert (await spend(counters, [(SIGN_INS, "a")], now=clock.now())).remaining == 2


async def test_racing_attempts_never_get_more_than_the_limit(counters: Counters):
    limit = Limit("race", 20, 300)
    limit_states = await asyncio.gather(*(counters.add(limit, "a", 1, NOW) for _ in range(50)))
    assert sum(not limit_state.is_refused for limit_state in limit_states) == 20


async def test_several_counts_are_returned_in_order(counters: Counters):
    one, other = await counters.add_each([(SIGN_INS, "a"), (PER_DAY, "a")], 2, NOW)
    assert (one.limit, one.remaining, one.resets_at) == (SIGN_INS, 1, NOW + 300 * SECOND)
    assert (other.limit, other.remaining, other.resets_at) == (PER_DAY, 3, NOW + 86_400 * SECOND)


async def test_reading_the_remaining_attempts_does_not_count(counters: Counters):
    """Asking for the remaining attempts does not count as one."""
    assert (await counters.add(SIGN_INS, "a", 0, NOW)).remaining == 3
    await counters.add(SIGN_INS, "a", 3, NOW)
    asked = await counters.add(SIGN_INS, "a", 0, NOW)
    assert (asked.remaining, asked.is_refused) == (0, False)


async def test_a_refunded_attempt_is_available_again(counters: Counters):
    """But there are never more than the limit."""
    await counters.add(SIGN_INS, "a", 3, NOW)
    assert (await counters.add(SIGN_INS, "a", -1, NOW)).remaining == 1
    assert not (await counters.add(SIGN_INS, "a", 1, NOW)).is_refused
    assert (await counters.add(SIGN_INS, "a", -9, NOW)).remaining == 3


@needs("redis")
async def test_processes_share_one_counter_in_redis():
    prefix = f"test-{secrets.token_hex(8)}"
    one, other = open_counters(REDIS_URL, prefix=prefix), open_counters(REDIS_URL, prefix=prefix)
    await one.add(SIGN_INS, "a", 2, NOW)
    assert (await other.add(SIGN_INS, "a", 1, NOW)).remaining == 0
    assert (await one.add(SIGN_INS, "a", 1, NOW)).is_refused
    await one.close()
    await other.close()


async def test_without_redis_each_process_counts_for_itself():
    """Without Redis each process counts for itself: for a while the limit is too wide, but every request is served."""
    counters = open_counters("redis://127.0.0.1:1/0", prefix="test")
    for left in (2, 1, 0):
        assert (await counters.add(SIGN_INS, "a", 1, NOW)).remaining == left
    assert (await counters.add(SIGN_INS, "a", 1, NOW)).is_refused
    await counters.close()


@pytest.mark.parametrize(("again_seconds", "asked_again"), [(60.0, False), (0.0, True)])
async def test_only_the_first_request_waits_for_a_frozen_redis(
    monkeypatch: pytest.MonkeyPatch, again_seconds: float, asked_again: bool
):
    """A frozen server accepts connections and never answers. It is asked again after a while."""
    pytest.importorskip("redis")
    monkeypatch.setattr("groundwork.rate_limit.redis._PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("groundwork.rate_limit.redis._AGAIN_SECONDS", again_seconds)
    connections = []

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        counters = open_counters(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", prefix="test")
        assert (await counters.add(SIGN_INS, "a", 1, NOW)).remaining == 2
        once = len(connections)
        assert (await counters.add(SIGN_INS, "a", 1, NOW)).remaining == 1
        assert (len(connections) > once) is asked_again
        await counters.close()
        await asyncio.gather(*connections)


def test_other_urls_are_not_counters():
    with pytest.raises(Refused, match="redis"):
        open_counters("memcached://x", prefix="test")


async def test_keys_and_limits_count_separately(counters: Counters):
    for _ in range(3):
        await spend(counters, [(SIGN_INS, "a")], now=NOW)
    assert (await spend(counters, [(SIGN_INS, "b")], now=NOW)).remaining == 2
    assert (await spend(counters, [(PER_DAY, "a")], now=NOW)).remaining == 4


async def test_strictest_limit_is_reported_and_longest_wait_returned(counters: Counters):
    charges = [(SIGN_INS, "a"), (PER_DAY, "a")]
    assert (await spend(counters, charges, now=NOW)).limit is SIGN_INS
    for _ in range(2):
        await spend(counters, charges, now=NOW)
    later = Instant(NOW + 301 * SECOND)
    for _ in range(2):
        await spend(counters, charges, now=later)
    with pytest.raises(RateLimited) as refused:
        await spend(counters, charges, now=later)
    assert refused.value.state.limit is PER_DAY
    assert refused.value.after_seconds == 86_400 - 301


async def test_refusal_contains_the_time_to_wait():
    """The refusal says how long to wait, in everyday words, and never too short a time."""
    for window, turned, told in (
        (300, 0, "at most 1 in 5 minutes. Try again in 5 minutes."),
        (300, 295, "at most 1 in 5 minutes. Try again in 5 seconds."),
        (300, 179, "at most 1 in 5 minutes. Try again in 3 minutes."),
        (300, 299, "at most 1 in 5 minutes. Try again in a second."),
        (86_400, 3_601, "at most 1 in 24 hours. Try again in 23 hours."),
        (172_800, 1, "at most 1 in 2 days. Try again in 48 hours."),
    ):
        counters = InProcessCounters()
        charges = [(Limit("sign-in", 1, window), "a")]
        await spend(counters, charges, now=NOW)
        with pytest.raises(RateLimited) as refused:
            await spend(counters, charges, now=Instant(NOW + turned * SECOND))
        assert refused.value.why == f"Too many requests: {told}"


async def test_refused_expensive_attempt_costs_nothing(counters: Counters):
    """An attempt that costs more than what is left takes nothing: after a create of three points is refused, two points
    still allow an update.
    """
    writes = Limit("writes", 5, 3600)
    await spend(counters, [(writes, "did")], now=NOW, points=3)
    with pytest.raises(TooMany):
        await spend(counters, [(writes, "did")], now=NOW, points=3)
    assert (await spend(counters, [(writes, "did")], now=NOW, points=2)).remaining == 0


async def test_headers_state_limit_remainder_and_reset():
    limit_state = await spend(InProcessCounters(), [(SIGN_INS, "a")], now=NOW)
    assert headers_of(limit_state) == {
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
async def test_no_window_exceeds_its_points(attempts):
    counters, clock = InProcessCounters(), HandClock(NOW)
    given_by_window: dict[int, int] = {}
    for points, seconds in attempts:
        clock.turn(seconds * SECOND)
        limit_state = await counters.add(SIGN_INS, "a", points, clock.now())
        if not limit_state.is_refused:
            window = limit_state.resets_at
            given_by_window[window] = given_by_window.get(window, 0) + points
    assert all(points <= SIGN_INS.points for points in given_by_window.values())
