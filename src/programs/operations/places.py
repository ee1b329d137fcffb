"""Build the list of towns, and look up names in it (``openmeet places …``)."""

from pathlib import Path

import typer

from groundwork.errors import NotFound, Refused
from openmeet.domain.places import additions
from openmeet.domain.places.build import build as build_file
from openmeet.domain.places.gazetteer import Gazetteer, places_path
from openmeet.domain.places.geonames_files import read_file
from openmeet.domain.places.model import CREDIT
from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import say, with_count
from programs.platform_settings import read_installation_settings
from programs.running import run_command


def build(settings_file: Path | None) -> None:
    """Build the list now, which takes about ten seconds. Otherwise the first search by name builds it."""
    path = _path(settings_file)
    build_file(path)
    typer.echo(_summary(path))


def add(file: Path, settings_file: Path | None) -> None:
    """Add the towns or postal codes of a GeoNames file, then build the list again. Adds all of them or none."""
    path = _path(settings_file)
    added = additions.add(additions.additions_path(path), read_file(file))
    if not added.places and not added.postal_codes:
        raise Refused(f"{file.name} has no towns and no postal codes. Nothing was added.")
    kind = with_count(added.places, "place") if added.places else with_count(added.postal_codes, "postal code")
    left_out = f" {with_count(added.left_out, 'line')} left out (no towns, or incomplete)." if added.left_out else ""
    say(f"{file.name}: {kind}, {added.is_new:,} of them new.{left_out} Building the list …")
    build_file(path)
    say(_summary(path))


def _summary(path: Path) -> str:
    counts = additions.counts(additions.additions_path(path))
    parts = [
        with_count(number, one)
        for number, one in ((counts.places, "added place"), (counts.postal_codes, "postal code"))
        if number
    ]
    extra = f", with {' and '.join(parts)}" if parts else ""
    return f"{path} ({path.stat().st_size / 1_000_000:.0f} MB){extra}. Places: {CREDIT}."


def _path(settings_file: Path | None) -> Path:
    return places_path(read_installation_settings(settings_file, sends_mail=False)[DEFAULT_TENANT])


def find(name: str, settings_file: Path | None) -> None:
    """Show which places a name could mean, the most likely first."""
    places = Gazetteer(_path(settings_file))

    async def run() -> None:
        try:
            if not places.is_built:
                await places.build()
            place_match = places.find(name)
        finally:
            await places.close()
        matches = [place_match.place] if place_match.place else place_match.choices
        if not matches:
            raise NotFound(f"No place has the name {name}.")
        for one in matches:
            about = ", ".join(filter(None, (one.region, one.near and f"near {one.near}", one.country)))
            typer.echo(f"{one.id:>10}  {one.full_name} ({about})  {one.latitude}, {one.longitude}  {one.zone}")

    run_command(run)
