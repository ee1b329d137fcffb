"""SQL for co-hosts."""

from collections.abc import Collection, Sequence
from typing import Final

from groundwork.clock import Instant
from groundwork.database.pages import delete_some, last_key, update_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.events.co_host_invitations import CoHost, CoHostId, CoHostState
from openmeet.domain.events.model import EventId
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

_COLUMNS = (
    "id, event_id, user_id, email, state, invited_by, created_at, expires_at, decided_at, is_for_series, "
    "is_asked_for_series"
)

# Events that ``:user_id`` co-hosts, for lists.
CO_HOSTED = "select h.event_id from event_co_hosts h where h.user_id = :user_id and h.state = 'accepted'"
# Open invitations to ``:user_id``, or to the e-mail address of their account, as a FROM clause with conditions.
INVITED_TO_HOST = """
    event_co_hosts
     where (user_id = :user_id or (user_id is null and email = (select u.email from users u where u.id = :user_id)))
       and (state = 'invited' or state = 'accepted' and is_asked_for_series = 1) and expires_at > :now
"""


def _co_host_of(row: Row) -> CoHost:
    return CoHost(
        id=CoHostId(row["id"]),
        event_id=row["event_id"],
        user_id=None if row["user_id"] is None else UserId(row["user_id"]),
        email=row["email"],
        state=CoHostState(row["state"]),
        invited_by=UserId(row["invited_by"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        decided_at=row["decided_at"],
        is_for_series=bool(row["is_for_series"]),
        is_asked_for_series=bool(row["is_asked_for_series"]),
    )


async def hosted_among(reader: Reader, user_id: UserId, event_ids: Collection[EventId]) -> set[EventId]:
    """Return which of these events the person co-hosts."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select event_id from event_co_hosts where user_id = :user_id and state = 'accepted' and event_id in :ids"
        " order by event_id",
        user_id=user_id,
        ids=list(dict.fromkeys(event_ids)),
    )
    return {EventId(row["event_id"]) for row in rows}


async def of_event(reader: Reader, event_id: EventId, states: Sequence[CoHostState]) -> list[CoHost]:
    """Co-hosts and invitations in these states, in order of invitation."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_co_hosts where event_id = :event_id and state in :states order by created_at, id",
        event_id=event_id,
        states=[state.value for state in states],
    )
    return [_co_host_of(row) for row in rows]


async def listed(reader: Reader, event_id: EventId, page: Page = ALL_ROWS) -> list[CoHost]:
    """Co-hosts and invitations in all states, as hosts see them: without people who are deleting their account."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_co_hosts where event_id = :event_id and not {is_leaving('event_co_hosts.user_id')}"
        f"{page.clause('created_at', 'id', newest_first=False)}",
        event_id=event_id,
        **page.values,
    )
    return [_co_host_of(row) for row in rows]


async def co_hosts_of(reader: Reader, event_ids: Collection[EventId]) -> dict[EventId, list[UserId]]:
    """Co-hosts of these events."""
    return await _co_hosts_where(reader, event_ids, "state = 'accepted'")


async def shown_co_hosts(reader: Reader, event_ids: Collection[EventId]) -> dict[EventId, list[UserId]]:
    """Co-hosts of these events, except those who are deleting their account."""
    return await _co_hosts_where(
        reader, event_ids, f"state = 'accepted' and not {is_leaving('event_co_hosts.user_id')}"
    )


async def _co_hosts_where(
    reader: Reader, event_ids: Collection[EventId], condition: str
) -> dict[EventId, list[UserId]]:
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"select event_id, user_id from event_co_hosts where {condition} and event_id in :ids"
        " order by event_id, created_at, id",
        ids=list(dict.fromkeys(event_ids)),
    )
    co_hosts: dict[EventId, list[UserId]] = {}
    for row in rows:
        co_hosts.setdefault(EventId(row["event_id"]), []).append(UserId(row["user_id"]))
    return co_hosts


async def waiting_for(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[CoHost]:
    """Open invitations to this person, or to the e-mail address of their account."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from {INVITED_TO_HOST} {page.clause('created_at', 'id', newest_first=False)}",
        user_id=user_id,
        now=reader.now,
        **page.values,
    )
    return [_co_host_of(row) for row in rows]


async def by_id(reader: Reader, co_host_id: CoHostId) -> CoHost | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from event_co_hosts where id = :id", id=co_host_id)
    return _co_host_of(row) if row else None


