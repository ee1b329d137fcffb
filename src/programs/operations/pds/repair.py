"""Repair a damaged repository and announce it (``openmeet pds repair DID``)."""

from pathlib import Path

import typer

from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.repair import repair as put_in_order
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from programs.command_line import print_json, say, with_count
from programs.operations.pds.opening import did_of, run_on_repositories


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
