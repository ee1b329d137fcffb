"""``openmeet pds verify``: verify all stored data, beside a running server, without writing."""

from typing import Annotated

import typer

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.integrity import IntegrityReport
from aurora_locus.repository import reader
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from programs.command_line import AsJson, SettingsFile, counted, print_json, role, say
from programs.commands.pds.opening import bars, did_of
from programs.commands.pds.reaching import run_on_database

app = role()


@app.command()
def main(
    did: Annotated[
        str, typer.Argument(help="One repository; without it all of them, the event log and accounts.")
    ] = "",
    read_blobs: Annotated[
        bool,
        typer.Option("--read-blobs", help="Read every blob and compare its bytes with its name, not its size alone."),
    ] = False,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Check every tree from its blocks, every signature, index and reference, every file of a blob, every number.

    Exits with 1 when anything is wrong; openmeet pds repair mends a repository.
    """
    only = did_of(did) if did else None

    async def run(db: Database, settings: PdsSettings) -> None:
        total = 1 if only else await reader.count_repositories(db)
        async with bars(hidden=as_json) as tell:
            report = await integrity.examine(
                db,
                integrity.in_store(open_store(settings), reads=read_blobs),
                only=only,
                tell=lambda done: tell("repositories", done, total),
            )
        show(report, as_json=as_json)

    run_on_database(settings_file, run)


def show(report: IntegrityReport, *, as_json: bool) -> None:
    """Print the findings; exits with status 1 when something is wrong."""
    counts = {
        name: getattr(report, name)
        for name in ("repositories", "records", "blocks", "blobs", "missing_blobs", "events")
    }
    if as_json:
        findings = [{"about": one.about, "what": one.what} for one in report.findings]
        print_json({"ok": report.is_good, **counts, "findings": findings})
    else:
        for one in report.findings:
            say(f"{one.about}  {one.what}")
        for name, number in counts.items():
            say(f"{name.replace('_', ' '):14}{number}")
        say("Everything is whole." if report.is_good else f"{counted(len(report.findings), 'thing')} wrong.")
    if not report.is_good:
        raise typer.Exit(1)
