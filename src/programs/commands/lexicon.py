"""Options of ``openmeet lexicon …``: publish this project's own Lexicons as records that other servers can find by
DNS.
"""

from pathlib import Path
from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Publish our Lexicons.")

Account = Annotated[str, typer.Option(help="Handle or DID of the account that publishes the Lexicons.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="File with its password or an app password. Default: OPENMEET_LEXICON_PASSWORD, or you are asked.",
    ),
]


@app.command(name="list")
def list_(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List the names under which the Lexicons would be published (OPENMEET_LEXICON_AUTHORITY)."""
    with loading():
        from programs.operations import lexicon
    lexicon.show(tenant, settings_file, as_json=as_json)


@app.command(name="publish")
def publish_(
    account: Account,
    password_file: PasswordFile = None,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Write new and changed Lexicons to the account's repository, and print the DNS entries that point to it."""
    with loading():
        from programs.operations import lexicon
    lexicon.publish_all(account, password_file, tenant, settings_file, as_json=as_json)
