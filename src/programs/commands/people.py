"""Options of ``openmeet people …``: delete accounts, with a report, and repeat deletions after a restore."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Delete people's accounts; apply deletions again after a restore.")

Who = Annotated[str, typer.Argument(help="E-mail address, handle or DID of the person or guest.")]
Now = Annotated[bool, typer.Option("--now", help="Delete without a grace period. This cannot be undone.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not show who it is, and do not ask for confirmation.")]
Wait = Annotated[int, typer.Option(min=0, help="With --now: seconds to wait for account servers to delete records.")]


@app.command()
def erase(
    who: Who,
    now: Now = False,
    yes: Yes = False,
    wait: Wait = 30,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete an account, either after the grace period or now. Shows who it is and asks for confirmation, then prints
    what was deleted, what stays, and why.

    Guests and people known only from the network have no account that could be kept, so they need --now.
    """
    with loading():
        from programs.operations import people
    people.erase(who, wait, tenant, settings_file, now=now, yes=yes, as_json=as_json)


@app.command(name="erase-again")
def erase_again(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """After a restore, delete everybody in the ledger again. Requests from before the backup get a new grace period,
    because those people may have signed in since.
    """
    with loading():
        from programs.operations import people
    people.erase_again(tenant, settings_file)
