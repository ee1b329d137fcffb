"""Items of scheduled tasks that failed: the number of attempts and the time of the next one, in table ``failed_items``.

A row is deleted when its item succeeds. An item that is no longer due is not tried again; its row is deleted some time
after the attempt would have been made. Each server that uses it creates the table in its own migrations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from groundwork.clock import HOUR, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction

# Fewer failures are often a conflict or an outage, and need no operator.
REPEATED: Final = 3
# More than the interval of any task.
_KEPT: Final = 3 * HOUR


@dataclass(frozen=True, slots=True)
class FailedItem:
    """How often an item failed in a row, and when it is tried again."""

    attempts: int
    next_at: Instant


async def find(reader: Reader, task: str, items: Sequence[str]) -> Mapping[str, FailedItem]:
    """Those of these items that failed when they were last tried."""
    rows = await reader.fetch(
        "select item, attempts, next_at from failed_items where task = :task and item in :items order by item",
        task=task,
        items=list(items),
    )
    return {row["item"]: FailedItem(row["attempts"], Instant(row["next_at"])) for row in rows}


async def put(tx: Transaction, task: str, item: str, failed: FailedItem, *, reason: str) -> None:
    """Store another failure of the item. ``reason`` is the type of the error."""
    await tx.execute(
        """
        insert into failed_items (task, item, attempts, next_at, failed_at, reason)
        values (:task, :item, :attempts, :next_at, :now, :reason)
            on conflict (task, item) do update set attempts = excluded.attempts, next_at = excluded.next_at,
                                                   failed_at = excluded.failed_at, reason = excluded.reason
        """,
        task=task,
        item=item,
        attempts=failed.attempts,
        next_at=failed.next_at,
        now=tx.now,
        reason=reason,
    )


async def forget(tx: Transaction, task: str, item: str) -> None:
    """Delete the row of an item that succeeded."""
    await tx.execute("delete from failed_items where task = :task and item = :item", task=task, item=item)


async def forget_undue(tx: Transaction) -> int:
    """Delete the rows of items that are no longer due. Return how many."""
    return await delete_some(tx, "failed_items", "next_at < :before", before=Instant(tx.now - _KEPT))


async def counts(reader: Reader) -> Mapping[str, int]:
    """How many items failed repeatedly, by task."""
    rows = await reader.fetch(
        "select task, count(*) as number from failed_items where attempts >= :least group by task order by task",
        least=REPEATED,
    )
    return {row["task"]: int(row["number"]) for row in rows}
