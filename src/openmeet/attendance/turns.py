"""Few at a time: answers to one event that arrive together wait here, and not each with a connection in hand.

The event's row is locked anyway, so nothing is lost by it; but a rush at one event must not use up the connections that everybody
else needs, nor make anybody who came early wait behind somebody who came late. Between processes the row's lock decides.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from groundwork.database.one_hop import in_one_hop
from groundwork.database.transaction import Database, Transaction
from openmeet.events.model import EventSlug

T = TypeVar("T")

# One has the event's row; the others are about to begin, or to be told that theirs is durable.
AT_ONCE = 4

_turns: WeakValueDictionary[tuple[int, str], asyncio.Semaphore] = WeakValueDictionary()


async def in_turn(db: Database, slug: EventSlug, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
    """What ``work`` returns, done in a transaction of its own when most of those who came before are done.

    SQLite has one writer, which takes whoever waits along in one commit: there the more come together the better, and the event is
    nobody's for one hop instead of one for each statement. ``work`` is as ``in_one_hop`` wants it.
    """
    if db.engine == "sqlite":
        return await in_one_hop(db, work)
    name = (id(db), slug)
    turn = _turns.get(name)
    if turn is None:
        turn = _turns[name] = asyncio.Semaphore(AT_ONCE)
    async with turn, db.transaction() as tx:
        return await work(tx)
