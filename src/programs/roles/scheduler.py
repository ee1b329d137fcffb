"""Options of ``openmeet scheduler``."""

from programs.command_line import SettingsFile, loading, role

app = role()
_WHAT = "Run scheduled tasks until stopped."


@app.command(help=_WHAT)
def main(settings_file: SettingsFile = None) -> None:
    with loading():
        from programs.probes import SCHEDULER
        from programs.scheduler import work
        from programs.worker import for_each, run_worker
    run_worker(for_each(work), _WHAT, SCHEDULER, settings_file)
