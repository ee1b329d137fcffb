"""``openmeet pds invite …``: manage invite codes of the running server, over its administration API."""

from typing import Annotated, Any

import typer

from programs.command_line import AsJson, SettingsFile, noun, print_json, say
from programs.commands.pds.reaching import AdministrationClient, ServerUrl, run_on_server

app = noun("Invite codes of a running Aurora Locus.")

PAGE = 500


@app.command()
def create(
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of codes to create.")] = 1,
    uses: Annotated[int, typer.Option(min=1, help="Number of accounts that can be created with each code.")] = 1,
    account: Annotated[str, typer.Option("--for", help="DID of the account that receives the codes.")] = "",
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """Create invite codes and print one per line."""

    async def act(server: AdministrationClient) -> None:
        body: dict[str, object] = {"codeCount": count, "useCount": uses} | (
            {"forAccounts": [account]} if account else {}
        )
        made = await server.procedure("com.atproto.server.createInviteCodes", body)
        codes = [code for one in made["codes"] for code in one["codes"]]
        if as_json:
            print_json(codes)
            return
        for code in codes:
            say(code)

    run_on_server(settings_file, url, act)


@app.command("list")
def list_codes(
    by_usage: Annotated[
        bool, typer.Option("--by-usage", help="Sort by number of uses instead of newest first.")
    ] = False,
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
    as_json: AsJson = False,
) -> None:
    """List invite codes with their account and number of uses."""

    async def show(server: AdministrationClient) -> None:
        codes = await _all_codes(server, "usage" if by_usage else "recent")
        if as_json:
            print_json(codes)
            return
        for one in codes:
            used = "disabled" if one["disabled"] else f"{len(one['uses'])} of {one['available']} used"
            say(f"{one['code']:40} {used:16} {one['forAccount']}")
        if not codes:
            say("There are no codes.")

    run_on_server(settings_file, url, show)


@app.command()
def disable(
    codes: Annotated[list[str], typer.Argument(help="Codes to disable.")],
    settings_file: SettingsFile = None,
    url: ServerUrl = "",
) -> None:
    """Disable invite codes. Codes that this server never issued are listed at the end; the exit status is then 1."""

    async def act(server: AdministrationClient) -> None:
        existing_codes = {one["code"] for one in await _all_codes(server, "recent")}
        known, absent = (
            [code for code in codes if code in existing_codes],
            [code for code in codes if code not in existing_codes],
        )
        if known:
            await server.procedure("com.atproto.admin.disableInviteCodes", {"codes": known})
        say(f"{len(known)} disabled")
        for code in absent:
            say(f"{code}: There is no such code. openmeet pds invite list shows all of them.", err=True)
        if absent:
            raise typer.Exit(1)

    run_on_server(settings_file, url, act)


async def _all_codes(server: AdministrationClient, sort: str) -> list[dict[str, Any]]:
    codes: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await server.query("com.atproto.admin.getInviteCodes", {"sort": sort, "limit": PAGE, **cursor})
        codes += page["codes"]
        if "cursor" not in page:
            return codes
        cursor = {"cursor": page["cursor"]}
