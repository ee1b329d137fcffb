"""Options of ``openmeet pds``."""

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(settings_file: SettingsFile = None) -> None:
    """Serve repositories until stopped."""
    with loading():
        from programs.pds import serve_repositories
    serve_repositories(settings_file)
