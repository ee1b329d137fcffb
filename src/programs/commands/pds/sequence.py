"""Options of ``openmeet pds sequence …``: inspect the stored event log, whether or not the server is running."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, noun

app = noun("The event log of an Aurora Locus, which the firehose is served from.")


@app.command()
def status(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show the newest sequence number, up to which number old events were deleted, and the number of events by kind."""
    with loading():
        from programs.operations.pds import sequence
    sequence.status(settings_file, as_json=as_json)


@app.command("list")
def list_events(
    after: Annotated[int | None, typer.Option(min=0, help="Start after this number. Default: the last events.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of events.")] = 20,
    did: Annotated[str, typer.Option(help="Only events of this account (DID).")] = "",
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """List events, one per line."""
    with loading():
        from programs.operations.pds import sequence
    sequence.list_events(after, limit, did, settings_file, as_json=as_json)


@app.command("show")
def show_event(
    seq: Annotated[int, typer.Argument(help="Sequence number of the event.")],
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one event, decoded."""
    with loading():
        from programs.operations.pds import sequence
    sequence.show_event(seq, settings_file, as_json=as_json)


@app.command()
def verify(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Check that every stored event can be decoded and contains its own number. Exits with 1 if one does not."""
    with loading():
        from programs.operations.pds import sequence
    sequence.verify(settings_file, as_json=as_json)
