"""Create, list and revoke the credentials of programs (``openmeet services …``)."""

from pathlib import Path

import typer

from groundwork.clock import Instant, to_datetime
from openmeet.domain.api_tokens import service_tokens
from openmeet.domain.api_tokens.scopes import ServiceScope
from programs.command_line import print_json, say
from programs.platform import Platform, run_on_platform


def make(name: str, may: list[ServiceScope], tenant: str, settings_file: Path | None) -> None:
    """Create a credential. It is shown only once."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            credential, token = await service_tokens.make(tx, name=name, scopes=may)
        say(
            f"{credential.id} may {', '.join(sorted(credential.scopes))}. Save this credential, because it is not "
            "shown again:"
        )
        typer.echo(token)

    run_on_platform(settings_file, tenant, act)


def show(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List credentials with their permissions and last use."""

    async def act(platform: Platform) -> None:
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

    run_on_platform(settings_file, tenant, act)


def revoke(credential: str, tenant: str, settings_file: Path | None) -> None:
    """Revoke a credential."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            await service_tokens.revoke(tx, credential)
        typer.echo("Revoked.")

    run_on_platform(settings_file, tenant, act)


def _format_instant(instant: Instant | None) -> str | None:
    return None if instant is None else to_datetime(instant).isoformat(timespec="seconds")
