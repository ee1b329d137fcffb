"""SQL for followers of a series and for standing RSVPs to it."""

from collections.abc import Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.domain.attendance.notify import FanOutProgress, ParametrizedSelect
from openmeet.domain.events.model import EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups.model import FORMER_ROLES, INSIDE, GroupRole, roles_sql
from openmeet.domain.series.model import Follower, Series, SeriesId, StandingRsvp
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

_NOBODY = UserId("")
_EVERYBODY = 2**31 - 1

# What ties a person to a series.
_TIES: Final = ("event_series_standing_rsvps", "event_series_followers")


async def following(reader: Reader, series_id: SeriesId, user_id: UserId) -> Follower | None:
    """How a person follows the series. None if they do not."""
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


async def suggests(reader: Reader, series_id: SeriesId, user_id: UserId) -> bool:
    """Whether to suggest following the series to this person.

    True if they have answered exactly one date, do not own or follow the series, and have no standing RSVP.
    """
    row = await reader.fetch_one(
        """
        select count(*) as rsvp_count from attendances a join events e on e.id = a.event_id
         where e.series_id = :series_id and a.user_id = :user_id
           and a.status in ('attending', 'interested', 'pending', 'waitlisted')
           and not exists (select 1 from event_series s where s.id = e.series_id and s.user_id = a.user_id)
           and not exists (select 1 from event_series_followers f
               where f.series_id = e.series_id and f.user_id = a.user_id)
           and not exists (select 1 from event_series_standing_rsvps g
               where g.series_id = e.series_id and g.user_id = a.user_id)
        """,
        series_id=series_id,
        user_id=user_id,
    )
    return row is not None and int(row["rsvp_count"]) == 1


async def has_audience(reader: Reader, series_id: SeriesId, owner_id: UserId) -> bool:
    """Whether anybody except the owner follows the series or has answered one of its dates."""
    row = await reader.fetch_one(
        """
        select 1 where exists (select 1 from event_series_followers f
               where f.series_id = :series_id and f.user_id <> :owner_id)
            or exists (select 1 from attendances a join events e on e.id = a.event_id
               where e.series_id = :series_id and a.user_id <> :owner_id)
        """,
        series_id=series_id,
        owner_id=owner_id,
    )
    return row is not None


