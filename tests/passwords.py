"""Cheap password hashes and refusals without a delay, for tests that are not about them."""

import functools

import pytest

from aurora_locus.accounts.passwords import Passwords

# The variables that hold the minimum duration of a refusal.
_LEAST_TIMES = (
    "aurora_locus.accounts.sessions.LEAST_SECONDS_OF_REFUSAL",
    "aurora_locus.accounts.sign_in_links.LEAST_SECONDS_OF_REFUSAL",
    "aurora_locus.accounts.password_reset.LEAST_SECONDS",
)
# Longer than any refusal takes on an idle machine, so that a missing delay is noticed.
LEAST_SECONDS = 0.015


@pytest.fixture
def cost_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the cheapest password hashes. A PDS computes a hash at its start, for each account and for each sign-in.

    Tests of the hashing override this fixture to keep the server's real parameters.
    """
    hash_cheaply(monkeypatch)
    for setting in _LEAST_TIMES:
        monkeypatch.setattr(setting, 0.0)


def hash_cheaply(patch: pytest.MonkeyPatch) -> None:
    """Use the cheapest hashes in a server that several tests share, until ``patch`` is undone."""
    patch.setattr("aurora_locus.accounts.setup.Passwords", functools.partial(Passwords, memory_kib=64, passes=1))


@pytest.fixture
def refusals_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let refusals take ``LEAST_SECONDS``, for tests of how long a refusal takes."""
    for setting in _LEAST_TIMES:
        monkeypatch.setattr(setting, LEAST_SECONDS)
