"""Work that waits for one row, in the order in which it came, several in one transaction: the row's lock is asked for, and the
log written, once for all of them.

On PostgreSQL whoever is refused before anything was written is left out; when one fails later the group is done again, each in a
savepoint of its own, so that it is undone alone. Nobody hears how it went before the commit is durable, because each has read what
those before it wrote. On SQLite the writer groups whatever waits (docs/decisions/0003).
"""

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from groundwork.database.deferred import opened
from groundwork.database.one_hop import in_one_hop
from groundwork.database.postgres import PostgresDatabase, PostgresTransaction
from groundwork.database.transaction import (
    Database,
    DatabaseUnavailable,
    Transaction,
    TransactionConflict,
    TransactionTooLong,
    mark_open,
    require_none_open,
)

T = TypeVar("T")

Work = Callable[[Transaction], Coroutine[Any, Any, T]]

# A group ends when nobody waits, or at these bounds: the first one's answer must not wait for a hundred others, other
# processes wait for the row, and PostgreSQL keeps 64 savepoints of a transaction at hand.
GROUP_MEMBERS = 48
GROUP_SECONDS = 0.1

# Failures that no savepoint could have kept from the others.
_OF_ALL = (TransactionTooLong, DatabaseUnavailable)


@dataclass(slots=True, eq=False)
class _Member:
    """One piece of work, in the context of whoever brought it."""

    work: Work[Any]
    context: contextvars.Context
    done: "asyncio.Future[Any]"
    value: Any = None
    failure: BaseException | None = None


_lines: dict[tuple[int, str], deque[_Member]] = {}
_serving: set[asyncio.Task[None]] = set()


async def in_turn(db: Database, row: str, work: Work[T]) -> T:
    """What ``work`` returns, after its commit is durable and behind everybody who came earlier with the same name of a ``row``.

    What it raises undoes it alone. It awaits its transaction and nothing else, and must bear being called again: so it is when
    the group in which it had its turn was lost before its commit.
    """
    db = opened(db)
    if not isinstance(db, PostgresDatabase):
        return await in_one_hop(db, work)
    require_none_open()
    member = _Member(work, contextvars.copy_context(), asyncio.get_running_loop().create_future())
    name = (id(db), row)
    if name in _lines:
        _lines[name].append(member)
    else:
        _lines[name] = deque([member])
        # Of no caller's context: it works for all of them, and goes on when the first is gone.
        task = asyncio.get_running_loop().create_task(_serve(db, name), context=contextvars.Context())
        _serving.add(task)
        task.add_done_callback(_serving.discard)
    value: T = await member.done
    return value


async def _serve(db: PostgresDatabase, name: tuple[int, str]) -> None:
    """Do what waits until nobody waits any more."""
    line = _lines[name]
    group: list[_Member] = []
    has_savepoints = False
    try:
        while line:
            group = []
            try:
                again = await _together(db, line, group, has_savepoints=has_savepoints)
                has_savepoints = False
            except _Spoilt:
                line.extendleft(reversed(group))
                has_savepoints = True
                continue
            for member in again:
                await _alone(db, member)
    except BaseException:
        # The event loop is ending: nobody is left waiting for it.
        for member in (*group, *line):
            member.done.cancel()
        raise
    finally:
        del _lines[name]


class _Spoilt(Exception):
    """A member failed after it had written, where nothing undoes it alone: nobody was told, and all are done again."""


async def _together(
    db: PostgresDatabase, line: deque[_Member], group: list[_Member], *, has_savepoints: bool
) -> list[_Member]:
    """Do some of the line in one transaction, and tell them; who must be done once more, alone, is returned."""
    ends_at = time.monotonic() + GROUP_SECONDS
    lost_with: _Member | None = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            while line and len(group) < GROUP_MEMBERS and (not group or time.monotonic() < ends_at):
                member = line.popleft()
                if member.done.cancelled():
                    continue
                group.append(member)
                await _part(tx, member, has_savepoint=has_savepoints)
                if tx.failure is not None:
                    # It took too long, or the connection is gone, or only the end of all undoes it: so is what those before it wrote.
                    lost_with = member
                    break
    except Exception as failure:  # noqa: BLE001 - an edge: it is handed to those whom it concerns
        if lost_with is None:
            # No connection, and so for whoever waits; or no commit, and so for those, too, who were refused because of
            # what they had read.
            if not group:
                group.extend(line)
                line.clear()
            for member in group:
                member.failure = failure
    if lost_with is not None and len(group) > 1 and not isinstance(lost_with.failure, _OF_ALL):
        for member in group:
            member.failure = None
        raise _Spoilt
    again = [
        member
        for member in group
        if (lost_with is not None and member is not lost_with) or isinstance(member.failure, TransactionConflict)
    ]
    for member in group:
        if member not in again:
            _tell(member)
    return again


async def _part(tx: PostgresTransaction, member: _Member, *, has_savepoint: bool) -> None:
    try:
        async with tx.part(has_savepoint=has_savepoint) as part:
            work = _marked(member.work, part)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: whoever brought the work gets it
        member.failure = failure


async def _alone(db: PostgresDatabase, member: _Member) -> None:
    member.failure = None
    try:
        async with db.transaction(keeps_plans=True) as tx:
            work = _marked(member.work, tx)
            member.value = await asyncio.get_running_loop().create_task(work, context=member.context)
    except Exception as failure:  # noqa: BLE001 - an edge: whoever brought the work gets it
        member.failure = failure
    _tell(member)


async def _marked(work: Work[T], tx: Transaction) -> T:
    """In the context of whoever brought it, whose transaction this is as long as it lasts."""
    mark = mark_open()
    try:
        return await work(tx)
    finally:
        mark.is_open = False


def _tell(member: _Member) -> None:
    if member.done.done():  # the caller was cancelled and no longer listens
        return
    if member.failure is None:
        member.done.set_result(member.value)
    else:
        member.done.set_exception(member.failure)
