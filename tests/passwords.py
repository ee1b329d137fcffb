"""Passwords of the least cost, for tests that are not about the cost."""

import functools

import pytest

from aurora_locus.accounts.passwords import Passwords


@pytest.fixture
def cost_of_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of the least cost, where a whole PDS is opened: it makes one at its start, one per account and one per sign-in.

    What is about the hash has this fixture under its own name, and with it what the server really uses.
    """
    monkeypatch.setattr("aurora_locus.app.Passwords", functools.partial(Passwords, memory_kib=64, passes=1))
