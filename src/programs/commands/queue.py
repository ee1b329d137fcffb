"""Options of ``openmeet queue …``: messages that wait between the firehose and the database, and dead letters."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Messages waiting for the event processor, and dead letters.")

DeadLetterIds = Annotated[list[str] | None, typer.Argument(help="Ids of dead letters; see `openmeet queue dead`.")]
All = Annotated[bool, typer.Option("--all", help="All dead letters.")]


@app.command()
def status(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show how many messages are waiting, how long they have waited, and how many dead letters there are."""
    with loading():
        from programs.operations import queue
    queue.show_status(tenant, settings_file, as_json=as_json)


@app.command()
def dead(
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    after: Annotated[str, typer.Option(help="Continue after this dead letter.")] = "",
    as_json: AsJson = False,
) -> None:
    """List dead letters (messages that could not be applied) with the reason."""
    with loading():
        from programs.operations import queue
    queue.show_dead_letters(tenant, settings_file, limit, after, as_json=as_json)


@app.command()
def retry(
    letter_ids: DeadLetterIds = None,
    everything: All = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Deliver dead letters again, after the waiting messages of the same repositories."""
    with loading():
        from programs.operations import queue
    queue.retry(letter_ids, tenant, settings_file, everything=everything)


@app.command()
def discard(
    letter_ids: DeadLetterIds = None,
    everything: All = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Delete dead letters permanently."""
    with loading():
        from programs.operations import queue
    queue.discard(letter_ids, tenant, settings_file, everything=everything)
