"""``openmeet debts …``: the operator's view of failed outbox jobs."""

from collections.abc import AsyncIterator
from typing import Annotated

import typer

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from groundwork.outbox import jobs
from openmeet.tenants.configured import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, noun, print_json, say
from programs.platform import Platform, run_on_platform

app = noun("What is owed outside: mail, accounts, repositories to read.")

Kind = Annotated[str, typer.Argument(help="The debt's kind; see `openmeet debts given-up`.")]
Subject = Annotated[str, typer.Argument(help="What it is about.")]
All = Annotated[bool, typer.Option("--all", help="Every debt that was given up.")]


@app.command()
def given_up(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Debts that wait for a person, and why they could not be paid."""

    async def show(platform: Platform) -> None:
        async with platform.db.reader() as reader:
            found = [job async for job in _given_up(reader)]
        if as_json:
            print_json([{"kind": one.kind, "subject": one.subject, "reason": one.reason} for one in found])
            return
        for one in found:
            say(f"{one.kind}  {one.subject}\n    {one.reason}")
        if not found:
            say("Nothing was given up.")

    run_on_platform(settings_file, tenant, show)


@app.command()
def retry(
    kind: Kind = "",
    subject: Subject = "",
    everything: All = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Try again what was given up; the publisher does it."""
    if everything == bool(kind and subject):
        raise typer.BadParameter("Name a debt by kind and subject, or say --all.")

    async def act(platform: Platform) -> None:
        async with platform.db.transaction() as tx:
            named = [(one.kind, one.subject) async for one in _given_up(tx)] if everything else [(kind, subject)]
            for each in named:
                if not await jobs.wake(tx, *each):
                    raise NotFound(f"There is no unpaid debt {each[0]} {each[1]}.")
        say(f"{len(named)} due again")

    run_on_platform(settings_file, tenant, act)


async def _given_up(reader: Reader) -> AsyncIterator[jobs.Job]:
    last = ("", "")
    while page := await jobs.failed(reader, after=last):
        for job in page:
            yield job
        last = (page[-1].kind, page[-1].subject)
