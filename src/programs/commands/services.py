"""``openmeet services …``: credentials of programs that work for the installation, such as external processors."""

from typing import Annotated

import typer

from groundwork.clock import Instant, to_datetime
from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import SERVICE_DESCRIPTIONS, ServiceScope
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, one_of, print_json, say
from programs.platform import Platform, run_on_platform

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

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            credential, token = await service_tokens.make(tx, name=name, scopes=may)
        say(
            f"{credential.id} may {', '.join(sorted(credential.scopes))}. Save this credential, because it is not shown again:"
        )
        typer.echo(token)

    run_on_platform(settings_file, tenant, act)


@app.command(name="list")
def list_(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List credentials with their permissions and last use."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            tokens = await service_tokens.listed(reader)
        if as_json:
            print_json(
                [
                    {
                        "id": one.id,
                        "name": one.name,
                        "may": sorted(one.scopes),
                        "createdAt": _format_instant(one.created_at),
                        "lastUsedAt": _format_instant(one.last_used_at),
                        "revokedAt": _format_instant(one.revoked_at),
                    }
                    for one in tokens
                ]
            )
            return
        for one in tokens:
            used = "revoked" if one.revoked_at else f"used {_format_instant(one.last_used_at) or 'never'}"
            say(f"{one.id}  {one.name}  {used}\n    {', '.join(sorted(one.scopes))}")
        if not tokens:
            typer.echo("There are no credentials.")

    run_on_platform(settings_file, tenant, show)


@app.command()
def revoke(
    credential: Annotated[str, typer.Argument(help="Id of the credential; see `openmeet services list`.")],
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Revoke a credential."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            await service_tokens.revoke(tx, credential)
        typer.echo("Revoked.")

    run_on_platform(settings_file, tenant, act)


def _format_instant(instant: Instant | None) -> str | None:
    return None if instant is None else to_datetime(instant).isoformat(timespec="seconds")
