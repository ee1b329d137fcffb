"""Options of ``openmeet pds sweep``: delete unreferenced blobs and unknown files; move files of taken-down blobs."""

from programs.command_line import AsJson, SettingsFile, loading, role

app = role()


@app.command()
def main(settings_file: SettingsFile = None, as_json: AsJson = False) -> None:
    """Delete blobs without a record and files without a database row if they are older than an hour. Move the
    files of taken-down blobs.
    """
    with loading():
        from programs.operations.pds import blobs
    blobs.sweep(settings_file, as_json=as_json)
