"""Account migration in a terminal: prompts for passwords, progress bars, and the token from the e-mail.

Secrets come from a prompt or the environment, never from arguments, which every user of the machine can read.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from at_network.migration import account, identity, migrate, servers
from at_network.migration import progress as steps
from at_network.migration.progress import MigrationResult, MigrationStep, OnProgress
from at_network.migration.servers import MigrationServer
from at_network.plc_client import PlcClient
from at_protocol.syntax.did import is_plc
from groundwork.clock import SystemClock
from groundwork.errors import NotSignedIn, Refused
from groundwork.http.client import HttpClient
from programs import migration_state
from programs.command_line import say
from programs.migration_state import MoveState

OLD_PASSWORD: Final = "OPENMEET_OLD_PASSWORD"  # noqa: S105 - a variable's name
NEW_PASSWORD: Final = "OPENMEET_NEW_PASSWORD"  # noqa: S105 - a variable's name
FACTOR_TOKEN: Final = "OPENMEET_FACTOR_TOKEN"  # noqa: S105 - a variable's name
PLC_TOKEN: Final = "OPENMEET_PLC_TOKEN"  # noqa: S105 - a variable's name

_STEP_LABELS = {
    MigrationStep.ACCOUNT: "account",
    MigrationStep.REPOSITORY: "records",
    MigrationStep.BLOBS: "blobs",
    MigrationStep.PREFERENCES: "settings",
    MigrationStep.IDENTITY: "identity",
    MigrationStep.ACTIVATION: "new server",
    MigrationStep.DEACTIVATION: "old server",
}


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """Options of an account migration that are not stored in its state file: codes and keys that are used once."""

    invite_code: str | None
    recovery_key: str | None
    delete_after: str | None
    is_confirmed: bool
    state_file: Path
    directory: PlcClient


async def run(http: HttpClient, state: MoveState, options: MigrationOptions) -> None:
    """Run the whole migration, or the rest of it. Raises Refused if input is needed and there is no terminal."""
    clock = SystemClock()
    old = await _sign_in(http, clock, state)
    state.did = old.did
    # Done before any account is created, so that a state file that cannot be written is noticed now.
    _save_state(options, state)
    new_account = account.NewAccount(
        handle=state.handle,
        email=state.email,
        password=secret(NEW_PASSWORD, f"Password at {state.new} (the new server)"),
        invite_code=options.invite_code,
        recovery_key=options.recovery_key,
    )
    new, was_made = await account.sign_in_or_create(http, clock, old, state.new, new_account)
    say(
        f"{_STEP_LABELS[MigrationStep.ACCOUNT]:11}{'made' if was_made else 'found'} at {state.new} as "
        f"{state.handle}; {old.did}"
    )
    with _progress() as on_progress:
        move = migrate.Migration(old, new, options.state_file.absolute().parent, options.directory, on_progress)
        outcome = await migrate.copy_account(move)
    _record_outcome(state, outcome)
    _save_state(options, state)
    _tell_of(outcome)
    if not await identity.names_new_server(new):
        _confirm(options, state, outcome)
    token = await _signing_token(old, new, state)
    with _progress() as on_progress:
        move = migrate.Migration(old, new, move.folder, options.directory, on_progress)
        await migrate.finish(move, token, delete_after=options.delete_after)
    state.is_finished = True
    _save_state(options, state)
    say(f"Done. {state.handle} is at {state.new} now; sign in to your apps again there.")


async def _sign_in(http: HttpClient, clock: SystemClock, state: MoveState) -> MigrationServer:
    password = secret(OLD_PASSWORD, f"Password of {state.identifier} at {state.old} (the old server)")
    try:
        return await servers.sign_in(http, clock, state.old, state.identifier, password)
    except NotSignedIn as refused:
        if refused.name != "AuthFactorTokenRequired":
            raise
        factor = secret(FACTOR_TOKEN, "Sign-in code that the old server has e-mailed")
        return await servers.sign_in(http, clock, state.old, state.identifier, password, factor_token=factor)


async def _signing_token(old: MigrationServer, new: MigrationServer, state: MoveState) -> str | None:
    """The token that the old server needs for signing; None if it needs none. Raises Refused if the person has to
    request it first.
    """
    if await identity.names_new_server(new):
        return None
    if not is_plc(old.did):
        document = msgspec.json.format(
            msgspec.json.encode(identity.did_web_document_entries(new, await identity.recommended(new))), indent=2
        )
        raise Refused(
            f"Everything is at {state.new}. Now publish this document for {old.did}, then run the same command "
            f"again:\n{document.decode()}"
        )
    token = os.environ.get(PLC_TOKEN)
    if token:
        return token
    await identity.ask_for_token(old)
    if not sys.stdin.isatty():
        raise Refused(
            f"Everything is at {state.new}. {state.old} has e-mailed a token for the identity: "
            f"run the same command again with {PLC_TOKEN} set to it."
        )
    return str(typer.prompt(f"{state.old} has e-mailed a token for the identity. Token", err=True))


def secret(variable: str, question: str) -> str:
    """A secret from the environment or a hidden prompt. Raises Refused if there is no terminal."""
    value = os.environ.get(variable)
    if value:
        return value
    if not sys.stdin.isatty():
        raise Refused(f"{question}: set {variable}, or run this in a terminal.")
    return str(typer.prompt(question, hide_input=True, err=True))


def _confirm(options: MigrationOptions, state: MoveState, outcome: MigrationResult) -> None:
    """Ask for the last confirmation. Raises Refused if the answer is no, or if data is missing and the person has not
    accepted that.
    """
    is_whole = not outcome.missing_blobs and not outcome.differences
    if options.is_confirmed or (is_whole and not sys.stdin.isatty()):
        return
    if not sys.stdin.isatty():
        raise Refused("Not everything was copied (see above). To move anyway, run the same command with --yes.")
    summary = "Everything was copied" if is_whole else "Not everything was copied (see above)"
    if not typer.confirm(f"{summary}. Make {state.new} the account's server?", default=is_whole, err=True):
        raise Refused("Nothing was changed at the old server. To continue from here, run the same command again.")


def _save_state(options: MigrationOptions, state: MoveState) -> None:
    try:
        migration_state.write(options.state_file, state)
    except OSError as error:
        raise Refused(
            f"{options.state_file} cannot be written: {error.strerror or error}. Choose another file with --state."
        ) from error


def _record_outcome(state: MoveState, outcome: MigrationResult) -> None:
    state.records = outcome.records
    state.blobs_brought += outcome.blobs_brought
    state.missing_blobs = [str(cid) for cid in outcome.missing_blobs]
    state.differences = list(outcome.differences)


def _tell_of(outcome: MigrationResult) -> None:
    for cid in outcome.missing_blobs:
        say(f"           missing at the old server: {cid}")
    for difference in outcome.differences:
        say(f"           {difference}")


@contextmanager
def _progress() -> Iterator[OnProgress]:
    """Show progress bars in a terminal, otherwise a line for each completed step."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield _progress_printer(bars)


def _progress_printer(bars: Progress) -> Callable[[steps.Progress], None]:
    running: dict[MigrationStep, TaskID] = {}

    def on_progress(progress: steps.Progress) -> None:
        word = _STEP_LABELS[progress.step]
        if progress.is_complete:
            if progress.step in running:
                bars.remove_task(running.pop(progress.step))
            say(f"{word:11}{progress.note}")
            return
        task = running.get(progress.step)
        if task is None:
            task = running[progress.step] = bars.add_task(word, total=None, count="")
        count = (
            f"{progress.done}/{progress.total}"
            if progress.step is MigrationStep.BLOBS
            else f"{progress.done / 1e6:.1f} MB"
        )
        bars.update(task, completed=progress.done, total=progress.total or None, count=count)

    return on_progress
