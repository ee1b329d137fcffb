"""Requested account deletions: one row per person, until they sign in again or are erased."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.errors import Refused
from openmeet.domain.users.model import UserId, UserReason


class ErasureStage(StrEnum):
    """Stage of an account deletion.

    ``REQUESTED``: hidden, otherwise unchanged. ``ENDING``: the person's events and RSVPs have ended, and records are
    being retracted. ``ERASING``: rows are being deleted, which cannot be undone.
    """

    REQUESTED = "requested"
    ENDING = "ending"
    ERASING = "erasing"


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A request to delete an account. ``due_at``: when everything personal is deleted."""

    user_id: UserId
    stage: ErasureStage
    requested_at: Instant
    due_at: Instant


_COLUMNS: Final = "user_id, stage, requested_at, due_at"


def is_leaving(person: str) -> str:
    """SQL condition: the user in this column has requested the deletion of their account."""
    return f"exists (select 1 from account_erasures l where l.user_id = {person})"


def left_at_sql(person: str) -> str:
    """SQL expression: when the user in this column requested the deletion of their account; null if they did not."""
    return f"(select l.requested_at from account_erasures l where l.user_id = {person})"


async def find(reader: Reader, user_id: UserId) -> ErasureRequest | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from account_erasures where user_id = :id", id=user_id)
    return None if row is None else _request(row)


async def leaving_people(reader: Reader) -> set[UserId]:
    """Everyone who has requested the deletion of their account."""
    return {
        UserId(row["user_id"]) for row in await reader.fetch("select user_id from account_erasures order by user_id")
    }


async def put(tx: Transaction, user_id: UserId, due_at: Instant) -> ErasureRequest:
    """Store a request. A second request changes nothing unless it is due earlier."""
    await tx.execute(
        """
        insert into account_erasures (user_id, stage, requested_at, due_at) values (:id, 'requested', :now, :due_at)
            on conflict (user_id) do update set due_at = excluded.due_at where excluded.due_at < account_erasures.due_at
        """,
        id=user_id,
        due_at=due_at,
        now=tx.now,
    )
    await tx.execute("delete from withdrawn_erasures where user_id = :id", id=user_id)
    row = await tx.fetch_one(f"select {_COLUMNS} from account_erasures where user_id = :id", id=user_id)
    assert row is not None, "just written"  # noqa: S101 - for the type checker
    return _request(row)


async def cancel(tx: Transaction, user_id: UserId) -> bool:
    """Cancel a request because the person signed in again, and keep the account. False if there was no request."""
    row = await tx.fetch_one("select stage from account_erasures where user_id = :id", id=user_id)
    if row is None:
        return False
    deleted_count = await tx.execute(
        "delete from account_erasures where user_id = :id and stage <> 'erasing'", id=user_id
    )
    if not deleted_count:
        raise Refused(UserReason.BEING_DELETED, name="BeingDeleted")
    await tx.execute(
        "insert into withdrawn_erasures (user_id, withdrawn_at) values (:id, :now)"
        " on conflict (user_id) do update set withdrawn_at = excluded.withdrawn_at",
        id=user_id,
        now=tx.now,
    )
    return True


async def withdrawn(reader: Reader) -> list[tuple[UserId, Instant]]:
    """Users who withdrew their request, with the time. They stay in this list until the ledger has recorded it."""
    rows = await reader.fetch("select user_id, withdrawn_at from withdrawn_erasures order by withdrawn_at, user_id")
    return [(UserId(row["user_id"]), Instant(row["withdrawn_at"])) for row in rows]


async def forget_withdrawal(tx: Transaction, user_id: UserId, withdrawn_at: Instant) -> None:
    """Remove a withdrawal that the ledger has recorded."""
    await tx.execute(
        "delete from withdrawn_erasures where user_id = :id and withdrawn_at = :at", id=user_id, at=withdrawn_at
    )


async def every(reader: Reader) -> list[ErasureRequest]:
    """All requests, oldest first."""
    rows = await reader.fetch(f"select {_COLUMNS} from account_erasures order by requested_at, user_id")
    return [_request(row) for row in rows]


async def lock(tx: Transaction, user_id: UserId) -> bool:
    """Lock the request until the transaction ends. False if there is none any more, because they signed in or are
    already deleted.
    """
    return await tx.execute("update account_erasures set stage = stage where user_id = :id", id=user_id) == 1


async def advance(tx: Transaction, user_id: UserId, stage: ErasureStage) -> bool:
    """Move a request to the next stage. False if there is none any more, because they signed in or are already deleted.

    A request in stage ``ERASING`` stays there.
    """
    updated = await tx.execute(
        "update account_erasures set stage = case when stage = 'erasing' then stage else cast(:stage as text) end"
        " where user_id = :id",
        id=user_id,
        stage=stage.value,
    )
    return updated == 1


async def move(tx: Transaction, user_id: UserId, due_at: Instant) -> None:
    """Change the time of a deletion, unless rows are already being deleted."""
    await tx.execute(
        "update account_erasures set due_at = :due_at where user_id = :id and stage <> 'erasing'",
        id=user_id,
        due_at=due_at,
    )


async def postpone(tx: Transaction, until: Instant, *, except_for: Collection[UserId] = ()) -> int:
    """Postpone deletions to this instant, except those of ``except_for`` and those that have begun. Returns the number
    postponed.

    Used after a restore, because requests in the backup may have been cancelled since.
    """
    waiting = await tx.fetch(
        "select user_id from account_erasures where due_at < :until and stage <> 'erasing'", until=until
    )
    later = sorted({row["user_id"] for row in waiting} - set(except_for))
    return await tx.execute(
        "update account_erasures set due_at = :until where user_id in :later and stage <> 'erasing'",
        until=until,
        later=later,
    )


async def finish(tx: Transaction, user_id: UserId) -> None:
    """Remove a request after everything has been erased."""
    await tx.execute("delete from account_erasures where user_id = :id", id=user_id)


async def due(
    reader: Reader, stages: Sequence[ErasureStage], before: Instant, *, after: Instant | None = None
) -> list[ErasureRequest]:
    """Requests in these stages that are due by one instant and after another, in order."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from account_erasures where stage in :stages and due_at <= :before and due_at > :after"
        " order by due_at, user_id",
        stages=[stage.value for stage in stages],
        before=before,
        after=-1 if after is None else after,
    )
    return [_request(row) for row in rows]


def _request(row: Row) -> ErasureRequest:
    return ErasureRequest(
        UserId(row["user_id"]), ErasureStage(row["stage"]), Instant(row["requested_at"]), Instant(row["due_at"])
    )
