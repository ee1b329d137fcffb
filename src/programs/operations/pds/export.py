"""Write a repository to a file (``openmeet pds export DID FILE.car``)."""

from pathlib import Path

from aurora_locus.repository.export import export as read_whole
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.errors import Refused
from programs.command_line import say, with_size
from programs.operations.pds.opening import did_of, run_on_repositories


def export_repository(did: str, file: Path, settings_file: Path | None) -> None:
    """Export a repository to a CAR file. To check the file: openmeet repo verify FILE."""
    whose = did_of(did)

    async def run(repositories: Repositories, _settings: PdsSettings) -> None:
        size = 0
        try:
            with file.open("xb") as out:
                async for chunk in read_whole(repositories, whose):
                    size += out.write(chunk)
        except FileExistsError:
            raise Refused(f"{file} already exists.") from None
        except BaseException:
            file.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else runs
            raise
        say(f"{file}: {with_size(size)}")

    run_on_repositories(settings_file, run)
