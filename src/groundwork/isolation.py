"""Work through a list of items one by one. An item that fails neither ends the round nor blocks those behind it."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

from groundwork.errors import Failure
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
        except Failure as failure:
            log.warning("chore.item_failed", chore=task, item=name_of(item), kind=type(failure).__name__)
        except Exception as error:  # noqa: BLE001 - an edge: one item that fails must not block those behind it
            log.error("chore.item_failed", chore=task, item=name_of(item), exc_info=error)
    return total


async def each_due(
    task: str,
    next_page: Callable[[Position], Awaitable[Sequence[tuple[int, Id]]]],
    work: Callable[[Id], Awaitable[int]],
) -> int:
    """Run ``each_alone`` on all due items, page by page. ``next_page`` returns the items after a position, in order.

    Items that fail stay due, but the same round continues after them.
    """
    total, after = 0, _BEFORE_ALL
    while page := await next_page(after):
        total += await each_alone(task, [item_id for _, item_id in page], work)
        after = page[-1]
    return total
