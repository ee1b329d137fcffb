"""One person out of two rows, in the caller's transaction: locked, handed over room by room, and the other row goes.

The order of locks is everybody's: events before the people who answer them, groups before the people in them. Once both people are
locked no row can begin to refer to either; whoever tries meanwhile (a message of the network about the one who goes) waits, finds
them gone, and starts over with who they are now.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from groundwork.database.transaction import Transaction, TransactionConflict
from groundwork.telemetry.logs import log
from openmeet.domain.account_merge import queries, tables
from openmeet.domain.account_merge.model import Holding
from openmeet.domain.api_tokens import tokens as access
from openmeet.domain.attendance import merge as attendance
from openmeet.domain.attendance import reevaluation
from openmeet.domain.chat import queries as chat
from openmeet.domain.groups import membership_queries as group_people
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.series import detection_queries
from openmeet.domain.users import merge as users
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks import actions as webhooks
from openmeet.outbox import publication_moves

Reassign = Callable[[Transaction, UserId, UserId], Awaitable[Any]]


async def _publications(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await publication_moves.reassign(tx, from_user=from_user, to_user=to_user)


# Every room that knows people. News come first: whom hosts were told about follows from the answers that are still the other's.
# The people themselves come last.
ROOMS: Final[tuple[Reassign, ...]] = (
    tables.reassign_notifications,
    attendance.reassign,
    tables.reassign_groups,
    tables.reassign_series,
    detection_queries.reassign,
    tables.reassign_events,
    tables.reassign_messages,
    chat.reassign,
    tables.reassign_pictures,
    tables.reassign_calendars,
    tables.reassign_saved_searches,
    tables.reassign_followers,
    tables.reassign_imports,
    tables.reassign_legacy_rows,
    access.reassign,
    webhooks.reassign,
    _publications,
    tables.reassign_blocks,
    tables.reassign_identities,
    tables.reassign_sessions,
    queries.reassign,
    users.reassign,
)


async def merge(tx: Transaction, from_user: UserId, to_user: UserId) -> tuple[Holding, ...]:
    """Everything of ``from_user`` is ``to_user``'s, and ``from_user`` is no more; what it was.

    Somebody who is gone already has nothing left to join. Raises TransactionConflict (somebody changed it meanwhile: again),
    Refused (``TwoRepositories``).
    """
    if from_user == to_user or not await _lock(tx, from_user, to_user):
        return ()
    joined = await queries.holdings(tx, from_user)
    for reassign in ROOMS:
        await reassign(tx, from_user, to_user)
    await reevaluation.welcome(tx, to_user)
    log.info("people.joined", holdings={one.key: one.number for one in joined})
    return joined


async def _lock(tx: Transaction, from_user: UserId, to_user: UserId) -> bool:
    """False where one of the two is not there (any more)."""
    answered = await attendance.lock_shared(tx, from_user, to_user)
    in_groups = sorted(one.group_id for one in await group_people.standings_of(tx, from_user))
    for group_id in in_groups:
        await group_queries.lock(tx, group_id)
    if not await users.lock_both(tx, from_user, to_user):
        return False
    if await attendance.events_of_both(tx, from_user, to_user) != answered:
        raise TransactionConflict("an answer came while two people were being joined")
    if sorted(one.group_id for one in await group_people.standings_of(tx, from_user)) != in_groups:
        raise TransactionConflict("a membership changed while two people were being joined")
    return True
