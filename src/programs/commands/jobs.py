"""Options of ``openmeet jobs …``: list, retry and drop outbox jobs, especially failed ones."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("List, retry and delete outbox jobs: e-mails, accounts, repositories to read.")

Kind = Annotated[str, typer.Argument(help="The job's kind; see `openmeet jobs list`.")]
Subject = Annotated[str, typer.Argument(help="What it is about.")]
All = Annotated[bool, typer.Option("--all", help="All failed jobs.")]
State = Annotated[str, typer.Option(help="State of the jobs to list: due, leased, completed, failed.", metavar="STATE")]


@app.command(name="list")
def list_(
    state: State = "failed",
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """List failed jobs with the reason, or the jobs in another state."""
    with loading():
        from programs.operations import jobs
    jobs.show(state, tenant, settings_file, as_json=as_json)


@app.command()
def retry(
    kind: Kind = "",
    subject: Subject = "",
    everything: All = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Make failed jobs due again. The publisher then delivers them."""
    is_named = bool(kind and subject)
    if everything == is_named or (everything and kind):
        raise typer.BadParameter("Give the kind and subject of a job, or --all.")
    with loading():
        from programs.operations import jobs
    jobs.retry((kind, subject) if is_named else None, tenant, settings_file)


@app.command()
def drop(
    kind: Kind,
    subject: Subject,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Delete a waiting or failed job, so that it is not delivered unless it is enqueued again."""
    with loading():
        from programs.operations import jobs
    jobs.drop(kind, subject, tenant, settings_file)
