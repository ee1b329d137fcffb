"""A random network, compared with what its people remember and its PDSs announced. ``make soak`` runs it for longer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.external_dependencies import needs
from tests.simulation.simulation import simulate
from tests.simulation.simulation_engines import Engine

OPERATIONS = 3000
SHORT = 200
ROOT = Path(__file__).parents[2]
# Prints what happens in a short run.
RECORDED = """
import asyncio, pathlib, sys
from tests.simulation.simulation import simulate
steps = []
asyncio.run(simulate(pathlib.Path(sys.argv[1]), seed=9, operations=60, steps=steps))
pathlib.Path(sys.argv[1], "steps").write_text("\\n".join(steps))
"""


@pytest.mark.parametrize("seed", [2026])
async def test_all_invariants_hold_at_the_end(tmp_path: Path, seed: int):
    """3,000 operations of people and programs, with faults. Every invariant of the simulation holds."""
    report = await simulate(tmp_path, seed=seed, operations=OPERATIONS)
    assert report.lost_replies > 10, "no fault occurred"
    assert report.late_requests > 0, "no message arrived late"
    assert report.lost_frames > 0, "no commit was missed"
    assert report.moves > 0, "no account moved to the other PDS"
    assert report.conflicts > 0, "nothing was edited on both sides"
    assert report.turned_back > 0, "no repository was rolled back"
    assert report.recreated > 0, "no account was recreated"


# Failures of individual runs have separate tests with the order of events that caused them, for example
# tests/openmeet/publishing/test_withdrawals.py.
@pytest.mark.parametrize("seed", [5, 6, 8])
async def test_everything_agrees_in_short_runs(tmp_path: Path, seed: int):
    """Short runs test the beginning: first answers, first consents, accounts that have just been created.

    Nearly all of them lose frames; a few do not.
    """
    await simulate(tmp_path, seed=seed, operations=SHORT)


def test_a_run_can_be_repeated(tmp_path: Path):
    """With the same seed, the same things happen in the same order, including ids and DIDs. Ports and the order of sets
    have no influence.
    """

    def steps_with(hash_seed: str) -> list[str]:
        folder = tmp_path / hash_seed
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", RECORDED, str(folder)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return (folder / "steps").read_text().splitlines()

    first = steps_with("1")
    assert len(first) > 100, "too few operations took effect"
    assert steps_with("2") == first


@pytest.mark.parametrize(
    ("engine", "seed"),
    [(Engine.POSTGRESQL, 12), pytest.param(Engine.POSTGRESQL_RABBITMQ, 17, marks=needs("rabbitmq"))],
)
async def test_everything_agrees_on_other_engines(tmp_path: Path, postgres_url: str, engine: Engine, seed: int):
    """The same on the engines of larger installations."""
    await simulate(tmp_path, seed=seed, operations=SHORT, engine=engine, server=postgres_url)
