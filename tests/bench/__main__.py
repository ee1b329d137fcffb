"""``make bench``: measure the hot paths on this machine, and compare them with their targets and with other software.

    python -m tests.bench [NAME …] [--json] [--no-pure]

Speed does not affect the exit status: it is 0, or 1 if an answer was wrong or a benchmark failed. Figures are medians;
differences below a fifth are noise.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from tests.bench.figure import Figure, Peer, as_json, line
from tests.bench.machine import described, is_busy
from tests.bench.subjects import SUBJECTS, Subject
from tests.bench.timing import progress, progress_done


class Failed(Exception):
    """The process of a subject ended before its last figure. It has printed the reason."""


def main() -> int:
    """Measure the requested subjects."""
    arguments = _arguments()
    chosen = [subject for subject in SUBJECTS if not arguments.names or subject.name in arguments.names]
    compiled = importlib.util.find_spec("cbrrr") is not None
    busy_before = is_busy()
    codec = f"cbrrr {metadata.version('cbrrr')}" if compiled else "pure Python (cbrrr is not installed)"
    machine = described(codec)
    if not arguments.json:
        print(machine, flush=True)
    found: dict[str, list[dict[str, object]]] = {}
    failed: list[str] = []
    missed = 0
    for subject in chosen:
        try:
            figures = _measure(subject, as_text=not arguments.json, with_pure=compiled and not arguments.no_pure)
        except Failed as failure:
            failed.append(subject.name)
            print(f"  {subject.name} failed: {failure}", file=sys.stderr)
            continue
        missed += sum(not figure.holds for figure, _ in figures)
        found[subject.name] = [
            {**as_json(figure), "pure": None if pure is None else as_json(pure)} for figure, pure in figures
        ]
    if arguments.json:
        print(json.dumps({"machine": machine, "subjects": found, "failed": failed}, indent=2))
    elif missed:
        print(f"\n{missed} of the targets missed on this machine in this run.")
    if not arguments.json and busy_before:
        print("Other processes use this machine: the rates of PDS, firehose and databases are lower than it can reach.")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the hot paths.")
    listed = ", ".join(subject.name for subject in SUBJECTS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {listed} (all)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument(
        "--no-pure", action="store_true", help="leave out the figures without the compiled codec (half the time)"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {subject.name for subject in SUBJECTS}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; known are {listed}")
    return arguments


def _measure(subject: Subject, *, as_text: bool, with_pure: bool) -> list[tuple[Figure, Figure | None]]:
    """Run a subject and print its lines as they come."""
    if as_text:
        print(f"\n{subject.what}", flush=True)
    pure: dict[str, Figure] = {}
    if subject.has_pure and with_pure:
        progress(f"{subject.name} without the compiled codec")
        pure = {figure.name: figure for figure in _figures(subject, "--pure")}
        progress_done()
    found = []
    for figure in _figures(subject):
        # If the codec makes no difference, the second figure adds nothing.
        beside = pure.get(figure.name)
        found.append((figure, beside))
        if as_text:
            print(line(figure, beside), flush=True)
    return found


def _figures(subject: Subject, *flags: str) -> Iterator[Figure]:
    command = [sys.executable, "-m", "tests.bench.run_subject", subject.name, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            fields = json.loads(text)
            yield Figure(**{**fields, "peer": None if fields["peer"] is None else Peer(**fields["peer"])})
    if process.returncode:
        raise Failed(f"exit status {process.returncode}")


if __name__ == "__main__":
    sys.exit(main())
