"""Rebuild a damaged repository: derive index, counts and references from its records.

The result is one new commit over the given tree. It is announced as ``#sync`` if the repository is active.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from at_protocol.data.cid import Cid
from at_protocol.repo.commit import Commit, sign_commit
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from aurora_locus.blobs.references import add_imported_references
from aurora_locus.repository.commit import make_durable
from aurora_locus.repository.model import DurableCommit, Head, HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.writer import StaleHead
from aurora_locus.sequencer import log
from groundwork.database.transaction import Writer
from groundwork.errors import Unavailable

_MOVE_HEAD = """
    update repositories set head = :head, rev = :rev, data = :data
     where did = :did and head = :expected and status = :status
"""
_PUT_BLOCK = """
    insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, :uses)
    on conflict (did, cid) do update set bytes = excluded.bytes, rev = excluded.rev, uses = excluded.uses
"""
_COUNT = "update blocks set uses = :uses where did = :did and cid = :cid"
_STORED = "select cid, uses from blocks where did = :did"
_DROP_BLOCK = "delete from blocks where did = :did and cid = :cid"
_INDEXED = "select collection, rkey, cid from records where did = :did"
_PUT_RECORD = """
    insert into records (did, collection, rkey, cid, rev) values (:did, :collection, :rkey, :cid, :rev)
    on conflict (did, collection, rkey) do update
       set cid = excluded.cid, rev = excluded.rev, subject = null
"""
_DROP_RECORD = "delete from records where did = :did and collection = :collection and rkey = :rkey"
_DROP_REFERENCES = "delete from blob_references where did = :did"


@dataclass(frozen=True, slots=True)
class RepositoryContent:
    """The intended repository: ``entries`` by path, every node of their tree below ``root``, and the blob references of
    each record.
    """

    entries: Mapping[str, Cid]
    root: Cid
    nodes: Mapping[Cid, bytes]
    blobs: Mapping[str, frozenset[Cid]]


async def rebuild(repositories: Repositories, head: Head, content: RepositoryContent) -> DurableCommit:
    """Replace the repository's content with a new commit. The caller holds its lock and has read ``head``.

    Raises Unavailable if it was written in the meantime.
    """
    key = await repositories.keys.signing_key(head.did)
    rev = repositories.next_rev(tid.parse_tid(head.rev))
    commit = sign_commit(key, did=head.did, rev=rev, data=content.root)
    try:
        await make_durable(
            repositories,
            replace(head, commit=commit.cid, rev=rev, data=commit.data),
            lambda w: _store(w, repositories, head, commit, content),
        )
    except StaleHead:
        raise Unavailable(f"The repository {head.did} was changed in between. Try again.") from None
    finally:
        repositories.nodes.clear()  # a node that was read with wrong bytes must not stay cached
    return DurableCommit(commit.cid, rev)


def _store(w: Writer, repositories: Repositories, head: Head, commit: Commit, content: RepositoryContent) -> list[Cid]:
    did = head.did
    moved_count = w.execute(
        _MOVE_HEAD,
        did=did,
        head=bytes(commit.cid),
        rev=commit.rev,
        data=bytes(commit.data),
        expected=bytes(head.commit),
        status=head.status.value,
    )
    if moved_count != 1:
        raise StaleHead
    _write_blocks(w, commit, content, keep_removed=repositories.keeps_removed(w, did))
    _write_index(w, did, str(commit.rev), content)
    if head.status is HostingStatus.ACTIVE:
        log.append_sync(w, repositories.live, commit)
    return []


def _write_blocks(w: Writer, commit: Commit, content: RepositoryContent, *, keep_removed: bool) -> None:
    did = commit.did
    new = {commit.cid: commit.block, **content.nodes}
    w.execute_many(
        _PUT_BLOCK,
        [{"did": did, "cid": bytes(cid), "bytes": block, "rev": commit.rev, "uses": 1} for cid, block in new.items()],
    )
    uses: dict[bytes, int] = {bytes(cid): 1 for cid in new}
    for cid in content.entries.values():
        uses[bytes(cid)] = uses.get(bytes(cid), 0) + 1
    uses_by_cid = {row["cid"]: row["uses"] for row in w.fetch(_STORED, did=did)}
    wrong_rows = [
        {"did": did, "cid": cid, "uses": uses.get(cid, 0)}
        for cid, count in uses_by_cid.items()
        if uses.get(cid, 0) != count
    ]
    unused_rows = [row for row in wrong_rows if row["uses"] == 0]
    counted = wrong_rows if keep_removed else [row for row in wrong_rows if row["uses"] != 0]
    w.execute_many(_COUNT, counted)
    if not keep_removed:
        w.execute_many(_DROP_BLOCK, [{"did": did, "cid": row["cid"]} for row in unused_rows])


def _write_index(w: Writer, did: Did, rev: str, content: RepositoryContent) -> None:
    indexed = {f"{row['collection']}/{row['rkey']}": row["cid"] for row in w.fetch(_INDEXED, did=did)}
    w.execute_many(
        _PUT_RECORD,
        [
            {**_key(did, path), "cid": bytes(cid), "rev": rev}
            for path, cid in content.entries.items()
            if indexed.get(path) != bytes(cid)
        ],
    )
    w.execute_many(_DROP_RECORD, [_key(did, path) for path in indexed if path not in content.entries])
    w.execute(_DROP_REFERENCES, did=did)
    add_imported_references(
        w, did, [{**_key(did, path), "cid": bytes(cid)} for path, cids in content.blobs.items() for cid in cids]
    )


def _key(did: Did, path: str) -> dict[str, object]:
    collection, _, rkey = path.partition("/")
    return {"did": did, "collection": collection, "rkey": rkey}
