"""Notify people here of an author's changes to an event in another app, as if they were made on a page.

Once per version: a notification is identified by the rev of the commit, and a version is applied once. First imports
and past events cause no notifications.
"""

from dataclasses import replace

from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.notify import hosts_of
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind


def is_news(before: Event, after: Event, now: Instant) -> bool:
    """Whether a change needs a notification."""
    return _kind(before, after) is not None and not (before.is_over(now) and after.is_over(now))


async def of_change(tx: Transaction, before: Event, event_id: EventId, rev: str) -> None:
    """The newest version of the record is applied: notify the recipients of what differs for them."""
    after = await events.by_id(tx, event_id)
    kind = None if after is None else _kind(before, after)
    if after is None or kind is None or not is_news(before, after, tx.now):
        return
    await attendance.event_changed(tx, _named(after, rev), kind, by=after.author_id, before=before)


async def of_removal(tx: Transaction, before: Event, rev: str) -> None:
    """The author deleted the record: the event is shown as removed, and nobody should travel in vain."""
    if before.is_gone or before.is_cancelled or before.is_over(tx.now):
        return
    after = await events.by_id(tx, before.id)
    if after is not None and after.is_gone:
        await attendance.event_changed(
            tx, _named(after, rev), NotificationKind.EVENT_DELETED, by=after.author_id, before=before
        )


async def of_deleted_record(tx: Transaction, before: Event, rev: str) -> None:
    """Another app deleted the record of an event made here: notify its hosts only."""
    after = await events.by_id(tx, before.id)
    if after is None or after.record_deleted_at is None or before.record_deleted_at is not None:
        return
    hosts = await hosts_of(tx, after)
    about, named = NotificationDetails(), _named(after, rev)
    await notifications.tell(
        tx, hosts, NotificationKind.RECORD_DELETED, after.id, named.revision, about, starts_at=after.starts_at
    )


def _kind(before: Event, after: Event) -> NotificationKind | None:
    if before.is_gone or after.is_gone:
        return None
    if after.is_cancelled != before.is_cancelled:
        return NotificationKind.EVENT_CANCELLED if after.is_cancelled else NotificationKind.EVENT_REINSTATED
    if after.is_cancelled:
        return None
    differs = any(
        getattr(before, name) != getattr(after, name)
        for name in ("starts_at", "ends_at", "exact_place", "mode", "online_url")
    )
    return NotificationKind.EVENT_CHANGED if differs else None


def _named(event: Event, rev: str) -> Event:
    """The event with the rev's time as its revision, which tells apart notifications about one subject."""
    return replace(event, revision=to_microseconds(parse_tid(rev)))
