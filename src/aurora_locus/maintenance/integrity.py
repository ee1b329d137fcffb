"""Integrity check of all stored data: every repository from its blocks up, blobs, the event log, accounts.

It reads in pages and writes nothing, so it can run while a server does: a repository that changes during its check is
checked again. Each problem is an ``IntegrityFinding`` for the operator; this module repairs nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from at_protocol.crypto.did_key import PublicKey, parse_did_key
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo.commit import parse_commit, verify_commit
from at_protocol.repo.mst import EMPTY_ROOT, MissingBlock, Tree
from at_protocol.repo.node import EMPTY_NODE, Node
from at_protocol.repo.stored_record import read_stored
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import to_microseconds
from aurora_locus.blobs.uploads import object_name, quarantine_name
from aurora_locus.maintenance.event_log import examine_events
from aurora_locus.repository import reader
from aurora_locus.repository.model import Head
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotFound

# Number of attempts on a repository that is being written all the time, before it is reported as unreadable.
_ATTEMPTS = 4
_PAGE = 250
# If a head moved shortly before the oldest event, retention may have deleted its event.
_CLOCKS_APART = 5 * MINUTE
_NODES_AT_ONCE = 100

_KEY = "select did_key from signing_keys where did = :did and state = 'current'"
# Staged blocks of a running import do not belong to the repository yet.
_BLOCK_USES = """
    select cid, uses, case when rev in (select i.rev from imports i where i.did = :did) then 1 else 0 end as is_staged
      from blocks where did = :did and cid > :cid order by cid limit :limit
"""
_REFERENCES = """
    select collection, rkey, cid from blob_references
     where did = :did and (collection, rkey, cid) > (:collection, :rkey, :cid)
     order by collection, rkey, cid limit :limit
"""
_BLOBS = """
    select cid, size, state, takedown_ref from blobs where did = :did and cid > :cid order by cid limit :limit
"""
_NEWEST_EVENT = """
    select kind, frame from events where did = :did and kind in ('commit', 'sync') order by seq desc limit 1
"""
_OLDEST_EVENT = "select sequenced_at from events order by seq limit 1"
_SEQUENCER = "select last, retired_up_to from sequencer where id = 1"
_EVENT_BOUNDS = "select min(seq) as low, max(seq) as high, count(*) as number from events"
_WITHOUT_REPOSITORY = """
    select a.did from accounts a join repositories p on p.did = a.did where p.status = 'deleted' order by a.did
        limit 100
"""
_LEFT_BEHIND = """
    select p.did from repositories p
     where p.status = 'deleted'
       and (exists (select 1 from blocks b where b.did = p.did) or exists (select 1 from records r where r.did = p.did))
     order by p.did limit 100
