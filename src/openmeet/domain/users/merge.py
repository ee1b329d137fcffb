"""Merge two users: lock both, and fill gaps in the remaining profile. ``account_merge.tables`` moves everything else
that refers to a user.
"""

from typing import Final

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.users.model import UserId

# No new row can refer to a locked user: on PostgreSQL, concurrent writers wait for the merge, and SQLite has only one
# writer.
_LOCK: Final = "select id from users where id in :ids order by id for update"

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


async def lock_both(tx: Transaction, one: UserId, other: UserId) -> bool:
    """Lock two users, ordered by id. False if either no longer exists."""
    statement = _LOCK if tx.engine == "postgresql" else _LOCK.removesuffix(" for update")
    return len(await tx.fetch(statement, ids=[one, other])) == 2


async def reassign(tx: Transaction, from_user: UserId, to_user: UserId) -> None:
    """Fill gaps in the remaining profile from the other one, and delete the other row. The last step, after all other
    ``reassign`` functions.

    Raises ForeignKeyViolated if something still refers to the deleted user.
    """
    goes = await tx.fetch_one(
        "select u.display_name, u.bio, u.time_zone, u.week_start, u.language, u.portrait_key, coalesce(u.email, g.email) as email"
        " from users u left join guests g on g.user_id = u.id where u.id = :id",
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


async def is_there(reader: Reader, user_id: UserId) -> bool:
    """Whether this user still has a row."""
    return await reader.fetch_one("select 1 as found from users where id = :id", id=user_id) is not None
