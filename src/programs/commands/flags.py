"""``openmeet flags …``: feature flags of the synchronisation, which can be switched while everything is running."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from groundwork.clock import SECOND, to_datetime
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import MAX_AGE, WHAT, Flag
from openmeet.network.flag_changes import switch_flag
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, one_of, print_json, say
from programs.platform import Platform, run_on_platform

app = noun("Switch parts of the synchronisation on and off.")

Name = Annotated[Flag, typer.Argument(help="The flag; see `openmeet flags list`.", parser=one_of(Flag), metavar="FLAG")]
Why = Annotated[str, typer.Option(help="The reason, stored with the change.")]


@app.command(name="list")
def list_(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List every flag and whether it is on."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            switched_on = await flags.switches(reader)
        if as_json:
            print_json({flag.value: flag in switched_on for flag in Flag})
            return
        for flag in Flag:
            typer.echo(f"{flag.value:20}{'on ' if flag in switched_on else 'off'}  {WHAT[flag]}")

    run_on_platform(settings_file, tenant, show)


@app.command()
def on(flag: Name, why: Why, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Switch a flag on. Work that waited for it continues, and records that were skipped are read."""
    _switch(flag, why, tenant, settings_file, is_on=True)


@app.command()
def off(flag: Name, why: Why, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Switch a flag off. Published records stay; records that must be deleted are still deleted."""
    _switch(flag, why, tenant, settings_file, is_on=False)


@app.command()
def history(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List the changes of flags and who made them, newest first."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            changes = await flags.changes(reader)
        entries = [
            {
                "at": to_datetime(one.changed_at).isoformat(timespec="seconds"),
                "flag": one.flag.value,
                "on": one.is_on,
                "by": one.changed_by,
                "why": one.why,
            }
            for one in changes
        ]
        if as_json:
            print_json(entries)
            return
        for one in entries:
            say(f"{one['at']}  {one['flag']:20}{'on ' if one['on'] else 'off'}  {one['by']}  {one['why']}".rstrip())
        if not entries:
            typer.echo("No flag has been switched yet.")

    run_on_platform(settings_file, tenant, show)


def _switch(flag: Flag, why: str, tenant: str, settings_file: Path | None, *, is_on: bool) -> None:
    async def act(platform: Platform) -> None:
        by = f"{getpass.getuser()} by command"
        is_changed = await switch_flag(platform.db, platform.installation, flag, is_on=is_on, changed_by=by, why=why)
        word = "on" if is_on else "off"
        if is_changed:
            typer.echo(f"{flag.value} is {word}; it takes effect everywhere within {MAX_AGE // SECOND} seconds.")
        else:
            typer.echo(f"{flag.value} was already {word}.")

    run_on_platform(settings_file, tenant, act)
