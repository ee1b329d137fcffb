"""Scheduled: notify followers of hosts and owners of saved searches of each new public event, once.

A changed event is announced to owners of searches that it did not match before; followers of its host know it already.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import DAY, MINUTE, Instant
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.co_host_queries import beside_authors
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import lock_for_update
from openmeet.domain.events.trust import FAMILIAR, FrontPagePolicy, stands_by_itself
from openmeet.domain.events.visibility import is_public
from openmeet.domain.notifications.model import NotificationDetails, NotificationKind
from openmeet.domain.notifications.notify import Notice, tell, tell_each
from openmeet.domain.profiles import queries as people
from openmeet.domain.saved_searches import matching, queries
from openmeet.domain.saved_searches.queries import SearchJob

# Events per run, and searches compared per transaction.
ROUND: Final = 200
AT_ONCE: Final = 500
_DROPPED_AT_ONCE: Final = 5_000

_MAY_BE_TOLD = f"select 1 as found from events e where e.id = :id and {is_public('e')} and "


async def tell_of_finds(db: Database, shown: FrontPagePolicy = FAMILIAR) -> int:
    """Compare queued events with candidate searches; returns how many events. ``shown``: the site's front page policy."""
    while True:
        async with db.transaction() as tx:
            dropped = await queries.drop_unfindable(tx, _DROPPED_AT_ONCE)
        if dropped < _DROPPED_AT_ONCE:
            break
    async with db.reader() as reader:
        due = await queries.due(reader, ROUND)
    for event_id in due:
        is_done = False
        while not is_done:
            async with db.transaction() as tx:
                is_done = await _look(tx, event_id, shown)
    return len(due)


async def forget_departed(db: Database) -> int:
    """Delete follows and searches of users whose accounts are gone; returns how many rows."""
    async with db.transaction() as tx:
        return await queries.drop_departed(tx) + await people.drop_departed(tx)


async def _look(tx: Transaction, event_id: EventId, shown: FrontPagePolicy) -> bool:
    """Compare some of the searches; returns whether they were the last. One transaction notifies a bounded number of
    users.
    """
    event = await lock_for_update(tx, event_id)
    found = await queries.look(tx, event_id)
    if event is None or found is None:
        return True
    one, facts, was = found
    if event.is_hidden:
        # It is held for some time or for a moderator and is announced when it is shown: retry, but not forever.
        await queries.put_off(tx, event_id, Instant(tx.now + max(2 * MINUTE, min(tx.now - one.since, DAY))))
        return True
    if await tx.fetch_one(_MAY_BE_TOLD + stands_by_itself("e", shown), id=event_id) is None:
        await queries.drop(tx, event_id)
        return True
    series_id = event.place_in_series.series_id if event.place_in_series else None
    sources = tuple(filter(None, (event.author_id, event.group.id if event.group else None, series_id)))
    if one.after_person is not None:
        await _tell_followers(tx, event, one, sources)
        return False
    # Only the first date of a series is announced.
    subject = series_id or event.id
    searches = await queries.looking(tx, one, event, subject, matching.keys_in(facts), AT_ONCE)
    fitting = [
        search
        for search in searches
        if matching.fits(search.wanted, facts) and (was is None or not matching.fits(search.wanted, was))
    ]
    by_person = {search.user_id: search for search in reversed(fitting)}
    await tell_each(
        tx,
        NotificationKind.SEARCH_FIND,
        [
            Notice(
                [user_id],
                event.id,
                1,
                NotificationDetails(said=search.name, search_id=search.id),
                starts_at=event.starts_at,
                sources=sources,
            )
            for user_id, search in by_person.items()
        ],
    )
    await queries.note_found(tx, fitting, subject)
    if len(searches) < AT_ONCE:
        await queries.drop(tx, event_id)
        return True
    await queries.go_on(tx, event_id, searches[-1].id)
    return False


async def _tell_followers(tx: Transaction, event: Event, one: SearchJob, sources: Sequence[str]) -> None:
    """Notify some followers of one of its hosts; of a series only once."""
    hosts = [event.author_id, *(await beside_authors(tx, [event.id])).get(event.id, ())]
    is_first = await queries.is_first_of_series(tx, event)
    some = await people.followers(tx, hosts, one.since, one.after_person or "", AT_ONCE) if is_first else []
    telling = await queries.who_do_not_know(tx, event, some)
    await tell(tx, telling, NotificationKind.HOST_EVENT, event.id, 1, starts_at=event.starts_at, sources=sources)
    await queries.go_on_with_people(tx, event.id, some[-1] if len(some) == AT_ONCE else None)
