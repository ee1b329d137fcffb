"""Import of one account's store: its verified repository, with key, preferences and takedowns.

Everything is checked that an outsider could check: the hash of every block, the order and depth of the tree. A head
that is not signed with the stored key is replaced by one that is. The tree is authoritative; the old index only
supplies the rev of each record and its takedown. Blocks that cannot be reached from the head are left out, because
nobody can request them. Records are kept as they are. Only records with an invalid ``collection/rkey`` path are left
out, and the repository then gets a new commit without them.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data import json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.commit import Commit, is_signed_by, sign_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.node import EMPTY_NODE
from at_protocol.syntax import tid
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.reference_import.people import ReferenceAccount
from aurora_locus.repository.import_plan import ImportPlan, RepositorySnapshot, plan_import
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

_ROOT = "select cid, rev from repo_root"
_BLOCK = "select content, repoRev from repo_block where cid = ?"
_INDEX = "select collection, rkey, repoRev, takedownRef from record"
_PREFERENCES = "select name, valueJson from account_pref order by id"

_NOTHING_HELD = RepositorySnapshot(EMPTY_ROOT, {}, {})

_BLOCKS_AT_ONCE = 2000
_BYTES_AT_ONCE = 2 * 1024 * 1024
_RECORDS_AT_ONCE = 5000

_INSERT_REPOSITORY = """
    insert into repositories (did, status, head, rev, data, created_at)
    values (:did, :status, :head, :rev, :data, :created_at)
"""
_INSERT_BLOCK = "insert into blocks (did, cid, bytes, rev, uses) values (:did, :cid, :bytes, :rev, :uses)"
_INSERT_RECORD = """
    insert into records (did, collection, rkey, cid, rev, takedown_ref)
    values (:did, :collection, :rkey, :cid, :rev, :takedown_ref)
"""
_INSERT_DECISION = """
    insert into record_takedowns (did, collection, rkey, ref, decided_at)
    values (:did, :collection, :rkey, :ref, :decided_at)
"""
_INSERT_REFERENCE = """
    insert into blob_references (did, collection, rkey, cid) values (:did, :collection, :rkey, :cid)
    on conflict do nothing
"""
_INSERT_PREFERENCE = """
    insert into preferences (did, position, name, value) values (:did, :position, :name, :value)
"""


@dataclass(frozen=True, slots=True)
class ReadRepository:
    """A verified repository. ``since`` maps each path to the rev and the takedown that the old index has for its
    record. ``commit`` is the head on the new server: the old one, or a new one if paths were refused or the old one was
    signed with another key (``is_foreign``). ``made`` are new blocks, which are in no store yet.
    """

    person: ReferenceAccount
    key: K256PrivateKey
    plan: ImportPlan
    commit: Commit
    new_blocks: Mapping[Cid, bytes]
    rev: Tid
    since: dict[str, tuple[str, str | None]]
    is_foreign: bool

    @property
    def is_re_signed(self) -> bool:
        """Whether the head on the new server differs from the old one."""
        return self.is_foreign or bool(self.plan.refused)

    @property
    def blocks(self) -> int:
        """Number of blocks: the commit, nodes and records, each counted once."""
        return 1 + len(self.plan.staged)


def read(store: sqlite3.Connection, person: ReferenceAccount, key_file: Path) -> ReadRepository:
    """Read an account's repository from the reference PDS's store and verify it. Raises Malformed with the first error."""
    try:
        key = K256PrivateKey.from_bytes(key_file.read_bytes())
    except OSError as error:
        raise Malformed("account", person.did, f"its key {key_file} cannot be read: {error.strerror}") from None
    roots = store.execute(_ROOT).fetchall()
    if len(roots) != 1:
        raise Malformed("account", person.did, f"its store has {len(roots)} heads")
    head = Cid.parse(roots[0]["cid"])
    plan = plan_import(person.did, [head], _finder(store), _NOTHING_HELD)
    if plan.commit.rev is None:
        raise Malformed("account", person.did, "its head is a commit of an old version; start the old server once")
    commit, rev, new_blocks = plan.commit, plan.commit.rev, dict(plan.rebuilt)
    # If an account moved to the old server and has not written there since, its head is signed by its previous server.
    is_foreign = not is_signed_by(commit, key.public)
    if plan.refused or is_foreign:
        rev = tid.from_microseconds(tid.to_microseconds(rev) + 1, tid.to_clock_id(rev))
        commit = sign_commit(key, did=person.did, rev=rev, data=plan.data)
        new_blocks[commit.cid] = commit.block
    since = {
        f"{row['collection']}/{row['rkey']}": (row["repoRev"], row["takedownRef"]) for row in store.execute(_INDEX)
    }
    return ReadRepository(person, key, plan, commit, new_blocks, rev, since, is_foreign)


def keep_repository(w: Writer, repository: ReadRepository) -> None:
    """Insert the repository's row, which everything else of an account refers to."""
    commit = repository.commit
    w.execute(
        _INSERT_REPOSITORY,
        did=repository.person.did,
        status=repository.person.status.value,
        head=bytes(commit.cid),
        rev=repository.rev,
        data=bytes(commit.data),
        created_at=repository.person.created_at,
    )


