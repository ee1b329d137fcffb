"""Statements of one commit, run on the writer in one transaction. Only imports (``import_writer``) and repairs
(``rebuild``) move a head with other statements.

Their order matters. The head comes first, because it can refuse (a stale head, an inactive repository) before anything
else is done. The event comes last, because its number is assigned under the lock that orders commits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from at_protocol.data.blob_ref import BlobRef
from at_protocol.data.cid import Cid
from at_protocol.repo.commit import Commit
from at_protocol.sync.frames import UnsequencedFrame
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import Tid
from aurora_locus.blobs.references import add_references, collect, drop_references
from aurora_locus.repository.model import Head
from aurora_locus.sequencer import log
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.database.transaction import PlainReader, Writer
from groundwork.errors import Conflict

_MOVE_HEAD = """
    update repositories set head = :head, rev = :rev, data = :data
     where did = :did and head = :expected and status = 'active' and is_frozen = 0
"""
# While another process queues for the repository or has its turn, only that process moves the head
# (``RepositoryTurns``). This takes a shared lock, which is free unless a process queues, and is released with the
# transaction.
_MOVE_HEAD_UNQUEUED = _MOVE_HEAD.rstrip() + " and pg_catalog.pg_try_advisory_xact_lock_shared(:queue)"

# A block that is already stored (the same content at another path, or kept for an export) counts as new again, so that
# an export since a rev in between contains it.
_PUT_BLOCK = """
    insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, 1)
    on conflict (did, cid) do update set rev = excluded.rev, uses = blocks.uses + 1
"""
# The host takes down a path, not a version: neither writing the record again nor deleting it first lifts the takedown.
DECIDED = """
    (select t.ref from record_takedowns t where t.did = :did and t.collection = :{collection} and t.rkey = :{rkey})
"""
_PUT_RECORD = f"""
    insert into records (did, collection, rkey, cid, rev, subject, takedown_ref)
    values (:did, :collection, :rkey, :cid, :rev, :subject, {DECIDED.format(collection="collection", rkey="rkey")})
    on conflict (did, collection, rkey) do update
       set cid = excluded.cid, rev = excluded.rev, subject = excluded.subject
"""
REMOVE_RECORD = "delete from records where did = :did and collection = :collection and rkey = :rkey"

# A tree node or commit is referenced once in its repository, a record's block once per path.
_REMOVE_NODE = "delete from blocks where did = :did and cid = :cid and uses = 1"
_RELEASE = "update blocks set uses = uses - 1 where did = :did and cid = :cid"
_REMOVE_UNUSED = "delete from blocks where did = :did and cid = :cid and uses = 0"
_COLLECT_UNUSED = "delete from blocks where did = :did and uses = 0"
_FIND_UNUSED = """
    select distinct did from blocks where uses = 0 and did not in (select p.did from export_pins p)
"""

_CREATE = """
    insert into repositories (did, status, head, rev, data, created_at)
    values (:did, :status, :head, :rev, :data, :created_at)
    on conflict (did) do update
       set status = excluded.status, head = excluded.head, rev = excluded.rev, data = excluded.data,
           created_at = excluded.created_at, is_frozen = 0
     where repositories.status = 'deleted'
