"""Run the simulation with many seeds and the storms with many kills, and write down what came of it.

    python -m tests.soak [--minutes 30] [--seed 1] [--only simulation,pds,workers] [--no-record]

Stops each part at its first failure, prints how to repeat it, and ends with status 1.
"""

import argparse
import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from groundwork.telemetry.logs import LogFormat, configure
from tests.attack import api_contract
from tests.journeys import pds_storm, worker_storm
from tests.parts import ROOT
from tests.soak.ledger import Row, record
from tests.world.simulation import simulate

OPERATIONS = 10_000
KILLS = 40
EXAMPLES = 100


@dataclass(frozen=True)
class Part:
    """One of the long tests: ``run(folder, seed)`` raises AssertionError; ``scale`` is that of one run."""

    name: str
    scale: str
    run: Callable[[Path, int], Awaitable[object]]


PARTS = (
    Part(
        "simulation",
        f"{OPERATIONS:,} operations",
        lambda folder, seed: simulate(folder, seed=seed, operations=OPERATIONS),
    ),
    Part("pds", f"{KILLS} kills", lambda folder, seed: pds_storm.storm(folder, kills=KILLS, seed=seed)),
    Part(
        "api", f"{EXAMPLES} requests of each operation", lambda folder, seed: api_contract.soak(folder, seed, EXAMPLES)
    ),
    Part("workers", f"{KILLS} kills", lambda folder, seed: worker_storm.storm(folder, kills=KILLS, seed=seed)),
)


def main() -> int:
    """Exit status 1 when a part failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="for all parts together")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="the first seed; the next are behind it"
    )
    parser.add_argument("--only", default=",".join(part.name for part in PARTS), help="parts, separated by commas")
    parser.add_argument("--no-record", action="store_true", help="do not write to docs/soak.md")
    wanted = parser.parse_args()
    configure(LogFormat.JSON, level="critical")
    chosen = [part for part in PARTS if part.name in wanted.only.split(",")]
    failed = False
    for part in chosen:
        row = _run(part, wanted.seed, wanted.minutes * 60 / len(chosen))
        failed = failed or not row.is_good
        if not wanted.no_record:
            record(ROOT / "docs" / "soak.md", row)
    return 1 if failed else 0


def _run(part: Part, first: int, seconds: float) -> Row:
    began, seed = time.monotonic(), first
    failure = ""
    while not failure and (seed == first or time.monotonic() - began < seconds):
        with tempfile.TemporaryDirectory(prefix="openmeet-soak-") as folder:
            try:
                print(f"{part.name} {seed}: {asyncio.run(_one(part, Path(folder), seed))}", flush=True)
            except AssertionError as wrong:
                failure = str(wrong)
                print(f"{part.name} {seed} FAILED: {failure}", file=sys.stderr)
        seed += 1
    minutes = (time.monotonic() - began) / 60
    result = "as it should be" if not failure else f"seed {seed - 1}: {failure.splitlines()[0]}"
    return Row(
        _commit(), part.name, f"{first}–{seed - 1}", f"{seed - first} × {part.scale}", minutes, result, not failure
    )


async def _one(part: Part, folder: Path, seed: int) -> object:
    return await part.run(folder, seed)


def _commit() -> str:
    """Short, with a plus where the tree has changes of its own."""
    name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    status = ["git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/soak.md"]
    changed = subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True)
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    sys.exit(main())
