"""Inspect and repair both directions of the synchronisation (``openmeet sync …``)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid
from groundwork.errors import InvalidInput, NotFound, RemoteFailed, RemoteSlow
from groundwork.outbox import jobs
from groundwork.outbox.jobs import JobState
from openmeet.i18n.reasons.messages import explain
from openmeet.network.firehose import cursors
from openmeet.network.firehose.upstreams import authority
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.backfill import chosen_collections, subject_of
from openmeet.network.ingestion.discover import SearchedHost
from openmeet.network.ingestion.discrepancies import RecordDiscrepancy
from openmeet.network.ingestion.reconcile import ReconcileOptions, ReconcileResult, written_to
from openmeet.network.ingestion.reconcile import reconcile as reconcile_one
from openmeet.network.ingestion.server_budgets import spending
from openmeet.network.records import repository_state, seen
from openmeet.network.records.collections import READ_IN_ORDER
from openmeet.network.status import JobCount, SyncDependencies, sync_status
from openmeet.outbox.kinds import JobKind
from programs.command_line import format_instant, print_json, say
from programs.platform import Platform, run_on_platform

_COMPARE = "Nothing was enqueued. Compare it with the DID that the account itself shows."


def show_status(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print how far each source was read, and what waits, failed or differs."""

    async def show(platform: Platform) -> None:
        now = await sync_status(
            platform.db, SyncDependencies(platform.installation, platform.queue, platform.ingestion_context)
        )
        state = {
            "sources": [
                {"url": one.url, "cursor": one.cursor, "state": one.state.value, "reason": explain(one.reason)}
                for one in now.sources
            ],
            "rejected_frames": now.rejected,
            "unresolved_repositories": now.unresolved,
            "queue": None if now.queue is None else {"waiting": now.queue.waiting, "dead_letters": now.queue.dead},
            "records": now.records,
            "publications": {f"{one.kind} {one.state}": one.number for one in now.publications},
            "jobs": {f"{one.kind} {one.state}": one.number for one in now.jobs},
            "failing_servers": {
                one.pds_url: f"{one.circuit.value}: {explain(one.reason)}" for one in now.failing_servers
            },
            "open_conflicts": now.open_conflicts,
            "discrepancies": now.discrepancies,
            "quarantined_records": now.quarantined,
        }
        if as_json:
            print_json(state)
        else:
            say(_as_text(state | {"jobs": {f"{one.kind} {one.state}": _job_text(one) for one in now.jobs}}))

    run_on_platform(settings_file, tenant, show)


def _job_text(count: JobCount) -> str:
    """The number of jobs. Due jobs may be enqueued for later, such as e-mails that are combined, so their time is
    included.
    """
    if count.state != JobState.DUE:
        return str(count.number)
    return f"{count.number}, the first at {format_instant(count.oldest_at)}"


