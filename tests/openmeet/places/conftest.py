"""The place list for all tests in this package."""

import pytest

from openmeet.domain.places.gazetteer import Gazetteer
from tests.openmeet.places.world import open_world


@pytest.fixture(scope="module")
def world() -> Gazetteer:
    return open_world()
