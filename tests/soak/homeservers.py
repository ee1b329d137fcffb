"""A Matrix homeserver that is down for two minutes while people talk, and a hundred rooms while everything is killed in
turn.
"""

from pathlib import Path

from groundwork.clock import HandClock, Instant
from openmeet.matrix.calls import open_client
from tests.bench.stores import on_sqlite
from tests.external_dependencies import is_available
from tests.openmeet.matrix import many_rooms, outages
from tests.openmeet.matrix.bridge_process import RunningClock
from tests.openmeet.matrix.many_rooms import Scale

AWAY_SECONDS = 120
MANY = Scale(rooms=100, per_second=2, seconds=240, away_seconds=60)
# A day on which the events of the tests have not started yet.
_NOON = Instant(1_772_366_400_000_000)


async def away(folder: Path, _seed: int) -> str:
    """The homeserver is killed and restarted. Both sides have every message once and in order, and nobody can read
    messages that were sent after their ban.
    """
    _need_synapse()
    clock, http = HandClock(_NOON), open_client("openmeet/tests")
    try:
        async with on_sqlite(clock) as db:
            return await outages.survive(folder, db, clock, http, away_seconds=AWAY_SECONDS)
    finally:
        await http.close()


async def many(folder: Path, seed: int) -> str:
    """A hundred rooms with two messages per second. The homeserver is killed for a minute and the bridge twice."""
    _need_synapse()
    http = open_client("openmeet/tests")
    try:
        return await many_rooms.survive(folder, RunningClock(_NOON), http, MANY, seed)
    finally:
        await http.close()


def _need_synapse() -> None:
    if not is_available("synapse"):
        raise AssertionError("Synapse is not installed: python -m checks.prepare")
