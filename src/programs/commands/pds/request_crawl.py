"""Options of ``openmeet pds request-crawl``: ask the relays to crawl this server now."""

from programs.command_line import AsJson, SettingsFile, loading, role
from programs.commands.pds.options import ServerUrl

app = role()


@app.command()
def main(settings_file: SettingsFile = None, url: ServerUrl = "", as_json: AsJson = False) -> None:
    """Ask every relay in the settings to crawl this server, at most once every twenty minutes."""
    with loading():
        from programs.operations.pds import request_crawl
    request_crawl.request(settings_file, url, as_json=as_json)
