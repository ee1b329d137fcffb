"""Options of ``openmeet sync …``: inspect and repair both directions of the synchronisation."""

from typing import Annotated

import typer

from openmeet.tenants.names import DEFAULT_TENANT
from programs.command_line import AsJson, OfTenant, SettingsFile, loading, noun

app = noun("Status and repair of the synchronisation, in both directions.")

RepositoryDid = Annotated[str, typer.Argument(help="DID of the repository.")]

Chosen = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Only records of this collection; may be given several times."),
]


@app.command()
def status(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Show how far each source was read, the queue length, records, publications and jobs by state, and discrepancies."""
    with loading():
        from programs.operations import sync
    sync.show_status(tenant, settings_file, as_json=as_json)


@app.command()
def rejected(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List rejected firehose frames with the reason, newest first."""
    with loading():
        from programs.operations import sync
    sync.show_rejected(tenant, settings_file, as_json=as_json)


@app.command()
def unmapped(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List records that could not be mapped to an event or an RSVP, with the reason."""
    with loading():
        from programs.operations import sync
    sync.show_unmapped(tenant, settings_file, as_json=as_json)


@app.command()
def quarantined(tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """List quarantined records with the reason. `sync read` and `sync reconcile` try them again."""
    with loading():
        from programs.operations import sync
    sync.show_quarantined(tenant, settings_file, as_json=as_json)


@app.command()
def read(
    did: RepositoryDid,
    collection: Chosen = None,
    whole_repository: Annotated[
        bool,
        typer.Option(
            "--whole-repository", help="Download the whole repository as one file, with all its other records."
        ),
    ] = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Read a repository's calendar records again, or only some collections of it, and apply what was missed."""
    with loading():
        from programs.operations import sync
    sync.read(did, collection or (), tenant, settings_file, whole_repository=whole_repository)


@app.command()
def discover(
    host: Annotated[str, typer.Argument(help="A PDS or relay, as https://host.")],
    collection: Chosen = None,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
) -> None:
    """Find all accounts on a host that have calendar records, and read them. Use this for records that are older than
    this site.

    With `--collection`, only accounts with records in these collections are read, and only these records. If the host
    cannot list such accounts, all its accounts are read one after the other, within its rate limits.
    """
    with loading():
        from programs.operations import sync
    sync.discover(host, collection or (), tenant, settings_file)


@app.command()
def reconcile(
    dids: Annotated[
        list[str] | None,
        typer.Argument(help="DIDs of repositories. Default: all repositories that this site writes to."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report discrepancies; change nothing.")] = False,
    tenant: OfTenant = DEFAULT_TENANT,
    settings_file: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare repositories with the database, record by record and field by field, and repair discrepancies.

    Each record is read again with its proof, at most 300 a minute per server, so a large calendar takes some minutes.
    """
    with loading():
        from programs.operations import sync
    sync.reconcile(dids or (), tenant, settings_file, dry_run=dry_run, as_json=as_json)


@app.command()
def reset(did: RepositoryDid, tenant: OfTenant = DEFAULT_TENANT, settings_file: SettingsFile = None) -> None:
    """Read a repository from scratch after its PDS recreated it with lower revs. Everything stored about it is then
    treated as old.
    """
    with loading():
        from programs.operations import sync
    sync.reset(did, tenant, settings_file)
