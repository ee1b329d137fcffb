"""Events of a group, as listed for members and for others, and events of the DIDs that it follows."""

from collections.abc import Callable, Mapping, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import COLUMNS, event_of
from openmeet.domain.events.series_dates import is_first_of_series
from openmeet.domain.events.visibility import is_hidden, is_kept_from, is_listed, is_public
from openmeet.domain.groups import followed_dids
from openmeet.domain.groups.model import INSIDE, GroupId, roles_sql
from openmeet.domain.search.my_event_lists import EventCursor
from openmeet.domain.users.model import UserId


def _listed(table: str = "events") -> str:
    return f"{is_listed(table)} and not {is_hidden(table)}"


def _of_group(table: str) -> str:
    # Leaves out events whose author hides them from this member.
    return f"{table}.group_id = :group_id and not {is_kept_from(table)}"


def _for_strangers(table: str) -> str:
    # Everyone who can see the group sees its public events, because an unlisted group appears in no other list.
    return f"{table}.group_id = :group_id and {table}.visibility = 'public'"


def _followed(table: str) -> str:
    # The DIDs are looked up beforehand, because the planner uses the index of repositories for a list of DIDs but not
    # for a subquery.
    return (
        f"{table}.record_did in :dids and ({table}.group_id is null or {table}.group_id <> :group_id) "
        f"and {is_public(table)}"
    )


def _visibility_condition(member: UserId | None) -> tuple[Callable[[str], str], dict[str, object]]:
    """Return a condition on a table alias, and its parameters. ``member``: the viewer, if they are a member."""
    return (_for_strangers, {}) if member is None else (_of_group, {"user_id": member})


async def coming_in_group(
    reader: Reader,
    group_id: GroupId,
    after: EventCursor | None,
    limit: int,
    *,
    member: UserId | None,
    once_per_series: bool = False,
) -> list[Event]:
    """Upcoming events of a group, ordered by start: all of them for members, public ones for others who can see the
    group.

    ``once_per_series``: only the next date of each series.
    """
    is_visible, values = _visibility_condition(member)
    return await _coming(reader, group_id, is_visible, after, limit, values, once_per_series=once_per_series)


async def followed_in_group(
    reader: Reader, group_id: GroupId, after: EventCursor | None, limit: int, *, once_per_series: bool = False
) -> list[Event]:
    """Upcoming public events of the DIDs that a group follows, ordered by start."""
    dids = [did for did, _ in await followed_dids.of_group(reader, group_id)]
    if not dids:
        return []
    return await _coming(reader, group_id, _followed, after, limit, {"dids": dids}, once_per_series=once_per_series)


async def shown_in_group(
    reader: Reader, group_id: GroupId, after: EventCursor | None, limit: int, *, member: UserId | None
) -> list[Event]:
    """Own and followed events together, with only the next date of each series.

    Uses two statements, because each has an index that an "or" would not use.
    """
    own = await coming_in_group(reader, group_id, after, limit, member=member, once_per_series=True)
    theirs = await followed_in_group(reader, group_id, after, limit, once_per_series=True)
    return _merge_by_start(own, theirs, limit)


async def past_in_group(
    reader: Reader, group_id: GroupId, before: EventCursor | None, limit: int, *, member: UserId | None
) -> list[Event]:
    """Past events of a group, latest first."""
    is_visible, values = _visibility_condition(member)
    clauses = [is_visible("events"), _listed(), "over_at <= :now"]
    values |= {"group_id": group_id, "now": reader.now, "limit": limit}
    if before is not None:
        clauses.append("(starts_at, id) < (:before_start, :before_id)")
        values |= {"before_start": before.starts_at, "before_id": before.event_id}
    return await _events(reader, clauses, "starts_at desc, id desc", values)


