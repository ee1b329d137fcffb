"""Who wants to hear of a series, and who goes to all of it: the SQL of those who come."""

from groundwork.database.transaction import Reader, Transaction
from openmeet.events.model import Visibility
from openmeet.groups.model import INSIDE
from openmeet.series.model import Follower, Going, Series, SeriesId
from openmeet.users.model import UserId


async def following(reader: Reader, series_id: SeriesId, user_id: UserId) -> Follower | None:
    """How somebody follows the series; None where they do not."""
    row = await reader.fetch_one(
        "select user_id, notifications_enabled from event_series_followers"
        " where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return Follower(UserId(row["user_id"]), bool(row["notifications_enabled"])) if row else None


async def follow(tx: Transaction, series_id: SeriesId, user_id: UserId, *, notifies: bool) -> None:
    await tx.execute(
        """
        insert into event_series_followers (series_id, user_id, notifications_enabled, created_at, updated_at)
        values (:series_id, :user_id, :notifies, :now, :now)
            on conflict (series_id, user_id)
            do update set notifications_enabled = excluded.notifications_enabled, updated_at = excluded.updated_at
        """,
        series_id=series_id,
        user_id=user_id,
        notifies=int(notifies),
        now=tx.now,
    )


async def unfollow(tx: Transaction, series_id: SeriesId, user_id: UserId) -> bool:
    """True when the person followed it."""
    gone = await tx.execute(
        "delete from event_series_followers where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return gone == 1


async def followers(reader: Reader, series_id: SeriesId) -> list[Follower]:
    rows = await reader.fetch(
        "select user_id, notifications_enabled from event_series_followers where series_id = :series_id"
        " order by created_at, user_id",
        series_id=series_id,
    )
    return [Follower(UserId(row["user_id"]), bool(row["notifications_enabled"])) for row in rows]


async def to_tell(reader: Reader, series: Series) -> list[UserId]:
    """Followers who want to hear of it and may see it; of a private series outside groups those hear who have an answer, as such."""
    if series.visibility is not Visibility.PRIVATE:
        condition, more = "", {}
    elif series.group is not None:
        condition = (
            " and exists (select 1 from group_members m where m.group_id = :group_id and m.user_id = f.user_id"
            " and m.role in :inside)"
        )
        more = {"group_id": series.group.id, "inside": [role.value for role in INSIDE]}
    else:
        return []
    rows = await reader.fetch(
        "select f.user_id from event_series_followers f join users u on u.id = f.user_id"
        f" where f.series_id = :series_id and f.notifications_enabled = 1 and u.kind = 'person'{condition}"
        " order by f.created_at, f.user_id",
        series_id=series.id,
        **more,
    )
    return [UserId(row["user_id"]) for row in rows if row["user_id"] != series.owner_id]


async def named_followers(
    reader: Reader, series_id: SeriesId, *, after: UserId, limit: int
) -> list[tuple[Follower, str]]:
    """Followers with the names to show, in the order of their ids, those behind ``after`` first."""
    rows = await reader.fetch(
        "select f.user_id, f.notifications_enabled, u.display_name from event_series_followers f"
        " join users u on u.id = f.user_id where f.series_id = :series_id and f.user_id > :after"
        " order by f.user_id limit :limit",
        series_id=series_id,
        after=after,
        limit=limit,
    )
    return [(Follower(UserId(row["user_id"]), bool(row["notifications_enabled"])), row["display_name"]) for row in rows]


async def count_followers(reader: Reader, series_id: SeriesId) -> int:
    row = await reader.fetch_one(
        "select count(*) as n from event_series_followers where series_id = :series_id", series_id=series_id
    )
    return int(row["n"]) if row else 0


async def go_to_all(tx: Transaction, series_id: SeriesId, user_id: UserId, *, with_limited: bool) -> None:
    """From now on this person goes to every date; again to choose otherwise about those with a limit."""
    await tx.execute(
        """
        insert into event_series_answers (series_id, user_id, with_limited, created_at)
        values (:series_id, :user_id, :with_limited, :now)
            on conflict (series_id, user_id) do update set with_limited = excluded.with_limited
        """,
        series_id=series_id,
        user_id=user_id,
        with_limited=int(with_limited),
        now=tx.now,
    )


async def go_no_more(tx: Transaction, series_id: SeriesId, user_id: UserId) -> bool:
    """True when the person went to all dates."""
    gone = await tx.execute(
        "delete from event_series_answers where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return gone == 1


async def going(reader: Reader, series_id: SeriesId) -> list[Going]:
    """Who goes to all dates; who said so first is first in line."""
    rows = await reader.fetch(
        "select user_id, with_limited from event_series_answers where series_id = :series_id"
        " order by created_at, user_id",
        series_id=series_id,
    )
    return [Going(UserId(row["user_id"]), bool(row["with_limited"])) for row in rows]


async def going_of(reader: Reader, series_id: SeriesId, user_id: UserId) -> Going | None:
    """Whether one person goes to all dates; None where they do not."""
    row = await reader.fetch_one(
        "select user_id, with_limited from event_series_answers where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return Going(UserId(row["user_id"]), bool(row["with_limited"])) if row else None


async def copy_all(tx: Transaction, from_id: SeriesId, to_id: SeriesId) -> None:
    """Who follows a series, or goes to all of it, does so with the other too, unless they have said otherwise there."""
    await tx.execute(
        """
        insert into event_series_followers (series_id, user_id, notifications_enabled, created_at, updated_at)
        select :to_id, user_id, notifications_enabled, created_at, :now from event_series_followers
         where series_id = :from_id on conflict (series_id, user_id) do nothing
        """,
        from_id=from_id,
        to_id=to_id,
        now=tx.now,
    )
    await tx.execute(
        """
        insert into event_series_answers (series_id, user_id, with_limited, created_at)
        select :to_id, user_id, with_limited, created_at from event_series_answers
         where series_id = :from_id on conflict (series_id, user_id) do nothing
        """,
        from_id=from_id,
        to_id=to_id,
    )
