"""Queue in three tables of a database: nothing has to be installed, and the database's own commit makes it durable.

Every change begins with an update of the only row of ``queue_counters``. On PostgreSQL this lock serialises publishers,
leases and acknowledgements. Without it, a message published while the last one of its partition is being acknowledged
would stay blocked forever.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from groundwork.clock import SECOND, Clock, Instant
from groundwork.database.durable_write import write_durably
from groundwork.database.transaction import Database, Row, Writer
from groundwork.errors import Explanation, encode_explanation, read_explanation
from groundwork.queue.contract import MAX_RETRY_SECONDS, DeadLetter, Delivery, Message, QueueDepth, QueueFull

COUNT = """
    update queue_counters set positions = positions + :positions, leases = leases + :leases, waiting = waiting + :waiting
     where only_row = 1 returning positions, leases, waiting
"""

# Null ("not first") if the partition already has a message. The rows of one call see the rows before them.
PUBLISH = """
    insert into queue_messages
           (position, partition_by, routing_key, message_id, body, published_at, available_at, lease, attempts, reason)
    values (:position, :partition, :routing_key, :message_id, :body, :now,
            case when exists (select 1 from queue_messages where partition_by = :partition) then null
                 else cast(:now as bigint) end, 0, 0, '')
"""

LEASE = """
    update queue_messages set available_at = :until, lease = :lease
     where position in (select position from queue_messages where available_at <= :now
                         order by available_at, position limit :limit)
    returning position, partition_by, routing_key, message_id, body, attempts
"""

TAKE = """
    delete from queue_messages where lease = :lease and position in :positions and available_at is not null
    returning position, partition_by, routing_key, message_id, body, attempts
"""

PROMOTE = """
    update queue_messages set available_at = :now
     where available_at is null
       and position = (select min(position) from queue_messages where partition_by = :partition)
"""

RETRY = """
    update queue_messages set available_at = :due_at, lease = 0, attempts = attempts + 1, reason = :reason
     where position = :position and lease = :lease
"""

BURY = """
    insert into queue_dead_letters
           (position, partition_by, routing_key, message_id, body, reason, attempts, buried_at)
    values (:position, :partition, :routing_key, :message_id, :body, :reason, :attempts, :now)
"""

DEAD = """
    select position, partition_by, routing_key, message_id, body, reason, attempts, buried_at
      from queue_dead_letters where position > :after order by position limit :limit
"""

TAKE_DEAD = """
    delete from queue_dead_letters where position in :positions
    returning position, partition_by, routing_key, message_id, body
"""

WAITING = "select position, body from queue_messages where partition_by = :partition"
FORGET = "delete from queue_messages where position = :position"
FORGET_DEAD = "delete from queue_dead_letters where partition_by = :partition returning position"

DEPTH = """
    select (select waiting from queue_counters) as waiting,
           (select count(*) from queue_dead_letters) as dead,
           (select published_at from queue_messages order by position limit 1) as oldest_at
