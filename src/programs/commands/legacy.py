"""Options of ``openmeet legacy …``: analyse, import and roll back a database with the older model of recurring events."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Import a database with the older model of recurring events.")

From = Annotated[
    str, typer.Argument(metavar="SOURCE", help="postgresql://… of the older database, or a dump of it in JSON lines.")
]
Schema = Annotated[str, typer.Option("--schema", help="Schema of the tenant in the older database.")]
Zone = Annotated[str, typer.Option("--time-zone", help="Time zone of events without one, for example Europe/Berlin.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only report what would be imported, and irregularities.")]


@app.command()
def analyse(source: From, schema: Schema = "public", zone: Zone = "UTC", as_json: AsJson = False) -> None:
    """Report what the import would do, and any irregularities. Writes nothing and needs no installation."""
    with loading():
        from programs.operations import legacy
    legacy.analyse(source, schema, zone, as_json=as_json)


@app.command("import")
def import_(
    source: From,
    schema: Schema = "public",
    zone: Zone = "UTC",
    dry_run: DryRun = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Import the database, or continue after an interruption. Can be repeated. Exits with 1 if the counts differ."""
    with loading():
        from programs.operations import legacy
    legacy.import_all(source, schema, zone, tenant, settings_file, dry_run=dry_run, as_json=as_json)


@app.command()
def rollback(
    source: From, schema: Schema = "public", tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None
) -> None:
    """Remove everything that was imported from this source. Refused if people have changed or answered any of it since."""
    with loading():
        from programs.operations import legacy
    legacy.rollback(source, schema, tenant, settings_file)