async def of_person(reader: Reader, event_id: EventId, user_id: UserId) -> CoHost | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from event_co_hosts where event_id = :event_id and user_id = :user_id",
        event_id=event_id,
        user_id=user_id,
    )
    return _co_host_of(row) if row else None


async def mailed_since(reader: Reader, event_id: EventId, since: Instant) -> int:
    row = await reader.fetch_one(
        "select count(*) as mailed from event_co_hosts where event_id = :event_id and email is not null"
        " and created_at > :since",
        event_id=event_id,
        since=since,
    )
    return int(row["mailed"]) if row else 0


async def put(tx: Transaction, host: CoHost) -> None:
    """Store a new invitation, or replace an earlier invitation of the same person."""
    await tx.execute(
        f"""
        insert into event_co_hosts ({_COLUMNS})
        values (:id, :event_id, :user_id, :email, :state, :invited_by, :created_at, :expires_at, :decided_at,
                :is_for_series, :is_asked_for_series)
            on conflict (id) do update set user_id = excluded.user_id, state = excluded.state,
               expires_at = excluded.expires_at, decided_at = excluded.decided_at, invited_by = excluded.invited_by,
               is_for_series = excluded.is_for_series, is_asked_for_series = excluded.is_asked_for_series,
               offered_at = case when excluded.state = 'accepted' then event_co_hosts.offered_at else null end
        """,
        id=host.id,
        event_id=host.event_id,
        user_id=host.user_id,
        email=host.email,
        state=host.state.value,
        invited_by=host.invited_by,
        created_at=host.created_at,
        expires_at=host.expires_at,
        decided_at=host.decided_at,
        is_for_series=int(host.is_for_series),
        is_asked_for_series=int(host.is_asked_for_series),
    )


async def of_series(reader: Reader, series_id: str) -> list[CoHost]:
    """People who accepted to be co-hosts of a whole series, once each, with their row of any date."""
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from event_co_hosts where id in (
          select min(h.id) from event_co_hosts h join events e on e.id = h.event_id
           where e.series_id = :series_id and h.is_for_series = 1 and h.state = 'accepted' group by h.user_id)
         order by id
        """,
        series_id=series_id,
    )
    return [_co_host_of(row) for row in rows]


_ENDED_WITH_SERIES = "(event_co_hosts.is_for_series = 1 and event_co_hosts.state in ('left', 'removed'))"


async def add_to_events(tx: Transaction, hosts: Sequence[CoHost], event_ids: Sequence[EventId]) -> None:
    """Make each of these people a co-host of each of these events, unless they left it on its own, were removed from it
    on its own, or declined. Those who had left or been removed from the whole series host its dates again.
    """
    await tx.execute_many(
        f"""
        insert into event_co_hosts ({_COLUMNS})
        values (:id, :event_id, :user_id, null, 'accepted', :invited_by, :created_at, :expires_at, :now, 1, 0)
            on conflict (event_id, user_id) do update
           set is_asked_for_series = 0,
               is_for_series = case when event_co_hosts.state in ('invited', 'accepted') then 1
                                    else event_co_hosts.is_for_series end,
               decided_at = case when {_ENDED_WITH_SERIES} then excluded.decided_at
                                 else coalesce(event_co_hosts.decided_at, excluded.decided_at) end,
               offered_at = case when {_ENDED_WITH_SERIES} then null else event_co_hosts.offered_at end,
               state = case when event_co_hosts.state = 'invited' or {_ENDED_WITH_SERIES} then 'accepted'
                            else event_co_hosts.state end
        """,
        [
            {
                "id": new_id(tx.now),
                "event_id": event_id,
                "user_id": one.user_id,
                "invited_by": one.invited_by,
                "created_at": one.created_at,
                "expires_at": one.expires_at,
                "now": tx.now,
            }
            for one in hosts
            for event_id in event_ids
        ],
    )


async def move_to_series(tx: Transaction, event_id: EventId, date_id: EventId) -> None:
    """Move co-hosts and invitations of an event to a date of a series, for all its dates."""
    await tx.execute(
        "update event_co_hosts set event_id = :date_id, is_for_series = 1 where event_id = :event_id"
        " and state in ('invited', 'accepted')",
        event_id=event_id,
        date_id=date_id,
    )


async def end_in_series(tx: Transaction, series_id: str, user_id: UserId, state: CoHostState) -> None:
    """End a person's co-hosting of dates of a series, if it came from hosting the whole series."""
    await tx.execute(
        "update event_co_hosts set state = :state, decided_at = :now where user_id = :user_id and is_for_series = 1"
        " and state = 'accepted' and event_id in (select id from events where series_id = :series_id)",
        state=state.value,
        now=tx.now,
        user_id=user_id,
        series_id=series_id,
    )


