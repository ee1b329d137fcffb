"""Cheap password hashes and refusals without a delay, for tests that are not about them."""

import functools

import pytest

from aurora_locus.accounts import password_reset, sessions
from aurora_locus.accounts.passwords import Passwords

# The minimum duration of a refusal in seconds, by the variable that holds it: the server's own values, before a test
# changes them.
LEAST_TIMES = {
    "aurora_locus.accounts.sessions.LEAST_SECONDS_OF_REFUSAL": sessions.LEAST_SECONDS_OF_REFUSAL,
    "aurora_locus.accounts.sign_in_links.LEAST_SECONDS_OF_REFUSAL": sessions.LEAST_SECONDS_OF_REFUSAL,
    "aurora_locus.accounts.password_reset.LEAST_SECONDS": password_reset.LEAST_SECONDS,
}


@pytest.fixture
def cost_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the cheapest password hashes. A PDS computes a hash at its start, for each account and for each sign-in.

    Tests of the hashing override this fixture to keep the server's real parameters.
    """
    hash_cheaply(monkeypatch)
    for setting in LEAST_TIMES:
        monkeypatch.setattr(setting, 0.0)


def hash_cheaply(patch: pytest.MonkeyPatch) -> None:
    """Use the cheapest hashes in a server that several tests share, until ``patch`` is undone."""
    patch.setattr("aurora_locus.accounts.setup.Passwords", functools.partial(Passwords, memory_kib=64, passes=1))


@pytest.fixture
def refusals_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the server's real minimum durations, for tests of how long a refusal takes."""
    for setting, seconds in LEAST_TIMES.items():
        monkeypatch.setattr(setting, seconds)
