"""Read an exported repository in a worker process: verify all of it, and keep the records of some collections.

A worker process imports this module, so it imports only what reading needs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from at_protocol.data.cid import Cid
from at_protocol.repo import car
from at_protocol.repo.commit import Commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.nsid import Nsid
from groundwork.workers.limits import MEBIBYTE, JobLimits

_READ_AT_ONCE: Final = 256 * 1024

# Processor time: an estimate with a margin for slow machines.
_CPU_SECONDS: Final = 30.0
_CPU_SECONDS_PER_BYTE: Final = 1e-6
_WALL_SECONDS_PER_CPU_SECOND: Final = 5.0
# Memory for the blocks and their CIDs: an estimate. Small records take several times the size of the file.
_MEMORY_BYTES: Final = 512 * MEBIBYTE
_MEMORY_BYTES_PER_BYTE: Final = 8


@dataclass(frozen=True, slots=True)
class WholeRepository:
    """What is kept of a repository: the commit, whose signature is not verified yet, and tuples ``(path, CID,
    record)``.
    """

    commit: Commit
    records: Sequence[tuple[str, Cid, bytes]]


def read_whole(path: Path, collections: Collection[Nsid]) -> WholeRepository:
    """Read a CAR file. Runs in a worker process. Raises Malformed."""
    reader = car.CarReader()
    blocks: dict[Cid, bytes] = {}
    with path.open("rb") as file:
        while chunk := file.read(_READ_AT_ONCE):
            blocks.update(reader.feed(chunk))
    reader.finish()
    snapshot = read_snapshot(car.Car(reader.roots or (), blocks, len(blocks)))
    collection_names = {str(collection) for collection in collections}
    return WholeRepository(
        snapshot.commit,
        [
            (path, cid, snapshot.records[cid])
            for path, cid in snapshot.entries.items()
            if path.partition("/")[0] in collection_names
        ],
    )


def limits_of(size: int) -> JobLimits:
    """Return the limits for reading a file of this many bytes."""
    cpu_seconds = _CPU_SECONDS + size * _CPU_SECONDS_PER_BYTE
    return JobLimits(
        cpu_seconds=cpu_seconds,
        wall_seconds=cpu_seconds * _WALL_SECONDS_PER_CPU_SECOND,
        memory_bytes=_MEMORY_BYTES + size * _MEMORY_BYTES_PER_BYTE,
    )