# Events whose co-hosts are changed in one transaction.
EVENTS_AT_ONCE: Final = 500


async def end_where_banned(tx: Transaction, after: str, *, user_id: UserId) -> str | None:
    """End a person's co-hosting of the next events, after this one, of groups that they are banned from, and their
    invitations to co-host. Returns the last event if there may be more.
    """
    rows = await tx.fetch(
        "select h.event_id from event_co_hosts h join events e on e.id = h.event_id"
        " join group_members m on m.group_id = e.group_id and m.user_id = h.user_id"
        f" where h.user_id = :user_id and h.state in ('invited', 'accepted') and m.role = '{GroupRole.BANNED}'"
        " and h.event_id > :after order by h.event_id limit :limit",
        user_id=user_id,
        after=after,
        limit=EVENTS_AT_ONCE,
    )
    event_ids = [row["event_id"] for row in rows]
    await tx.execute(
        "update event_co_hosts set state = 'removed', decided_at = :now"
        " where user_id = :user_id and event_id in :event_ids and state in ('invited', 'accepted')",
        now=tx.now,
        user_id=user_id,
        event_ids=event_ids,
    )
    return last_key(event_ids, EVENTS_AT_ONCE)


async def series_hosted_among(reader: Reader, series_ids: Collection[str], user_id: UserId) -> set[str]:
    """Return which of these series have a date that the person co-hosts."""
    rows = await reader.fetch(
        "select distinct e.series_id from event_co_hosts h join events e on e.id = h.event_id"
        " where h.user_id = :user_id and h.state = 'accepted' and e.series_id in :ids order by e.series_id",
        user_id=user_id,
        ids=sorted(series_ids),
    )
    return {row["series_id"] for row in rows}


async def offer(tx: Transaction, event_id: EventId, to: CoHostId | None) -> None:
    """Offer the event to this co-host only. None withdraws the offer."""
    await tx.execute(
        "update event_co_hosts set offered_at = null where event_id = :id and offered_at is not null", id=event_id
    )
    if to is not None:
        await tx.execute("update event_co_hosts set offered_at = :now where id = :id", now=tx.now, id=to)


async def offered(reader: Reader, event_id: EventId) -> CoHost | None:
    """The co-host that the event is offered to."""
    row = await reader.fetch_one(
        f"select {_COLUMNS} from event_co_hosts where event_id = :id and offered_at is not null and state = 'accepted'",
        id=event_id,
    )
    return _co_host_of(row) if row else None


async def longest_co_host(reader: Reader, event_id: EventId) -> UserId | None:
    """The longest-serving co-host. People without an account and people who are deleting their account are left out."""
    row = await reader.fetch_one(
        "select h.user_id from event_co_hosts h join users u on u.id = h.user_id and u.kind = 'person'"
        f" where h.event_id = :id and h.state = 'accepted' and not {is_leaving('h.user_id')} "
        "order by h.decided_at, h.id limit 1",
        id=event_id,
    )
    return UserId(row["user_id"]) if row else None


async def remove_author(tx: Transaction, event_ids: Sequence[EventId], author_id: UserId) -> None:
    """Delete the co-host rows of the person who now owns these events."""
    await tx.execute(
        "delete from event_co_hosts where user_id = :author_id and event_id in :ids",
        author_id=author_id,
        ids=list(event_ids),
    )


async def end_all_of(tx: Transaction, user_id: UserId) -> None:
    """End all co-hosting and all invitations of a person."""
    await tx.execute(
        "update event_co_hosts set state = 'left', decided_at = :now, offered_at = null"
        " where user_id = :user_id and state in ('invited', 'accepted')",
        user_id=user_id,
        now=tx.now,
    )


async def forget_addresses(tx: Transaction, before: Instant) -> int:
    """Erase the e-mail addresses of invitations that ended before an instant. Co-hosts keep their row; unanswered and
    declined invitations by address are deleted.
    """
    gone = await delete_some(
        tx, "event_co_hosts", "user_id is null and coalesce(decided_at, expires_at) <= :before", before=before
    )
    return gone + await update_some(
        tx,
        "event_co_hosts",
        "email = null",
        "email is not null and user_id is not null and decided_at <= :before",
        before=before,
    )


async def delete(tx: Transaction, co_host_id: CoHostId) -> None:
    await tx.execute("delete from event_co_hosts where id = :id", id=co_host_id)
