"""``openmeet cluster`` with two processes of each kind, and each kind killed under load. ``make soak`` does this for
longer.
"""

import asyncio
import contextlib
from pathlib import Path

from tests.external_dependencies import needs
from tests.system.cluster_storm import KINDS, TIMEOUT_SECONDS, started, storm
from tests.system.tour.polling import eventually


@needs("rabbitmq", "redis", "postgresql")
async def test_every_kind_of_process_may_be_killed_under_load(tmp_path: Path, postgres_url: str):
    """Consumer, processor, publisher, web, PDS and scheduler are killed. The canonical view is that of an undisturbed
    run.
    """
    report = await storm(tmp_path, postgres_url, rounds=1, seed=5)
    assert report.restarts >= len(KINDS), "no process was killed"
    assert report.records > len(KINDS)
    assert report.answers_here > 0
    assert not (tmp_path / "cluster" / "members.json").exists(), "the file names processes that have ended"


@needs("rabbitmq", "redis", "postgresql")
async def test_stopping_during_the_start_leaves_no_process(tmp_path: Path, postgres_url: str):
    folder = tmp_path / "cluster"
    async with started(folder, postgres_url) as (program, _, _):

        async def has_begun() -> bool:
            return bool(members_of(folder))

        await eventually(has_begun, TIMEOUT_SECONDS)
        assert program.process is not None
        assert "Starting 11 processes. Their logs are in" in program.said()
        program.process.terminate()
        assert await asyncio.wait_for(program.process.wait(), 60) == 1
        assert "Stopped before all parts had started" in program.said()
    assert members_of(folder) == []


def members_of(folder: Path) -> list[str]:
    """Processes that were started for the cluster in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"_DATA_DIRECTORY={folder}/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found
