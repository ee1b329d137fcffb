"""Inspect the stored event log, whether or not the server is running (``openmeet pds sequence …``)."""

from pathlib import Path
from typing import Any

import typer

from at_protocol.failures import Malformed
from at_protocol.sync import events
from at_protocol.sync.frames import ErrorFrame
from aurora_locus.sequencer import queries
from aurora_locus.settings import PdsSettings
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from programs.command_line import format_instant, print_json, say, say_table, with_count
from programs.operations.pds.server_access import run_on_database
from programs.progress_bars import progress_bars

PAGE = 500


def status(settings_file: Path | None, *, as_json: bool) -> None:
    """Show the newest sequence number, up to which number old events were deleted, and the number of events by kind."""

    async def show(db: Database, _settings: PdsSettings) -> None:
        fields: dict[str, Any] = {
            "head": await queries.last_number(db),
            "retired_up_to": await queries.retired_up_to(db),
            "kept": await queries.counts(db),
        }
        if as_json:
            print_json(fields)
            return
        say(f"newest number  {fields['head']}")
        say(f"deleted up to  {fields['retired_up_to']}")
        say_table(
            (kind, number, f"events, the oldest of {format_instant(oldest)}")
            for kind, (number, oldest) in fields["kept"].items()
        )

    run_on_database(settings_file, show)


def list_events(after: int | None, limit: int, did: str, settings_file: Path | None, *, as_json: bool) -> None:
    """List events, one per line."""

    async def show(db: Database, _settings: PdsSettings) -> None:
        rows = await queries.list_events(db, after=after, did=did, limit=limit)
        if as_json:
            print_json(
                [{"seq": one.seq, "kind": one.kind, "did": one.did, "at": one.at, "bytes": one.size} for one in rows]
            )
            return
        # Sequence numbers have no separators, so that they can be pasted into `sequence show`.
        say_table((str(one.seq), format_instant(one.at), one.kind, one.size, "bytes", one.did) for one in rows)
        if not rows:
            say("There are no events.")

    run_on_database(settings_file, show)


def show_event(seq: int, settings_file: Path | None, *, as_json: bool) -> None:
    """Show one event, decoded."""

    async def show(db: Database, _settings: PdsSettings) -> None:
        entries = await queries.page(db, seq - 1, 1)
        if not entries or entries[0][0] != seq:
            raise NotFound(
                f"There is no event {seq}: it was deleted because of its age, deleted with its account, or never existed."
            )
        message = events.read(entries[0][1])
        if message is None or isinstance(message, ErrorFrame):
            raise NotFound(f"Event {seq} is of a kind that this version cannot decode.")
        payload = {name: _readable(value) for name, value in events.to_payload(message).items()}
        if as_json:
            print_json({"kind": events.kind_of(message), "seq": seq, **payload})
            return
        say(events.kind_of(message))
        for name, value in payload.items():
            say(f"  {name:12} {value}")

    run_on_database(settings_file, show)


def verify(settings_file: Path | None, *, as_json: bool) -> None:
    """Check that every stored event can be decoded and contains its own number. Exits with 1 if one does not."""

    async def look(db: Database, _settings: PdsSettings) -> None:
        last, position = await queries.last_number(db), await queries.retired_up_to(db)
        first, read = position, 0
        wrong: list[dict[str, Any]] = []
        with progress_bars(is_shown=not as_json) as on_progress:
            while page := await queries.page(db, position, PAGE):
                for seq, frame in page:
                    why = _frame_problem(seq, frame)
                    if why:
                        wrong.append({"seq": seq, "why": why})
                    position, read = seq, read + 1
                on_progress("reading", position - first, last - first)
        if as_json:
            print_json({"read": read, "head": last, "wrong": wrong})
        else:
            say(f"{with_count(read, 'event')} read, {len(wrong):,} wrong")
            for one in wrong:
                say(f"{one['seq']}: {one['why']}")
        if wrong or position > last:
            raise typer.Exit(1)

    run_on_database(settings_file, look)


def _frame_problem(seq: int, frame: bytes) -> str:
    try:
        message = events.read(frame)
    except Malformed as wrong:
        return str(wrong)
    if message is None or isinstance(message, ErrorFrame | events.InfoMessage):
        return "is not a valid event"
    return "" if message.seq == seq else f"contains the number {message.seq}"


def _readable(value: object) -> object:
    match value:
        case bytes():
            return f"{len(value)} bytes"
        case list():
            return [_readable(one) for one in value]
        case dict():
            return {name: _readable(one) for name, one in value.items()}
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)