"""


class EmbeddedQueue:
    """Queue in a database that has the tables of ``groundwork.queue``. Closing the queue closes the database."""

    def __init__(self, database: Database, clock: Clock, *, max_waiting: int = 1_000_000) -> None:
        self._database = database
        self._clock = clock
        self._max_waiting = max_waiting
        self._news = asyncio.Event()

    async def publish(self, messages: Sequence[Message], /) -> None:
        if messages:
            await self._database.write(lambda writer: self._add(writer, messages))

    async def lease(self, limit: int, lease_seconds: float) -> list[Delivery]:
        def work(writer: Writer) -> list[Delivery]:
            now = self._clock.now()
            number = _count(writer, leases=1)["leases"]
            until = now + round(lease_seconds * SECOND)
            rows = writer.fetch(LEASE, now=now, until=until, lease=number, limit=limit)
            return [Delivery(_message(row), row["attempts"], (number, row["position"])) for row in rows]

        # Cleared before looking, so that a message published after this wakes the next waiter.
        self._news.clear()
        deliveries = await self._database.write(work)
        if len(deliveries) == limit:
            self._news.set()  # there might be more for another worker
        # RETURNING has no order. Sorting by position restores the order of publishing.
        return sorted(deliveries, key=lambda delivery: delivery.receipt[1])

    async def wait(self, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def ack(self, deliveries: Sequence[Delivery], /) -> None:
        if deliveries:
            await self._database.write(lambda writer: self._take(writer, deliveries))

    async def retry(self, delivery: Delivery, after_seconds: float, reason: Explanation) -> None:
        due_at = self._clock.now() + round(min(after_seconds, MAX_RETRY_SECONDS) * SECOND)
        lease, position = delivery.receipt

        def work(writer: Writer) -> None:
            _count(writer)
            writer.execute(RETRY, due_at=due_at, reason=encode_explanation(reason), position=position, lease=lease)
            writer.after_commit(self._news.set)

        await self._database.write(work)

    async def bury(self, delivery: Delivery, reason: Explanation) -> None:
        stored = encode_explanation(reason)

        def work(writer: Writer) -> None:
            for row in self._take(writer, [delivery]):
                writer.execute(BURY, **_columns(row), reason=stored, attempts=row["attempts"], now=self._clock.now())

        await self._database.write(work)

    async def dead_letters(self, limit: int, after: str = "") -> list[DeadLetter]:
        async with self._database.reader() as reader:
            rows = await reader.fetch(DEAD, after=int(after or 0), limit=limit)
        return [
            DeadLetter(
                str(row["position"]),
                _message(row),
                read_explanation(row["reason"]),
                row["attempts"],
                Instant(row["buried_at"]),
            )
            for row in rows
        ]

    async def retry_dead(self, letter_ids: Sequence[str], /) -> int:
        def work(writer: Writer) -> int:
            rows = writer.fetch(TAKE_DEAD, positions=_positions(letter_ids))
            # A dead letter leaves its partition. Dead letters keep their order among themselves.
            self._add(writer, [_message(row) for row in sorted(rows, key=lambda row: row["position"])], bounded=False)
            return len(rows)

        return await self._database.write(work)

    async def discard_dead(self, letter_ids: Sequence[str], /) -> int:
        return await self._database.write(lambda writer: len(writer.fetch(TAKE_DEAD, positions=_positions(letter_ids))))

    async def forget(self, partition: str, is_done: Callable[[bytes], bool], /) -> int:
        def work(writer: Writer) -> int:
            _count(writer)
            rows = writer.fetch(WAITING, partition=partition)
            over = [{"position": row["position"]} for row in rows if is_done(bytes(row["body"]))]
            writer.execute_many(FORGET, over)
            _count(writer, waiting=-len(over))
            writer.execute(PROMOTE, now=self._clock.now(), partition=partition)
            writer.after_commit(self._news.set)
            return len(over) + len(writer.fetch(FORGET_DEAD, partition=partition))

        return await self._database.write(work)

    async def try_round_trip(self) -> None:
        await write_durably(self._database, "groundwork.queue")

    async def depth(self) -> QueueDepth:
        async with self._database.reader() as reader:
            row = await reader.fetch_one(DEPTH)
        if row is None:
            return QueueDepth(0, 0, None)
        return QueueDepth(row["waiting"], row["dead"], None if row["oldest_at"] is None else Instant(row["oldest_at"]))

    async def close(self) -> None:
        await self._database.close()  # leases expire by themselves

    def _add(self, writer: Writer, messages: Sequence[Message], *, bounded: bool = True) -> None:
        if not messages:
            return
        counters = _count(writer, positions=len(messages), waiting=len(messages))
        if bounded and counters["waiting"] > self._max_waiting:
            raise QueueFull(f"the queue already holds {self._max_waiting} messages")
        now = self._clock.now()
        first = counters["positions"] - len(messages) + 1
        writer.execute_many(
            PUBLISH,
            [
                {
                    "position": first + offset,
                    "partition": message.partition,
                    "routing_key": message.routing_key,
                    "message_id": message.message_id,
                    "body": message.body,
                    "now": now,
                }
                for offset, message in enumerate(messages)
            ],
        )
        writer.after_commit(self._news.set)

    def _take(self, writer: Writer, deliveries: Sequence[Delivery]) -> list[Row]:
        """Delete the messages that these receipts still hold, and make the next message of each partition available."""
        _count(writer)
        by_lease: dict[int, list[int]] = {}
        for delivery in deliveries:
            by_lease.setdefault(delivery.receipt[0], []).append(delivery.receipt[1])
        rows: list[Row] = []
        for lease, positions in by_lease.items():
            rows += writer.fetch(TAKE, lease=lease, positions=positions)
        if rows:
            _count(writer, waiting=-len(rows))
            now = self._clock.now()
            writer.execute_many(PROMOTE, [{"now": now, "partition": row["partition_by"]} for row in rows])
            writer.after_commit(self._news.set)
        return rows


def _count(writer: Writer, *, positions: int = 0, leases: int = 0, waiting: int = 0) -> Row:
    row = writer.fetch_one(COUNT, positions=positions, leases=leases, waiting=waiting)
    if row is None:
        raise LookupError("queue_counters has no row")
    return row


def _message(row: Row) -> Message:
    return Message(row["routing_key"], row["partition_by"], bytes(row["body"]), row["message_id"])


def _columns(row: Row) -> dict[str, object]:
    return {
        "position": row["position"],
        "partition": row["partition_by"],
        "routing_key": row["routing_key"],
        "message_id": row["message_id"],
        "body": row["body"],
    }


def _positions(letter_ids: Iterable[str]) -> list[int]:
    """Convert identifiers to positions. A dead letter is identified by its position; an unknown identifier matches
    nothing.
    """
    return [int(letter_id) for letter_id in letter_ids if letter_id.isascii() and letter_id.isdecimal()]
