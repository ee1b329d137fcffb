"""Options of ``openmeet pds check URL``: check from outside whether any PDS is set up correctly."""

from typing import Annotated

import typer

from programs.command_line import AsJson, loading, role

app = role()


@app.command()
def main(
    url: Annotated[str, typer.Argument(help="The server: https://pds.example.org, or only its host name.")],
    account: Annotated[
        str | None, typer.Option(help="Check this account (handle or DID) instead of the first ones listed.")
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help=(
                "As --account, write a record, wait for it on the firehose, delete it. Password: "
                "OPENMEET_CHECK_PASSWORD, or asked for."
            ),
        ),
    ] = False,
    relay: Annotated[
        str | None, typer.Option(help="Also ask this relay about the server: https://bsky.network.")
    ] = None,
    plc: Annotated[str, typer.Option(help="The directory of did:plc identities.")] = "https://plc.directory",
    as_json: AsJson = False,
) -> None:
    """Check a server the way relays, other servers and apps see it, and report what is wrong and how to fix it.

    Exits with 1 if anything is wrong.
    """
    with loading():
        from programs.operations.pds import check
    check.check(url, account, relay, plc, write=write, as_json=as_json)
