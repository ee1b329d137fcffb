"""Undo the approval of several requests, as long as nothing has happened to them since."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox.jobs import enqueue_again
from openmeet.domain.attendance import history, queries, registration, rsvp_changes, waitlist
from openmeet.domain.attendance.host_decisions import DECIDED_AT_ONCE, lock_for_admission
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceStatus,
    ChangeChannel,
    HistoryEntry,
    PendingFor,
)
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.users.model import Caller, UserId
from openmeet.outbox.kinds import JobKind

# At most the digits that a bigint holds.
_INSTANT: Final = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class ApprovalBatch:
    """All approvals that one host made between two instants, which are equal if one transaction was enough."""

    first: Instant
    last: Instant

    @classmethod
    def parse(cls, text: str) -> "ApprovalBatch | None":
        """Parse the text of ``str``. None if it is malformed."""
        first, _, last = text.partition("-")
        if not (_INSTANT.fullmatch(first) and _INSTANT.fullmatch(last)):
            return None
        return cls(Instant(int(first)), Instant(int(last)))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


async def count_unchanged(reader: Reader, event: Event, host: UserId, batch: ApprovalBatch | None) -> int:
    """How many of these approvals can be undone: they are still the latest change of their RSVP. 0 without a batch."""
    if batch is None or event.is_cancelled:
        return 0
    return await _count(reader, event.id, host, batch, f"{_IN_BATCH} and {history.IS_LATEST}")


async def undo_approvals(db: Database, caller: Caller, slug: EventSlug, batch: ApprovalBatch) -> tuple[int, int]:
    """Turn these approvals into requests again. Returns how many are requests again, and how many stay as they are.

    An approval stays if the RSVP has changed since, for example because the person has declined or was checked in, and
    if the person was told of it: they have read the notification or got the e-mail. Raises NotFound, Forbidden, Refused
    (``EventCancelled``).
    """
    undone, total, after, is_last = 0, 0, "", False
    while not is_last:
        async with db.transaction() as tx:
            event = await lock_for_admission(tx, caller, slug)
            total = total or await _count(tx, event.id, caller.user_id, batch, _IN_BATCH)
            entries = await _next_unchanged(tx, event.id, caller.user_id, batch, after)
            is_last = len(entries) < DECIDED_AT_ONCE
            undone += await _undo(tx, event, caller.user_id, entries)
            if is_last:
                # Only now, because those who are still on the waitlist may be undone, too.
                await waitlist.fill_seats(tx, await registration.registration_of(tx, event))
            else:
                after = entries[-1].id
                # In case a later transaction fails.
                await enqueue_again(tx, JobKind.FILL_SEATS, [event.id], due_at=Instant(tx.now + MINUTE))
    return undone, total - undone


async def _undo(tx: Transaction, event: Event, host: UserId, entries: Sequence[HistoryEntry]) -> int:
    """Undo the approvals of these entries, the latest of their RSVPs. Return how many were undone."""
    found = await queries.by_ids(tx, [entry.attendance_id for entry in entries])
    approved = [
        (entry, rsvp)
        for entry in entries
        if (rsvp := found.get(entry.attendance_id)) is not None and rsvp.status is entry.after
    ]
    told = await _withdraw_notifications(tx, event, [rsvp for _, rsvp in approved])
    undone = [(entry, rsvp) for entry, rsvp in approved if rsvp.user_id not in told]
    saved = await queries.save_many(tx, [_request_again(entry, rsvp) for entry, rsvp in undone])
    await history.append_many(tx, [rsvp for _, rsvp in undone], saved, through=ChangeChannel.HOST, actor_id=host)
    await rsvp_changes.enqueue_records(tx, saved)
    return len(saved)


def _request_again(entry: HistoryEntry, rsvp: Attendance) -> Attendance:
    """The approved RSVP as the request that it was before this entry, not saved yet."""
    return replace(
        rsvp,
        status=AttendanceStatus.PENDING,
        waitlist_number=None,
        # Entries from before this was stored have none.
        pending_for=entry.before_pending_for or PendingFor.APPROVAL,
        approved_at=None if rsvp.approved_at == entry.changed_at else rsvp.approved_at,
    )


async def _withdraw_notifications(tx: Transaction, event: Event, approved: Sequence[Attendance]) -> set[UserId]:
    """Withdraw the notifications of these approvals. Return the people who have been told already. People who wanted no
    notification have not.
    """
    kind = event_kinds.ANSWER_APPROVED
    withdrawn = await notifications.withdraw_each(tx, [rsvp.user_id for rsvp in approved], kind, event.id)
    others = {rsvp.user_id: rsvp.revision for rsvp in approved if rsvp.user_id not in withdrawn}
    return await notifications.notified_among(tx, others, kind, event.id)


_IN_BATCH = f"""
    h.event_id = :event_id and h.through = '{ChangeChannel.HOST}' and h.changed_at between :first and :last
    and h.actor_id = :host and h.before_status = '{AttendanceStatus.PENDING}'
    and h.after_status in ('{AttendanceStatus.ATTENDING}', '{AttendanceStatus.WAITLISTED}')
"""


async def _count(reader: Reader, event_id: EventId, host: UserId, batch: ApprovalBatch, condition: str) -> int:
    row = await reader.fetch_one(
        f"select count(*) as number from attendance_history h where {condition}", **_values(event_id, host, batch)
    )
    return int(row["number"]) if row else 0


async def _next_unchanged(
    reader: Reader, event_id: EventId, host: UserId, batch: ApprovalBatch, after: str
) -> list[HistoryEntry]:
    rows = await reader.fetch(
        f"select {history.COLUMNS} from attendance_history h where {_IN_BATCH} and {history.IS_LATEST}"
        " and h.id > :after order by h.id limit :limit",
        after=after,
        limit=DECIDED_AT_ONCE,
        **_values(event_id, host, batch),
    )
    return [history.entry_of(row) for row in rows]


def _values(event_id: EventId, host: UserId, batch: ApprovalBatch) -> dict[str, object]:
    return {"event_id": event_id, "host": host, "first": batch.first, "last": batch.last}
