"""Owners of saved searches that match a new or changed event: an audience of ``notifications.fan_out``."""

from typing import Final

import msgspec

from groundwork.clock import MINUTE, Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.trust import announced_sources, is_announced_to_strangers
from openmeet.domain.notifications import kinds
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.kinds import SearchMatch
from openmeet.domain.notifications.notify import Notice
from openmeet.domain.saved_searches import matching, queries
from openmeet.domain.saved_searches.matching import SearchFacts
from openmeet.domain.saved_searches.queries import QueuedEvent

# Minimum time before a hidden event is checked again.
HIDDEN_FOR: Final = 2 * MINUTE


class MatchNotice(msgspec.Struct, frozen=True):
    """Stored form of ``QueuedEvent``."""

    since: Instant
    before: SearchFacts | None


async def _lock(tx: Transaction, event_id: str) -> Event | None:
    return await lock_for_update(tx, EventId(event_id))


async def _owners(tx: Transaction, event: Event, notice: MatchNotice, after: str, limit: int) -> RecipientPage:
    """Owners of the searches that match the event now but did not match it before, in order of the searches."""
    if event.is_hidden:
        await queries.queue_again(tx, event.id, QueuedEvent(notice.since, notice.before), Instant(tx.now + HIDDEN_FOR))
    if not await is_announced_to_strangers(tx, event):
        return NOBODY_LEFT
    facts = await queries.facts(tx, event.id)
    # Only the first date of a series is announced.
    subject = event.place_in_series.series_id if event.place_in_series else event.id
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
    return RecipientPage([(kinds.SEARCH_FIND, notices)], None if len(searches) <= limit else page[-1].id)


SAVED_SEARCHES: Final = FanOutAudience("saved_searches", MatchNotice, _lock, _owners)