def show_rejected(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print rejected firehose frames with the reason, newest first."""

    async def show(platform: Platform) -> None:
        async with platform.installation.reader() as reader:
            frames = await cursors.rejected(reader, limit=100)
        if as_json:
            print_json(
                [
                    {
                        "source": one.source,
                        "seq": one.seq,
                        "did": one.did,
                        "reason": explain(one.reason),
                        "bytes": len(one.frame),
                    }
                    for one in frames
                ]
            )
            return
        for one in frames:
            say(f"{one.source} {one.seq} {one.did or ''}\n    {explain(one.reason)}")
        if not frames:
            typer.echo("No frame was rejected.")

    run_on_platform(settings_file, tenant, show)


def show_unmapped(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print records that could not be mapped to an event or an RSVP, with the reason."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            seen_records = await seen.unmapped(reader, limit=1000)
        if as_json:
            print_json([{"uri": one.uri, "reason": explain(one.reason)} for one in seen_records])
            return
        for one in seen_records:
            say(f"{one.uri}\n    {explain(one.reason)}")
        if not seen_records:
            typer.echo("Every record was understood.")

    run_on_platform(settings_file, tenant, show)


def show_quarantined(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print quarantined records with the reason."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            records = await quarantine.page(reader, limit=1000)
        if as_json:
            print_json([{"uri": one.uri, "step": one.step.value, "reason": explain(one.reason)} for one in records])
            return
        for one in records:
            say(f"{one.uri}\n    {explain(one.reason)} ({one.step.value}, {one.times} times)")
        if not records:
            typer.echo("All records were applied.")

    run_on_platform(settings_file, tenant, show)


def read(
    did: str, collection: Sequence[str], tenant: str, settings_file: Path | None, *, whole_repository: bool
) -> None:
    """Enqueue a read of a repository, or of some collections of it. Raises InvalidInput, NotFound."""
    parsed_did, collections = _parse_did(did), chosen_collections(list(collection))
    if collections and whole_repository:
        raise InvalidInput("collection", "Choose collections, or the whole repository.")

    async def act(platform: Platform) -> None:
        await _require_resolvable(platform, parsed_did)
        async with platform.db.transaction() as tx:
            subject = subject_of(parsed_did, collections, is_whole=whole_repository)
            await jobs.enqueue_again(tx, JobKind.BACKFILL, [subject])
        typer.echo(
            f"The publisher will read {parsed_did}{' whole' if whole_repository else _collections_suffix(collections)}."
        )

    run_on_platform(settings_file, tenant, act)


def discover(host: str, collection: Sequence[str], tenant: str, settings_file: Path | None) -> None:
    """Enqueue a read of every repository on a host that has calendar records. Raises InvalidInput."""
    collections = chosen_collections(list(collection))

    async def act(platform: Platform) -> None:
        dids: set[Did] = set()
        try:
            authority(host)
        except Malformed as wrong:
            raise InvalidInput("host", wrong.why) from wrong
        with Progress(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("repositories", total=None)
            discovered_host = SearchedHost(
                platform.network,
                host,
                spending(platform.counters, platform.clock),
                asyncio.sleep,
                on_described=lambda: bars.advance(task),
            )
            async for did in discovered_host.authors(collections or READ_IN_ORDER):
                dids.add(did)
                bars.update(task, description=f"{len(dids)} repositories with a calendar")
        async with platform.db.transaction() as tx:
            await jobs.enqueue_again(tx, JobKind.BACKFILL, [subject_of(did, collections) for did in dids])
        typer.echo(f"The publisher will read {len(dids)} repositories{_collections_suffix(collections)}.")

    run_on_platform(settings_file, tenant, act)


def reconcile(dids: Sequence[str], tenant: str, settings_file: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Compare these repositories, or all that this site writes to, with the database, and repair discrepancies."""
    requested_dids = [_parse_did(one) for one in dids]

    async def act(platform: Platform) -> None:
        for did in requested_dids:
            await _require_resolvable(platform, did, otherwise="Its repository is read anyway.")
        async with platform.db.reader() as reader:
            repositories = requested_dids or await written_to(reader)
        results: list[ReconcileResult] = []
        away: dict[Did, str] = {}
        with Progress(console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("repositories", total=len(repositories))
            records = bars.add_task("records", total=None)
            spend_on_server = spending(platform.counters, platform.clock)
            for did in repositories:
                try:
                    asking = ReconcileOptions(
                        spend_on_server,
                        verifies_each=True,
                        pause=asyncio.sleep,
                        progress=partial(_show_verified, bars, records, did),
                    )
                    results.append(
                        await reconcile_one(
                            platform.db,
                            platform.network,
                            platform.ingestion_context,
                            did,
                            is_dry_run=dry_run,
                            options=asking,
                        )
                    )
                except (RemoteFailed, RemoteSlow) as failure:
                    away[did] = str(failure.why)
                bars.advance(task)
        if as_json:
            print_json(_reconciled(results, away))
        else:
            say(_reconciled_text(results, away, is_dry_run=dry_run))

    run_on_platform(settings_file, tenant, act)


def _show_verified(bars: Progress, task: TaskID, did: Did, verified: int, of: int) -> None:
    bars.update(task, completed=verified, total=of, description=did)


def _reconciled(results: list[ReconcileResult], away: dict[Did, str]) -> dict[str, object]:
    return {
        "repositories": [
            {
                "did": one.did,
                "records": one.records,
                "repaired": [_as_json(discrepancy) for discrepancy in one.repaired],
                "standing": [_as_json(discrepancy) for discrepancy in one.unrepaired],
                "putAside": [{"uri": failed.uri, "reason": explain(failed.reason)} for failed in one.failed],
            }
            for one in results
        ],
        "notRead": away,
        "differences": _counts_by_kind(results),
    }


def _as_json(discrepancy: RecordDiscrepancy) -> dict[str, object]:
    return {
        "uri": discrepancy.uri,
        "kind": discrepancy.kind.value,
        **({"fields": list(discrepancy.fields)} if discrepancy.fields else {}),
    }


def _counts_by_kind(results: list[ReconcileResult]) -> dict[str, int]:
    """The number of differences by kind."""
    return dict(
        sorted(
            Counter(
                discrepancy.kind.value for one in results for discrepancy in [*one.repaired, *one.unrepaired]
            ).items()
        )
    )


def _reconciled_text(results: list[ReconcileResult], away: dict[Did, str], *, is_dry_run: bool) -> str:
    lines = []
    for one in results:
        if one.records is None:
            lines.append(f"{one.did}  is not served at present")
        lines += [f"{_discrepancy_line(discrepancy)}: repaired" for discrepancy in one.repaired]
        lines += [
            _discrepancy_line(discrepancy) + ("" if is_dry_run else ": not repaired") for discrepancy in one.unrepaired
        ]
        lines += [f"{failed.uri}  quarantined: {explain(failed.reason)}" for failed in one.failed]
    lines += [f"{did}  was not read: {why}" for did, why in away.items()]
    lines += [f"{kind.replace('_', ' '):24}{number}" for kind, number in _counts_by_kind(results).items()]
    compared = [one for one in results if one.records is not None]
    agreed = sum(one.agrees for one in compared)
    lines.append(f"{_repositories(len(compared))} compared, {agreed} without a difference")
    if missing := len(results) - len(compared) + len(away):
        lines.append(f"{_repositories(missing)} not compared")
    return "\n".join(lines)


def _repositories(number: int) -> str:
    return "1 repository" if number == 1 else f"{number} repositories"


def _discrepancy_line(discrepancy: RecordDiscrepancy) -> str:
    fields = f" ({', '.join(discrepancy.fields)})" if discrepancy.fields else ""
    return f"{discrepancy.uri}  {discrepancy.kind.value.replace('_', ' ')}{fields}"


def reset(did: str, tenant: str, settings_file: Path | None) -> None:
    """Treat everything stored about a repository as old, and enqueue a read of it. Raises InvalidInput, NotFound."""
    parsed_did = _parse_did(did)

    async def act(platform: Platform) -> None:
        await _require_resolvable(platform, parsed_did)
        async with platform.db.transaction() as tx:
            await repository_state.start_epoch(tx, parsed_did)
            await jobs.enqueue_again(tx, JobKind.BACKFILL, [parsed_did])
        typer.echo(f"A new epoch has begun for {parsed_did}; the publisher will read it completely.")

    run_on_platform(settings_file, tenant, act)


def _collections_suffix(collections: Sequence[Nsid]) -> str:
    return f", {' and '.join(collections)} only" if collections else ""


def _parse_did(text: str) -> Did:
    try:
        return parse_did(text)
    except Malformed as wrong:
        raise InvalidInput("did", f"This is not a DID: {wrong.why}.") from wrong


async def _require_resolvable(
    platform: Platform, did: Did, *, otherwise: str = "The publisher will try again."
) -> None:
    """Check that a DID resolves. Raises NotFound and InvalidInput. ``otherwise``: what happens next if this cannot be
    found out now.
    """
    try:
        await platform.network.dids.resolve(did)
    except NotFound as absent:
        advice = "There is nothing left to read." if absent.name == "DidDeactivated" else _COMPARE
        raise NotFound(f"{absent.why} {advice}", name=absent.name) from absent
    except InvalidInput as unknown:
        raise InvalidInput("did", f"{unknown.why} {_COMPARE}", name=unknown.name) from unknown
    except (RemoteFailed, RemoteSlow) as away:
        typer.echo(f"Could not check whether {did} exists: {away.why} {otherwise}", err=True)


def _as_text(state: dict[str, object]) -> str:
    lines = []
    for heading, content in state.items():
        match content:
            case dict():
                lines.append(heading.replace("_", " "))
                width = max([22, *map(len, content)]) + 2
                # Kinds and states are printed as other commands accept them; the words of the queue are only labels.
                shown = {name.replace("_", " "): n for name, n in content.items()} if heading == "queue" else content
                lines += [f"  {name:{width}}{number}" for name, number in shown.items()] or ["  none"]
            case None:
                lines.append(f"{heading}  does not answer")
            case list():
                lines.append(heading)
                lines += [
                    f"  {one['url']}  {one['state']}, read to {one['cursor']} {one['reason']}".rstrip()
                    for one in content
                ] or ["  none"]
            case _:
                lines.append(f"{heading.replace('_', ' ')}  {content}")
    return "\n".join(lines)
