"""Show the decoded operations of a PDS or relay live, one per line (``openmeet firehose tail``).

Nothing is verified here: this command shows what the host sends, and ``firehose verify`` checks captured frames.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing

import typer

from at_network.event_stream import follow
from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.sync import events
from at_protocol.sync.events import AccountMessage, CommitMessage, IdentityMessage, Message, SyncMessage
from at_protocol.sync.frames import ErrorFrame
from groundwork.clock import SystemClock
from groundwork.errors import Failure
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs.command_line import print_json, say

Line = dict[str, object]


def tail(url: str, collections: Sequence[str], cursor: int | None, count: int | None, *, as_json: bool) -> None:
    """Print decoded operations as they happen, in these collections or all, until ``count`` lines were printed.

    ``cursor``: start after this sequence number.
    """
    asyncio.run(_tail(url, frozenset(collections), cursor, count, as_json=as_json))


async def _tail(url: str, collections: frozenset[str], cursor: int | None, count: int | None, *, as_json: bool) -> None:
    position = cursor
    shown = 0
    http = HttpClient(DEVELOPMENT, user_agent="openmeet-tail")
    try:
        async with aclosing(follow(http, SystemClock(), url, position=lambda: position, on_lost=_print_lost)) as frames:
            async for frame in frames:
                try:
                    message = events.read(frame)
                except Malformed as wrong:
                    say(f"frame cannot be decoded: {wrong}", err=True)
                    continue
                if isinstance(message, ErrorFrame):
                    say(f"{url} ended the stream: {message.error}: {message.message or ''}", err=True)
                    raise typer.Exit(1)
                for line in lines_of(message, collections):
                    _print_line(line, as_json=as_json)
                    shown += 1
                    if count is not None and shown >= count:
                        return
                seq = getattr(message, "seq", None)
                position = seq if seq is not None else position
    finally:
        await http.close()


def _print_line(line: Line, *, as_json: bool) -> None:
    if as_json:
        print_json(line)
    else:
        say(as_text(line))


def _print_lost(failure: Failure | None, seconds: float) -> None:
    why = failure.why if failure is not None else "the connection was closed"
    say(f"{why} Retrying in {seconds:.1f} s.", err=True)


def lines_of(message: Message | None, collections: frozenset[str]) -> Iterator[Line]:
    """Output for one firehose message: a line per operation of a commit, or one line for any other message.

    With ``collections``, only operations in these collections are shown, and no other messages.
    """
    match message:
        case CommitMessage():
            yield from _operations(message, collections)
        case SyncMessage() if not collections:
            yield {"seq": message.seq, "kind": "sync", "did": message.did, "rev": message.rev}
        case IdentityMessage() if not collections:
            yield {"seq": message.seq, "kind": "identity", "did": message.did, "handle": message.handle}
        case AccountMessage() if not collections:
            status = "active" if message.active else (message.status or "inactive")
            yield {"seq": message.seq, "kind": "account", "did": message.did, "status": status}
        case _:
            return


def _operations(message: CommitMessage, collections: frozenset[str]) -> Iterator[Line]:
    operations = [op for op in message.operations if not collections or op.path.partition("/")[0] in collections]
    if not operations:
        return
    try:
        blocks = car.read(message.blocks).blocks
    except Malformed:
        blocks = {}
    for op in operations:
        line: Line = {"seq": message.seq, "kind": op.action, "did": message.repo, "path": op.path, "rev": message.rev}
        if op.cid is not None:
            line["cid"] = str(op.cid)
            line["record"] = _decode_record(blocks, op.cid)
        yield line


def _decode_record(blocks: dict[Cid, bytes], cid: Cid) -> object:
    block = blocks.get(cid)
    if block is None:
        return None
    try:
        return json_form.to_json(cbor.decode(block))
    except Malformed as wrong:
        return {"unreadable": str(wrong)}


def as_text(line: Line) -> str:
    """A line for the terminal: number, operation, author, URI, and the first words of the record."""
    parts = [f"{line['seq']}", f"{line['kind']:8}", str(line["did"])]
    parts += [str(line[name]) for name in ("path", "handle", "status") if line.get(name)]
    record = line.get("record")
    if isinstance(record, dict):
        words = next((record[key] for key in ("name", "text", "displayName", "status") if record.get(key)), None)
        if isinstance(words, str):
            parts.append("— " + " ".join(words.split())[:80])
    return "  ".join(parts)
