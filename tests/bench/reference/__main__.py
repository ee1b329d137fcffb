"""``make bench-pds``: measure both servers, print the table, and write it to the document about performance.

    python -m tests.bench.reference [--quick] [--no-record]

Speed does not affect the exit status: it is 0, or 1 if an answer was wrong or there is no reference to compare with.
"""

import argparse
import importlib.metadata
import importlib.util
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from checks import reference
from tests.bench.loop import run as run_to_the_end
from tests.bench.machine import described
from tests.bench.reference import firehose, work
from tests.bench.reference.report import Report, record, table
from tests.bench.reference.sides import start_both
from tests.bench.reference.work import Run, Scale
from tests.bench.timing import progress, progress_done

STEPS: tuple[Callable[[Run, Scale], Awaitable[None]], ...] = (
    work.accounts,
    work.serial,
    work.many_writers,
    work.batches,
    work.record_reads,
    work.pages,
    work.proofs,
    work.exports,
    firehose.live,
    firehose.paced,
    firehose.replay,
)
QUICK = Scale(accounts=12, serial=60, each=15, batches=10, reads_each=40, exports=2, live_each=10, paced=40)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reference", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="do a fifth of the work, to test that the comparison runs")
    parser.add_argument("--no-record", action="store_true", help="do not write to docs/performance.md")
    wanted = parser.parse_args()
    try:
        reference.install()
    except reference.CannotInstall as problem:
        print(f"There is no reference PDS to compare with: {problem}", file=sys.stderr)
        return 1
    compiled = importlib.util.find_spec("cbrrr") is not None
    codec = f"cbrrr {importlib.metadata.version('cbrrr')}" if compiled else "pure Python"
    machine = described(codec)
    with tempfile.TemporaryDirectory(prefix="openmeet-bench-") as folder:
        report = run_to_the_end(_measure(Path(folder), QUICK if wanted.quick else Scale(), machine))
    print(table(report))
    if not wanted.no_record and not wanted.quick:
        record(report)
    return 0


async def _measure(folder: Path, scale: Scale, machine: str) -> Report:
    ours, theirs, plc = await start_both(folder)
    try:
        runs = Run(ours), Run(theirs)
        for step in STEPS:
            for run in runs:
                progress(f"{step.__name__.replace('_', ' ')}: {run.side.name}")
                await step(run, scale)
        for run in runs:
            run.figures["memory at the end"] = run.side.resident_mb - run.side.floor_mb
        progress_done()
    finally:
        for program in (ours.server, theirs.server, plc):
            await program.stop()
    return Report(machine, ours, theirs, runs[0].figures, runs[1].figures)


if __name__ == "__main__":
    sys.exit(main())
