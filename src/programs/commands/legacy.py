"""``openmeet legacy …``: import a database of the older model of recurring events: analyse, import, roll back."""

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
from openmeet.domain.legacy_import.run import bring_in
from openmeet.recurrence.wall_time import is_zone
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, print_json, say
from programs.platform import Platform, run_on_platform
from programs.running import run_command

app = noun("A database of the older model of recurring events.")

Tell = Callable[[str, int, int], None]

From = Annotated[
    str, typer.Argument(metavar="SOURCE", help="postgresql://… of the older database, or a dump of it in JSON lines.")
]
Schema = Annotated[str, typer.Option("--schema", help="The schema of the older database's tenant.")]
Zone = Annotated[str, typer.Option("--time-zone", help="The zone of events that say none, like Europe/Berlin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only analyse: say what will happen and what is odd.")]


@app.command()
def analyse(source: From, schema: Schema = "public", zone: Zone = "UTC", as_json: AsJson = False) -> None:
    """Say what bringing it in will do, and what is odd. Writes nothing and needs no installation."""
    chosen = _zone(zone)

    async def look() -> None:
        _tell_plan(plan_of(await read_old(source_of(source, schema)), chosen), as_json=as_json)

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
    """Bring it in, or the rest after an interruption. Again: nothing changes. Exits with 1 where the counts do not agree."""
    if dry_run:
        analyse(source, schema, zone, as_json)
        return
    chosen = _zone(zone)

    async def act(platform: Platform) -> None:
        named = source_of(source, schema)
        plan = plan_of(await read_old(named), chosen)
        with _progress(is_shown=not as_json) as tell:
            run_id = await _bring(platform, named, chosen, plan, tell)
        async with platform.db.reader() as reader:
            found = await found_counts(reader, run_id)
        expected = plan.counts()
        wrong = differences(expected, found)
        if as_json:
            print_json({"expected": expected, "found": found, "differences": wrong, "odd": len(plan.odd)})
        else:
            for line in verification_lines(expected, found):
                say(line)
            say("Everything is there." if not wrong else "Not everything is as expected; see above.")
        if wrong:
            raise typer.Exit(1)

    run_on_platform(settings_file, tenant, act)


@app.command()
def rollback(
    source: From, schema: Schema = "public", tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None
) -> None:
    """Take everything back that was imported from there; refused once people have built upon it."""

    async def act(platform: Platform) -> None:
        with _progress(is_shown=True) as tell:
            staying = await roll_back(platform.db, source_of(source, schema).name, tell)
        say(f"Taken back.{f' {staying} people stay: something here is theirs.' if staying else ''}")

    run_on_platform(settings_file, tenant, act)


async def _bring(platform: Platform, source: LegacyDatabase, zone: str, plan: LegacyPlan, tell: Tell) -> str:
    try:
        return (await bring_in(platform.db, source.name, zone, plan, tell)).id
    except UniqueViolated:
        raise Conflict("The same source is being imported by another process at this moment.") from None


def _tell_plan(plan: LegacyPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(json_of(plan))
        return
    for line in lines_of(plan):
        say(line)


def _zone(text: str) -> str:
    if not is_zone(text):
        raise InvalidInput("time_zone", f"There is no time zone {text[:60]!r}; write Europe/Berlin.")
    return text


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Tell]:
    """One bar per step, on the error stream of a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not is_shown or not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of or None)
            bars.update(tasks[what], completed=done, total=of or None)

        yield tell
