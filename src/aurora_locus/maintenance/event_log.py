"""Check of the event log: every stored frame is readable, and no repository's events have a gap.

A commit names the revision that it follows (``since``). Within the retention window this is the revision in the
previous event of the same repository, so a missing event is detected. The newest event must be about the repository's
head (``integrity``).
"""

import asyncio
from collections.abc import Iterator, Sequence

from at_protocol.failures import Malformed
from at_protocol.sync import events
from groundwork.database.transaction import Database, Row

_PAGE = 500
_EVENTS = "select seq, did, kind, frame from events where seq > :seq order by seq limit :limit"


async def examine_events(db: Database) -> list[str]:
    """Return the problems found, one sentence each, in the order of the log."""
    faults: list[str] = []
    newest: dict[str, str] = {}
    position = 0
    while True:
        async with db.reader() as reader:
            rows = await reader.fetch(_EVENTS, seq=position, limit=_PAGE)
        if not rows:
            return faults
        faults += await asyncio.to_thread(_faults_of_rows, rows, newest)
        position = rows[-1]["seq"]


def _faults_of_rows(rows: Sequence[Row], newest: dict[str, str]) -> list[str]:
    return [fault for row in rows for fault in _faults_of_row(row, newest)]


def _faults_of_row(row: Row, newest: dict[str, str]) -> Iterator[str]:
    """Check one event. ``newest`` maps each repository to its last announced revision, and is updated."""
    seq, did = row["seq"], row["did"]
    try:
        message = events.read(bytes(row["frame"]))
    except Malformed as wrong:
        yield f"Event {seq} of {did} cannot be read: {wrong.why}."
        newest.pop(did, None)
        return
    if not isinstance(message, events.Sequenced):
        yield f"Event {seq} of {did} is not an event."
        return
    if message.seq != seq:
        yield f"Event {seq} of {did} has the number {message.seq} in its frame."
    match message:
        case events.CommitMessage(repo=repo, rev=rev, since=since):
            if repo != did:
                yield f"Event {seq} of {did} is about {repo}."
            before = newest.get(did)
            if before is not None and since is not None and since != before:
                yield (
                    f"Event {seq} of {did} follows the revision {since}, but the event before it has {before}: one is "
                    "missing."
                )
            newest[did] = rev
        case events.SyncMessage(rev=rev):
            newest[did] = rev
