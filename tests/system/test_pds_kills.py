"""``kill -9`` of the PDS while people write (invariants 1 and 2). ``make soak`` does the same for longer."""

from pathlib import Path

from tests.system.pds_storm import storm

KILLS = 5


async def test_no_acknowledged_write_is_lost_when_the_server_is_killed(tmp_path: Path):
    report = await storm(tmp_path, kills=KILLS, seed=1)
    assert report.acknowledged > KILLS, "no write was attempted"
    assert report.unanswered > 0, "no kill interrupted a write"
