"""SQL for profiles of hosts: their public events and groups, and who follows whom."""

from collections.abc import Callable, Sequence

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.series_dates import is_first_of_series
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.groups.model import INSIDE, Group
from openmeet.domain.groups.queries import COLUMNS as GROUP_COLUMNS
from openmeet.domain.groups.queries import group_of
from openmeet.domain.groups.queries import is_hidden as is_group_hidden
from openmeet.domain.identities.queries import DEPARTED
from openmeet.domain.moderation.blocks import is_block_between_sql
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import User, UserId
from openmeet.domain.users.queries import COLUMNS, user_of


def _is_hosted_by(person: str, table: str = "e") -> str:
    """SQL condition: the event is public, and the user (a column or parameter) hosts or co-hosts it.

    Does not depend on the viewer.
    """
    beside = f"select h.event_id from event_co_hosts h where h.user_id = {person} and h.state = 'accepted'"
    return (
        f"({table}.author_id = {person} or {table}.id in ({beside}))"
        f" and {is_listed(table)} and {is_public(table)} and not {is_hidden(table)}"
    )


def seen_of_host(user_id: UserId) -> tuple[Callable[[str], str], dict[str, object]]:
    """SQL condition on a table, and its parameters: a public event that the user hosts or co-hosts."""
    return lambda table: _is_hosted_by(":user_id", table), {"user_id": user_id}


def _is_coming(table: str) -> str:
    return f"{_is_hosted_by(':user_id', table)} and {table}.over_at > :now"


async def host(reader: Reader, user_id: UserId) -> User | None:
    """The profile of a user who has signed in to this site and hosts or hosted a public event.

    None for everybody else, and for users who are deleting their account.
    """
    return next(iter(await hosts_among(reader, [user_id])), None)


async def hosts_among(reader: Reader, user_ids: Sequence[UserId]) -> list[User]:
    """The given users for whom ``host`` finds a profile, ordered by id."""
    if not user_ids:
        return []
    rows = await reader.fetch(
        f"select {COLUMNS} from users u where u.id in :user_ids and u.kind = 'person' and not {is_leaving('u.id')}"
        f" and exists (select 1 from events e where {_is_hosted_by('u.id')}) order by u.id",
        user_ids=list(user_ids),
    )
    return [user_of(row) for row in rows]


async def upcoming_events(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """The public events of a host that are not over, ordered by start."""
    return await _hosted(reader, user_id, "e.over_at > :now order by e.starts_at, e.id", limit, now=reader.now)


async def upcoming_without_repeats(
    reader: Reader, user_id: UserId, limit: int, *, takes_place: bool = False
) -> list[Event]:
    """Like ``upcoming_events``, with only the next date of each series. With ``takes_place``, no cancelled ones."""

    def fits(table: str) -> str:
        return f"{_is_coming(table)} and {table}.status <> 'cancelled'" if takes_place else _is_coming(table)

    condition = f"{fits('e')} and {is_first_of_series('e', fits, by='over_at')} order by e.starts_at, e.id"
    return await _hosted(reader, user_id, condition, limit, now=reader.now)


async def past_events(reader: Reader, user_id: UserId, limit: int) -> list[Event]:
    """The past public events of a host, latest first."""
    return await _hosted(reader, user_id, "e.over_at <= :now order by e.starts_at desc, e.id", limit, now=reader.now)


async def events_since(
    reader: Reader, user_id: UserId, start: Instant, limit: int, *, besides: Sequence[str] = ()
) -> list[Event]:
    """The public events of a host from a time on, ordered by start, for calendar feeds. ``besides``: series whose dates
    are left out.
    """
    condition = "e.over_at > :start order by e.starts_at, e.id"
    if not besides:
        return await _hosted(reader, user_id, condition, limit, start=start)
    condition = f"(e.series_id is null or e.series_id not in :besides) and {condition}"
    return await _hosted(reader, user_id, condition, limit, start=start, besides=list(besides))


async def _hosted(reader: Reader, user_id: UserId, condition: str, limit: int, **values: object) -> list[Event]:
    rows = await reader.fetch(
        f"select {columns_of('e')} from events e where {_is_hosted_by(':user_id')} and {condition} limit :limit",
        user_id=user_id,
        limit=limit,
        **values,
    )
    return [event_of(row) for row in rows]


async def public_groups(reader: Reader, user_id: UserId, limit: int) -> list[Group]:
    """Public groups that the user is a member of, ordered by name. The caller checks whether the user shows them."""
    rows = await reader.fetch(
        f"""
        select {GROUP_COLUMNS} from groups g join group_members m on m.group_id = g.id
         where m.user_id = :user_id and m.role in :inside and g.deleted_at is null and g.visibility = 'public'
           and not {is_group_hidden("g")}
         order by g.search_text, g.id limit :limit
        """,
        user_id=user_id,
        inside=[role.value for role in INSIDE],
        limit=limit,
    )
    return [group_of(row) for row in rows]


async def put_follower(tx: Transaction, user_id: UserId, followed: UserId) -> None:
    await tx.execute(
        "insert into profile_followers (user_id, followed_id, created_at) values (:user_id, :followed, :now)"
        " on conflict (user_id, followed_id) do nothing",
        user_id=user_id,
        followed=followed,
        now=tx.now,
    )


async def drop_follower(tx: Transaction, user_id: UserId, followed: UserId) -> bool:
    deleted_count = await tx.execute(
        "delete from profile_followers where user_id = :user_id and followed_id = :followed",
        user_id=user_id,
        followed=followed,
    )
    return deleted_count == 1


async def is_following(reader: Reader, user_id: UserId, followed: UserId) -> bool:
    return followed in await followed_among(reader, user_id, [followed])


async def followed_among(reader: Reader, user_id: UserId, people: Sequence[UserId]) -> set[UserId]:
    """Those of these people whom the user follows."""
    rows = await reader.fetch(
        "select followed_id from profile_followers where user_id = :user_id and followed_id in :people",
        user_id=user_id,
        people=list(people),
    )
    return {UserId(row["followed_id"]) for row in rows}


async def followed_by(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[tuple[UserId, Instant]]:
    """Profiles that a user follows, each with the time at which they started to follow it; newest first."""
    rows = await reader.fetch(
        "select followed_id, created_at from profile_followers"
        f" where user_id = :user_id{page.clause('created_at', 'followed_id')}",
        user_id=user_id,
        **page.values,
    )
    return [(UserId(row["followed_id"]), Instant(row["created_at"])) for row in rows]


async def followers(reader: Reader, followed: Sequence[UserId], since: Instant, after: str, limit: int) -> list[UserId]:
    """People who followed one of these users before ``since``, ordered by id, starting after ``after``.

    Leaves out pairs in which either has blocked the other.
    """
    rows = await reader.fetch(
        f"""
        select distinct f.user_id from profile_followers f
         where f.followed_id in :followed and f.created_at < :since and f.user_id > :after
           and not {is_block_between_sql("f.user_id", "f.followed_id")}
         order by f.user_id limit :limit
        """,
        followed=list(followed),
        since=since,
        after=after,
        limit=limit,
    )
    return [UserId(row["user_id"]) for row in rows]


async def drop_departed(tx: Transaction) -> int:
    """Delete follows from and of users whose accounts are gone."""
    return await delete_some(tx, "profile_followers", f"user_id in ({DEPARTED}) or followed_id in ({DEPARTED})")
