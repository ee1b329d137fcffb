"""Appoint moderators and count open cases (``openmeet moderation …``)."""

from pathlib import Path
from typing import Any

import typer

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation import moderators, reports, visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from programs.command_line import print_json
from programs.platform import Platform, run_on_platform


def appoint(who: str, tenant: str, settings_file: Path | None) -> None:
    """Make a person a moderator."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            is_new = await moderators.appoint(tx, await _find_person(tx, who), by=None)
        typer.echo(f"{who} is a moderator now" if is_new else f"{who} is already a moderator")

    run_on_platform(settings_file, tenant, act)


def dismiss(who: str, tenant: str, settings_file: Path | None) -> None:
    """Remove a moderator that this command added."""

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            was_one = await moderators.dismiss(tx, await _find_person(tx, who), by=None)
        typer.echo(f"{who} is no longer a moderator" if was_one else f"{who} was not appointed by this command")

    run_on_platform(settings_file, tenant, act)


def show_status(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List the moderators, and count the cases that wait for a decision."""

    async def act(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            people = await moderators.appointed(reader)
            names = await shown_names(reader, people)
            overview: dict[str, Any] = {
                "moderators": [names[one] for one in people],
                "bySetting": list(platform.settings.moderators),
                "reported": await reports.count_open(reader),
                "waiting": await visibility.count(reader, (SubjectVisibility.FIRST_EVENT, SubjectVisibility.BURST)),
                "hidden": await visibility.count(reader, (SubjectVisibility.HIDDEN,)),
            }
        if as_json:
            print_json(overview)
            return
        typer.echo(f"moderators  {', '.join([*overview['moderators'], *overview['bySetting']]) or 'nobody'}")
        typer.echo(f"reported    {overview['reported']}")
        typer.echo(f"waiting     {overview['waiting']}")
        typer.echo(f"hidden      {overview['hidden']}")

    run_on_platform(settings_file, tenant, act)


async def _find_person(reader: Reader, identifier: str) -> UserId:
    """The person with this e-mail address, DID or handle. Raises NotFound."""
    account_name = identifier.strip().lower()
    person = await user_queries.by_email(reader, account_name) if "@" in account_name.lstrip("@") else None
    if person is not None:
        return person.id
    people = [await identity_queries.find(reader, identifier.strip())] if account_name.startswith("did:") else []
    people += await identity_queries.by_handle(reader, account_name.lstrip("@"))
    for one in people:
        if one is not None and one.can_write:
            return one.user_id
    raise NotFound(f"Nobody who has signed in here is known as {identifier}.")
