"""All SQL of co-hosts."""

from collections.abc import Collection, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.events.host_model import CoHost, CoHostId, CoHostState
from openmeet.events.model import EventId
from openmeet.users.model import UserId

_COLUMNS = "id, event_id, user_id, email, state, invited_by, created_at, expires_at, decided_at"

# Events that ``:user_id`` hosts beside their authors, for lists.
HOSTED_BESIDE = "select h.event_id from event_hosts h where h.user_id = :user_id and h.state = 'accepted'"


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
    )


async def hosted_among(reader: Reader, user_id: UserId, event_ids: Collection[EventId]) -> set[EventId]:
    """Which of these events the person hosts beside the author."""
    if not event_ids:
        return set()
    rows = await reader.fetch(
        "select event_id from event_hosts where user_id = :user_id and state = 'accepted' and event_id in :ids"
        " order by event_id",
        user_id=user_id,
        ids=list(dict.fromkeys(event_ids)),
    )
    return {EventId(row["event_id"]) for row in rows}


async def of_event(reader: Reader, event_id: EventId, states: Sequence[CoHostState]) -> list[CoHost]:
    """In the order in which they were invited."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from event_hosts where event_id = :event_id and state in :states order by created_at, id",
        event_id=event_id,
        states=[state.value for state in states],
    )
    return [_co_host_of(row) for row in rows]


async def beside_authors(reader: Reader, event_ids: Collection[EventId]) -> dict[EventId, list[UserId]]:
    """Who hosts these events beside their authors."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        "select event_id, user_id from event_hosts where state = 'accepted' and event_id in :ids"
        " order by event_id, created_at, id",
        ids=list(dict.fromkeys(event_ids)),
    )
    found: dict[EventId, list[UserId]] = {}
    for row in rows:
        found.setdefault(EventId(row["event_id"]), []).append(UserId(row["user_id"]))
    return found


async def waiting_for(reader: Reader, user_id: UserId) -> list[CoHost]:
    """Invitations that this person has not decided about."""
    rows = await reader.fetch(
        f"""
        select {_COLUMNS} from event_hosts
         where user_id = :user_id and state = 'invited' and expires_at > :now order by created_at, id
        """,
        user_id=user_id,
        now=reader.now,
    )
    return [_co_host_of(row) for row in rows]


async def by_id(reader: Reader, co_host_id: CoHostId) -> CoHost | None:
    row = await reader.fetch_one(f"select {_COLUMNS} from event_hosts where id = :id", id=co_host_id)
    return _co_host_of(row) if row else None


async def of_person(reader: Reader, event_id: EventId, user_id: UserId) -> CoHost | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from event_hosts where event_id = :event_id and user_id = :user_id",
        event_id=event_id,
        user_id=user_id,
    )
    return _co_host_of(row) if row else None


async def mailed_since(reader: Reader, event_id: EventId, since: Instant) -> int:
    row = await reader.fetch_one(
        "select count(*) as mailed from event_hosts where event_id = :event_id and email is not null"
        " and created_at > :since",
        event_id=event_id,
        since=since,
    )
    return int(row["mailed"]) if row else 0


async def put(tx: Transaction, one: CoHost) -> None:
    """A new invitation, or the newest of a person who was invited before."""
    await tx.execute(
        f"""
        insert into event_hosts ({_COLUMNS})
        values (:id, :event_id, :user_id, :email, :state, :invited_by, :created_at, :expires_at, :decided_at)
            on conflict (id) do update set user_id = excluded.user_id, state = excluded.state,
               expires_at = excluded.expires_at, decided_at = excluded.decided_at, invited_by = excluded.invited_by
        """,
        id=one.id,
        event_id=one.event_id,
        user_id=one.user_id,
        email=one.email,
        state=one.state.value,
        invited_by=one.invited_by,
        created_at=one.created_at,
        expires_at=one.expires_at,
        decided_at=one.decided_at,
    )


async def delete(tx: Transaction, co_host_id: CoHostId) -> None:
    await tx.execute("delete from event_hosts where id = :id", id=co_host_id)
