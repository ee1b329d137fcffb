"""Options of ``openmeet firehose-consumer``."""

from programs.command_line import SettingsFile, loading, role

app = role()
_WHAT = "Read event streams into the queue until stopped."


@app.command(help=_WHAT)
def main(settings_file: SettingsFile = None) -> None:
    with loading():
        from programs.firehose_consumer import work
        from programs.probes import CONSUMER
        from programs.worker import run_worker
    run_worker(work, _WHAT, CONSUMER, settings_file)
