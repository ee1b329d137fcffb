"""Options of ``openmeet series …``: preview the dates of a rule (no database), or publish the records of all series at
once.
"""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Preview recurrence rules; publish the records of series.")


@app.command()
def publish(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Publish a record for every series and link its published dates to it. The records of the dates and RSVPs are
    kept.

    Exits with 1 if neither `series-lexicon` nor `native-recurrence` is on (`openmeet flags`).
    """
    with loading():
        from programs.operations import series
    series.publish(tenant, settings_file)


@app.command()
def preview(
    dtstart: Annotated[str, typer.Option(help="First date in local time: 2026-11-24T18:00, or 2026-11-24.")],
    timezone: Annotated[str, typer.Option(help="Time zone of the dates.")] = "UTC",
    rrule: Annotated[str | None, typer.Option(help="Recurrence rule (RFC 5545). Default: single dates only.")] = None,
    exdate: Annotated[list[str] | None, typer.Option(help="A date to leave out; may be given several times.")] = None,
    rdate: Annotated[list[str] | None, typer.Option(help="A date to add; may be given several times.")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="Show dates from here on. Default: from the first.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Show dates before this one. Default: the next ten dates.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the dates of a rule and describe it in words. Exits with 1 and the reason if the rule is not accepted."""
    with loading():
        from programs.operations import series
    series.preview(dtstart, timezone, rrule, exdate, rdate, begin, end, as_json=as_json)
