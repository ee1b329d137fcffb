"""A Matrix homeserver that is away for two minutes while people talk."""

from pathlib import Path

from groundwork.clock import HandClock, Instant
from openmeet.matrix.calls import open_client
from tests.bench.stores import on_sqlite
from tests.openmeet.matrix import outages
from tests.parts import is_here

AWAY_SECONDS = 120
# The day on which the events of tests are ahead.
_NOON = Instant(1_772_366_400_000_000)


async def away(folder: Path, _seed: int) -> str:
    """Killed and started again. Both sides have everything once and in order, and nobody reads what was said after their ban."""
    if not is_here("synapse"):
        raise AssertionError("Synapse is not installed: python -m checks.prepare")
    clock, http = HandClock(_NOON), open_client("openmeet/tests")
    try:
        async with on_sqlite(clock) as db:
            return await outages.survive(folder, db, clock, http, away_seconds=AWAY_SECONDS)
    finally:
        await http.close()
