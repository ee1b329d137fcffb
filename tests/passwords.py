"""Passwords of the least cost and refusals without a pause, for tests that are about neither."""

import functools

import pytest

from aurora_locus.accounts import password_reset, sessions
from aurora_locus.accounts.passwords import Passwords

# How long a refusal takes at least, in seconds, by where it is read: as the server has it, before any test changes it.
LEAST_TIMES = {
    "aurora_locus.accounts.sessions.LEAST_SECONDS_OF_REFUSAL": sessions.LEAST_SECONDS_OF_REFUSAL,
    "aurora_locus.accounts.sign_in_links.LEAST_SECONDS_OF_REFUSAL": sessions.LEAST_SECONDS_OF_REFUSAL,
    "aurora_locus.accounts.password_reset.LEAST_SECONDS": password_reset.LEAST_SECONDS,
}


@pytest.fixture
def cost_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of the least cost, where a whole PDS is opened: it makes one at its start, one per account and one per sign-in.

    What is about the hash has this fixture under its own name, and with it what the server really uses.
    """
    hash_cheaply(monkeypatch)
    for setting in LEAST_TIMES:
        monkeypatch.setattr(setting, 0.0)


def hash_cheaply(patch: pytest.MonkeyPatch) -> None:
    """The same hashes for a server that several tests share: as long as ``patch`` is not undone."""
    patch.setattr("aurora_locus.accounts.opening.Passwords", functools.partial(Passwords, memory_kib=64, passes=1))


@pytest.fixture
def refusals_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how long a refusal takes at least: the times that the server really uses."""
    for setting, seconds in LEAST_TIMES.items():
        monkeypatch.setattr(setting, seconds)
