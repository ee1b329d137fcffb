"""Creation, status changes and deletion of repositories. Each function runs in its caller's transaction (``db.write``).

The accounts package decides *that* something happens; this module changes the repository and announces the change in
the order that the sync specification requires. Announcing is the last call in a transaction (``sequencer.log``).
"""

from dataclasses import dataclass

from at_protocol.crypto.did_key import PrivateKey
from at_protocol.data.cid import Cid
from at_protocol.failures import Misuse
from at_protocol.repo import car
from at_protocol.repo.commit import Commit, parse_commit, sign_commit
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.node import EMPTY_NODE
from at_protocol.sync.events import CommitMessage, encode_unsequenced
from at_protocol.sync.frames import UnsequencedFrame
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.blobs import quotas, removals
from aurora_locus.repository import writer
from aurora_locus.repository.model import HostingStatus
from aurora_locus.repository.repositories import Repositories
from aurora_locus.repository.statuses import import_running, not_hosted
from aurora_locus.sequencer import log
from groundwork.clock import Instant
from groundwork.database.transaction import Writer

_SET_STATUS = "update repositories set status = :status where did = :did and status <> 'deleted'"
_SET_FROZEN = "update repositories set is_frozen = :is_frozen where did = :did"
_HEAD_BLOCK = """
    select b.bytes from repositories p join blocks b on b.did = p.did and b.cid = p.head where p.did = :did
"""
_BLOBS = "select cid from blobs where did = :did"
_REMOVE = tuple(
    f"delete from {table} where did = :did"
    for table in ("imports", "records", "record_takedowns", "blocks", "blob_references", "blobs")
)

# A running import has already written index rows; see ``import_car``.
_IMPORTS = "select 1 from imports where did = :did"

_FORGET = "delete from repositories where did = :did"


@dataclass(frozen=True, slots=True)
class EmptyRepository:
    """An empty repository that is signed but not stored yet."""

    commit: Commit
    blocks: dict[Cid, bytes]


def begin(repositories: Repositories, did: Did, key: PrivateKey) -> EmptyRepository:
    """Sign the first commit of an empty repository. Writes nothing."""
    commit = sign_commit(key, did=did, rev=repositories.next_rev(None), data=EMPTY_ROOT)
    return EmptyRepository(commit, {commit.cid: commit.block, EMPTY_ROOT: EMPTY_NODE})


def create(w: Writer, beginning: EmptyRepository, status: HostingStatus) -> None:
    """Store a new repository. Call this before inserting rows that refer to it, and announce it at the end of the
    transaction unless it starts deactivated. A deleted repository can be created again. Raises Conflict if it exists.
    """
    writer.insert_repository(w, beginning.commit.did, status.value, beginning.commit, beginning.blocks)


def announce_creation(w: Writer, repositories: Repositories, handle: Handle, beginning: EmptyRepository) -> None:
    """Announce a new active account: identity, account, commit, sync."""
    live, commit = repositories.live, beginning.commit
    log.append_identity(w, live, commit.did, handle)
    log.append_account(w, live, commit.did, HostingStatus.ACTIVE.value)
    log.append_commit(w, live, commit.did, _first_frame(beginning, w.now))
    log.append_sync(w, live, commit)


def set_status(w: Writer, repositories: Repositories, did: Did, status: HostingStatus) -> None:
    """Change the hosting status and announce it. Commits are only possible while the repository is active.

    Raises NotFound for a repository that is not on this server or was deleted.
    """
    _set_status(w, repositories, did, status)
    log.append_account(w, repositories.live, did, status.value)


def set_unannounced_status(w: Writer, repositories: Repositories, did: Did, status: HostingStatus) -> None:
    """Change the hosting status of a repository that was never announced, without announcing it. Raises NotFound."""
    _set_status(w, repositories, did, status)


def activate(w: Writer, repositories: Repositories, did: Did, handle: Handle | None) -> None:
    """Activate the repository and announce account, identity and sync. The sync event covers commits made while it was
    inactive.

    Raises Unavailable while its content is being imported.
    """
    _set_status(w, repositories, did, HostingStatus.ACTIVE)
    if w.fetch_one(_IMPORTS, did=did) is not None:
        raise import_running(did)
    row = w.fetch_one(_HEAD_BLOCK, did=did)
    if row is None:
        raise Misuse(f"the head of {did} has no block")
    live = repositories.live
    log.append_account(w, live, did, HostingStatus.ACTIVE.value)
    log.append_identity(w, live, did, handle)
    log.append_sync(w, live, parse_commit(row["bytes"]))


def set_frozen(w: Writer, repositories: Repositories, did: Did, *, is_frozen: bool) -> None:
    """Stop or allow commits, in every process: this waits for a running commit, and a later one notices the change."""
    w.execute(_SET_FROZEN, did=did, is_frozen=int(is_frozen))
    w.after_commit(lambda: repositories.forget_head(did))


def remove_unannounced(w: Writer, repositories: Repositories, did: Did) -> None:
    """Delete a repository that was never announced, without announcing the deletion."""
    _set_status(w, repositories, did, HostingStatus.DELETED)
    _remove_content(w, repositories, did)
    w.execute(_FORGET, did=did)


def remove(w: Writer, repositories: Repositories, did: Did) -> None:
    """Delete a repository's content, remove its earlier events and announce the deletion.

    The row stays, with status ``deleted``. The files of its blobs are removed after the commit.
    """
    # This comes first, because it waits for a running commit and blocks new ones, so that everything written by that
    # commit is visible below.
    _set_status(w, repositories, did, HostingStatus.DELETED)
    _remove_content(w, repositories, did)
    log.purge(w, repositories.live, did)
    log.append_account(w, repositories.live, did, HostingStatus.DELETED.value)


def _remove_content(w: Writer, repositories: Repositories, did: Did) -> None:
    blobs = [Cid(row["cid"]) for row in w.fetch(_BLOBS, did=did)]
    removals.enqueue_all(w, did)
    quotas.forget(w, did)
    for statement in _REMOVE:
        w.execute(statement, did=did)
    if blobs:
        w.after_commit(lambda: repositories.blobs.remove_files_soon(did, blobs))


def _first_frame(beginning: EmptyRepository, now: Instant) -> UnsequencedFrame:
    """Encode the event of the first commit. ``since`` is null and ``prevData`` is absent, because there is no previous
    commit.
    """
    commit = beginning.commit
    blocks = b"".join(car.write([commit.cid], beginning.blocks.items()))
    if commit.rev is None:
        raise Misuse("a commit of version 2 is never made")
    time = format_datetime(now)
    return encode_unsequenced(CommitMessage(0, commit.did, time, commit.rev, None, commit.cid, blocks, (), None))


def _set_status(w: Writer, repositories: Repositories, did: Did, status: HostingStatus) -> None:
    if w.execute(_SET_STATUS, status=status.value, did=did) != 1:
        raise not_hosted(did)
    w.after_commit(lambda: repositories.forget_head(did))
