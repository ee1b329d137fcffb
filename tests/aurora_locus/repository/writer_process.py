"""A process that writes until it is killed: ``python -m tests.aurora_locus.repository.writer_process FOLDER SEED``.

Each line on its standard output acknowledges one write, and is printed after the commit has returned.
"""

import asyncio
import random
import sys
from pathlib import Path

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from tests.aurora_locus.conftest import assemble
from tests.aurora_locus.hosted_repository import HostedRepository

PEOPLE = ("ada", "ben", "cleo")


async def main(folder: Path, seed: str) -> None:
    """Three people write, update and delete concurrently, forever."""
    clock = SystemClock()
    db = await open_database(f"sqlite://{folder}/pds.db", clock=clock)
    repositories = await assemble(db, clock, folder)
    chance = random.Random(seed)

    async def write(name: str) -> None:
        person = HostedRepository.named(repositories, name)
        for number in range(1_000_000):
            rkey = f"k{chance.randrange(40)}"
            if chance.random() < 0.2:
                await person.delete(rkey)
                print(f"{name} {rkey} -", flush=True)
            else:
                await person.put(rkey, f"{seed} {number}")
                print(f"{name} {rkey} {seed} {number}", flush=True)

    await asyncio.gather(*(write(name) for name in PEOPLE))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