async def between_in_group(
    reader: Reader,
    group_id: GroupId,
    start: Instant,
    end: Instant,
    limit: int,
    *,
    member: UserId | None,
    besides: Sequence[str] = (),
) -> list[Event]:
    """Own and followed events that start within this time, ordered by start. ``besides``: series whose dates are left
    out.
    """
    values: dict[str, object] = {"group_id": group_id, "start": start, "end": end, "limit": limit}
    within = [_listed(), "starts_at >= :start", "starts_at < :end"]
    is_visible, more = _visibility_condition(member)
    clauses = [is_visible("events"), *within]
    if besides:
        clauses.append("(series_id is null or series_id not in :besides)")
        more["besides"] = list(besides)
    own = await _events(reader, clauses, "starts_at, id", values | more)
    dids = [did for did, _ in await followed_dids.of_group(reader, group_id)]
    if not dids:
        return own
    theirs = await _events(reader, [_followed("events"), *within], "starts_at, id", {**values, "dids": dids})
    return _merge_by_start(own, theirs, limit)


def seen_in_group(group_id: GroupId, member: UserId | None) -> tuple[Callable[[str], str], dict[str, object]]:
    """Condition, on a table alias, under which this viewer can see an event of the group, and its parameters."""
    is_visible, values = _visibility_condition(member)
    return lambda table: f"{is_visible(table)} and {_listed(table)}", {"group_id": group_id, **values}


async def newest_in_group(reader: Reader, group_id: GroupId, limit: int, *, member: UserId | None) -> list[Event]:
    """The group's own events, most recently created first."""
    is_visible, values = _visibility_condition(member)
    values |= {"group_id": group_id, "limit": limit}
    return await _events(reader, [is_visible("events"), _listed()], "created_at desc, id desc", values)


async def effect_of_deleting(reader: Reader, group_id: GroupId) -> tuple[int, int]:
    """Number of a group's upcoming events, and how many of them only members can see."""
    row = await reader.fetch_one(
        "select count(*) as coming, coalesce(sum(case when e.visibility = 'private' or g.visibility = 'private' then 1"
        " else 0 end), 0) as inner_ones from events e join groups g on g.id = e.group_id where e.group_id = :group_id"
        " and e.deleted_at is null and e.removed_at is null and e.is_draft = 0 and e.over_at > :now",
        group_id=group_id,
        now=reader.now,
    )
    return (int(row["coming"]), int(row["inner_ones"])) if row else (0, 0)


def _merge_by_start(own: Sequence[Event], followed: Sequence[Event], limit: int) -> list[Event]:
    return sorted([*own, *followed], key=lambda event: (event.starts_at or 0, event.id))[:limit]


async def _coming(
    reader: Reader,
    group_id: GroupId,
    is_visible: Callable[[str], str],
    after: EventCursor | None,
    limit: int,
    more: Mapping[str, object],
    *,
    once_per_series: bool,
) -> list[Event]:
    def fits(table: str) -> str:
        return f"{is_visible(table)} and {_listed(table)} and {table}.over_at > :now"

    clauses = [fits("events")]
    if once_per_series:
        clauses.append(is_first_of_series("events", fits, by="over_at"))
    values: dict[str, object] = {"group_id": group_id, "now": reader.now, "limit": limit, **more}
    if after is not None:
        clauses.append("(starts_at, id) > (:after_start, :after_id)")
        values |= {"after_start": after.starts_at, "after_id": after.event_id}
    return await _events(reader, clauses, "starts_at, id", values)


async def _events(reader: Reader, clauses: Sequence[str], order: str, values: dict[str, object]) -> list[Event]:
    rows = await reader.fetch(
        f"select {COLUMNS} from events where {' and '.join(clauses)} order by {order} limit :limit", **values
    )
    return [event_of(row) for row in rows]


async def next_of_groups(reader: Reader, group_ids: Sequence[GroupId], viewer: UserId | None) -> dict[GroupId, Instant]:
    """Start of each group's next or current event that the viewer may see in lists and that is not cancelled.

    Groups without such an event are left out.
    """
    if not group_ids:
        return {}
    inside = (
        "exists (select 1 from group_members m where m.group_id = events.group_id and m.user_id = :viewer"
        f" and m.role in ({roles_sql(INSIDE)}))"
    )
    rows = await reader.fetch(
        f"select group_id, min(starts_at) as next_at from events where group_id in :ids and {_listed()}"
        f" and over_at > :now and status <> 'cancelled' and (visibility = 'public' or {inside})"
        " group by group_id order by group_id",
        ids=list(dict.fromkeys(group_ids)),
        now=reader.now,
        viewer=viewer or "",
    )
    return {GroupId(row["group_id"]): row["next_at"] for row in rows}
