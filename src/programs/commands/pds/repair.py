"""``openmeet pds repair DID``: repair a damaged repository and announce it."""

from typing import Annotated

import typer

from aurora_locus.maintenance import integrity
from aurora_locus.maintenance.repair import repair as put_in_order
from aurora_locus.repository.repositories import Repositories
from aurora_locus.settings import PdsSettings
from programs.command_line import AsJson, SettingsFile, print_json, role, say, with_count
from programs.commands.pds.opening import did_of, run_on_repositories

app = role()


@app.command()
def main(
    did: Annotated[str, typer.Argument(help="DID of the repository.")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
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
                f"{with_count(repaired.records, 'record')}, taken from the {'tree' if repaired.from_tree else 'index'}; revision {repaired.rev}"
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
