"""``openmeet pds export DID FILE.car``: write a repository to a file."""

from pathlib import Path
from typing import Annotated

import typer

from aurora_locus.repository.export import export as read_whole
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.errors import Refused
from programs.command_line import SettingsFile, role, say
from programs.commands.pds.opening import did_of, run_on_repositories

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the repository.")],
    file: Annotated[Path, typer.Argument(dir_okay=False, help="The CAR file to write; it must not exist yet.")],
    settings_file: SettingsFile = None,
) -> None:
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
            file.unlink(missing_ok=True)
            raise
        say(f"{file}: {size} bytes")

    run_on_repositories(settings_file, run)
