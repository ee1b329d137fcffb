"""Work through a list of items one by one. An item that fails neither ends the round nor blocks those behind it."""

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from groundwork import failed_items
from groundwork.clock import SECOND, Instant
from groundwork.database.bulk import IDS_PER_STATEMENT
from groundwork.database.transaction import Database
from groundwork.errors import Failure
from groundwork.failed_items import FailedItem
from groundwork.outbox.retry import wait_seconds
from groundwork.telemetry.logs import log

T = TypeVar("T")
Id = TypeVar("Id", bound=str)

# The position of a due item: when it is due, or 0 in a task that orders its items by id alone; and its id.
Position = tuple[int, str]
_BEFORE_ALL: Final[Position] = (-1, "")


async def each_alone(
    task: str, items: Iterable[T], work: Callable[[T], Awaitable[int]], *, name_of: Callable[[T], str] = str
) -> int:
    """Run ``work`` for every item in turn, and return the sum of its results.

    A failure is logged with the names of the task and of the item. The item is still due, so the next round tries it
    again.
    """
    total = 0
    for item in items:
        try:
            total += await work(item)
        except Exception as error:  # noqa: BLE001 - an edge: one item that fails must not block those behind it
            _log_failure(task, name_of(item), error)
    return total


async def each_with_backoff(db: Database, task: str, items: Sequence[Id], work: Callable[[Id], Awaitable[int]]) -> int:
    """Like ``each_alone``, but an item that failed is skipped until its next attempt is due: after five seconds, then
    twice as long each time, at most an hour.
    """
    total = 0
    for start in range(0, len(items), IDS_PER_STATEMENT):
        page = items[start : start + IDS_PER_STATEMENT]
        async with db.reader() as reader:
            earlier, now = await failed_items.find(reader, task, page), reader.now
        for item in page:
            if item not in earlier or earlier[item].next_at <= now:
                total += await _attempt(db, task, item, work, earlier.get(item))
    return total


async def _attempt(
    db: Database, task: str, item: Id, work: Callable[[Id], Awaitable[int]], failed: FailedItem | None
) -> int:
    """The result of ``work``, or 0 if it failed. ``failed``: its earlier failure."""
    try:
        result = await work(item)
    except Exception as error:  # noqa: BLE001 - an edge, as above
        _log_failure(task, item, error)
        await _store_failure(db, task, item, (failed.attempts if failed else 0) + 1, error)
        return 0
    if failed is not None:
        async with db.transaction() as tx:
            await failed_items.forget(tx, task, item)
    return result


async def each_due(
    db: Database,
    task: str,
    next_page: Callable[[Position], Awaitable[Sequence[tuple[int, Id]]]],
    work: Callable[[Id], Awaitable[int]],
) -> int:
    """Run ``each_with_backoff`` on all due items, page by page. ``next_page`` returns the items after a position, in
    order.
    """
    total, after = 0, _BEFORE_ALL
    while page := await next_page(after):
        total += await each_with_backoff(db, task, [item_id for _, item_id in page], work)
        after = page[-1]
    return total


async def due_in_groups(
    db: Database,
    task: str,
    next_page: Callable[[Position], Awaitable[Sequence[tuple[int, Id]]]],
    work: Callable[[Sequence[Id]], Awaitable[int]],
    *,
    size: int,
) -> int:
    """Like ``each_due``, but ``work`` gets up to ``size`` items at once and does all of them or none.

    If it fails, it gets each item of the group alone, and so it does with items that failed before.
    """

    async def work_alone(item: Id) -> int:
        return await work([item])

    total, after = 0, _BEFORE_ALL
    while page := await next_page(after):
        for start in range(0, len(page), size):
            group = [item_id for _, item_id in page[start : start + size]]
            async with db.reader() as reader:
                failed = await failed_items.find(reader, task, group)
            together = [item for item in group if item not in failed]
            alone = [item for item in group if item in failed]
            try:
                total += await work(together) if together else 0
            except Exception as error:  # noqa: BLE001 - an edge: the items that are the reason are logged below
                log.info("task.group_failed", task=task, items=len(together), kind=type(error).__name__)
                alone = group
            total += await each_with_backoff(db, task, alone, work_alone)
        after = page[-1]
    return total


async def _store_failure(db: Database, task: str, item: str, attempts: int, error: Exception) -> None:
    seconds = wait_seconds(attempts, random.random())  # noqa: S311 - jitter for retries, not a secret
    async with db.transaction() as tx:
        failed = FailedItem(attempts, Instant(tx.now + int(seconds * SECOND)))
        await failed_items.put(tx, task, item, failed, reason=type(error).__name__)


def _log_failure(task: str, item: str, error: Exception) -> None:
    if isinstance(error, Failure):
        log.warning("task.item_failed", task=task, item=item, kind=type(error).__name__)
    else:
        log.error("task.item_failed", task=task, item=item, exc_info=error)
