"""``openmeet sync …``: both directions of the synchronisation, for the operator."""

from typing import Annotated

import typer

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from groundwork.errors import InvalidInput
from groundwork.outbox import owe
from openmeet.debts import publications
from openmeet.debts.kinds import Debt
from openmeet.firehose import progress
from openmeet.records import seen
from programs.command_line import AsJson, SettingsFile, noun, print_json, say
from programs.platform import Platform, run_on_platform

app = noun("Streams in, records out.")

RepositoryDid = Annotated[str, typer.Argument(help="The repository.")]


@app.command()
def status(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Sources and how far they were read, records as understood, publications and other debts by state."""

    async def show(platform: Platform) -> None:
        async with platform.installation.reader() as reader:
            sources = [
                {"url": one.url, "cursor": one.cursor, "state": one.state.value, "reason": one.reason}
                for one in await progress.sources(reader)
            ]
            rejected = len(await progress.rejected(reader, limit=1000))
        async with platform.db.reader() as reader:
            records = {standing.value: number for standing, number in (await seen.counts(reader)).items()}
            owed = {f"{kind.value} {state.value}": n for kind, state, n, _ in await publications.counts(reader)}
            debts = {f"{kind} {state.value}": n for kind, state, n, _ in await owe.waiting(reader)}
        found = {
            "sources": sources,
            "rejected_frames": rejected,
            "records": records,
            "publications": owed,
            "debts": debts,
        }
        if as_json:
            print_json(found)
        else:
            say(_as_text(found))

    run_on_platform(settings_file, show)


@app.command()
def rejected(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Frames that were not acted on, newest first, with the reason."""

    async def show(platform: Platform) -> None:
        async with platform.installation.reader() as reader:
            frames = await progress.rejected(reader, limit=100)
        if as_json:
            print_json(
                [
                    {
                        "source": one.source,
                        "seq": one.seq,
                        "did": one.did,
                        "reason": one.reason,
                        "bytes": len(one.frame),
                    }
                    for one in frames
                ]
            )
            return
        for one in frames:
            say(f"{one.source} {one.seq} {one.did or ''}\n    {one.reason}")
        if not frames:
            typer.echo("No frame was rejected.")

    run_on_platform(settings_file, show)


@app.command()
def unmapped(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Records that make no event and no answer here, and why."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            found = await seen.unmapped(reader, limit=1000)
        if as_json:
            print_json([{"uri": one.uri, "reason": one.reason} for one in found])
            return
        for one in found:
            say(f"{one.uri}\n    {one.reason}")
        if not found:
            typer.echo("Every record was understood.")

    run_on_platform(settings_file, show)


@app.command()
def read(did: RepositoryDid, settings_file: SettingsFile = None) -> None:
    """Read a repository whole again: whatever was missed is made good."""
    known = _did(did)

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            await owe.owe(tx, Debt.BACKFILL, known, int(tx.now))
        typer.echo(f"The publisher will read {known}.")

    run_on_platform(settings_file, act)


@app.command()
def reset(did: RepositoryDid, settings_file: SettingsFile = None) -> None:
    """Start over with a repository that was made anew with lower revs: what is known of it counts as old."""
    known = _did(did)

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            await seen.start_epoch(tx, known)
            await owe.owe(tx, Debt.BACKFILL, known, int(tx.now))
        typer.echo(f"A new epoch has begun for {known}; the publisher will read it whole.")

    run_on_platform(settings_file, act)


def _did(text: str) -> Did:
    try:
        return parse_did(text)
    except Malformed as wrong:
        raise InvalidInput("did", f"This is not a DID: {wrong.why}.") from wrong


def _as_text(found: dict[str, object]) -> str:
    lines = []
    for heading, content in found.items():
        match content:
            case dict():
                lines.append(heading.replace("_", " "))
                lines += [f"  {name:24}{number}" for name, number in content.items()] or ["  none"]
            case list():
                lines.append(heading)
                lines += [
                    f"  {one['url']}  {one['state']}, read to {one['cursor']} {one['reason']}".rstrip()
                    for one in content
                ] or ["  none"]
            case _:
                lines.append(f"{heading.replace('_', ' ')}  {content}")
    return "\n".join(lines)
