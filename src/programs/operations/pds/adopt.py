"""Import the data folder of a stopped reference PDS (``openmeet pds adopt``)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from aurora_locus.reference_import import adopt as adopting
from aurora_locus.reference_import.environment import read_environment, settings_for, unexpected_effects
from aurora_locus.reference_import.old_folder import locate
from aurora_locus.reference_import.survey import Progress as OnProgress
from aurora_locus.reference_import.survey import Survey
from aurora_locus.settings import PdsSettings
from groundwork.clock import SECOND, Instant, SystemClock
from groundwork.errors import Refused
from programs.command_line import print_json, say, say_counts
from programs.running import run_command

_SECONDS_BETWEEN_LINES = 5
_SENTENCES_SHOWN = 50


def adopt(folder: Path, into: Path | None, environment: Path | None, *, dry_run: bool, as_json: bool) -> None:
    """Import accounts, passwords, sessions, repositories, blobs, invites and the firehose's numbers, byte for byte.

    The old folder is only read. If something in it is damaged, nothing is written and the exit status is 1.
    """
    if into is None and not dry_run:
        raise typer.BadParameter("Give the new folder with --into, or try --dry-run first.")

    environment_before = _environment(folder, environment)
    old = locate(folder.absolute(), environment_before)
    target = (into or folder.with_name(f"{folder.name}-adopted")).absolute()
    settings = settings_for(environment_before, os.environ, target)

    async def work() -> None:
        with _progress("looking", is_shown=not as_json) as progress:
            survey = await adopting.examine(
                old, environment_before, settings, SystemClock(), progress, is_timed=dry_run
            )
        if not as_json:
            _print_report(survey, unexpected_effects(settings))
        if dry_run:
            if as_json:
                print_json(_report_json(survey, settings, None))
            if survey.damaged:
                raise Refused("Repair the damaged accounts, or delete them with the old server.")
            return
        with _progress("importing", is_shown=not as_json) as progress:
            await adopting.adopt(old, environment_before, settings, SystemClock(), progress, survey)
        if as_json:
            print_json(_report_json(survey, settings, target))
            return
        say(
            f"\nEverything is in {target}, and was compared with what was read. {folder} was not changed: keep it "
            "in case you want to go back, and do not start the old server with it."
        )
        say("Start with the old environment file, replacing these variables:")
        say(f"  PDS_DATA_DIRECTORY={target}\n  PDS_BLOBSTORE_DISK_LOCATION=")

    run_command(work)


def _environment(folder: Path, env_file: Path | None) -> dict[str, str]:
    """Read the settings of the old server. Raises Refused, naming the expected files, if there is no PDS in the folder."""
    usual = folder / "pds.env"
    if env_file is None and not usual.exists():
        why = "it has no environment file pds.env (if it is elsewhere, give its path with --environment)"
        if not (folder / "account.sqlite").exists():
            why = "it has neither account.sqlite nor pds.env"
        raise Refused(f"{folder} is not the data folder of a reference PDS: {why}.")
    return read_environment(env_file or usual)


def _report_json(findings: Survey, settings: PdsSettings, target: Path | None) -> dict[str, object]:
    return {
        "counts": findings.counts,
        "last_number": findings.last_number,
        "seconds": findings.seconds,
        "damaged": findings.damaged,
        "lost": findings.lost,
        "odd": findings.odd,
        "settings": unexpected_effects(settings),
        "into": None if target is None else str(target),
    }


def _print_report(findings: Survey, settings: list[str]) -> None:
    say_counts({**findings.counts, "is the firehose's last number": findings.last_number})
    if findings.seconds is not None:
        say(f"\nThe import will need about {_duration(findings.seconds)}, with the old server stopped.")
    for title, sentences in (
        ("Kept byte for byte, although the new server would refuse to write them:", findings.odd),
        ("Will be lost or different:", findings.lost),
        ("With this settings file:", settings),
        ("Damaged:", findings.damaged),
    ):
        if sentences:
            say(f"\n{title}")
            for sentence in sentences[:_SENTENCES_SHOWN]:
                say(f"  - {sentence}")
            if len(sentences) > _SENTENCES_SHOWN:
                say(f"  and {len(sentences) - _SENTENCES_SHOWN:,} more; --json lists all of them")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return "a minute"
    if seconds < 2 * 3600:
        return f"{round(seconds / 60) + 1} minutes"
    return f"{seconds / 3600:.1f} hours"


@contextmanager
def _progress(stage: str, *, is_shown: bool) -> Iterator[OnProgress]:
    """Show progress on standard error, which keeps it out of the output: a bar in a terminal, a line every few seconds
    in a log.
    """
    console = Console(stderr=True)
    if is_shown and not console.is_terminal:
        yield _print_lines(stage)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as bar:
        task = bar.add_task(stage, total=None)

        def on_progress(done: int, total: int, at: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{stage} {at}".rstrip())

        yield on_progress


def _print_lines(stage: str) -> OnProgress:
    clock = SystemClock()
    due = clock.now()

    def on_progress(done: int, total: int, at: str) -> None:
        nonlocal due
        if clock.now() >= due:
            due = Instant(clock.now() + _SECONDS_BETWEEN_LINES * SECOND)
            say(f"{stage}: {done:,} of {total:,} {at}".rstrip(), err=True)

    return on_progress
