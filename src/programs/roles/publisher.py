"""Options of ``openmeet publisher``."""

from programs.command_line import SettingsFile, loading, role

app = role()
_WHAT = "Deliver jobs and records until stopped."


@app.command(help=_WHAT)
def main(settings_file: SettingsFile = None) -> None:
    with loading():
        from programs.outbox_dispatcher import work
        from programs.probes import PUBLISHER
        from programs.worker import for_each, run_worker
    run_worker(for_each(work), _WHAT, PUBLISHER, settings_file)
