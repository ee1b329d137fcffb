"""Options of ``openmeet plc``."""

from programs.command_line import SettingsFile, loading, role

app = role()


@app.command()
def main(settings_file: SettingsFile = None) -> None:
    """Serve the directory until stopped."""
    with loading():
        from programs.plc import serve_directory
    serve_directory(settings_file)
