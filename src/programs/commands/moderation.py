"""Options of ``openmeet moderation …``: moderators of the site, and their open cases."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Appoint moderators; show the number of open cases.")

Who = Annotated[str, typer.Argument(help="E-mail address, DID or handle of a person who has signed in here.")]


@app.command()
def name(who: Who, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Make a person a moderator."""
    with loading():
        from programs.operations import moderation
    moderation.appoint(who, tenant, settings_file)


@app.command()
def unname(who: Who, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Remove a moderator that this command added."""
    with loading():
        from programs.operations import moderation
    moderation.dismiss(who, tenant, settings_file)


@app.command()
def status(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List the moderators, and count the cases that wait for a decision."""
    with loading():
        from programs.operations import moderation
    moderation.show_status(tenant, settings_file, as_json=as_json)
