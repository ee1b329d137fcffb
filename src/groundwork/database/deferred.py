"""Deferred open: a database that did not answer at start raises DatabaseUnavailable until it has been opened.

Code that uses the database is set up once. To that code, an unopened database looks the same as one that becomes
unavailable later.
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
    Work,
    Writer,
)

T = TypeVar("T")


class DeferredDatabase:
    """The ``Database`` that ``open_as`` will provide."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine = engine
        self._database: Database | None = None
        self.is_open = asyncio.Event()

    def open_as(self, database: Database) -> None:
        """Use this database. Closing this object also closes it."""
        self._database = database
        self.is_open.set()

    @property
    def opened(self) -> Database:
        """The opened database. Raises DatabaseUnavailable if there is none yet."""
        if self._database is None:
            raise DatabaseUnavailable("the database does not answer yet")
        return self._database

    @property
    def engine(self) -> Engine:
        return self._engine

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self.opened.transaction()

    def reader(self, *, keeps_plans: bool = False) -> AbstractAsyncContextManager[Reader]:
        return self.opened.reader(keeps_plans=keeps_plans)

    async def read(self, work: Callable[[PlainReader], T], /) -> T:
        return await self.opened.read(work)

    async def state(self) -> str:
        return await self.opened.state()

    async def write(self, work: Callable[[Writer], T], /) -> T:
        return await self.opened.write(work)

    async def batch(self, work: Work[T], /, *, key: str | None = None) -> T:
        return await self.opened.batch(work, key=key)

    async def close(self) -> None:
        if self._database is not None:
            await self._database.close()


def opened(db: Database) -> Database:
    """Return the real database behind a deferred one. Raises DatabaseUnavailable until it is open."""
    return db.opened if isinstance(db, DeferredDatabase) else db


async def until_opened(db: Database, stop: asyncio.Event) -> bool:
    """Wait for the database to be open, which it usually is at once. Returns True, or False if ``stop`` was set first."""
    if not isinstance(db, DeferredDatabase) or db.is_open.is_set():
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
