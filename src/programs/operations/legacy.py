"""Import a database with the older model of recurring events (``openmeet legacy …``)."""

from collections.abc import Callable
from pathlib import Path

import typer

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
from programs.command_line import print_json, say
from programs.platform import Platform, run_on_platform
from programs.progress_bars import progress_bars
from programs.running import run_command

OnProgress = Callable[[str, int, int], None]


def analyse(source: str, schema: str, zone: str, *, as_json: bool) -> None:
    """Report what the import would do, and any irregularities. Writes nothing and needs no installation."""
    zone_name = _parse_zone(zone)

    async def look() -> None:
        _print_plan(plan_of(await read_old(source_of(source, schema)), zone_name), as_json=as_json)

    run_command(look)


def import_all(
    source: str, schema: str, zone: str, tenant: str, settings_file: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Import the database, or continue after an interruption. Can be repeated. Exits with 1 if the counts differ."""
    if dry_run:
        analyse(source, schema, zone, as_json=as_json)
        return
    zone_name = _parse_zone(zone)

    async def act(platform: Platform) -> None:
        legacy_source = source_of(source, schema)
        plan = plan_of(await read_old(legacy_source), zone_name)
        with progress_bars(is_shown=not as_json) as on_progress:
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


def rollback(source: str, schema: str, tenant: str, settings_file: Path | None) -> None:
    """Remove everything that was imported from this source. Refused if people have changed or answered any of it since."""

    async def act(platform: Platform) -> None:
        with progress_bars(is_shown=True) as on_progress:
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
