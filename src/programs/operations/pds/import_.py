"""Replace a repository with the content of a file (``openmeet pds import DID FILE.car``)."""

from collections.abc import AsyncIterator
from pathlib import Path

from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.workers.pool import WorkerPool
from programs.command_line import say
from programs.operations.pds.opening import did_of, run_on_repositories

_CHUNK_BYTES = 1 << 20


def replace_repository(did: str, file: Path, settings_file: Path | None) -> None:
    """Replace all records of a repository with those of the file, in one commit, and announce it."""
    whose, size = did_of(did), file.stat().st_size

    async def run(repositories: Repositories, settings: PdsSettings) -> None:
        folder = settings.data_directory / "scratch"
        async with receive(folder, _chunks(file), max_bytes=max(size, 1), content_length=size) as received:
            workers = WorkerPool()
            try:
                result = await import_repository(repositories, whose, received, workers.charged_to())
            finally:
                await workers.close()
        say(
            "Nothing to do: the repository already has this state."
            if result is None
            else f"Imported as revision {result.rev}."
        )

    run_on_repositories(settings_file, run)


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk
