"""The meaning of rate-limit headers."""

import pytest

from at_network.pacing import MAX_PAUSE_SECONDS, RateLimitState, pause_seconds, read_pace, retry_after_seconds
from groundwork.clock import SECOND, Instant

NOW = Instant(1_700_000_000 * SECOND)
LATER = Instant(NOW + 30 * SECOND)
BUCKET = {"ratelimit-limit": "5000", "ratelimit-remaining": "0", "ratelimit-reset": "1700000030"}


def test_rate_limit_headers_are_read():
    assert read_pace(BUCKET) == RateLimitState(5000, 0, LATER)


@pytest.mark.parametrize("name", BUCKET)
@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "9" * 20, "٣"])
def test_unreadable_rate_limit_headers_are_ignored(name, text):
    assert read_pace({**BUCKET, name: text}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2000 22:13:50 GMT"}, 0.0),
        ({"retry-after": "999999999"}, MAX_PAUSE_SECONDS),
        ({"retry-after": "soon"}, 60.0),
        ({"retry-after": "Sat, 21 Nov 99999999999999999999 09:00:00 GMT"}, 60.0),
        ({}, 60.0),
        (BUCKET, 30.0),
        ({**BUCKET, "retry-after": "2"}, 2.0),
    ],
)
def test_pause_after_a_refusal_is_read_from_headers(headers, seconds):
    """The pause comes from Retry-After in seconds or as a date, the reset of the rate limit, or a default, in this
    order, and is never longer than an hour.
    """
    assert retry_after_seconds(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("pace", "cost", "seconds"),
    [
        (None, 1, 0.0),
        (RateLimitState(10, 3, LATER), 3, 0.0),
        (RateLimitState(10, 2, LATER), 3, 30.0),
        (RateLimitState(10, 0, NOW), 1, 0.0),
    ],
)
def test_pause_depends_on_the_cost_of_a_write(pace, cost, seconds):
    assert pause_seconds(pace, NOW, cost=cost) == seconds
