"""Verify all stored data without writing anything, even while the server is running (``openmeet pds verify``)."""

from pathlib import Path

import typer

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.integrity import IntegrityReport
from aurora_locus.repository import reader
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from programs.command_line import print_json, say, say_counts, with_count
from programs.operations.pds.opening import did_of
from programs.operations.pds.reaching import run_on_database
from programs.progress_bars import progress_bars


def verify(did: str, settings_file: Path | None, *, read_blobs: bool, as_json: bool) -> None:
    """Verify trees, signatures, indexes, references, blob files and event numbers.

    Exits with 1 if anything is wrong. To repair a repository: openmeet pds repair.
    """
    only = did_of(did) if did else None

    async def run(db: Database, settings: PdsSettings) -> None:
        total = 1 if only else await reader.count_repositories(db)
        with progress_bars(is_shown=not as_json) as on_progress:
            report = await integrity.examine(
                db,
                integrity.in_store(open_store(settings), reads=read_blobs),
                only=only,
                on_progress=lambda done: on_progress("repositories", done, total),
            )
        show(report, as_json=as_json)

    run_on_database(settings_file, run)


def show(report: IntegrityReport, *, as_json: bool) -> None:
    """Print the findings. Exits with status 1 if something is wrong."""
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
        say_counts({name.replace("_", " "): number for name, number in counts.items()})
        say("No errors were found." if report.is_good else f"{with_count(len(report.findings), 'error')} found.")
    if not report.is_good:
        raise typer.Exit(1)
