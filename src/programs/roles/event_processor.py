"""Options of ``openmeet event-processor``."""

from programs.command_line import SettingsFile, loading, role

app = role()
_WHAT = "Apply messages from the queue until stopped."


@app.command(help=_WHAT)
def main(settings_file: SettingsFile = None) -> None:
    with loading():
        from programs.event_processor import work
        from programs.probes import PROCESSOR
        from programs.worker import for_each, run_worker
    run_worker(for_each(work), _WHAT, PROCESSOR, settings_file)
