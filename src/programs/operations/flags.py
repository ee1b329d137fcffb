"""List and switch feature flags (``openmeet flags …``)."""

import getpass
from pathlib import Path

import typer

from groundwork.clock import SECOND, to_datetime
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import MAX_AGE, WHAT, Flag
from openmeet.network.flag_changes import switch_flag
from programs.command_line import one_of, print_json, say
from programs.platform import Platform, run_on_platform


def show(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print every flag and whether it is on."""

    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            switched_on = await flags.switches(reader)
        if as_json:
            print_json({flag.value: flag in switched_on for flag in Flag})
            return
        for flag in Flag:
            typer.echo(f"{flag.value:20}{'on ' if flag in switched_on else 'off'}  {WHAT[flag].message}")

    run_on_platform(settings_file, tenant, act)


def switch(name: str, why: str, tenant: str, settings_file: Path | None, *, is_on: bool) -> None:
    """Switch one flag. Raises BadParameter if there is no flag with this name."""
    flag = one_of(Flag, "FLAG")(name)

    async def act(platform: Platform) -> None:
        by = f"{getpass.getuser()} by command"
        is_changed = await switch_flag(platform.db, platform.installation, flag, is_on=is_on, changed_by=by, why=why)
        word = "on" if is_on else "off"
        if is_changed:
            typer.echo(f"{flag.value} is {word}; it takes effect everywhere within {MAX_AGE // SECOND} seconds.")
        else:
            typer.echo(f"{flag.value} was already {word}.")

    run_on_platform(settings_file, tenant, act)


def show_history(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Print the newest changes of flags."""

    async def act(platform: Platform) -> None:
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

    run_on_platform(settings_file, tenant, act)
