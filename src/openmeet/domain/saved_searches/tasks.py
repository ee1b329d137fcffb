"""Scheduled task: announce each new public event once to followers of its hosts and to owners of matching saved
searches.

A changed event is announced only to owners of searches that it did not match before, because followers of its host
already know of it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.pages import change_in_pages
from groundwork.database.transaction import Database, Transaction
from groundwork.isolation import Position, each_due
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update, lock_subject
from openmeet.domain.events.unsolicited_lists import (
    FAMILIAR,
    FrontPagePolicy,
    announced_sources,
    is_announced_to_strangers,
)
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.event_kinds import SearchMatch
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.notify import Notice
from openmeet.domain.profiles import queries as profiles
from openmeet.domain.profiles.notify import PROFILE_FOLLOWERS, HostEventNotice
from openmeet.domain.saved_searches import matching, queries
from openmeet.domain.saved_searches.matching import SearchFacts
from openmeet.domain.saved_searches.queries import QueuedEvent

# Events that the scheduler reads at once.
AT_ONCE: Final = 200
_DROPPED_AT_ONCE: Final = 5_000
# Minimum time before a hidden event is checked again.
HIDDEN_FOR: Final = 2 * MINUTE


class MatchNotice(msgspec.Struct, frozen=True):
    """Stored form of ``QueuedEvent``."""

    since: Instant
    before: SearchFacts | None


async def announce_public_events(db: Database, shown: FrontPagePolicy = FAMILIAR) -> int:
    """Start to announce events that are due. Returns their number. ``shown``: the site's front page policy."""
    while True:
        async with db.transaction() as tx:
            dropped = await queries.drop_unfindable(tx, _DROPPED_AT_ONCE)
        if dropped < _DROPPED_AT_ONCE:
            break

    async def next_events(after: Position) -> Sequence[tuple[int, EventId]]:
        async with db.reader() as reader:
            return await queries.due(reader, after, AT_ONCE)

    async def announce(event_id: EventId) -> int:
        async with db.transaction() as tx:
            await _announce(tx, event_id, shown)
        return 1

    return await each_due(db, "search_finds", next_events, announce)


async def forget_departed(db: Database) -> int:
    """Delete follows and searches of users whose accounts are gone. Returns the number of rows."""

    async def delete(tx: Transaction) -> int:
        return await queries.drop_departed(tx) + await profiles.drop_departed(tx)

    return await change_in_pages(db, delete)


async def _announce(tx: Transaction, event_id: EventId, shown: FrontPagePolicy) -> None:
    """Notify the first people and leave the rest to fan-outs.

    Followers of hosts come first, so that their own saved searches do not notify them a second time.
    """
    event = await lock_for_update(tx, event_id)
    queued_event = await queries.queued(tx, event_id)
    if event is None or queued_event is None:
        return
    if event.is_hidden:
        # The event is held for some time or until a moderator decides. It is announced when it is shown: try again
        # later, at growing intervals.
        await queries.postpone(tx, event_id, Instant(tx.now + max(HIDDEN_FOR, min(tx.now - queued_event.since, DAY))))
        return
    await queries.drop(tx, event_id)
    if not await is_announced_to_strangers(tx, event, shown):
        return
    if queued_event.before is None and await queries.is_first_of_series(tx, event):
        await fan_out.start(tx, PROFILE_FOLLOWERS, event, HostEventNotice(queued_event.since))
    await fan_out.start(tx, SAVED_SEARCHES, event, MatchNotice(queued_event.since, queued_event.before))


async def _owners(tx: Transaction, event: Event, notice: MatchNotice, after: str, limit: int) -> RecipientPage:
    """Owners of the searches that match the event now but did not match it before, in order of the searches."""
    if event.is_hidden:
        await queries.queue_again(tx, event.id, QueuedEvent(notice.since, notice.before), Instant(tx.now + HIDDEN_FOR))
    if not await is_announced_to_strangers(tx, event):
        return NOBODY_LEFT
    facts = await queries.facts(tx, event.id)
    # Only the first date of a series is announced.
    subject = event.position_in_series.series_id if event.position_in_series else event.id
    searches = await queries.candidates(
        tx, event, subject, matching.keys_in(facts), since=notice.since, after=after, limit=limit + 1
    )
    page = searches[:limit]
    matches = [
        one
        for one in page
        if matching.fits(one.wanted, facts) and (notice.before is None or not matching.fits(one.wanted, notice.before))
    ]
    await queries.note_notified(tx, matches, subject)
    sources = announced_sources(event)
    by_person = {one.user_id: one for one in reversed(matches)}
    notices = [
        Notice(
            [user_id],
            event.id,
            1,
            SearchMatch(search_id=one.id, search_name=one.name),
            starts_at=event.starts_at,
            sources=sources,
        )
        for user_id, one in by_person.items()
    ]
    return RecipientPage([(event_kinds.SEARCH_FIND, notices)], None if len(searches) <= limit else page[-1].id)


SAVED_SEARCHES: Final = FanOutAudience("saved_searches", MatchNotice, lock_subject, _owners)