def blocks(store: sqlite3.Connection, repository: ReadRepository) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of blocks, a few megabytes at a time."""
    did, plan = repository.person.did, repository.plan
    batch: list[dict[str, Any]] = []
    size = 0
    for cid in [repository.commit.cid, *plan.staged]:
        row = store.execute(_BLOCK, [str(cid)]).fetchone()
        if row is not None:
            content, rev = row["content"], row["repoRev"]
        else:
            # The empty tree may be missing from the store, because it is a constant.
            content, rev = repository.new_blocks.get(cid, EMPTY_NODE), repository.rev
        uses = 1 + plan.more_uses.get(cid, 0)
        batch.append({"did": did, "cid": bytes(cid), "bytes": content, "rev": rev, "uses": uses})
        size += len(content)
        if len(batch) >= _BLOCKS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def keep_blocks(w: Writer, rows: list[dict[str, Any]]) -> None:
    w.execute_many(_INSERT_BLOCK, rows)


def records(repository: ReadRepository) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the index, made from the tree, a few thousand at a time."""
    batch = []
    for change in repository.plan.changes:
        collection, _, rkey = change.path.partition("/")
        rev, takedown_ref = repository.since.get(change.path, (repository.rev, None))
        batch.append(
            {
                "did": repository.person.did,
                "collection": collection,
                "rkey": rkey,
                "cid": bytes(change.after or b""),
                "rev": rev,
                "takedown_ref": takedown_ref,
            }
        )
        if len(batch) >= _RECORDS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def keep_records(w: Writer, repository: ReadRepository, rows: list[dict[str, Any]]) -> None:
    """Insert records, their takedowns, and their blob references."""
    w.execute_many(_INSERT_RECORD, rows)
    record_rows: list[dict[str, object]] = [
        {
            "did": row["did"],
            "collection": row["collection"],
            "rkey": row["rkey"],
            "ref": row["takedown_ref"],
            "decided_at": Instant(0),  # the old server stored no time for it
        }
        for row in rows
        if row["takedown_ref"] is not None
    ]
    if record_rows:
        w.execute_many(_INSERT_DECISION, record_rows)
    references: list[dict[str, object]] = [
        {"did": row["did"], "collection": row["collection"], "rkey": row["rkey"], "cid": bytes(blob.cid)}
        for row in rows
        for blob in repository.plan.blobs.get(f"{row['collection']}/{row['rkey']}", ())
    ]
    if references:
        w.execute_many(_INSERT_REFERENCE, references)


def keep_preferences(w: Writer, store: sqlite3.Connection, did: Did) -> int:
    """Insert the preferences and return how many there are."""
    rows: list[dict[str, object]] = [
        {
            "did": did,
            "position": position,
            "name": row["name"],
            "value": json_form.encode(json_form.decode(row["valueJson"])).decode(),
        }
        for position, row in enumerate(store.execute(_PREFERENCES))
    ]
    if rows:
        w.execute_many(_INSERT_PREFERENCE, rows)
    return len(rows)


def _finder(store: sqlite3.Connection) -> Any:
    def find(cid: Cid) -> bytes | None:
        row = store.execute(_BLOCK, [str(cid)]).fetchone()
        if row is None:
            return EMPTY_NODE if cid == EMPTY_ROOT else None
        content = bytes(row["content"])
        if not cid.names(content):
            raise Malformed("block", str(cid), "its stored bytes do not match it")
        return content

    return find
