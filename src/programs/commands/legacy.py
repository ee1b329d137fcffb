"""``openmeet legacy …``: analyse, import and roll back a database with the older model of recurring events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from groundwork.database.transaction import UniqueViolated
from groundwork.errors import Conflict, InvalidInput
from openmeet.domain.legacy_import.analysis import analyse as plan_of
from openmeet.domain.legacy_import.plan import LegacyPlan
from openmeet.domain.legacy_import.queries import found_counts
from openmeet.domain.legacy_import.read import LegacyDatabase, read_old, source_of
from openmeet.domain.legacy_import.report import differences, json_of, lines_of, verification_lines
from openmeet.domain.legacy_import.rollback import roll_back
from openmeet.domain.legacy_import.run import import_legacy
from openmeet.recurrence.wall_time import is_zone
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, print_json, say
from programs.platform import Platform, run_on_platform
from programs.running import run_command

app = noun("Import a database with the older model of recurring events.")

OnProgress = Callable[[str, int, int], None]

From = Annotated[
    str, typer.Argument(metavar="SOURCE", help="postgresql://… of the older database, or a dump of it in JSON lines.")
]
Schema = Annotated[str, typer.Option("--schema", help="Schema of the tenant in the older database.")]
Zone = Annotated[str, typer.Option("--time-zone", help="Time zone of events without one, for example Europe/Berlin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only report what would be imported, and irregularities.")]


@app.command()
def analyse(source: From, schema: Schema = "public", zone: Zone = "UTC", as_json: AsJson = False) -> None:
    """Report what the import would do, and any irregularities. Writes nothing and needs no installation."""
    zone_name = _parse_zone(zone)

    async def look() -> None:
        _print_plan(plan_of(await read_old(source_of(source, schema)), zone_name), as_json=as_json)

    run_command(look)


@app.command("import")
def import_(
    source: From,
    schema: Schema = "public",
    zone: Zone = "UTC",
    dry_run: DryRun = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Import the database, or continue after an interruption. Can be repeated. Exits with 1 if the counts differ."""
    if dry_run:
        analyse(source, schema, zone, as_json)
        return
    zone_name = _parse_zone(zone)

    async def act(platform: Platform) -> None:
        legacy_source = source_of(source, schema)
        plan = plan_of(await read_old(legacy_source), zone_name)
        with _progress(is_shown=not as_json) as on_progress:
            run_id = await _import_community(platform, legacy_source, zone_name, plan, on_progress)
        async with platform.db.reader() as reader:
            counts = await found_counts(reader, run_id)
        expected = plan.counts()
        wrong = differences(expected, counts)
        if as_json:
            print_json({"expected": expected, "found": counts, "differences": wrong, "odd": len(plan.oddities)})
        else:
            for line in verification_lines(expected, counts):
                say(line)
            say("The counts match." if not wrong else "The counts differ; see above.")
        if wrong:
            raise typer.Exit(1)

    run_on_platform(settings_file, tenant, act)


@app.command()
def rollback(
    source: From, schema: Schema = "public", tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None
) -> None:
    """Remove everything that was imported from this source. Refused if people have changed or answered any of it since."""

    async def act(platform: Platform) -> None:
        with _progress(is_shown=True) as on_progress:
            staying = await roll_back(platform.db, source_of(source, schema).name, on_progress)
        say(f"Undone.{f' {staying} people stay, because other data on this site belongs to them.' if staying else ''}")

    run_on_platform(settings_file, tenant, act)


async def _import_community(
    platform: Platform, source: LegacyDatabase, zone: str, plan: LegacyPlan, on_progress: OnProgress
) -> str:
    try:
        return (await import_legacy(platform.db, source.name, zone, plan, on_progress)).id
    except UniqueViolated:
        raise Conflict("Another process is importing the same source right now.") from None


def _print_plan(plan: LegacyPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(json_of(plan))
        return
    for line in lines_of(plan):
        say(line)


def _parse_zone(text: str) -> str:
    if not is_zone(text):
        raise InvalidInput("time_zone", f"There is no time zone named {text[:60]!r}. Write it like Europe/Berlin.")
    return text


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[OnProgress]:
    """Show a progress bar per step on standard error, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not is_shown or not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=of or None)
            bars.update(tasks[stage], completed=done, total=of or None)

        yield on_progress
