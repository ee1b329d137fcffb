"""Build the list of towns, and look up names in it (``openmeet places …``)."""

from pathlib import Path

import typer

from groundwork.errors import NotFound
from openmeet.domain.places.build import build as build_file
from openmeet.domain.places.gazetteer import Gazetteer, places_path
from openmeet.domain.places.model import CREDIT
from openmeet.tenants.names import DEFAULT_TENANT
from programs.platform_settings import read_installation_settings
from programs.running import run_command


def build(settings_file: Path | None) -> None:
    """Build the list now, which takes about ten seconds. Otherwise the first search by name builds it."""
    path = places_path(read_installation_settings(settings_file, sends_mail=False)[DEFAULT_TENANT])
    build_file(path)
    typer.echo(f"{path} ({path.stat().st_size / 1_000_000:.0f} MB). Places: {CREDIT}.")


def find(name: str, settings_file: Path | None) -> None:
    """Show which places a name could mean, the most likely first."""
    places = Gazetteer(places_path(read_installation_settings(settings_file, sends_mail=False)[DEFAULT_TENANT]))

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
            typer.echo(f"{one.id:>10}  {one.name} ({about})  {one.latitude}, {one.longitude}  {one.zone}")

    run_command(run)
