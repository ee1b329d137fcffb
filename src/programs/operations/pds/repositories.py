"""Export, import, verify and repair repositories (``openmeet pds export``, ``import``, ``verify`` and ``repair``)."""

from collections.abc import AsyncIterator
from pathlib import Path

import typer

from aurora_locus.blobs.place import open_store
from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.integrity import IntegrityReport
from aurora_locus.maintenance.repair import repair as put_in_order
from aurora_locus.repository import reader
from aurora_locus.repository.export import export as read_whole
from aurora_locus.repository.import_car import import_repository
from aurora_locus.repository.import_file import receive
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from groundwork.workers.pool import WorkerPool
from programs.command_line import print_json, say, say_counts, with_count, with_size
from programs.operations.pds.repository_access import did_of, run_on_repositories
from programs.operations.pds.server_access import run_on_database
from programs.progress_bars import progress_bars


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


def repair(did: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Rebuild the index and counts from the blocks, or the tree from the index if nodes are lost, and sign a new
    commit.

    Lists the records that are lost. Exits with 1 if something is still wrong afterwards.
    """
    whose = did_of(did)

    async def run(repositories: Repositories, _settings: PdsSettings) -> None:
        repaired = await put_in_order(repositories, whose)
        report = await integrity.examine(repositories.db, integrity.in_store(repositories.blobs.store), only=whose)
        findings = [one.what for one in report.findings]
        if as_json:
            print_json(
                {
                    "did": whose,
                    "rev": repaired.rev,
                    "records": repaired.records,
                    "from": "tree" if repaired.from_tree else "index",
                    "lost": list(repaired.lost),
                    "missing_blobs": [str(cid) for cid in repaired.missing_blobs],
                    "ok": report.is_good,
                    "findings": findings,
                }
            )
        else:
            say(
                f"{with_count(repaired.records, 'record')}, taken from the "
                f"{'tree' if repaired.from_tree else 'index'}; revision {repaired.rev}"
            )
            for path in repaired.lost:
                say(f"lost: {path}")
            for cid in repaired.missing_blobs:
                say(f"The blob {cid} has no file, or had a damaged one; it can be uploaded again.")
            for what in findings:
                say(f"still wrong: {what}")
        if not report.is_good:
            raise typer.Exit(1)

    run_on_repositories(settings_file, run)
