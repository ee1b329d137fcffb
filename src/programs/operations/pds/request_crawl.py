"""Ask the relays to crawl this server now (``openmeet pds request-crawl``)."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from programs.command_line import print_json, say_table
from programs.operations.pds.server_access import AdministrationClient, read_settings, run_on_server


def request(settings_file: Path | None, url: str, *, as_json: bool) -> None:
    """Ask every relay in the settings to crawl this server, at most once every twenty minutes."""
    settings = read_settings(settings_file)
    hostname = urlsplit(settings.url).netloc.lower()

    async def ask(server: AdministrationClient) -> None:
        before = {relay["url"]: relay["askedAt"] for relay in await _relays(server)}
        await server.procedure("com.atproto.sync.requestCrawl", {"hostname": hostname})
        relays = [
            {**relay, "isSkipped": relay["askedAt"] == before.get(relay["url"])} for relay in await _relays(server)
        ]
        if as_json:
            print_json({"hostname": hostname, "relays": relays})
            return
        say_table((relay["url"], _result(relay)) for relay in relays)
        if not relays:
            typer.echo("The settings list no relays (PDS_FEDERATION_RELAY_URLS).")

    run_on_server(settings_file, url, ask)


async def _relays(server: AdministrationClient) -> list[dict[str, Any]]:
    status = await server.http.get(f"{server.url}/admin/federation", headers=server.headers)
    return list(status.expect_ok().json()["relays"])


def _result(relay: dict[str, Any]) -> str:
    if relay["isSkipped"]:
        return "not asked: the last request is less than twenty minutes old"
    return relay.get("problem") or "asked"
