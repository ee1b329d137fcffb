"""What somebody's answer begins with, in one statement: the event's row is locked, and others wait for it."""

from dataclasses import dataclass

from groundwork.database.row_lock import hold
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import joining_queries, places, queries
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.places import Places
from openmeet.domain.attendance.registration import DEFAULT, Joining
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.moderation.blocks import is_unwelcome
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.queries import IS_ANY_ON

_OWN = [name.strip() for name in queries.COLUMNS.split(",")]
_SETTINGS = [name.strip() for name in joining_queries.COLUMNS.split(",")]

# Where nothing is limited nobody counts seats, of which there may be very many. Named four times, looked up once.
_LIMITED = """
    with limited as materialized (
        select l.id from events l
         where l.{column} = :event
           and (l.capacity is not null
                or exists (select 1 from joining_settings s
                            where s.subject_id in (l.id, l.series_id)
                              and (s.limit_in_person is not null or s.limit_online is not null))))"""


def _beginning(column: str) -> str:
    # An event's own settings come before those of its series. A row for each who hosts it beside its author, or one.
    return f"""{_LIMITED.format(column=column)}
    select {columns_of("e")},
           {", ".join(f"a.{name} as own_{name}" for name in _OWN)},
           {", ".join(f"j.{name} as settings_{name}" for name in _SETTINGS)},
           {places.COLUMNS},
           case when {IS_ANY_ON} then 1 else 0 end as is_heard, h.user_id as beside_id,
           case when {is_unwelcome("e.author_id", "u.id")} then 1 else 0 end as is_unwelcome
      from events e left join users u on u.id = :user_id
      left join attendances a on a.event_id = e.id and a.user_id = :user_id
      left join joining_settings j on j.subject_id =
                case when exists (select 1 from joining_settings o where o.subject_id = e.id) then e.id else e.series_id end
      left join {places.joined("(select id from limited)")} on 1 = 1
      left join event_hosts h on h.event_id = e.id and h.state = 'accepted'
     where e.{column} = :event order by h.user_id
"""


_BEGINNINGS = {column: _beginning(column) for column in ("slug", "id")}


@dataclass(frozen=True, slots=True)
class Beginning:
    """The event, one's answer so far, the settings that hold, the places (nobody's, where nothing is limited), whether anybody
    asked for messages to an address of theirs, and all hosts.

    ``is_unwelcome``: as ``moderation.distance`` has it.
    """

    event: Event
    mine: Attendance | None
    joining: Joining
    places: Places
    is_heard: bool
    hosts: tuple[UserId, ...]
    is_unwelcome: bool


async def of_answer(tx: Transaction, slug: EventSlug, user_id: UserId) -> Beginning | None:
    """Lock an event, and begin an answer of this person to it; None where there is no such event."""
    return await _of(tx, "slug", slug, user_id)


async def of_record(tx: Transaction, event_id: EventId, user_id: UserId) -> Beginning | None:
    """The same for what a record of theirs says."""
    return await _of(tx, "id", event_id, user_id)


async def _of(tx: Transaction, column: str, name: str, user_id: UserId) -> Beginning | None:
    await hold(tx, "events", column, name)
    # A statement of its own: what it joins is read as it is when the lock is held.
    rows = await tx.fetch(_BEGINNINGS[column], event=name, user_id=user_id, now=tx.now)
    if not rows:
        return None
    row = rows[0]
    event = event_of(row)
    own = {name: row[f"own_{name}"] for name in _OWN}
    settings = {name: row[f"settings_{name}"] for name in _SETTINGS}
    return Beginning(
        event,
        queries.attendance_of(own) if own["id"] is not None else None,
        joining_queries.joining_of(settings) if settings["subject_id"] is not None else DEFAULT,
        places.places_of(row),
        bool(row["is_heard"]),
        (event.author_id, *(UserId(one["beside_id"]) for one in rows if one["beside_id"] is not None)),
        bool(row["is_unwelcome"]),
    )
