"""Statements of an import, run on the writer, each for many rows at once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from at_protocol.data.cid import Cid
from at_protocol.failures import Misuse
from at_protocol.repo.change import RepoChange, parse_path
from at_protocol.repo.commit import Commit
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.blobs.references import add_imported_references, collect, drop_references
from aurora_locus.repository import writer
from aurora_locus.repository.import_check import Exchange
from aurora_locus.repository.model import Head, HostingStatus
from aurora_locus.repository.writer import Keeps, StaleHead
from aurora_locus.sequencer import log
from aurora_locus.sequencer.live_events import LiveEvents
from groundwork.database.transaction import Writer
from groundwork.errors import Unavailable

_ROWS_AT_ONCE = 5000

# Locks the row until the commit. A concurrent activation either waits and sees the import, or came first and is seen.
_FIND_AS_PLANNED = """
    update repositories set rev = rev
     where did = :did and head = :expected and status = :status and is_frozen = :is_frozen
"""
_BEGIN = """
    insert into imports (did, rev, touched_at, is_abandoned) values (:did, :rev, :now, 0) on conflict (did) do nothing
"""
_GO_ON = "update imports set touched_at = :now where did = :did and rev = :rev and is_abandoned = 0"
_END = "delete from imports where did = :did and rev = :rev and is_abandoned = 0"

# Staged rows are marked by a rev above that of the repository. An unused block that was kept for an export is reused.
_STAGE = """
    insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, :uses)
    on conflict (did, cid) do update set rev = excluded.rev, uses = excluded.uses where blocks.uses = 0
"""
_USE_MORE = "update blocks set uses = uses + :more, rev = :rev where did = :did and cid = :cid"

# One statement for many rows. One statement per row would take four times as long.
_RECORDS_AT_ONCE = 500
_ADD_RECORDS = "insert into records (did, collection, rkey, cid, rev, takedown_ref) values {rows}"
_PUT_RECORDS = f"""
    {_ADD_RECORDS}
    on conflict (did, collection, rkey) do update
       set cid = excluded.cid, rev = excluded.rev, subject = null
"""

# Unlike for a commit, the repository may be deactivated, but it must still be in the state that the import was planned
# for: not frozen since then by a migration, which has sent the records that were there before.
_MOVE_HEAD = """
    update repositories set head = :head, rev = :rev, data = :data
     where did = :did and head = :expected and status = :status and is_frozen = :is_frozen
"""


def begin(w: Writer, before: Head, commit: Commit) -> None:
    """Register an import, and stage the commit that will be the head.

    Raises StaleHead if the repository has changed, Unavailable while another import of it is running or being swept.
    """
    did, rev = commit.did, commit.rev
    if w.execute(_FIND_AS_PLANNED, did=did, **_state_of(before)) != 1:
        raise StaleHead
    if w.execute(_BEGIN, did=did, rev=rev, now=w.now) != 1:
        raise Unavailable(f"The repository {did} is being imported already. Try again in a few minutes.")
    w.execute(_STAGE, did=did, cid=bytes(commit.cid), bytes=commit.block, rev=rev, uses=1)


def stage(w: Writer, commit: Commit, blocks: Iterable[tuple[Cid, bytes, int]]) -> None:
    """Stage new blocks, each with its reference count. Raises StaleHead if the import was abandoned in the meantime."""
    did, rev = commit.did, commit.rev
    _renew(w, commit)
    w.execute_many(
        _STAGE,
        [{"did": did, "cid": bytes(cid), "bytes": block, "rev": rev, "uses": uses} for cid, block, uses in blocks],
    )


def stage_records(w: Writer, commit: Commit, changes: Sequence[RepoChange]) -> None:
    """Stage index rows of new paths, for a repository that is not visible. Raises StaleHead if the import was abandoned
    in the meantime.
    """
    _renew(w, commit)
    _write_records(w, _ADD_RECORDS, commit, changes)


def _renew(w: Writer, commit: Commit) -> None:
    if w.execute(_GO_ON, did=commit.did, rev=commit.rev, now=w.now) != 1:
        raise StaleHead


def store(
    w: Writer,
    live: LiveEvents,
    before: Head,
    commit: Commit,
    plan: Exchange,
    changes: Sequence[RepoChange],
    *,
    keeps: Keeps,
) -> list[Cid]:
    """Apply the plan from the check, with the commit made for it. Return the blobs whose files must be removed.

    ``changes`` are those whose index rows were not staged. Raises StaleHead if the repository or the staged rows have
    changed.
    """
    did, rev = before.did, commit.rev
    if rev is None:
        raise Misuse("a commit of version 2 is never made")
    moved_count = w.execute(
        _MOVE_HEAD,
        did=did,
        head=bytes(commit.cid),
        rev=rev,
        data=bytes(commit.data),
        **_state_of(before),
    )
    # If another process has treated the staged rows as abandoned, this is recorded in the row of the import.
    if moved_count != 1 or w.execute(_END, did=did, rev=rev) != 1:
        raise StaleHead
    for rows in _portions({"did": did, "cid": cid, "more": more, "rev": rev} for cid, more in plan.more_uses()):
        w.execute_many(_USE_MORE, rows)
    collected = _store_index(w, did, commit, plan, changes)
    removed_cids = [change.before for change in changes if change.before is not None]
    writer.remove_blocks(w, did, [before.commit, *plan.removed_nodes()], removed_cids, keep_removed=keeps(w, did))
    if before.status is HostingStatus.ACTIVE:
        # Far more than a commit message can carry, so a ``#sync`` event makes consumers fetch the repository again.
        log.append_sync(w, live, commit)
    return collected


def _state_of(before: Head) -> dict[str, object]:
    return {"expected": bytes(before.commit), "status": before.status.value, "is_frozen": int(before.is_frozen)}


def _store_index(w: Writer, did: Did, commit: Commit, plan: Exchange, changes: Sequence[RepoChange]) -> list[Cid]:
    dropped_cids: list[bytes] = []
    for change in changes:
        if change.before is not None:
            dropped_cids += drop_references(w, did, *parse_path(change.path))
    _write_records(w, _PUT_RECORDS, commit, [change for change in changes if change.after is not None])
    for rows in _portions(_key(did, change.path) for change in changes if change.after is None):
        w.execute_many(writer.REMOVE_RECORD, rows)
    for rows in _portions({**_key(did, path), "cid": cid} for path, cid in plan.blobs()):
        add_imported_references(w, did, rows)
    return collect(w, did, dropped_cids)


def _write_records(w: Writer, statement: str, commit: Commit, changes: Sequence[RepoChange]) -> None:
    for start in range(0, len(changes), _RECORDS_AT_ONCE):
        values: dict[str, object] = {"did": commit.did, "rev": Tid(str(commit.rev))}
        rows = []
        for number, change in enumerate(changes[start : start + _RECORDS_AT_ONCE]):
            collection, _, rkey = change.path.partition("/")
            values |= {f"c{number}": collection, f"k{number}": rkey, f"v{number}": bytes(change.after or b"")}
            decided_sql = writer.DECIDED.format(collection=f"c{number}", rkey=f"k{number}")
            rows.append(f"(:did, :c{number}, :k{number}, :v{number}, :rev, {decided_sql})")
        w.execute(statement.format(rows=", ".join(rows)), **values)


def _key(did: Did, path: str) -> dict[str, Any]:
    collection, _, rkey = path.partition("/")
    return {"did": did, "collection": collection, "rkey": rkey}


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while portion := list(islice(iterator, _ROWS_AT_ONCE)):
        yield portion
