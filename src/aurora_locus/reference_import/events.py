"""Import of the event log: the same events with the same sequence numbers, continuing after the last.

If the stream cannot express the state of a repository as commits (an unreadable event, a repository that was signed
again), a ``#sync`` event after the imported ones announces it.

The old server stores an event without its number and time and adds both when it sends it; ours stores exactly what is
sent. Events older than our retention window are left out.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from at_protocol.data import cbor
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import Commit
from at_protocol.sync import events as messages
from at_protocol.sync import frames
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from aurora_locus.reference_import.old_folder import instant
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

# Event types that the old server stores, with their names in the stream. Other types are from old releases.
_KINDS: Final = {"append": "commit", "sync": "sync", "identity": "identity", "account": "account"}

_LAST = """
    select max(coalesce((select max(seq) from repo_seq), 0),
               coalesce((select seq from sqlite_sequence where name = 'repo_seq'), 0))
"""
_AFTER = """
    select seq, did, eventType, event, sequencedAt from repo_seq
     where seq > ? and invalidated = 0
     order by seq limit ?
"""
_AT_ONCE = 2000

_INSERT = """
    insert into events (seq, did, kind, frame, sequenced_at) values (:seq, :did, :kind, :frame, :sequenced_at)
"""
_CONTINUE = "update sequencer set last = :last, retired_up_to = :retired_up_to where id = 1"


def last_number(db: sqlite3.Connection) -> int:
    """Return the highest number that was ever assigned."""
    return int(db.execute(_LAST).fetchone()[0])


def events(db: sqlite3.Connection, since: Instant, unreadable: set[Did]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of events since ``since``, a few thousand at a time. Accounts with unreadable events are added to
    ``unreadable``.
    """
    position = 0
    while rows := db.execute(_AFTER, [position, _AT_ONCE]).fetchall():
        position = rows[-1]["seq"]
        batch = []
        for row in rows:
            if row["eventType"] not in _KINDS or instant(row["sequencedAt"]) < since:
                continue
            try:
                batch.append(_event(row, _KINDS[row["eventType"]]))
            except Malformed:
                unreadable.add(Did(row["did"]))
        if batch:
            yield batch


def keep_events(w: Writer, rows: list[dict[str, Any]]) -> None:
    w.execute_many(_INSERT, rows)


def keep_sync(w: Writer, seq: int, commit: Commit) -> None:
    """Announce a repository's current state as the event with number ``seq``. The commit must have a rev."""
    blocks = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
    message = messages.SyncMessage(0, commit.did, format_datetime(w.now), str(commit.rev), blocks)
    frame = messages.encode_unsequenced(message).with_seq(seq)
    w.execute(_INSERT, seq=seq, did=commit.did, kind="sync", frame=frame, sequenced_at=w.now)


def continue_at(w: Writer, last: int, first_kept: int | None) -> None:
    """Make the next event get the number after ``last``. Cursors below ``first_kept`` are outdated."""
    w.execute(_CONTINUE, last=last, retired_up_to=last if first_kept is None else first_kept - 1)


def _event(row: sqlite3.Row, kind: str) -> dict[str, Any]:
    payload = cbor.decode(row["event"])
    if not isinstance(payload, dict):
        raise Malformed("event", row["seq"], "it is not a map")
    frame = frames.encode_message(f"#{kind}", {**payload, "seq": row["seq"], "time": row["sequencedAt"]})
    return {
        "seq": row["seq"],
        "did": row["did"],
        "kind": kind,
        "frame": frame,
        "sequenced_at": instant(row["sequencedAt"]),
    }
