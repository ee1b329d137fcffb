"""Merge two user rows in the caller's transaction: lock both, reassign table by table, delete the emptied row.

Locks are taken in the usual order: consents before groups, as the publisher does (``decision_basis.lock_basis``), groups
before their members and events, events before their hosts and attendees. Once both users are locked, no new row can
refer to either. A concurrent writer (for example, a network message about the merged user) waits, finds that the row no
longer exists, and retries with the remaining user.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from groundwork.database.transaction import Reader, Transaction, TransactionConflict
from groundwork.outbox.jobs import enqueue_again
from groundwork.telemetry.logs import log
from openmeet.domain.account_merge import queries, reassignments
from openmeet.domain.account_merge.model import LabelledCount
from openmeet.domain.attendance import merge as attendance
from openmeet.domain.chat import merge as chat
from openmeet.domain.groups import membership_queries as group_people
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.photos import queries as photos
from openmeet.domain.series import detection_queries
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks import actions as webhooks
from openmeet.outbox import publication_moves
from openmeet.outbox.kinds import JobKind

# On PostgreSQL, concurrent writers wait for the merge. SQLite has only one writer.
_LOCK_USERS: Final = "select id from users where id in :ids order by id for update"

_TAKE_WHAT_IS_MISSING: Final = """
    update users
       set display_name = case when display_name = '' then :display_name else display_name end,
           bio = case when bio = '' then :bio else bio end, time_zone = coalesce(time_zone, :time_zone),
               week_start = coalesce(week_start, :week_start),
               language = coalesce(language, :language), portrait_key = coalesce(portrait_key, :portrait_key),
           email = coalesce(email, :email), kind = 'person', claimed_at = coalesce(claimed_at, :now),
           revision = revision + 1, updated_at = :now
     where id = :id
"""

Reassign = Callable[[Transaction, UserId, UserId], Awaitable[Any]]


async def _publications(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    await publication_moves.reassign(tx, from_user=from_user, to_user=to_user)


async def _reassign_user(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Fill gaps in the remaining profile from the other one, and delete the other row. The last step, after all other
    ``reassign`` functions.

    Raises ForeignKeyViolated if something still refers to the deleted user.
    """
    goes = await tx.fetch_one(
        "select u.display_name, u.bio, u.time_zone, u.week_start, u.language, u.portrait_key, coalesce(u.email, "
        "g.email) as email from users u left join guests g on g.user_id = u.id where u.id = :id",
        id=from_user,
    )
    if goes is None:
        return
    await tx.execute("delete from guests where user_id = :id", id=from_user)
    await tx.execute("delete from users where id = :id", id=from_user)
    await tx.execute(
        _TAKE_WHAT_IS_MISSING,
        id=to_user,
        display_name=goes["display_name"],
        bio=goes["bio"],
        time_zone=goes["time_zone"],
        week_start=goes["week_start"],
        language=goes["language"],
        portrait_key=goes["portrait_key"],
        email=goes["email"],
        now=tx.now,
    )


# One function for each package whose rows refer to users. Notifications come first, because RSVPs that have not been
# reassigned yet decide which hosts were notified. Sessions come before chats, because a cancelled deletion changes access
# to chats. The user rows themselves come last.
REASSIGNMENTS: Final[tuple[Reassign, ...]] = (
    reassignments.reassign_notifications,
    reassignments.reassign_sessions,
    attendance.reassign,
    reassignments.reassign_groups,
    reassignments.reassign_series,
    detection_queries.reassign,
    reassignments.reassign_events,
    reassignments.reassign_messages,
    chat.reassign,
    reassignments.reassign_pictures,
    photos.reassign,
    reassignments.reassign_calendars,
    reassignments.reassign_saved_searches,
    reassignments.reassign_followers,
    reassignments.reassign_imports,
    reassignments.reassign_legacy_rows,
    reassignments.reassign_api_tokens,
    webhooks.reassign,
    _publications,
    reassignments.reassign_blocks,
    reassignments.reassign_identities,
    queries.reassign,
    _reassign_user,
)


async def merge(tx: Transaction, from_user: UserId, to_user: UserId) -> tuple[LabelledCount, ...]:
    """Reassign everything that ``from_user`` holds to ``to_user`` and delete ``from_user``. Return what was reassigned.

    If a user no longer exists, there is nothing to merge. Raises TransactionConflict if a concurrent transaction
    changed either user (the caller must retry), and Refused (``TwoRepositories``).
    """
    if from_user == to_user or not await _lock(tx, from_user, to_user):
        return ()
    joined = await queries.holdings(tx, from_user)
    for reassign in REASSIGNMENTS:
        await reassign(tx, from_user, to_user)
    await queries.note_merged(tx, from_user, to_user)
    await enqueue_again(tx, JobKind.GAINED_ACCESS, [to_user])
    log.info("accounts.merged", holdings={one.key: one.number for one in joined})
    return joined


async def is_there(reader: Reader, user_id: UserId) -> bool:
    """Whether this user still has a row."""
    return await reader.fetch_one("select 1 as found from users where id = :id", id=user_id) is not None


async def _lock(tx: Transaction, from_user: UserId, to_user: UserId) -> bool:
    """Lock both users and their consents, and the groups and events of the merged one. Return False if either user no
    longer exists.
    """
    await publishing_preferences.lock_consents(tx, [from_user, to_user])
    in_groups = sorted(one.group_id for one in await group_people.memberships_of(tx, from_user))
    for group_id in in_groups:
        await group_queries.lock(tx, group_id)
    events = await attendance.lock_events(tx, from_user)
    if not await _lock_users(tx, from_user, to_user):
        return False
    if await attendance.events_of(tx, from_user) != events:
        raise TransactionConflict("an answer or event came while two people were being joined")
    if sorted(one.group_id for one in await group_people.memberships_of(tx, from_user)) != in_groups:
        raise TransactionConflict("a membership changed while two people were being joined")
    return True


async def _lock_users(tx: Transaction, one: UserId, other: UserId) -> bool:
    """Lock two users, ordered by id. False if either no longer exists."""
    statement = _LOCK_USERS if tx.engine == "postgresql" else _LOCK_USERS.removesuffix(" for update")
    return len(await tx.fetch(statement, ids=[one, other])) == 2
