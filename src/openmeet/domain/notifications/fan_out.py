"""Fan-out: notify very many people of one change, the first ones at once and the rest by a job.

Recipients are read when they are notified, so anyone who has left, blocked or muted meanwhile is skipped. The content
of the notification does not change after the start. Progress is stored in the transaction that notifies, so nobody is
notified twice if a handler crashes (invariant 10). Fan-outs of one subject run one after the other, so nobody is
notified of a later change before an earlier one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NewType, Protocol, TypeVar

import msgspec

from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.outbox.delivery import JobHandler
from groundwork.outbox.jobs import Job, enqueue
from groundwork.uuid7 import new_id
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.notify import Notice, notify_each
from openmeet.domain.users.model import UserId
from openmeet.outbox.kinds import JobKind

FanOutId = NewType("FanOutId", str)

# How many people are notified in the transaction of the change, and in each transaction of the handler. They take 15
# and 50 ms on a laptop.
FIRST: Final = 100
BATCH: Final = 500

_BEGINNING: Final = ""


class FanOutSubject(Protocol):
    """The event, series or group whose change many people are notified of. Its row is locked meanwhile."""

    @property
    def id(self) -> str: ...


S = TypeVar("S", bound=FanOutSubject)
N = TypeVar("N", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class RecipientPage:
    """The next recipients, by kind of notification.

    ``resume_after``: where the next page begins, in the audience's own order. None if this is the last page.
    """

    notices: Sequence[tuple[NotificationKind[Any], Sequence[Notice[Any]]]]
    resume_after: str | None


NOBODY_LEFT: Final = RecipientPage((), None)


async def _nothing(_: Transaction, __: Sequence[str]) -> None:
    """Lock nothing else, because the subject's lock is enough."""


@dataclass(frozen=True, slots=True)
class FanOutAudience(Generic[S, N]):
    """Recipients of a change.

    ``name`` is stored together with a ``notice``, the content of the notification. ``lock``: locks the subject; None if
    its row no longer exists. ``page``: returns the recipients after a given position (at first an empty string), up to
    a given number. ``lock_others``: locks the rows that the notifications are about, if they are not the subject; code
    that starts a fan-out has already locked them.
    """

    name: str
    notice: type[N]
    lock: Callable[[Transaction, str], Awaitable[S | None]]
    page: Callable[[Transaction, S, N, str, int], Awaitable[RecipientPage]]
    lock_others: Callable[[Transaction, Sequence[str]], Awaitable[None]] = _nothing


async def start(tx: Transaction, audience: FanOutAudience[S, N], subject: S, notice: N) -> FanOutId | None:
    """Notify everybody of a change of a locked subject. Returns the id of the stored remainder, or None if everybody
    was notified.
    """
    resume_after: str | None = _BEGINNING
    if not await is_any_left(tx, subject.id):
        page = await audience.page(tx, subject, notice, _BEGINNING, FIRST)
        await _notify(tx, page)
        resume_after = page.resume_after
    return None if resume_after is None else await insert(tx, audience, subject.id, notice, resume_after)


async def insert(
    tx: Transaction, audience: FanOutAudience[S, N], subject_id: str, notice: N, resume_after: str
) -> FanOutId:
    """Store the remainder of a fan-out of a locked subject, and enqueue it."""
    fan_out_id = FanOutId(new_id(tx.now))
    await tx.execute(
        """
        insert into fan_outs (id, subject_id, audience, notice, resume_after, created_at)
        values (:id, :subject_id, :audience, :notice, :resume_after, :now)
        """,
        id=fan_out_id,
        subject_id=subject_id,
        audience=audience.name,
        notice=msgspec.json.encode(notice).decode(),
        resume_after=resume_after,
        now=tx.now,
    )
    await enqueue(tx, JobKind.FAN_OUT, fan_out_id, partition=subject_id)
    return fan_out_id


async def stop(tx: Transaction, fan_out_id: FanOutId) -> str | None:
    """Stop a fan-out of a locked subject. Returns its ``resume_after``, or None if it was complete."""
    row = await tx.fetch_one("delete from fan_outs where id = :id returning resume_after", id=fan_out_id)
    return None if row is None else str(row["resume_after"])


async def forget(tx: Transaction, subject_ids: Sequence[str]) -> None:
    """Delete the fan-outs of erased subjects."""
    await tx.execute_many("delete from fan_outs where subject_id = :id", [{"id": one} for one in subject_ids])


async def is_any_left(reader: Reader, subject_id: str) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from fan_outs where subject_id = :subject_id limit 1", subject_id=subject_id
    )
    return row is not None


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Replace a merged user by the remaining account in the notices of running fan-outs, so that the account is not
    notified of its own change.
    """
    await tx.execute(
        """
        update fan_outs set notice = replace(notice, :from_user, :to_user)
         where notice like '%' || cast(:from_user as text) || '%'
        """,
        from_user=from_user,
        to_user=to_user,
    )


def fan_out_handler(db: Database, audiences: Sequence[FanOutAudience[Any, Any]]) -> JobHandler:
    """Return the handler of ``JobKind.FAN_OUT``. The job's subject is the stored remainder of a fan-out."""
    by_name = {one.name: one for one in audiences}

    async def handle(job: Job) -> None:
        while await db.batch(lambda tx: _go_on(tx, by_name, FanOutId(job.subject))):
            pass

    return handle


async def _go_on(tx: Transaction, audiences: Mapping[str, FanOutAudience[Any, Any]], fan_out_id: FanOutId) -> bool:
    """Notify the next people of the oldest fan-out of the subject. True until the given fan-out is complete."""
    fan_out = await tx.fetch_one("select subject_id, audience from fan_outs where id = :id", id=fan_out_id)
    if fan_out is None:
        return False
    subject = await audiences[fan_out["audience"]].lock(tx, fan_out["subject_id"])
    if subject is None:
        await forget(tx, [fan_out["subject_id"]])
        return False
    row = await _oldest(tx, fan_out["subject_id"])
    if row is None:
        return False
    audience = audiences[row["audience"]]
    notice = msgspec.json.decode(row["notice"], type=audience.notice)
    page = await audience.page(tx, subject, notice, row["resume_after"], BATCH)
    await audience.lock_others(tx, sorted({one.subject_id for _, some in page.notices for one in some}))
    await _notify(tx, page)
    if page.resume_after is None:
        await tx.execute("delete from fan_outs where id = :id", id=row["id"])
        return bool(row["id"] != fan_out_id)
    await tx.execute("update fan_outs set resume_after = :after where id = :id", after=page.resume_after, id=row["id"])
    return True


async def _notify(tx: Transaction, page: RecipientPage) -> None:
    for kind, notices in page.notices:
        await notify_each(tx, kind, notices)


async def _oldest(reader: Reader, subject_id: str) -> Row | None:
    return await reader.fetch_one(
        "select id, audience, notice, resume_after from fan_outs where subject_id = :subject_id"
        " order by created_at, id limit 1",
        subject_id=subject_id,
    )
