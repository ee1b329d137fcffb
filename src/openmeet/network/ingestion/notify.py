"""Notify people here when an author changes an event in another app, as if the change had been made on a page.

Once per version: a notification is identified by the rev of the commit, and each version is applied once. First imports
and past events cause no notifications.
"""

from dataclasses import replace

from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import event_changes
from openmeet.domain.attendance.notify import hosts_of
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import NotificationKind, Payload
from openmeet.domain.notifications.notify import Notice, notify


def is_news(before: Event, after: Event, now: Instant) -> bool:
    """Whether a change needs a notification."""
    return _kind(before, after) is not None and not (before.is_over(now) and after.is_over(now))


async def of_change(tx: Transaction, before: Event, event_id: EventId, rev: str) -> None:
    """Notify people of the changes in the newest version of an event's record that affect them."""
    after = await event_queries.by_id(tx, event_id)
    kind = None if after is None else _kind(before, after)
    if after is None or kind is None or not is_news(before, after, tx.now):
        return
    await event_changes.announce_change(tx, _named(after, rev), kind, by=after.author_id, before=before)


async def of_removal(tx: Transaction, before: Event, rev: str) -> None:
    """Notify people that the author deleted the record of an event, so that nobody travels there in vain. The event is
    shown as removed.
    """
    if before.is_gone or before.is_cancelled or before.is_over(tx.now):
        return
    after = await event_queries.by_id(tx, before.id)
    if after is not None and after.is_gone:
        await event_changes.announce_change(
            tx, _named(after, rev), event_kinds.EVENT_DELETED, by=after.author_id, before=before
        )


async def of_deleted_record(tx: Transaction, before: Event, rev: str) -> None:
    """Notify the hosts of an event made here that another app has deleted its record."""
    after = await event_queries.by_id(tx, before.id)
    if after is None or after.record_deleted_at is None or before.record_deleted_at is not None:
        return
    hosts = await hosts_of(tx, after)
    revision, starts_at = _named(after, rev).revision, after.starts_at
    await notify(tx, event_kinds.RECORD_DELETED, Notice(hosts, after.id, revision, Payload(), starts_at=starts_at))


def _kind(before: Event, after: Event) -> NotificationKind[DatesChanged] | None:
    if before.is_gone or after.is_gone:
        return None
    if after.is_cancelled != before.is_cancelled:
        return event_kinds.EVENT_CANCELLED if after.is_cancelled else event_kinds.EVENT_REINSTATED
    if after.is_cancelled:
        return None
    return event_kinds.EVENT_CHANGED if _when_and_where(before) != _when_and_where(after) else None


def _when_and_where(event: Event) -> tuple[object, ...]:
    return event.starts_at, event.ends_at, event.exact_place, event.content.mode, event.content.online_url


def _named(event: Event, rev: str) -> Event:
    """Return the event with the rev's time as its revision, which distinguishes notifications about the same subject."""
    return replace(event, revision=to_microseconds(parse_tid(rev)))
