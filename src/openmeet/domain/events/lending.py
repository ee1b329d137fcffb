"""Whose yes an edit needs: the record stands in the author's repository, and what somebody else changed waits for them (invariant 5).

A record in the repository of the event's own group is no author's: the group lets those write it who may change the event.
"""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from openmeet.domain.events import owner_queries
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.promotion import Reach, reach_of
from openmeet.domain.identities import publication_consent
from openmeet.domain.users.model import UserId


async def waits_for_author(tx: Transaction, after: Event, by: UserId) -> bool:
    """Whether this revision, made by ``by``, waits for its author. Where they let co-hosts publish, the use of that is noted."""
    return after.id in await waiting_for_authors(tx, [after], by)


async def waiting_for_authors(tx: Transaction, after: Sequence[Event], by: UserId) -> frozenset[EventId]:
    """Those of these revisions of which ``waits_for_author`` is true."""
    of_others = [one for one in after if one.author_id != by]
    of_groups = await owner_queries.held_by_groups(tx, [one.id for one in of_others if one.group is not None])
    of_others = [one for one in of_others if one.id not in of_groups]
    waiting = [one for one in of_others if reach_of(one) is Reach.NOTHING]
    published = [one for one in of_others if reach_of(one) is not Reach.NOTHING]
    for author_id in sorted({one.author_id for one in published}):
        theirs = [one for one in published if one.author_id == author_id]
        if not await publication_consent.use_for(tx, author_id, by, [(one.id, one.revision) for one in theirs]):
            waiting += theirs
    return frozenset(one.id for one in waiting)
