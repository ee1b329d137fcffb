"""A database that did not answer when its program started: refused until somebody has opened it, from then on as if it always had been.

What stands on it is put together once; whoever asks meanwhile is told DatabaseUnavailable, as where one goes away later.
"""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from groundwork.database.transaction import (
    Database,
    DatabaseUnavailable,
    Engine,
    PlainReader,
    Reader,
    Transaction,
    Writer,
)

T = TypeVar("T")


class LateDatabase:
    """The ``Database`` that ``open_as`` will bring."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine = engine
        self._found: Database | None = None
        self.is_open = asyncio.Event()

    def open_as(self, found: Database) -> None:
        """Here it is; it is closed with this one."""
        self._found = found
        self.is_open.set()

    @property
    def opened(self) -> Database:
        """The one behind. Raises DatabaseUnavailable while there is none."""
        if self._found is None:
            raise DatabaseUnavailable("the database does not answer yet")
        return self._found

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def is_one_transaction(self) -> bool:
        return False

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self.opened.transaction()

    def reader(self) -> AbstractAsyncContextManager[Reader]:
        return self.opened.reader()

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        return await self.opened.read(work)

    async def write(self, work: Callable[[Writer], T], /) -> T:
        return await self.opened.write(work)

    async def close(self) -> None:
        if self._found is not None:
            await self._found.close()


def opened(db: Database) -> Database:
    """The database itself, where it came late. Raises DatabaseUnavailable while it has not."""
    return db.opened if isinstance(db, LateDatabase) else db


async def until_opened(db: Database, stop: asyncio.Event) -> bool:
    """True as soon as the database is there, which most are at once; False where ``stop`` was set first."""
    if not isinstance(db, LateDatabase) or db.is_open.is_set():
        return not stop.is_set()
    waiting = [asyncio.ensure_future(db.is_open.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one
    return not stop.is_set()
