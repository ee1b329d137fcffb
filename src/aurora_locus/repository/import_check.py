"""Check of an upload in a worker process: hashes, tree, records, and the plan of the import.

Input and result are files in the import's folder. A repository can have a million blocks, so neither is passed as a
whole or held in the server's memory. The server writes its own repository in pages (``Exchange.keep_nodes``,
``keep_entries``), the worker plans the import and writes the plan (``check``), and the server reads the plan in pages.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.change import RepoChange
from at_protocol.repo.mst import EMPTY_ROOT
from at_protocol.repo.node import EMPTY_NODE
from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from aurora_locus.repository.import_file import ImportFiles, pack_place, read_place
from aurora_locus.repository.import_plan import ImportPlan, RepositorySnapshot, plan_import
from groundwork.workers.limits import MEBIBYTE, JobLimits

_READ_AT_ONCE: Final = 256 * 1024
_ROWS_AT_ONCE: Final = 2000

# Processor time: an estimate that includes a margin for slow machines. 94 MB in 600,000 blocks stay within it.
_CPU_SECONDS: Final = 30.0
_CPU_SECONDS_PER_BYTE: Final = 1e-6
# On a busy machine, a process gets only a fraction of a processor.
_WALL_SECONDS_PER_CPU_SECOND: Final = 5.0
# Memory for the index of the blocks and the plan: an estimate. 94 MB in 600,000 blocks stay within it.
_MEMORY_BYTES: Final = 512 * MEBIBYTE
_MEMORY_BYTES_PER_BYTE: Final = 8

_SCHEMA: Final = """
    create table held_nodes (cid blob not null, block blob not null);
    create table held_entries (path text not null, cid blob not null);
    create table changes (path text not null, before blob, after blob);
    create table blobs (path text not null, cid blob not null);
    create table staged (cid blob not null, uses integer not null, place integer, block blob);
    create table more_uses (cid blob not null, uses integer not null);
    create table removed_nodes (cid blob not null);
"""


@dataclass(frozen=True, slots=True)
class CheckedImport:
    """Result of the check. ``rev`` is that of the uploaded commit, ``data`` the root of the tree to be stored.

    ``changes`` counts the paths that change, ``known_changes`` those of them that already exist on this server,
    ``blob_references`` the blobs that changed records refer to, ``refused`` the paths that are left out, ``flawed`` the
    records that are kept although they are not valid.
    """

    rev: Tid | None
    data: Cid
    changes: int
    known_changes: int
    blob_references: int
    refused: int
    flawed: int


class Exchange:
    """SQLite file through which the server passes a repository to the worker process and receives the result.

    Its methods block, and only one process uses it at a time.
    """

    def __init__(self, path: Path) -> None:
        # The server uses it from several threads, but never from two at the same time.
        self._db = sqlite3.connect(path, check_same_thread=False)
        # No durability is needed, because the file does not outlive the import.
        self._db.executescript("pragma journal_mode = off; pragma synchronous = off")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._db.commit()
        self._db.close()

    def create(self) -> None:
        """Create its tables."""
        self._db.executescript(_SCHEMA)

    def keep_nodes(self, blocks: Mapping[bytes, bytes]) -> None:
        """Store nodes of the current tree, by CID."""
        self._db.executemany("insert into held_nodes values (?, ?)", blocks.items())

    def keep_entries(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Store paths of the current repository, with the CIDs of their records."""
        self._db.executemany("insert into held_entries values (?, ?)", entries)

    def snapshot(self, data: Cid) -> RepositorySnapshot:
        """Load the current repository into memory."""
        nodes = {Cid(cid): block for cid, block in self._db.execute("select cid, block from held_nodes")}
        entries = {path: Cid(cid) for path, cid in self._db.execute("select path, cid from held_entries")}
        return RepositorySnapshot(data, nodes, entries)

    def keep_plan(self, plan: ImportPlan, index: "BlockIndex") -> None:
        """Store the plan of the import."""
        write = self._db.executemany
        write("insert into changes values (?, ?, ?)", ((c.path, _raw(c.before), _raw(c.after)) for c in plan.changes))
        write("insert into blobs values (?, ?)", _references(plan))
        write("insert into staged values (?, ?, ?, ?)", _staged_rows(plan, index))
        write("insert into more_uses values (?, ?)", ((bytes(cid), uses) for cid, uses in plan.more_uses.items()))
        write("insert into removed_nodes values (?)", ((bytes(cid),) for cid in plan.removed_nodes))

    def staged(self, file: BinaryIO) -> Iterator[tuple[Cid, bytes, int]]:
        """Yield the blocks that this server lacks, with their reference counts. ``file`` is the upload."""
        for cid, uses, place, block in self._rows("select cid, uses, place, block from staged order by rowid"):
            yield Cid(cid), read_place(file, place) if block is None else block, uses

    def changes(self, *, is_known: bool | None = None) -> Iterator[RepoChange]:
        """Yield the changed paths; with ``is_known`` only those that already exist on this server (True) or only new
        ones (False).
        """
        condition = {None: "", True: "where before is not null", False: "where before is null"}[is_known]
        for path, before, after in self._rows(f"select path, before, after from changes {condition} order by rowid"):
            yield RepoChange(path, None if before is None else Cid(before), None if after is None else Cid(after))

    def blobs(self) -> Iterator[tuple[str, bytes]]:
        """Yield the blobs that changed records refer to: the path and the blob's CID."""
        return self._rows("select path, cid from blobs order by rowid")

    def more_uses(self) -> Iterator[tuple[bytes, int]]:
        """Yield the blocks that this server already has, with the number of new references to each."""
        return self._rows("select cid, uses from more_uses order by rowid")

    def removed_nodes(self) -> Iterator[Cid]:
        """Yield the nodes of the current tree that the new tree lacks."""
        return (Cid(cid) for (cid,) in self._rows("select cid from removed_nodes order by rowid"))

    def _rows(self, statement: str) -> Iterator[tuple]:  # type: ignore[type-arg]  # as many columns as the statement has
        with closing(self._db.execute(statement)) as rows:
            while page := rows.fetchmany(_ROWS_AT_ONCE):
                yield from page


