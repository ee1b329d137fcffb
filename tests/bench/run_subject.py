"""Measure one subject in this process and print each figure as a line of JSON: ``python -m tests.bench.run_subject NAME
[--pure]``.

Each subject has its own process, so that none inherits another's caches, garbage or memory.
"""

import contextlib
import importlib
import json
import sys
from dataclasses import asdict

from groundwork.telemetry.logs import LogFormat, configure
from tests.bench.figure import Wrong
from tests.bench.timing import progress_done

WRONG_ANSWER = 3


def without_compiled_codec() -> None:
    """Make ``cbrrr`` impossible to import, as on a machine without a compiler. Call this before anything imports the
    codec.
    """
    sys.modules["cbrrr"] = None  # type: ignore[assignment]  # how Python says: this module cannot be found


def main() -> int:
    """Measure the subject. The exit status is 3 if an answer was wrong."""
    name = sys.argv[1]
    if "--pure" in sys.argv[2:]:
        without_compiled_codec()
    output = sys.stdout
    try:
        # The programs log only messages that matter, and so does this process; standard output contains only figures.
        configure(LogFormat.JSON, level="warning")
        with contextlib.redirect_stdout(sys.stderr):
            for figure in importlib.import_module(f"tests.bench.{name}").measure():
                progress_done()
                print(json.dumps(asdict(figure)), file=output, flush=True)
    except Wrong as wrong:
        progress_done()
        print(f"wrong answer: {wrong}", file=sys.stderr)
        return WRONG_ANSWER
    return 0


if __name__ == "__main__":
    sys.exit(main())
