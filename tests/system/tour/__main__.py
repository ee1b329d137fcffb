"""``make tour``: the main functions of the product, step by step, on a temporary network of real processes.

Prints each step, what was sent and what was received. Ends with status 1 when the first expectation fails.
"""

import asyncio
import sys
import tempfile
import traceback
from pathlib import Path

from tests.system.tour import answers, killing, people, real_input
from tests.system.tour.narrator import Narrator, NotAsItShouldBe
from tests.system.tour.stage import Stage, open_stage


async def tour(folder: Path, tell: Narrator) -> None:
    """All steps on a network in ``folder``."""
    tell.say("Starting a PLC directory, two PDSes, and OpenMeet as five processes …")
    async with open_stage(folder) as stage:
        try:
            cast = await people.steps(stage, tell)
            await answers.steps(stage, tell, cast)
            await real_input.steps(stage, tell, cast)
            await killing.steps(stage, tell, cast)
        except BaseException:
            _show_logs(stage, tell)
            raise
    tell.end()


def _show_logs(stage: Stage, tell: Narrator) -> None:
    for program in (stage.pds, stage.second_pds, *stage.platform.values()):
        lines = [line for line in program.said().splitlines() if '"level":"info"' not in line][-5:]
        for line in lines:
            tell.say(f"{program.log.stem}: {line}")


def main() -> int:
    """Run the tour. The exit status is 0 if every expectation was met."""
    with tempfile.TemporaryDirectory(prefix="openmeet-tour-") as folder:
        try:
            asyncio.run(tour(Path(folder), Narrator()))
        except NotAsItShouldBe as wrong:
            print(f"\nNot as it should be: {wrong}", file=sys.stderr)
            return 1
        except Exception:  # noqa: BLE001 - an edge: whatever went wrong, the tour has failed
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