class BlockIndex:
    """The blocks of an upload by CID. The hash of each is verified, and memory holds only its position. Raises
    Malformed.
    """

    def __init__(self, file: BinaryIO, most_blocks: int) -> None:
        self.places: dict[bytes, int] = {}
        self._file = file
        reader = car.CarReader()
        while chunk := file.read(_READ_AT_ONCE):
            blocks = reader.feed(chunk)
            at = reader.offset - sum(car.section_size(block) for _, block in blocks)
            for cid, block in blocks:
                at += car.section_size(block)
                self.places.setdefault(bytes(cid), pack_place(at - len(block), len(block)))
            if len(self.places) > most_blocks:
                raise Malformed("car", None, "it has more blocks than a repository of this size can have")
        reader.finish()
        self.roots = reader.roots or ()

    def find(self, cid: Cid) -> bytes | None:
        """Return the block with a CID, or None."""
        offset = self.places.get(bytes(cid))
        return None if offset is None else read_place(self._file, offset)


def check(files: ImportFiles, did: Did, data: Cid) -> CheckedImport:
    """Check the upload, compare it with the current tree (``data``), and write the plan. Runs in a worker process.

    Raises Malformed with the first error.
    """
    with files.car.open("rb") as file, Exchange(files.exchange) as exchange:
        index = BlockIndex(file, files.most_blocks)
        plan = plan_import(did, index.roots, index.find, exchange.snapshot(data))
        exchange.keep_plan(plan, index)
    return CheckedImport(
        rev=plan.commit.rev,
        data=plan.data,
        changes=len(plan.changes),
        known_changes=sum(change.before is not None for change in plan.changes),
        blob_references=sum(map(len, plan.blobs.values())),
        refused=len(plan.refused),
        flawed=len(plan.flaws),
    )


def limits_of(size: int) -> JobLimits:
    """Return the time and memory that a worker may use to check an upload of this many bytes."""
    cpu_seconds = _CPU_SECONDS + size * _CPU_SECONDS_PER_BYTE
    return JobLimits(
        cpu_seconds=cpu_seconds,
        wall_seconds=cpu_seconds * _WALL_SECONDS_PER_CPU_SECOND,
        memory_bytes=_MEMORY_BYTES + size * _MEMORY_BYTES_PER_BYTE,
    )


def _references(plan: ImportPlan) -> Iterator[tuple[str, bytes]]:
    for path, blobs in plan.blobs.items():
        for blob in blobs:
            yield path, bytes(blob.cid)


def _staged_rows(plan: ImportPlan, index: BlockIndex) -> Iterator[tuple[bytes, int, int | None, bytes | None]]:
    for cid, uses in plan.staged.items():
        offset = index.places.get(bytes(cid))
        block = None if offset is not None else EMPTY_NODE if cid == EMPTY_ROOT else plan.rebuilt[cid]
        yield bytes(cid), uses, offset, block


def _raw(cid: Cid | None) -> bytes | None:
    return None if cid is None else bytes(cid)