async def unfollow(tx: Transaction, series_id: SeriesId, user_id: UserId) -> bool:
    """Stop following. Returns whether the person followed the series."""
    gone = await tx.execute(
        "delete from event_series_followers where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return gone == 1


async def with_others(reader: Reader, series_ids: Sequence[SeriesId]) -> frozenset[SeriesId]:
    """Which of these series have people other than their owner: co-hosts or people invited to all dates, standing RSVPs,
    followers, pending notifications.

    One query instead of several, because thousands of series are checked.
    """
    rows = await reader.fetch(_WITH_OTHERS, series_ids=series_ids)
    return frozenset(SeriesId(row["id"]) for row in rows)


_WITH_OTHERS = """
    select s.id from event_series s where s.id in :series_ids
       and (exists (select 1 from event_series_followers f where f.series_id = s.id)
         or exists (select 1 from event_series_standing_rsvps r where r.series_id = s.id)
         or exists (select 1 from event_series_invitations i where i.series_id = s.id)
         or exists (select 1 from fan_outs o where o.subject_id = s.id)
         or exists (select 1 from events e join event_co_hosts h on h.event_id = e.id
                     where e.series_id = s.id and h.is_for_series = 1 and h.state = 'accepted'))
     order by s.id
"""


async def followers_to_notify(
    reader: Reader,
    series: Series,
    *,
    after: UserId = _NOBODY,
    limit: int = _EVERYBODY,
    reached_by: FanOutProgress | None = None,
) -> list[UserId]:
    """Followers who want notifications and may see the series, ordered by id, starting after ``after``.

    Empty for a private series outside of groups, in which only people with an RSVP are notified. ``reached_by``: only
    people whom that fan-out had reached, and those who followed since.
    """
    return await _recipients(reader, followers_to_notify_sql(series), after=after, limit=limit, reached_by=reached_by)


async def goers_to_notify(
    reader: Reader,
    series: Series,
    *,
    after: UserId = _NOBODY,
    limit: int = _EVERYBODY,
    reached_by: FanOutProgress | None = None,
) -> list[UserId]:
    """Like ``followers_to_notify``, for people with a standing RSVP, except those who follow with notifications turned
    off.
    """
    return await _recipients(reader, goers_to_notify_sql(series), after=after, limit=limit, reached_by=reached_by)


def followers_to_notify_sql(series: Series) -> ParametrizedSelect:
    """SQL for the ``user_id`` of everybody in ``followers_to_notify``, for counting."""
    condition = " and f.notifications_enabled = 1"
    if _is_for_who_answered(series):
        condition += " and 1 = 0"
    return _recipients_sql(series, "event_series_followers", condition)


def goers_to_notify_sql(series: Series) -> ParametrizedSelect:
    """SQL for the ``user_id`` of everybody in ``goers_to_notify``, for counting."""
    condition = (
        " and not exists (select 1 from event_series_followers o where o.series_id = f.series_id"
        " and o.user_id = f.user_id and o.notifications_enabled = 0)"
    )
    if _is_for_who_answered(series):
        condition += (
            " and exists (select 1 from attendances a join events e on e.id = a.event_id"
            " where e.series_id = f.series_id and a.user_id = f.user_id and a.status <> 'rejected')"
        )
    return _recipients_sql(series, "event_series_standing_rsvps", condition)


def _is_for_who_answered(series: Series) -> bool:
    return series.visibility is Visibility.PRIVATE and series.group is None


def _recipients_sql(series: Series, table: str, condition: str) -> ParametrizedSelect:
    values: dict[str, object] = {"series_id": series.id, "owner_id": series.owner_id}
    if series.visibility is Visibility.PRIVATE and series.group is not None:
        condition += (
            " and exists (select 1 from group_members m where m.group_id = :group_id and m.user_id = f.user_id"
            " and m.role in :inside)"
        )
        values |= {"group_id": series.group.id, "inside": [role.value for role in INSIDE]}
    sql = (
        f"select f.user_id from {table} f join users u on u.id = f.user_id"
        f" where f.series_id = :series_id and u.kind = 'person' and f.user_id <> :owner_id{condition}"
    )
    return sql, values


async def _recipients(
    reader: Reader, part: ParametrizedSelect, *, after: UserId, limit: int, reached_by: FanOutProgress | None
) -> list[UserId]:
    sql, values = part
    values = {**values, "after": after, "limit": limit}
    if reached_by is not None:
        sql += " and (f.user_id <= :until or f.created_at >= :since)"
        values |= {"until": reached_by.until, "since": reached_by.since}
    rows = await reader.fetch(f"{sql} and f.user_id > :after order by f.user_id limit :limit", **values)
    return [UserId(row["user_id"]) for row in rows]


async def named_followers(
    reader: Reader, series_id: SeriesId, *, after: UserId, limit: int
) -> list[tuple[Follower, str]]:
    """Followers with display names, ordered by id, starting after ``after``; without people who are deleting their
    account.
    """
    rows = await reader.fetch(
        "select f.user_id, f.notifications_enabled, u.display_name from event_series_followers f"
        " join users u on u.id = f.user_id where f.series_id = :series_id and f.user_id > :after"
        f" and not {is_leaving('f.user_id')}"
        " order by f.user_id limit :limit",
        series_id=series_id,
        after=after,
        limit=limit,
    )
    return [(Follower(UserId(row["user_id"]), bool(row["notifications_enabled"])), row["display_name"]) for row in rows]


async def count_followers(reader: Reader, series_id: SeriesId) -> int:
    """The number of people that ``named_followers`` lists."""
    row = await reader.fetch_one(
        "select count(*) as n from event_series_followers f where f.series_id = :series_id"
        f" and not {is_leaving('f.user_id')}",
        series_id=series_id,
    )
    return int(row["n"]) if row else 0


async def put_standing_rsvp(tx: Transaction, series_id: SeriesId, user_id: UserId, *, with_limited: bool) -> None:
    """Store a standing RSVP. If there already is one, update its choice about dates with limited places."""
    await tx.execute(
        """
        insert into event_series_standing_rsvps (series_id, user_id, with_limited, created_at)
        values (:series_id, :user_id, :with_limited, :now)
            on conflict (series_id, user_id) do update set with_limited = excluded.with_limited
        """,
        series_id=series_id,
        user_id=user_id,
        with_limited=int(with_limited),
        now=tx.now,
    )


async def end_standing_rsvp(tx: Transaction, series_id: SeriesId, user_id: UserId) -> None:
    """End a standing RSVP if there is one."""
    await end_standing_rsvps(tx, [series_id], user_id)


async def end_standing_rsvps(tx: Transaction, series_ids: Sequence[SeriesId], user_id: UserId) -> None:
    """End a person's standing RSVPs to these series."""
    await tx.execute(
        "delete from event_series_standing_rsvps where series_id in :series_ids and user_id = :user_id",
        series_ids=list(series_ids),
        user_id=user_id,
    )


async def leave_series_of_host(tx: Transaction, host: UserId, user_id: UserId) -> None:
    """End the person's standing RSVPs to this host's series, and make them stop following these series."""
    for table in _TIES:
        await tx.execute(
            f"delete from {table} where user_id = :user_id"
            " and series_id in (select id from event_series where user_id = :host)",
            user_id=user_id,
            host=host,
        )


def takes_part_in_series_of(host: str, person: str) -> str:
    """SQL condition: this person follows a series of this host, or has a standing RSVP to one."""
    return "({})".format(
        " or ".join(
            f"exists (select 1 from {table} f join event_series s on s.id = f.series_id"
            f" where f.user_id = {person} and s.user_id = {host})"
            for table in _TIES
        )
    )


_OF_FORMER_GROUPS: Final = f"""
    select s.id from event_series s
      join group_members m on m.group_id = s.group_id and m.user_id = :user_id and m.role in ({roles_sql(FORMER_ROLES)})
     where s.id > :after and s.id in (
           select series_id from event_series_standing_rsvps where user_id = :user_id
            union select series_id from event_series_followers where user_id = :user_id
            union select series_id from event_series_offers where to_user_id = :user_id)
     order by s.id limit :limit
"""


async def series_of_former_groups(reader: Reader, user_id: UserId, *, after: str, limit: int) -> list[SeriesId]:
    """The series of groups that this person has left or was banned from which they follow, have a standing RSVP to or are
    offered. In id order, starting after ``after``.
    """
    rows = await reader.fetch(_OF_FORMER_GROUPS, user_id=user_id, after=after, limit=limit)
    return [SeriesId(row["id"]) for row in rows]


async def leave_series_where_banned(tx: Transaction, user_id: UserId, series_ids: Sequence[SeriesId]) -> None:
    """End the person's standing RSVPs to those of these series whose groups have banned them, and make them stop following
    these series.
    """
    for table in _TIES:
        await tx.execute(
            f"delete from {table} where user_id = :user_id and series_id in :series_ids"
            " and series_id in (select s.id from event_series s"
            f" join group_members m on m.group_id = s.group_id and m.user_id = :user_id and m.role = '{GroupRole.BANNED}'"
            " where s.user_id <> :user_id)",
            user_id=user_id,
            series_ids=list(series_ids),
        )


async def standing_rsvps(
    reader: Reader,
    series_id: SeriesId,
    *,
    limit: int = _EVERYBODY,
    after: StandingRsvp | None = None,
    without_rsvp_to: EventId | None = None,
) -> list[StandingRsvp]:
    """Standing RSVPs in the order in which they were made, without those of people who answered the date
    ``without_rsvp_to``.
    """
    clauses, values = ["series_id = :series_id"], dict[str, object]()
    if after is not None:
        clauses.append("(created_at, user_id) > (:said_at, :user_id)")
        values |= {"said_at": after.said_at, "user_id": after.user_id}
    if without_rsvp_to is not None:
        clauses.append(
            "not exists (select 1 from attendances a where a.event_id = :event_id"
            " and a.user_id = event_series_standing_rsvps.user_id and a.status <> 'invited')"
        )
        values["event_id"] = without_rsvp_to
    rows = await reader.fetch(
        "select user_id, with_limited, created_at from event_series_standing_rsvps"
        f" where {' and '.join(clauses)} order by created_at, user_id limit :limit",
        series_id=series_id,
        limit=limit,
        **values,
    )
    return [_standing_rsvp_of(row) for row in rows]


async def series_with_standing_rsvp_of(reader: Reader, user_id: UserId) -> list[SeriesId]:
    """The series with a standing RSVP of this person, in id order."""
    rows = await reader.fetch(
        "select series_id from event_series_standing_rsvps where user_id = :user_id order by series_id", user_id=user_id
    )
    return [SeriesId(row["series_id"]) for row in rows]


async def standing_rsvp_of(reader: Reader, series_id: SeriesId, user_id: UserId) -> StandingRsvp | None:
    """A person's standing RSVP. None if they have none."""
    row = await reader.fetch_one(
        "select user_id, with_limited, created_at from event_series_standing_rsvps"
        " where series_id = :series_id and user_id = :user_id",
        series_id=series_id,
        user_id=user_id,
    )
    return _standing_rsvp_of(row) if row else None


def _standing_rsvp_of(row: Row) -> StandingRsvp:
    return StandingRsvp(UserId(row["user_id"]), bool(row["with_limited"]), Instant(row["created_at"]))


async def copy_all(tx: Transaction, from_id: SeriesId, to_id: SeriesId) -> None:
    """Copy followers and standing RSVPs to another series. Choices that people have already made for that series stay."""
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
        insert into event_series_standing_rsvps (series_id, user_id, with_limited, created_at)
        select :to_id, user_id, with_limited, created_at from event_series_standing_rsvps
         where series_id = :from_id on conflict (series_id, user_id) do nothing
        """,
        from_id=from_id,
        to_id=to_id,
    )
