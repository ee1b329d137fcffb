"""Records what is read while something is computed, to find out later whether it would still give the same result.

A computation that depends only on the rows that it reads gives the same result as long as its statements return the
same rows. This holds even if the result of one statement determines the next. Reading the rows again is cheaper than
computing a page from them.

Everything that one context reads is recorded, whichever function reads it. If it also uses a transaction or a value that
was cached in the process, the recording is incomplete and cannot be used.
"""

import hashlib
import marshal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Engine, PlainReader, Reader, Row

# Reading again is one short read, for which other short reads wait.
_MAX_STATEMENTS: Final = 100
# Estimated size in memory of a statement with its digest. The text is shared by all recordings that contain it.
_BYTES_PER_STATEMENT: Final = 400
_BYTES_PER_VALUE: Final = 100
# The oldest format with all types of cells. Later formats depend on which objects are shared.
_FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class _RecordedRead:
    """A statement with its parameters, and a digest of its rows."""

    sql: str
    parameters: Mapping[str, object]
    digest: bytes


@dataclass(frozen=True, slots=True)
class RecordedReads:
    """Everything that was read. ``size`` is an estimate in bytes."""

    database: Database
    reads: tuple[_RecordedRead, ...]
    size: int

    async def still_hold(self) -> bool:
        """Whether all statements return the same rows as before, in one consistent state of the database."""
        return await self.database.read(self._are_unchanged)

    def _are_unchanged(self, reader: PlainReader) -> bool:
        return all(_digest(reader.fetch(one.sql, **one.parameters)) == one.digest for one in self.reads)


class ReadLog:
    """A recording in progress."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._reads: list[_RecordedRead] = []
        self._size = 0
        self._is_complete = True

    def add(self, db: Database, sql: str, parameters: Mapping[str, object], rows: Sequence[Row]) -> None:
        """Record a statement and its rows."""
        if db is not self._db:
            self.mark_incomplete()
        if not self._is_complete:
            return
        try:
            digest = _digest(rows)
        except ValueError:
            # A cell has a type that has no digest. None of our columns has one.
            self.mark_incomplete()
            return
        kept = {name: tuple(one) if isinstance(one, list) else one for name, one in parameters.items()}
        self._reads.append(_RecordedRead(sys.intern(sql), kept, digest))
        self._size += _BYTES_PER_STATEMENT + sum(map(_size_of, kept.values()))
        if len(self._reads) > _MAX_STATEMENTS:
            self.mark_incomplete()

    def mark_incomplete(self) -> None:
        self._is_complete = False
        self._reads.clear()

    def finished(self) -> RecordedReads | None:
        """The recording, or None if it is incomplete or empty."""
        return RecordedReads(self._db, tuple(self._reads), self._size) if self._is_complete and self._reads else None


_log: ContextVar[ReadLog | None] = ContextVar("read_log", default=None)


@contextmanager
def recording(db: Database) -> Iterator[ReadLog]:
    """Record everything that this block reads, which must come from this database."""
    log = ReadLog(db)
    token = _log.set(log)
    try:
        yield log
    finally:
        _log.reset(token)


def note_unrecorded() -> None:
    """Note that the current computation uses something that is not recorded: a transaction, or a value cached in the
    process that was read from a database.
    """
    if (log := _log.get()) is not None:
        log.mark_incomplete()


def recorded(db: Database, reader: Reader) -> Reader:
    """The reader or, while something is recorded, one that records its statements. For drivers."""
    log = _log.get()
    return reader if log is None else _RecordedReader(db, reader, log)


class _RecordedReader:
    """A reader whose statements are recorded."""

    def __init__(self, db: Database, reader: Reader, log: ReadLog) -> None:
        self._db = db
        self._reader = reader
        self._log = log

    @property
    def now(self) -> Instant:
        return self._reader.now

    @property
    def engine(self) -> Engine:
        return self._reader.engine

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        rows = await self._reader.fetch(sql, **parameters)
        self._log.add(self._db, sql, parameters, rows)
        return rows

    async def fetch_one(self, sql: str, /, **parameters: object) -> Row | None:
        rows = await self.fetch(sql, **parameters)
        return rows[0] if rows else None


def _digest(rows: Sequence[Row]) -> bytes:
    """A digest of all cells. Raises ValueError if a cell is not a number, text, bytes or null."""
    return hashlib.blake2b(marshal.dumps([tuple(row) for row in rows], _FORMAT), digest_size=16).digest()


def _size_of(value: object) -> int:
    if isinstance(value, tuple):
        return _BYTES_PER_VALUE * (1 + len(value))
    return _BYTES_PER_VALUE + (len(value) if isinstance(value, str | bytes) else 0)
