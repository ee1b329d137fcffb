"""The statements of an import, run on the writer: what may be large is done by one statement for all of it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from at_protocol.data.cid import Cid
from at_protocol.repo.change import Change, parse_path
from at_protocol.repo.commit import Commit
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.blobs.references import add_imported_references, collect, drop_references
from aurora_locus.repository import writer
from aurora_locus.repository.import_plan import Plan
from aurora_locus.repository.model import Head, Status
from aurora_locus.repository.writer import StaleHead
from aurora_locus.sequencer import log
from aurora_locus.sequencer.live import Live
from groundwork.database.transaction import Writer

_ROWS_AT_ONCE = 5000

# Staged blocks are marked by a rev above the repository's. One that an export still needs, unused, is taken over.
_STAGE = """
    insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, 1)
    on conflict (did, cid) do update set rev = excluded.rev, uses = 1 where blocks.uses = 0
"""
# The commit comes first and stays unused until the end: unused blocks are looked for at each start.
_STAGE_COMMIT = "insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, 0)"
_USE_COMMIT = "update blocks set uses = 1 where did = :did and cid = :cid and uses = 0"
_USE_MORE = "update blocks set uses = uses + :more, rev = :rev where did = :did and cid = :cid"
_UNSTAGE = "delete from blocks where did = :did and rev = :rev"

# A statement for many rows: one for each would take four times as long.
_RECORDS_AT_ONCE = 500
_PUT_RECORDS = """
    insert into records (did, collection, rkey, cid, rev, takedown_ref) values {rows}
    on conflict (did, collection, rkey) do update set cid = excluded.cid, rev = excluded.rev
"""

# Unlike a commit's, an import's repository may be deactivated; it must still be what it was when the plan was made.
_MOVE_HEAD = """
    update repositories set head = :head, rev = :rev, data = :data
     where did = :did and head = :expected and status = :status
"""


def begin(w: Writer, made: Commit) -> None:
    """Lay down the commit that will be the head. What is staged after it is garbage until :func:`store` has run."""
    w.execute(_STAGE_COMMIT, did=made.did, cid=bytes(made.cid), bytes=made.block, rev=made.rev)


def stage(w: Writer, made: Commit, blocks: Iterable[tuple[Cid, bytes]]) -> None:
    """Lay down blocks that are not here yet."""
    did, rev = made.did, made.rev
    w.execute_many(_STAGE, [{"did": did, "cid": bytes(cid), "bytes": block, "rev": rev} for cid, block in blocks])


def unstage(w: Writer, made: Commit) -> None:
    """Take back what was laid down. No export may be running that needs some of it."""
    w.execute(_UNSTAGE, did=made.did, rev=made.rev)


def store(w: Writer, live: Live, before: Head, made: Commit, plan: Plan, *, keep_removed: bool) -> list[Cid]:
    """Turn the repository into what the plan says, under the commit made for it; the blobs whose files are to go.

    Raises StaleHead when the repository, or what was staged, is no longer as it was.
    """
    did, rev = before.did, made.rev
    if rev is None:
        raise AssertionError
    moved = w.execute(
        _MOVE_HEAD,
        did=did,
        head=bytes(made.cid),
        rev=rev,
        data=bytes(made.data),
        expected=bytes(before.commit),
        status=before.status.value,
    )
    # Where another process, starting, took what is staged here for garbage, the commit is gone with it.
    if moved != 1 or w.execute(_USE_COMMIT, did=did, cid=bytes(made.cid)) != 1:
        raise StaleHead
    for rows in _portions({"did": did, "cid": bytes(c), "more": n, "rev": rev} for c, n in plan.more_uses.items()):
        w.execute_many(_USE_MORE, rows)
    collected = _store_index(w, did, rev, plan)
    removed = [change.before for change in plan.changes if change.before is not None]
    writer.remove_blocks(w, did, [before.commit, *plan.removed_nodes], removed, keep_removed=keep_removed)
    if before.status is Status.ACTIVE:
        # Far more than a commit message can carry: consumers are told to fetch the repository again.
        log.append_sync(w, live, made)
    return collected


def _store_index(w: Writer, did: Did, rev: Tid, plan: Plan) -> list[Cid]:
    dropped: list[bytes] = []
    for change in plan.changes:
        if change.before is not None:
            dropped += drop_references(w, did, *parse_path(change.path))
    _put_records(w, did, rev, [change for change in plan.changes if change.after is not None])
    for rows in _portions(_key(did, change.path) for change in plan.changes if change.after is None):
        w.execute_many(writer.REMOVE_RECORD, rows)
    for rows in _portions(
        {**_key(did, path), "cid": bytes(blob.cid)} for path, blobs in plan.blobs.items() for blob in blobs
    ):
        add_imported_references(w, did, rows)
    return collect(w, did, dropped)


def _put_records(w: Writer, did: Did, rev: Tid, changes: Sequence[Change]) -> None:
    for start in range(0, len(changes), _RECORDS_AT_ONCE):
        values: dict[str, object] = {"did": did, "rev": rev}
        rows = []
        for number, change in enumerate(changes[start : start + _RECORDS_AT_ONCE]):
            collection, _, rkey = change.path.partition("/")
            values |= {f"c{number}": collection, f"k{number}": rkey, f"v{number}": bytes(change.after or b"")}
            decided = writer.DECIDED.format(collection=f"c{number}", rkey=f"k{number}")
            rows.append(f"(:did, :c{number}, :k{number}, :v{number}, :rev, {decided})")
        w.execute(_PUT_RECORDS.format(rows=", ".join(rows)), **values)


def _key(did: Did, path: str) -> dict[str, Any]:
    collection, _, rkey = path.partition("/")
    return {"did": did, "collection": collection, "rkey": rkey}


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while portion := list(islice(iterator, _ROWS_AT_ONCE)):
        yield portion