"""


# Returns whether blocks that a repository no longer uses must be kept. Called after the repository's row was changed.
Keeps = Callable[[Writer, Did], bool]


class StaleHead(Exception):
    """The repository has a different head than expected, is no longer active, is frozen, or others queue for it.
    Nothing was written.
    """


@dataclass(frozen=True, slots=True)
class IndexChange:
    """One path of the index with its new record, or None for a deletion. ``had_record`` says whether there was one
    before.
    """

    collection: Nsid
    rkey: RecordKey
    cid: Cid | None
    block: bytes | None
    blobs: tuple[BlobRef, ...]
    subject: bytes | None
    had_record: bool


@dataclass(frozen=True, slots=True)
class Changeset:
    """Everything that one commit changes. ``nodes`` includes the commit itself, ``removed_nodes`` the previous commit."""

    before: Head
    commit: Commit
    rev: Tid
    nodes: dict[Cid, bytes]
    removed_nodes: Sequence[Cid]
    removed_records: Sequence[Cid]
    index: Sequence[IndexChange]
    frame: UnsequencedFrame
    is_sent_as_sync: bool = False


def store(w: Writer, live: LiveEvents, changes: Changeset, *, keeps: Keeps, queue: int | None) -> list[Cid]:
    """Store the commit. Return the blobs whose files are to be removed once it is durable.

    ``keeps`` returns whether an export of the repository is running. ``queue`` is the advisory lock of queued writers,
    who have priority; None for the writer whose turn it is. Raises StaleHead.
    """
    did, commit = changes.before.did, changes.commit
    head: dict[str, object] = {"head": bytes(commit.cid), "rev": changes.rev, "data": bytes(commit.data)}
    expected = bytes(changes.before.commit)
    if queue is None:
        moved_count = w.execute(_MOVE_HEAD, did=did, expected=expected, **head)
    else:
        moved_count = w.execute(_MOVE_HEAD_UNQUEUED, did=did, expected=expected, queue=queue, **head)
    if moved_count != 1:
        raise StaleHead
    _put_blocks(w, did, changes.rev, [*changes.nodes.items(), *_record_blocks(changes)])
    collected = _store_index(w, did, changes)
    remove_blocks(w, did, changes.removed_nodes, changes.removed_records, keep_removed=keeps(w, did))
    if changes.is_sent_as_sync:
        log.append_sync(w, live, commit)
    else:
        log.append_commit(w, live, did, changes.frame)
    return collected


def _store_index(w: Writer, did: Did, changes: Changeset) -> list[Cid]:
    rev = changes.rev
    written_changes = [change for change in changes.index if change.cid is not None]
    removed_changes = [change for change in changes.index if change.cid is None]
    if written_changes:
        w.execute_many(
            _PUT_RECORD,
            [
                {
                    "did": did,
                    "collection": change.collection,
                    "rkey": change.rkey,
                    "cid": bytes(change.cid),
                    "rev": rev,
                    "subject": change.subject,
                }
                for change in written_changes
                if change.cid is not None
            ],
        )
    if removed_changes:
        w.execute_many(
            REMOVE_RECORD,
            [{"did": did, "collection": change.collection, "rkey": change.rkey} for change in removed_changes],
        )
    dropped_cids: list[bytes] = []
    for change in changes.index:
        if change.had_record:
            dropped_cids += drop_references(w, did, change.collection, change.rkey)
    for change in written_changes:
        if change.blobs:
            add_references(w, did, change.collection, change.rkey, change.blobs)
    return collect(w, did, dropped_cids)


def remove_blocks(
    w: Writer, did: Did, removed_nodes: Iterable[Cid], removed_records: Iterable[Cid], *, keep_removed: bool
) -> None:
    """Release blocks that the tree no longer refers to. The block of a record is released once per path."""
    nodes = [{"did": did, "cid": bytes(cid)} for cid in removed_nodes]
    records = [{"did": did, "cid": bytes(cid)} for cid in removed_records]
    if keep_removed:
        w.execute_many(_RELEASE, nodes + records)
        return
    w.execute_many(_REMOVE_NODE, nodes)
    if records:
        w.execute_many(_RELEASE, records)
        w.execute_many(_REMOVE_UNUSED, records)


def _record_blocks(changes: Changeset) -> Iterable[tuple[Cid, bytes]]:
    """Yield the content of each path that was written, once per path, because each counts as a reference."""
    return [
        (change.cid, change.block) for change in changes.index if change.cid is not None and change.block is not None
    ]


def _put_blocks(w: Writer, did: Did, rev: Tid | None, blocks: Iterable[tuple[Cid, bytes]]) -> None:
    w.execute_many(_PUT_BLOCK, [{"did": did, "cid": bytes(cid), "bytes": block, "rev": rev} for cid, block in blocks])


def insert_repository(w: Writer, did: Did, status: str, commit: Commit, blocks: dict[Cid, bytes]) -> None:
    """Insert a repository with its first commit. Raises Conflict if this server already has one for the DID that was
    not deleted.
    """
    inserted = w.execute(
        _CREATE,
        did=did,
        status=status,
        head=bytes(commit.cid),
        rev=commit.rev,
        data=bytes(commit.data),
        created_at=w.now,
    )
    if inserted != 1:
        raise Conflict(f"There is already a repository of {did} on this server.", name="AlreadyExists")
    _put_blocks(w, did, commit.rev, blocks.items())


def collect_unused(w: Writer, did: Did) -> None:
    """Delete the blocks kept for exports. No export may be running in any process."""
    w.execute(_COLLECT_UNUSED, did=did)


def with_unused(reader: PlainReader) -> list[Did]:
    """Return the repositories whose blocks are still kept for exports, because a process stopped before its exports
    ended.
    """
    return [Did(row["did"]) for row in reader.fetch(_FIND_UNUSED)]
