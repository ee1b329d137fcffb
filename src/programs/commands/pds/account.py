"""Options of ``openmeet pds account …``: manage accounts of the running server."""

from typing import Annotated

import typer

from programs.command_line import AsJson, SettingsFile, loading, noun
from programs.commands.pds.options import ServerUrl

app = noun("Accounts of a running Aurora Locus. Each change is recorded in its audit log.")

Identifier = Annotated[str, typer.Argument(help="Handle, DID or e-mail address.")]
Identifiers = Annotated[list[str], typer.Argument(help="Handles, DIDs or e-mail addresses.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of input.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.command()
def create(
    handle: Annotated[str, typer.Argument(help="The full handle.")],
    email: Annotated[str, typer.Argument(help="The owner's e-mail address.")],
    password_stdin: FromInput = False,
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Create an account without an invite code. If no password is given, one is generated and shown once."""
    with loading():
        from programs.operations.pds import accounts
    accounts.create(handle, email, settings_file, url, password_stdin=password_stdin, as_json=as_json)


@app.command("list")
def list_accounts(
    email: Annotated[str, typer.Option(help="Only accounts whose e-mail address contains this text.")] = "",
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """List accounts, ordered by DID."""
    with loading():
        from programs.operations.pds import accounts
    accounts.list_accounts(email, settings_file, url, as_json=as_json)


@app.command()
def show(
    identifier: Identifier, settings_file: SettingsFile = None, url: ServerUrl = "", as_json: AsJson = False
) -> None:
    """Show an account and the moderation decisions about it."""
    with loading():
        from programs.operations.pds import accounts
    accounts.show(identifier, settings_file, url, as_json=as_json)


@app.command()
def reset_password(
    identifier: Identifier,
    password_stdin: FromInput = False,
    by_email: Annotated[
        bool, typer.Option("--email", help="E-mail the owner a code for resetting it instead; nothing changes yet.")
    ] = False,
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Set a new password and end all sessions of the account. If no password is given, one is generated and shown once."""
    with loading():
        from programs.operations.pds import accounts
    accounts.reset_password(
        identifier, settings_file, url, password_stdin=password_stdin, by_email=by_email, as_json=as_json
    )


@app.command()
def takedown(
    identifiers: Identifiers,
    reference: Annotated[str, typer.Option(help="Reference of the case, for the audit log.")] = "",
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Take accounts down, so that none of their data is served. Their owners can still export it and move away."""
    with loading():
        from programs.operations.pds import accounts
    accounts.takedown(identifiers, reference, settings_file, url, as_json=as_json)


@app.command()
def restore(
    identifiers: Identifiers, settings_file: SettingsFile = None, url: ServerUrl = "", as_json: AsJson = False
) -> None:
    """Lift the takedown of accounts."""
    with loading():
        from programs.operations.pds import accounts
    accounts.restore(identifiers, settings_file, url, as_json=as_json)


@app.command()
def delete(
    identifiers: Identifiers,
    yes: Yes = False,
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Delete accounts permanently, with all their data."""
    with loading():
        from programs.operations.pds import accounts
    accounts.delete(identifiers, settings_file, url, yes=yes, as_json=as_json)
