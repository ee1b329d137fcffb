"""A random network, compared with what its people remember and its PDS announced; ``make soak`` runs it for long."""

from pathlib import Path

import pytest

from tests.parts import needs
from tests.world.simulation import simulate
from tests.world.simulation_engines import Engine

OPERATIONS = 3000
SHORT = 200


@pytest.mark.parametrize("seed", [2026])
async def test_everything_agrees_in_the_end(tmp_path: Path, seed: int):
    """3,000 operations of people and programs, with faults; every invariant of the simulation holds."""
    report = await simulate(tmp_path, seed=seed, operations=OPERATIONS)
    assert report.lost_replies > 10, "else nothing went wrong"
    assert report.late_requests > 0, "else nothing arrived late"
    assert report.lost_frames > 0, "else every commit was heard of"
    assert report.moves > 0, "else nobody moved to the other PDS"
    assert report.conflicts > 0, "else nobody edited the same thing on both sides"
    assert report.turned_back > 0, "else no repository went back"
    assert report.begun_anew > 0, "else no account was made again"


# What single runs found is told as facts of their own, in the order that matters: test_recalls.py, test_edits_kept_here.py and
# their neighbours.
@pytest.mark.parametrize("seed", [5, 6, 8])
async def test_everything_agrees_in_short_runs(tmp_path: Path, seed: int):
    """Short runs are about the beginning: first answers, first consents, accounts that have just been made.

    Now and then one of them loses no frame; nearly always they do.
    """
    await simulate(tmp_path, seed=seed, operations=SHORT)


@pytest.mark.parametrize(
    ("engine", "seed"),
    [(Engine.POSTGRESQL, 12), pytest.param(Engine.POSTGRESQL_RABBITMQ, 17, marks=needs("rabbitmq"))],
)
async def test_everything_agrees_on_servers(tmp_path: Path, postgres_url: str, engine: Engine, seed: int):
    """The same on the engines of larger installations."""
    await simulate(tmp_path, seed=seed, operations=SHORT, engine=engine, server=postgres_url)
