"""Manage invite codes of the running server, over its administration API (``openmeet pds invite …``)."""

from pathlib import Path
from typing import Any

import typer

from programs.command_line import print_json, say, say_table, with_count
from programs.operations.pds.server_access import AdministrationClient, run_on_server

PAGE = 500


def create(count: int, uses: int, account: str, settings_file: Path | None, url: str, *, as_json: bool) -> None:
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


def list_codes(settings_file: Path | None, url: str, *, by_usage: bool, as_json: bool) -> None:
    """List invite codes with their account and number of uses."""

    async def show(server: AdministrationClient) -> None:
        codes = await _all_codes(server, "usage" if by_usage else "recent")
        if as_json:
            print_json(codes)
            return
        say_table((one["code"], _usage(one), one["forAccount"]) for one in codes)
        if not codes:
            say("There are no invite codes.")

    run_on_server(settings_file, url, show)


def disable(codes: list[str], settings_file: Path | None, url: str) -> None:
    """Disable invite codes. Codes that this server never issued are listed at the end; the exit status is then 1."""

    async def act(server: AdministrationClient) -> None:
        existing_codes = {one["code"] for one in await _all_codes(server, "recent")}
        known, absent = (
            [code for code in codes if code in existing_codes],
            [code for code in codes if code not in existing_codes],
        )
        if known:
            await server.procedure("com.atproto.admin.disableInviteCodes", {"codes": known})
        say(f"{with_count(len(known), 'code')} disabled")
        for code in absent:
            say(f"{code}: There is no such code. openmeet pds invite list shows all of them.", err=True)
        if absent:
            raise typer.Exit(1)

    run_on_server(settings_file, url, act)


def _usage(code: dict[str, Any]) -> str:
    return "disabled" if code["disabled"] else f"{len(code['uses']):,} of {code['available']:,} used"


async def _all_codes(server: AdministrationClient, sort: str) -> list[dict[str, Any]]:
    codes: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await server.query("com.atproto.admin.getInviteCodes", {"sort": sort, "limit": PAGE, **cursor})
        codes += page["codes"]
        if "cursor" not in page:
            return codes
        cursor = {"cursor": page["cursor"]}
