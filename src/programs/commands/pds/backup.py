"""Options of ``openmeet pds backup``: make a backup now, while the server is running, and verify it."""

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Make an encrypted backup at PDS_BACKUP_URL, and verify it by restoring its database."""
    with loading():
        from programs.operations.pds import backups
    backups.make(settings_file, as_json=as_json)
