"""Options of ``openmeet services …``: credentials of programs that work for the installation, such as external
processors.
"""

from typing import Annotated

import typer

from openmeet.domain.api_tokens.scopes import SERVICE_DESCRIPTIONS, ServiceScope
from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun, one_of

app = noun("Credentials of programs that may call this installation.")

May = Annotated[
    list[ServiceScope],
    typer.Option(
        "--may",
        help="; ".join(f"{scope} ({words})" for scope, words in SERVICE_DESCRIPTIONS.items()),
        parser=one_of(ServiceScope),
        metavar="SCOPE",
    ),
]


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="Name of the program.")],
    may: May,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Create a credential. It is shown only once."""
    with loading():
        from programs.operations import services
    services.make(name, may, tenant, settings_file)


@app.command(name="list")
def list_(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List credentials with their permissions and last use."""
    with loading():
        from programs.operations import services
    services.show(tenant, settings_file, as_json=as_json)


@app.command()
def revoke(
    credential: Annotated[str, typer.Argument(help="Id of the credential; see `openmeet services list`.")],
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Revoke a credential."""
    with loading():
        from programs.operations import services
    services.revoke(credential, tenant, settings_file)
