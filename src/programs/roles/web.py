"""Options of ``openmeet web``."""

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(settings_file: SettingsFile = None) -> None:
    """Serve the site, or several, until stopped."""
    with loading():
        from programs.web import serve_sites
    serve_sites(settings_file)
