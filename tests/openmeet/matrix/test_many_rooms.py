"""A few mirrored rooms while the homeserver and the bridge are killed; ``make soak`` runs a hundred rooms."""

from pathlib import Path

import pytest

from groundwork.http.client import HttpClient
from tests.external_dependencies import needs
from tests.openmeet.matrix import many_rooms
from tests.openmeet.matrix.bridge_process import RunningClock
from tests.openmeet.matrix.many_rooms import Scale

pytestmark = [pytest.mark.anyio, needs("synapse")]


async def test_kills_lose_and_duplicate_nothing(tmp_path: Path, clock, http: HttpClient) -> None:
    scale = Scale(rooms=3, per_second=4, seconds=4, away_seconds=1)
    assert "3 rooms" in await many_rooms.survive(tmp_path, RunningClock(clock.now()), http, scale)
