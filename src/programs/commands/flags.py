"""Options of ``openmeet flags …``: feature flags of the synchronisation, which can be switched while everything is
running.
"""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Switch parts of the synchronisation on and off.")

Name = Annotated[str, typer.Argument(help="The flag; see `openmeet flags list`.", metavar="FLAG")]
Why = Annotated[str, typer.Option(help="The reason, stored with the change.")]


@app.command(name="list")
def list_(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List every flag and whether it is on."""
    with loading():
        from programs.operations import flags
    flags.show(tenant, settings_file, as_json=as_json)


@app.command()
def on(flag: Name, why: Why, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Switch a flag on. Work that waited for it continues, and records that were skipped are read."""
    with loading():
        from programs.operations import flags
    flags.switch(flag, why, tenant, settings_file, is_on=True)


@app.command()
def off(flag: Name, why: Why, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Switch a flag off. Published records stay; records that must be deleted are still deleted."""
    with loading():
        from programs.operations import flags
    flags.switch(flag, why, tenant, settings_file, is_on=False)


@app.command()
def history(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List the changes of flags and who made them, newest first."""
    with loading():
        from programs.operations import flags
    flags.show_history(tenant, settings_file, as_json=as_json)
