"""Scheduled task: announce each new public event once to followers of its hosts and to owners of matching saved
searches.

A changed event is announced only to owners of searches that it did not match before, because followers of its host
already know of it.
"""

from typing import Final

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.trust import FAMILIAR, FrontPagePolicy, is_announced_to_strangers
from openmeet.domain.notifications import fan_out
from openmeet.domain.profiles import queries as people
from openmeet.domain.profiles.audience import PROFILE_FOLLOWERS, HostEventNotice
from openmeet.domain.saved_searches import queries
from openmeet.domain.saved_searches.audience import HIDDEN_FOR, SAVED_SEARCHES, MatchNotice

# Maximum number of events per run.
ROUND: Final = 200
_DROPPED_AT_ONCE: Final = 5_000


async def announce_public_events(db: Database, shown: FrontPagePolicy = FAMILIAR) -> int:
    """Start to announce events that are due. Returns their number. ``shown``: the site's front page policy."""
    while True:
        async with db.transaction() as tx:
            dropped = await queries.drop_unfindable(tx, _DROPPED_AT_ONCE)
        if dropped < _DROPPED_AT_ONCE:
            break
    async with db.reader() as reader:
        due = await queries.due(reader, ROUND)
    for event_id in due:
        async with db.transaction() as tx:
            await _announce(tx, event_id, shown)
    return len(due)


async def forget_departed(db: Database) -> int:
    """Delete follows and searches of users whose accounts are gone. Returns the number of rows."""
    async with db.transaction() as tx:
        return await queries.drop_departed(tx) + await people.drop_departed(tx)


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
