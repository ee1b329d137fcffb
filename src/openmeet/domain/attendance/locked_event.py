"""An event locked for an RSVP, with what decides about it: settings, the person's RSVP so far, seats in use, hosts."""

from dataclasses import dataclass

from groundwork.database.row_lock import lock_row
from groundwork.database.transaction import Row, Transaction
from openmeet.domain.attendance import queries, registration
from openmeet.domain.attendance.model import Attendance, AttendanceMode
from openmeet.domain.attendance.queries import HOLDS_SEAT
from openmeet.domain.attendance.registration import DEFAULT_SETTINGS, EventRegistration
from openmeet.domain.attendance.seats import SeatsHeld
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.users.model import UserId
from openmeet.domain.webhooks.queries import HAS_ENABLED_WEBHOOK


@dataclass(frozen=True, slots=True)
class SeatUsage:
    """The seats of an event as the database has them: those ``held`` now, and the state of its offers and waitlist. To
    give seats to several parties in one transaction, ``seats.SeatAllocation`` begins with it.

    ``has_expired_offers``: some offers expired unanswered. ``somebody_waits``: somebody is on the waitlist;
    people with an offer do not count. ``last_waitlist_number``: the end of the waitlist (None if the event has no limit,
    because then it is not read).
    """

    held: SeatsHeld
    has_expired_offers: bool
    somebody_waits: bool
    last_waitlist_number: int | None


@dataclass(frozen=True, slots=True)
class LockedEvent:
    """A locked event with the settings that apply, the person's RSVP so far, the seats in use (zeros if there is no
    limit) and all hosts.

    ``has_webhooks``: at least one webhook is enabled. ``is_unwelcome``: the author of the event or a moderator has blocked
    the person, or the event's group has banned them (``membership_queries.is_unwelcome_at``).
    """

    event_registration: EventRegistration
    rsvp: Attendance | None
    seats: SeatUsage
    has_webhooks: bool
    hosts: tuple[UserId, ...]
    is_unwelcome: bool

    @property
    def event(self) -> Event:
        return self.event_registration.event


async def lock_by_slug(tx: Transaction, slug: EventSlug, user_id: UserId) -> LockedEvent | None:
    """Lock an event, and read it with this person's RSVP. Return None if there is no such event."""
    return await _lock(tx, "slug", slug, user_id)


async def lock_by_id(tx: Transaction, event_id: EventId, user_id: UserId) -> LockedEvent | None:
    """Like ``lock_by_slug``, for the event with this id."""
    return await _lock(tx, "id", event_id, user_id)


async def read_seat_usage(tx: Transaction, event_id: EventId) -> SeatUsage:
    """Seats in use now, for a decision."""
    return _seat_usage_of((await tx.fetch(_SEAT_USAGE, event_id=event_id, now=tx.now))[0])


_SEAT_COLUMNS = (
    "seats.without_mode, seats.in_person, seats.online, seats.has_expired_offers, seats.somebody_waits, "
    "seats.last_waitlist_number"
)

_BY_MODE = {"without_mode": "mode is null", "in_person": "mode = 'in_person'", "online": "mode = 'online'"}


def _seats_table_sql(event_id: str) -> str:
    """SQL for a one-row table ``seats`` of the event. ``event_id`` is an SQL expression; the query needs the parameter
    ``now``.
    """
    held = ", ".join(
        f"cast(coalesce(sum(case when {which} then party end), 0) as bigint) as {name}"
        for name, which in _BY_MODE.items()
    )
    return f"""(
        select {held},
               case when exists (select 1 from attendances where event_id = {event_id} and offered_until <= :now)
                    then 1 else 0 end as has_expired_offers,
               case when exists (select 1 from attendances
                                  where event_id = {event_id} and status = 'waitlisted' and offered_until is null)
                    then 1 else 0 end as somebody_waits,
               case when {event_id} is not null
                    then (select coalesce(max(waitlist_number), 0) from attendances where event_id = {event_id})
                    end as last_waitlist_number
          from attendances where event_id = {event_id} and {HOLDS_SEAT}) seats"""


_SEAT_USAGE = f"select {_SEAT_COLUMNS} from {_seats_table_sql(':event_id')}"


_RSVP_COLUMNS = [name.strip() for name in queries.COLUMNS.split(",")]
_SETTINGS_COLUMNS = [name.strip() for name in registration.COLUMNS.split(",")]

# Events without a limit can have very many RSVPs, so their seats are not counted. Materialized, because it is
# referenced several times.
_LIMITED = """
    with limited as materialized (
        select l.id from events l
         where l.{column} = :event
           and (l.capacity is not null
                or exists (select 1 from registration_settings s
                            where s.subject_id in (l.id, l.series_id)
                              and (s.limit_in_person is not null or s.limit_online is not null))))"""


def _lock_sql(column: str) -> str:
    # Settings of an event come before the settings of its series. One row per co-host, or one row in total if there is
    # none.
    return f"""{_LIMITED.format(column=column)}
    select {columns_of("e")},
           {", ".join(f"a.{name} as own_{name}" for name in _RSVP_COLUMNS)},
           {", ".join(f"s.{name} as settings_{name}" for name in _SETTINGS_COLUMNS)},
           {_SEAT_COLUMNS},
           case when {HAS_ENABLED_WEBHOOK} then 1 else 0 end as has_webhooks, h.user_id as co_host_id,
           case when {is_unwelcome_at("e.author_id", "e.group_id", "u.id")} then 1 else 0 end as is_unwelcome
      from events e left join users u on u.id = :user_id
      left join attendances a on a.event_id = e.id and a.user_id = :user_id
      left join registration_settings s on s.subject_id =
                case when exists (select 1 from registration_settings own where own.subject_id = e.id) then e.id
                    else e.series_id end
      left join {_seats_table_sql("(select id from limited)")} on 1 = 1
      left join event_co_hosts h on h.event_id = e.id and h.state = 'accepted'
     where e.{column} = :event order by h.user_id
"""


_LOCK_SQL = {column: _lock_sql(column) for column in ("slug", "id")}


async def _lock(tx: Transaction, column: str, key: str, user_id: UserId) -> LockedEvent | None:
    await lock_row(tx, "events", column, key)
    # A separate statement, so that everything is read after the lock was acquired.
    rows = await tx.fetch(_LOCK_SQL[column], event=key, user_id=user_id, now=tx.now)
    if not rows:
        return None
    row = rows[0]
    event = event_of(row)
    own_columns = {name: row[f"own_{name}"] for name in _RSVP_COLUMNS}
    settings = {name: row[f"settings_{name}"] for name in _SETTINGS_COLUMNS}
    return LockedEvent(
        EventRegistration(
            event,
            registration.registration_settings_of(settings) if settings["subject_id"] is not None else DEFAULT_SETTINGS,
        ),
        queries.attendance_of(own_columns) if own_columns["id"] is not None else None,
        _seat_usage_of(row),
        bool(row["has_webhooks"]),
        (event.author_id, *(UserId(one["co_host_id"]) for one in rows if one["co_host_id"] is not None)),
        bool(row["is_unwelcome"]),
    )


def _seat_usage_of(row: Row) -> SeatUsage:
    """Parse a row with ``_SEAT_COLUMNS``."""
    held = {None: row["without_mode"], AttendanceMode.IN_PERSON: row["in_person"], AttendanceMode.ONLINE: row["online"]}
    return SeatUsage(
        SeatsHeld({mode: number for mode, number in held.items() if number}),
        bool(row["has_expired_offers"]),
        bool(row["somebody_waits"]),
        row["last_waitlist_number"],
    )
