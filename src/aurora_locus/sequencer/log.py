"""Append to the event log, in the transaction that the event announces (invariants 1 and 2).

Each function takes the writer of that transaction and must be its *last* call. On PostgreSQL the row of ``sequencer``
stays locked from this call to the commit, so that commits happen in the order of their numbers. The frame gets its
number in this call; the same bytes are then stored, replayed and sent live. Subscribers are woken only after the commit
is durable.

Order for a new account: identity, account, commit, sync; for an activation: account, identity, sync.
"""

from typing import Literal

from at_protocol.failures import Misuse
from at_protocol.repo import car
from at_protocol.repo.commit import Commit
from at_protocol.sync import events
from at_protocol.sync.frames import UnsequencedFrame
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.database.transaction import Writer

Kind = Literal["commit", "sync", "identity", "account"]

_NEXT_NUMBER = "update sequencer set last = last + 1 where id = 1 returning last"
_INSERT = """
    insert into events (seq, did, kind, frame, sequenced_at) values (:seq, :did, :kind, :frame, :sequenced_at)
"""
_CONTINUE = "update sequencer set last = :number where id = 1 and last <= :number"
_PURGE = "delete from events where did = :did returning seq"


def append_commit(w: Writer, live: LiveEvents, did: Did, frame: UnsequencedFrame) -> int:
    """Append a commit event. The frame is complete except for its number, which is returned."""
    return _append(w, live, did, "commit", frame)


def append_sync(w: Writer, live: LiveEvents, commit: Commit) -> int:
    """Append a sync event: the state of a repository without its history (a new or returning account, a restore)."""
    if commit.rev is None:
        raise Misuse("a commit of version 2 is never announced")
    blocks = b"".join(car.write([commit.cid], [(commit.cid, commit.block)]))
    message = events.SyncMessage(0, commit.did, format_datetime(w.now), commit.rev, blocks)
    return _append(w, live, commit.did, "sync", events.encode_unsequenced(message))


def append_identity(w: Writer, live: LiveEvents, did: Did, handle: Handle | None) -> int:
    """Append an identity event: the DID document or the handle may have changed. None leaves out the handle."""
    message = events.IdentityMessage(0, did, format_datetime(w.now), handle)
    return _append(w, live, did, "identity", events.encode_unsequenced(message))


def append_account(w: Writer, live: LiveEvents, did: Did, status: str) -> int:
    """Append an account event with ``"active"`` or the reason why the account is not active (``repositories.status``)."""
    active = status == "active"
    message = events.AccountMessage(0, did, format_datetime(w.now), active, None if active else status)
    return _append(w, live, did, "account", events.encode_unsequenced(message))


def continue_at(w: Writer, number: int) -> None:
    """Make the next event get a number above this one. Raises Misuse if numbers would go back (invariant 2)."""
    if w.execute(_CONTINUE, number=number) != 1:
        raise Misuse(f"the log has passed number {number}")


def purge(w: Writer, live: LiveEvents, did: Did) -> None:
    """Delete earlier events of a deleted account. Call this before announcing the deletion."""
    purged_numbers = frozenset(row[0] for row in w.fetch(_PURGE, did=did))
    w.after_commit(lambda: live.forget(purged_numbers))


def _append(w: Writer, live: LiveEvents, did: Did, kind: Kind, unsequenced: UnsequencedFrame) -> int:
    row = w.fetch_one(_NEXT_NUMBER)
    if row is None:
        raise Misuse("the sequencer table has lost its row: the migrations have not run")
    seq: int = row[0]
    frame = unsequenced.with_seq(seq)
    w.execute(_INSERT, seq=seq, did=did, kind=kind, frame=frame, sequenced_at=w.now)
    w.after_commit(lambda: live.announce(seq, frame))
    return seq