"""


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """One problem: its subject (a DID, ``events`` or ``accounts``), and a sentence about it."""

    about: str
    what: str


@dataclass(slots=True)
class IntegrityReport:
    """Result of a check: the numbers of checked items, and the problems. ``missing_blobs`` counts blobs that records
    refer to but that this server does not have, as after an import.
    """

    repositories: int = 0
    records: int = 0
    blocks: int = 0
    blobs: int = 0
    missing_blobs: int = 0
    events: int = 0
    findings: list[IntegrityFinding] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.findings


# Returns the actual size of a blob, given its expected size; None if it has no file.
SizeOf = Callable[[Did, Cid, int], Awaitable[int | None]]


def in_store(store: BlobStore, *, reads: bool = False) -> SizeOf:
    """Return a function that looks a blob up in the store. With ``reads`` its content is verified too, and a file with
    wrong bytes counts as missing.
    """

    async def size(did: Did, cid: Cid, _size: int) -> int | None:
        # A takedown and moving the file are two steps, so either location is accepted.
        for name in (object_name(did, cid), quarantine_name(did, cid)):
            try:
                if reads:
                    return await _size_if_whole(store, name, cid)
                return await store.size(name)
            except NotFound:
                continue
        return None

    return size


async def _size_if_whole(store: BlobStore, name: str, cid: Cid) -> int:
    """Return the size of the file; -1 if its bytes do not match the CID. Raises NotFound."""
    digest, size = sha256(), 0
    async for piece in store.read(name):
        digest.update(piece)
        size += len(piece)
    return size if digest.digest() == cid.digest else -1


async def examine(
    db: Database,
    size_of: SizeOf | None,
    *,
    only: Did | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> IntegrityReport:
    """Check everything, or one repository. ``on_progress`` is called with the number of checked repositories. Without
    ``size_of``, blob files are not checked.
    """
    report = IntegrityReport()
    async for did in _dids(db, only):
        await _examine_repository(db, did, size_of, report)
        report.repositories += 1
        on_progress(report.repositories)
    if only is None:
        await _examine_log(db, report)
        await _examine_accounts(db, report)
    return report


async def _dids(db: Database, only: Did | None) -> AsyncIterator[Did]:
    if only is not None:
        yield only
        return
    at, last = Instant(-1), ""
    while page := await reader.heads_after(db, at, last, _PAGE):
        for _, head in page:
            yield head.did
        at, last = page[-1][0], page[-1][1].did


async def _examine_repository(db: Database, did: Did, size_of: SizeOf | None, report: IntegrityReport) -> None:
    for _ in range(_ATTEMPTS):
        head = await reader.find_head(db, did)
        if head is None:
            report.findings.append(IntegrityFinding(did, "There is no such repository."))
            return
        look = _RepositoryCheck(db, head, size_of)
        await look.run()
        # A concurrent write may have caused the problem.
        if not look.findings or await reader.find_head(db, did) == head:
            look.add_to(report)
            return
    report.findings.append(IntegrityFinding(did, "It is being written so often that it cannot be checked. Try again."))


class _RepositoryCheck:
    """The check of one repository at one head."""

    def __init__(self, db: Database, head: Head, size_of: SizeOf | None) -> None:
        self._db = db
        self._head = head
        self._size_of = size_of
        self.findings: list[IntegrityFinding] = []
        self._entries: dict[str, Cid] = {}
        self._uses: dict[Cid, int] = {head.commit: 1}
        self._blobs: set[tuple[str, Cid]] = set()
        self._report = IntegrityReport()

    def add_to(self, report: IntegrityReport) -> None:
        for name in ("records", "blocks", "blobs", "missing_blobs"):
            setattr(report, name, getattr(report, name) + getattr(self._report, name))
        report.findings += self.findings

    def _wrong(self, problem: str) -> None:
        self.findings.append(IntegrityFinding(self._head.did, problem))

    async def run(self) -> None:
        await self._commit()
        if await self._tree():
            await self._index()
            await self._records()
            await self._block_counts()
            await self._references()
        await self._blob_files()
        await self._announced()

    async def _commit(self) -> None:
        did, head = self._head.did, self._head
        block = (await self._load([head.commit])).get(head.commit)
        if block is None:
            return
        try:
            commit = parse_commit(block, head.commit)
            key = await self._key()
            if key is not None:
                verify_commit(commit, did=did, key=key)
        except Malformed as error:
            self._wrong(f"The commit is wrong: {error.why}.")
            return
        if commit.rev != head.rev or commit.data != head.data:
            self._wrong("The head has a different revision or root than its commit.")

    async def _key(self) -> PublicKey | None:
        async with self._db.reader() as db_reader:
            row = await db_reader.fetch_one(_KEY, did=self._head.did)
        if row is None:
            self._wrong("It has no current signing key.")
            return None
        return parse_did_key(row["did_key"])

    async def _load(self, cids: list[Cid]) -> Mapping[Cid, bytes]:
        """Load the blocks that have a valid hash, and record missing or invalid ones."""
        blocks = dict(await reader.load_blocks(self._db, self._head.did, cids))
        for cid in cids:
            block = blocks.get(cid)
            if block is None:
                self._wrong(f"The block {cid} is missing.")
            elif Cid.for_cbor(block) != cid:
                self._wrong(f"The block {cid} has bytes that do not match its CID.")
                del blocks[cid]
        self._report.blocks += len(blocks)
        return blocks

    async def _tree(self) -> bool:
        """Walk the whole tree. Return False if it cannot be walked to the end."""
        nodes: dict[Cid, bytes] = {EMPTY_ROOT: EMPTY_NODE}
        walk = Tree(self._head.data, nodes.get).walk()
        while True:
            try:
                for item in walk:
                    if isinstance(item, Node):
                        self._uses[item.cid] = self._uses.get(item.cid, 0) + 1
                        nodes.pop(item.cid, None)
                    else:
                        path, cid = item
                        self._entries[path] = cid
                        self._uses[cid] = self._uses.get(cid, 0) + 1
            except MissingBlock as missing:
                cids_to_load = list(dict.fromkeys([missing.cid, *walk.next_nodes(_NODES_AT_ONCE)]))
                blocks = await self._load([cid for cid in cids_to_load if cid not in nodes])
                if missing.cid not in blocks:
                    return False
                nodes.update(blocks)
            except Malformed as error:
                self._wrong(f"The tree is wrong: {error.why}.")
                return False
            else:
                self._report.records = len(self._entries)
                return True

    async def _index(self) -> None:
        indexed = await reader.all_entries(self._db, self._head.did)
        missing_paths = [path for path in self._entries if path not in indexed]
        extra = [path for path in indexed if path not in self._entries]
        other = [path for path, cid in indexed.items() if self._entries.get(path, cid) != cid]
        for paths, verb in (
            (missing_paths, "lacks"),
            (extra, "has, but the tree lacks,"),
            (other, "has a different CID for"),
        ):
            if paths:
                self._wrong(f"The record index {verb} {len(paths)} paths, first {min(paths)}.")

    async def _records(self) -> None:
        by_cid: dict[Cid, list[str]] = {}
        for path, cid in self._entries.items():
            by_cid.setdefault(cid, []).append(path)
        cids = list(by_cid)
        for start in range(0, len(cids), _PAGE):
            for cid, block in (await self._load(cids[start : start + _PAGE])).items():
                # Records that violate their Lexicon are stored as received; their hashes are valid.
                blobs = read_stored(cid, block).blobs()
                self._blobs |= {(path, blob.cid) for blob in blobs for path in by_cid[cid]}
            await asyncio.sleep(0)

    async def _block_counts(self) -> None:
        after, wrong_count = b"", 0
        while True:
            async with self._db.reader() as db_reader:
                rows = await db_reader.fetch(_BLOCK_USES, did=self._head.did, cid=after, limit=5000)
            for row in rows:
                # Unused blocks are kept until an export ends.
                wrong_count += (
                    row["uses"] != 0 and not row["is_staged"] and self._uses.get(Cid(row["cid"]), 0) != row["uses"]
                )
            if len(rows) < 5000:
                break
            after = rows[-1]["cid"]
        if wrong_count:
            self._wrong(f"{wrong_count} blocks have a wrong reference count.")

    async def _references(self) -> None:
        stored_references: set[tuple[str, Cid]] = set()
        after = ("", "", b"")
        while True:
            async with self._db.reader() as db_reader:
                rows = await db_reader.fetch(
                    _REFERENCES, did=self._head.did, collection=after[0], rkey=after[1], cid=after[2], limit=5000
                )
            stored_references |= {(f"{row['collection']}/{row['rkey']}", Cid(row["cid"])) for row in rows}
            if len(rows) < 5000:
                break
            after = (rows[-1]["collection"], rows[-1]["rkey"], rows[-1]["cid"])
        if stored_references != self._blobs:
            self._wrong(
                f"References to blobs: {len(self._blobs - stored_references)} are missing, "
                f"{len(stored_references - self._blobs)} have no record."
            )

    async def _blob_files(self) -> None:
        referenced_cids = {cid for _, cid in self._blobs}
        stored_cids: set[Cid] = set()
        after = b""
        while True:
            async with self._db.reader() as db_reader:
                rows = await db_reader.fetch(_BLOBS, did=self._head.did, cid=after, limit=_PAGE)
            for row in rows:
                cid = Cid(row["cid"])
                stored_cids.add(cid)
                await self._blob_file(cid, row["size"])
                if cid in referenced_cids and row["state"] != "permanent" and row["takedown_ref"] is None:
                    self._wrong(f"The blob {cid} is still marked as temporary, although a record refers to it.")
            if len(rows) < _PAGE:
                break
            after = rows[-1]["cid"]
        self._report.missing_blobs = len(referenced_cids - stored_cids)

    async def _blob_file(self, cid: Cid, size: int) -> None:
        self._report.blobs += 1
        if self._size_of is None:
            return
        actual_size = await self._size_of(self._head.did, cid, size)
        if actual_size is None:
            self._wrong(f"The blob {cid} has no file.")
        elif actual_size != size:
            self._wrong(f"The file of the blob {cid} is damaged: it does not have its {size} bytes.")

    async def _announced(self) -> None:
        """Check that the last announced state is the current one. Events deleted by retention are not expected."""
        if self._head.status != "active":
            return
        async with self._db.reader() as db_reader:
            row = await db_reader.fetch_one(_NEWEST_EVENT, did=self._head.did)
            oldest = await db_reader.fetch_one(_OLDEST_EVENT)
        if row is not None:
            if str(self._head.rev).encode() not in bytes(row["frame"]):
                self._wrong("Its last announcement is not about its head.")
        elif oldest is not None and to_microseconds(self._head.rev) > oldest["sequenced_at"] + _CLOCKS_APART:
            self._wrong("Its head was never announced, or the event is gone.")


async def _examine_log(db: Database, report: IntegrityReport) -> None:
    async with db.reader() as db_reader:
        head = await db_reader.fetch_one(_SEQUENCER)
        bounds = await db_reader.fetch_one(_EVENT_BOUNDS)
    if head is None or bounds is None:
        report.findings.append(IntegrityFinding("events", "The row that assigns sequence numbers is missing."))
        return
    report.events = bounds["number"]
    report.findings += [IntegrityFinding("events", problem) for problem in await examine_events(db)]
    if bounds["high"] is not None and bounds["high"] > head["last"]:
        report.findings.append(
            IntegrityFinding("events", f"Event {bounds['high']} is above the last number, {head['last']}.")
        )
    if bounds["low"] is not None and bounds["low"] <= head["retired_up_to"]:
        report.findings.append(
            IntegrityFinding("events", f"Event {bounds['low']} should have been removed by retention.")
        )


async def _examine_accounts(db: Database, report: IntegrityReport) -> None:
    async with db.reader() as db_reader:
        accounts_without_repository = await db_reader.fetch(_WITHOUT_REPOSITORY)
        left = await db_reader.fetch(_LEFT_BEHIND)
    report.findings += [
        IntegrityFinding(row["did"], "The account exists, but its repository is deleted.")
        for row in accounts_without_repository
    ]
    report.findings += [
        IntegrityFinding(row["did"], "It is deleted, but some of its data is still here.") for row in left
    ]
