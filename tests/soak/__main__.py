"""Run the simulation with many seeds and the storms with many kills, and record the results.

    python -m tests.soak [--minutes 30] [--seed 1] [--only
    simulation,flaky,properties,pds,api,workers,cluster,foreign,chats,legacy,matrix,rooms]
                         [--no-record] [--engine sqlite] [--operations 10000] [--runs 10]

Stops each part at its first failure, prints how to repeat it, and exits with status 1.
"""

import argparse
import asyncio
import resource
import secrets
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from checks import rerun
from groundwork.telemetry.logs import LogFormat, configure
from tests.attack import api_contract, overload
from tests.databases import SERVER
from tests.external_dependencies import ROOT
from tests.openmeet.chat import random_actions
from tests.simulation.simulation import simulate
from tests.simulation.simulation_engines import Engine
from tests.soak import crowds, flaky, homeservers
from tests.soak.exploring import CasesFound, explore
from tests.soak.ledger import FailingCase, Row, record
from tests.system import cluster_storm, pds_storm, worker_storm

OPERATIONS = 10_000
# A hundred thousand operations in total.
SIMULATIONS = 10
# Operations of a simulation between two lines of progress.
TOLD_EVERY = 500
ROUNDS = 5
KILLS = 40
EXAMPLES = 100


@dataclass(frozen=True)
class Part:
    """One of the long tests. ``run(folder, seed)`` raises AssertionError on failure; ``scale`` describes one run."""

    name: str
    scale: str
    run: Callable[[Path, int], Awaitable[object]]
    # The minimum number of runs, even if they take longer than the time limit.
    least: int = 1


def parts_of(wanted: argparse.Namespace) -> tuple[Part, ...]:
    """All parts, with the options applied to the simulation."""
    engine = Engine(wanted.engine)
    on = "" if engine is Engine.FILES else f" on {engine.value}"
    on += ", at once" if wanted.at_once else ""
    return (
        Part(
            "simulation",
            f"{wanted.operations:,} operations{on}",
            lambda folder, seed: _simulate(folder, seed, wanted.operations, engine, is_at_once=wanted.at_once),
            least=wanted.runs,
        ),
        *([FLAKY] if rerun.recorded_tests(ROOT / rerun.FOLDER) else []),
        *PARTS,
    )


async def _simulate(folder: Path, seed: int, operations: int, engine: Engine, *, is_at_once: bool) -> object:
    began = time.monotonic()

    def tell(number: int) -> None:
        if number % TOLD_EVERY == 0:
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            spent = (
                f"{time.monotonic() - began:.0f} s, {time.process_time():.0f} s of processor time, {megabytes:.0f} MB"
            )
            print(f"simulation {seed}: {number:,} of {operations:,} operations, {spent}", flush=True)

    return await simulate(folder, seed=seed, operations=operations, engine=engine, tell=tell, is_at_once=is_at_once)


FLAKY = Part("flaky", f"{flaky.TIMES} runs of each flaky test", flaky.repeat)
PARTS = (
    Part("properties", "every property test", explore),
    Part("pds", f"{KILLS} kills", lambda folder, seed: pds_storm.storm(folder, kills=KILLS, seed=seed)),
    Part(
        "api", f"{EXAMPLES} requests of each operation", lambda folder, seed: api_contract.soak(folder, seed, EXAMPLES)
    ),
    Part("overload", f"{overload.LONG.rounds} rounds of the canary", overload.soak),
    Part("workers", f"{KILLS} kills", lambda folder, seed: worker_storm.storm(folder, kills=KILLS, seed=seed)),
    Part(
        "cluster",
        f"{ROUNDS * len(cluster_storm.KINDS)} kills",
        lambda folder, seed: cluster_storm.storm(folder, SERVER, rounds=ROUNDS, seed=seed),
    ),
    Part("foreign", f"{crowds.STRANGERS:,} answers, both engines", crowds.foreign),
    Part("chats", f"{random_actions.LONG:,} acts, both engines", crowds.chats),
    Part("legacy", f"{crowds.OLD_EVENTS:,} old events, both engines", crowds.legacy),
    Part("matrix", f"{homeservers.AWAY_SECONDS} s away", homeservers.away),
    Part("rooms", f"{homeservers.MANY.rooms} mirrored rooms", homeservers.many),
)


def main() -> int:
    """Return exit status 1 if a part failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="for all parts together")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(1_000_000), help="the first seed; each further run adds one"
    )
    names = ",".join(["simulation", *(part.name for part in (FLAKY, *PARTS))])
    parser.add_argument("--only", default=names, help="parts, separated by commas")
    parser.add_argument(
        "--engine",
        default=Engine.FILES.value,
        choices=[one.value for one in Engine],
        help="databases and queue of the simulation",
    )
    parser.add_argument(
        "--at-once",
        action="store_true",
        help="simulated people and programs act concurrently; such a run cannot be repeated",
    )
    parser.add_argument("--operations", type=int, default=OPERATIONS, help="operations of one simulation")
    parser.add_argument("--runs", type=int, default=SIMULATIONS, help="minimum number of simulations")
    parser.add_argument(
        "--no-record", action="store_true", help="do not write to docs/soak.md and docs/failing-cases.md"
    )
    wanted = parser.parse_args()
    configure(LogFormat.JSON, level="critical")
    chosen = [part for part in parts_of(wanted) if part.name in wanted.only.split(",")]
    failed = False
    for part in chosen:
        row = _run(part, wanted.seed, wanted.minutes * 60 / len(chosen))
        failed = failed or not row.is_good
        if not wanted.no_record:
            record(ROOT / "docs", row)
    return 1 if failed else 0


def _run(part: Part, first: int, seconds: float) -> Row:
    began, seed = time.monotonic(), first
    failure = ""
    cases: tuple[FailingCase, ...] = ()
    while not failure and (seed < first + part.least or time.monotonic() - began < seconds):
        with tempfile.TemporaryDirectory(prefix="openmeet-soak-") as folder:
            try:
                print(f"{part.name} {seed}: {asyncio.run(_one(part, Path(folder), seed))}", flush=True)
            except AssertionError as wrong:
                failure = str(wrong) or "an assertion without a message"
                cases = wrong.cases if isinstance(wrong, CasesFound) else ()
                print(f"{part.name} {seed} FAILED: {failure}", file=sys.stderr)
            except Exception as broken:  # noqa: BLE001 the other parts still run
                failure = f"{type(broken).__name__}: {broken}"
                print(f"{part.name} {seed} FAILED:\n{traceback.format_exc()}", file=sys.stderr)
        seed += 1
    minutes = (time.monotonic() - began) / 60
    result = "passed" if not failure else f"seed {seed - 1}: {failure.splitlines()[0]}"
    seeds, scale = f"{first}–{seed - 1}", f"{seed - first} × {part.scale}"
    return Row(_commit(), part.name, seeds, scale, minutes, result, not failure, cases)


async def _one(part: Part, folder: Path, seed: int) -> object:
    return await part.run(folder, seed)


def _commit() -> str:
    """The short commit id, with a plus if the working tree has changes."""
    name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    status = [
        "git",
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!docs/soak.md",
        ":!docs/failing-cases.md",
    ]
    changed = subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True)
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    sys.exit(main())
