"""Fixtures for all tests of the events platform."""

import pytest


@pytest.fixture(autouse=True)
def _hashes_cheaply(cost_of_passwords: None) -> None:
    """Use cheap password hashes on the PDSes of these tests, whose passwords protect nothing."""
