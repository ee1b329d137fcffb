"""For all rooms of the events platform."""

import pytest


@pytest.fixture(autouse=True)
def _hashes_cheaply(cost_of_passwords: None) -> None:
    """A PDS beside the site hashes nothing that anybody could want to break."""
