"""``kill -9`` of the workers while answers travel, and a PDS that is unavailable. ``make soak`` does the first for
longer.
"""

from pathlib import Path

from tests.system.worker_storm import storm

KILLS = 5


async def test_workers_may_be_killed_at_any_moment(tmp_path: Path):
    report = await storm(tmp_path, kills=KILLS, seed=1)
    assert report.answers_here > KILLS, "no write was attempted"
    assert report.records > KILLS
