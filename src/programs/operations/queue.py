"""Show the queue, and list, retry and delete dead letters (``openmeet queue …``)."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import typer

from groundwork.clock import SystemClock
from groundwork.queue.contract import Queue
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.dead_letters import DeadLetterView
from programs.command_line import format_instant, print_json, say
from programs.community_queues import open_queue_alone
from programs.platform_settings import read_settings_of_installation
from programs.running import run_command


def show_status(tenant: str, settings_file: Path | None, *, as_json: bool) -> None:
    """Show how many messages are waiting, how long they have waited, and how many dead letters there are."""

    async def show(queue: Queue) -> None:
        depth = await queue.depth()
        if as_json:
            print_json(depth)
            return
        since = f", the oldest since {format_instant(depth.oldest_at)}" if depth.oldest_at is not None else ""
        typer.echo(f"waiting       {depth.waiting}{since}")
        typer.echo(f"dead letters  {depth.dead}")

    _with_queue(settings_file, tenant, show)


def show_dead_letters(tenant: str, settings_file: Path | None, limit: int, after: str, *, as_json: bool) -> None:
    """List dead letters (messages that could not be applied) with the reason."""

    async def show(queue: Queue) -> None:
        letters = await dead_letters.page(queue, limit=limit, after=after)
        if as_json:
            print_json([asdict(letter) | {"reason": explain(letter.reason)} for letter in letters])
            return
        for letter in letters:
            say(_letter_lines(letter))
        if not letters:
            typer.echo("There are no dead letters.")

    _with_queue(settings_file, tenant, show)


def retry(letter_ids: list[str] | None, tenant: str, settings_file: Path | None, *, everything: bool) -> None:
    """Deliver dead letters again, after the waiting messages of the same repositories."""

    async def act(queue: Queue) -> None:
        letters = await _selected_letters(queue, letter_ids, everything=everything)
        typer.echo(f"{await dead_letters.retry(queue, letters)} delivered again")

    _with_queue(settings_file, tenant, act)


def discard(letter_ids: list[str] | None, tenant: str, settings_file: Path | None, *, everything: bool) -> None:
    """Delete dead letters permanently."""

    async def act(queue: Queue) -> None:
        letters = await _selected_letters(queue, letter_ids, everything=everything)
        typer.echo(f"{await dead_letters.discard(queue, letters)} discarded")

    _with_queue(settings_file, tenant, act)


def _with_queue(settings_file: Path | None, tenant: str, work: Callable[[Queue], Awaitable[None]]) -> None:
    settings = read_settings_of_installation(settings_file, tenant)

    async def run() -> None:
        queue = await open_queue_alone(tenant, settings, SystemClock())
        try:
            await work(queue)
        finally:
            await queue.close()

    run_command(run)


async def _selected_letters(queue: Queue, letter_ids: list[str] | None, *, everything: bool) -> list[str]:
    if bool(letter_ids) == everything:
        raise typer.BadParameter("Give the ids of dead letters, or --all.")
    if not everything:
        return letter_ids or []
    selected: list[str] = []
    while page := await queue.dead_letters(500, selected[-1] if selected else ""):
        selected += [letter.letter_id for letter in page]
    return selected


def _letter_lines(letter: DeadLetterView) -> str:
    about = letter.about or letter.partition
    return (
        f"{letter.letter_id}  {letter.routing_key}  {about}\n"
        f"    {explain(letter.reason)} ({letter.attempts} attempts, failed {format_instant(letter.buried_at)})"
    )
