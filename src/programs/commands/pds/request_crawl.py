"""``openmeet pds request-crawl``: ask the relays to crawl this server now."""

from urllib.parse import urlsplit

import typer

from programs.command_line import AsJson, SettingsFile, print_json, role, say
from programs.commands.pds.reaching import AdministrationClient, ServerUrl, read_settings, run_on_server

app = role()


@app.command()
def main(settings_file: SettingsFile = None, url: ServerUrl = "", as_json: AsJson = False) -> None:
    """Ask every relay in the settings to crawl this server, at most once every twenty minutes."""
    settings = read_settings(settings_file)
    hostname = urlsplit(settings.url).netloc.lower()

    async def ask(server: AdministrationClient) -> None:
        await server.procedure("com.atproto.sync.requestCrawl", {"hostname": hostname})
        status = await server.http.get(f"{server.url}/admin/federation", headers=server.headers)
        relays = status.expect_ok().json()["relays"]
        if as_json:
            print_json({"hostname": hostname, "relays": relays})
            return
        for relay in relays:
            say(f"{relay['url']}  {relay.get('problem') or 'asked'}")
        if not relays:
            typer.echo("The settings list no relays (PDS_FEDERATION_RELAY_URLS).")

    run_on_server(settings_file, url, ask)
