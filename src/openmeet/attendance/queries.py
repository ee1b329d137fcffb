"""All SQL of answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.fresh_id import new_id
from openmeet.attendance.model import (
    NOBODY,
    Attendance,
    AttendanceId,
    AttendanceStatus,
    Counts,
    Source,
)
from openmeet.events.model import EventId
from openmeet.groups.model import GroupId
from openmeet.users.model import UserId, UserKind

COLUMNS = "id, event_id, user_id, status, waitlist_number, source, revision, record_uri, created_at, answered_at"

# The answer stands in the repository of an account that is not active (deactivated, suspended, taken down, deleted): it
# is shown and counted nowhere, and stays as it is.
_IS_HIDDEN = """exists (
           select 1 from identities i
            where i.user_id = a.user_id and i.status <> 'active'
              and substr(a.record_uri, 1, length(i.did) + 6) = 'at://' || i.did || '/')"""


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person of an event's list, with the name to show."""

    attendance_id: AttendanceId
    user_id: UserId
    display_name: str
    kind: UserKind
    status: AttendanceStatus
    source: Source
    answered_at: Instant


def attendance_of(row: Row) -> Attendance:
    """The model value of a row that has ``COLUMNS``."""
    return Attendance(
        id=AttendanceId(row["id"]),
        event_id=EventId(row["event_id"]),
        user_id=UserId(row["user_id"]),
        status=AttendanceStatus(row["status"]),
        waitlist_number=row["waitlist_number"],
        source=Source(row["source"]),
        revision=row["revision"],
        record_uri=row["record_uri"],
        created_at=row["created_at"],
        answered_at=row["answered_at"],
    )


async def ids_of_event(reader: Reader, event_id: EventId) -> list[str]:
    """Every answer to an event."""
    rows = await reader.fetch("select id from attendances where event_id = :event_id order by id", event_id=event_id)
    return [row["id"] for row in rows]


async def ids_of_group(reader: Reader, group_id: GroupId) -> list[str]:
    """Every answer to an event of this group."""
    rows = await reader.fetch(
        "select a.id from attendances a join events e on e.id = a.event_id where e.group_id = :group_id order by a.id",
        group_id=group_id,
    )
    return [row["id"] for row in rows]


async def find(reader: Reader, event_id: EventId, user_id: UserId) -> Attendance | None:
    row = await reader.fetch_one(
        f"select {COLUMNS} from attendances where event_id = :event_id and user_id = :user_id",
        event_id=event_id,
        user_id=user_id,
    )
    return attendance_of(row) if row else None


async def by_id(reader: Reader, attendance_id: AttendanceId) -> Attendance | None:
    row = await reader.fetch_one(f"select {COLUMNS} from attendances where id = :id", id=attendance_id)
    return attendance_of(row) if row else None


async def by_record_uri(reader: Reader, uri: str) -> Attendance | None:
    row = await reader.fetch_one(f"select {COLUMNS} from attendances where record_uri = :uri", uri=uri)
    return attendance_of(row) if row else None


async def seats_taken(reader: Reader, event_id: EventId) -> int:
    """Seats held, also by people who are hidden at the moment; only meaningful for a decision while the event's row is locked."""
    row = await reader.fetch_one(
        "select count(*) as taken from attendances where event_id = :event_id and status in ('attending', 'attended')",
        event_id=event_id,
    )
    return int(row["taken"]) if row else 0


async def next_waitlist_number(reader: Reader, event_id: EventId) -> int:
    """The end of the line. The event's row is locked, so nobody else takes the same number."""
    row = await reader.fetch_one(
        "select coalesce(max(waitlist_number), 0) + 1 as number from attendances where event_id = :event_id",
        event_id=event_id,
    )
    return int(row["number"]) if row else 1


async def first_waiting(reader: Reader, event_id: EventId, limit: int) -> list[Attendance]:
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from attendances
         where event_id = :event_id and status = 'waitlisted'
         order by waitlist_number limit :limit
        """,
        event_id=event_id,
        limit=limit,
    )
    return [attendance_of(row) for row in rows]


async def waiting_before(reader: Reader, event_id: EventId, waitlist_number: int) -> int:
    """How many people are in the line before this number."""
    row = await reader.fetch_one(
        """
        select count(*) as before from attendances
         where event_id = :event_id and status = 'waitlisted' and waitlist_number < :number
        """,
        event_id=event_id,
        number=waitlist_number,
    )
    return int(row["before"]) if row else 0


async def insert(
    tx: Transaction,
    event_id: EventId,
    user_id: UserId,
    status: AttendanceStatus,
    *,
    waitlist_number: int | None,
    source: Source,
    record_uri: str | None,
    answered_at: Instant,
) -> Attendance:
    """A first answer; UniqueViolated when the person has one or the record belongs to another."""
    row = await tx.fetch_one(
        f"""
        insert into attendances (id, event_id, user_id, status, waitlist_number, source, revision, record_uri,
                                 created_at, answered_at)
        values (:id, :event_id, :user_id, :status, :waitlist_number, :source, 1, :record_uri, :now, :answered_at)
        returning {COLUMNS}
        """,
        id=new_id(tx.now),
        event_id=event_id,
        user_id=user_id,
        status=status.value,
        waitlist_number=waitlist_number,
        source=source.value,
        record_uri=record_uri,
        now=tx.now,
        answered_at=answered_at,
    )
    if row is None:
        raise RuntimeError("insert … returning gave no row")
    return attendance_of(row)


async def change(
    tx: Transaction,
    attendance_id: AttendanceId,
    status: AttendanceStatus,
    *,
    waitlist_number: int | None,
    source: Source,
    answered_at: Instant,
) -> Attendance:
    """Another status for a known answer; the revision grows."""
    row = await tx.fetch_one(
        f"""
        update attendances
           set status = :status, waitlist_number = :waitlist_number, source = :source, answered_at = :answered_at,
               revision = revision + 1
         where id = :id
        returning {COLUMNS}
        """,
        id=attendance_id,
        status=status.value,
        waitlist_number=waitlist_number,
        source=source.value,
        answered_at=answered_at,
    )
    if row is None:
        raise RuntimeError("the attendance vanished while its event was locked")
    return attendance_of(row)


async def erasable(reader: Reader, did: str) -> list[Attendance]:
    """Answers that stand in a DID's repository, and whatever else somebody has who is known by this DID alone."""
    rows = await reader.fetch(
        f"""
        select {COLUMNS} from attendances
         where substr(record_uri, 1, length(:prefix)) = :prefix
            or user_id in (select i.user_id from identities i where i.did = :did and i.kind = 'shadow')
         order by event_id, id
        """,
        prefix=f"at://{did}/",
        did=did,
    )
    return [attendance_of(row) for row in rows]


async def delete(tx: Transaction, attendance_id: AttendanceId) -> None:
    await tx.execute("delete from attendances where id = :id", id=attendance_id)


async def change_many(tx: Transaction, decided: Sequence[tuple[AttendanceId, AttendanceStatus, int | None]]) -> None:
    """Another status and waitlist number for known answers, whose events' rows are locked; each revision grows."""
    await tx.execute_many(
        """
        update attendances set status = :status, waitlist_number = :waitlist_number, revision = revision + 1
         where id = :id
        """,
        [
            {"id": attendance_id, "status": status.value, "waitlist_number": number}
            for attendance_id, status, number in decided
        ],
    )


async def set_record(tx: Transaction, attendance_id: AttendanceId, record_uri: str | None) -> None:
    await tx.execute(
        "update attendances set record_uri = :record_uri where id = :id", record_uri=record_uri, id=attendance_id
    )


async def attendees(
    reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus], *, limit: int
) -> list[Attendee]:
    """People of an event in these statuses, first answer first, those who wait in the order of the line.

    Without those whose account is not active at the moment.
    """
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, u.display_name, u.kind, a.status, a.source, a.answered_at
          from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and not {_IS_HIDDEN}
         order by coalesce(a.waitlist_number, 0), a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        limit=limit,
        wanted=[status.value for status in statuses],
    )
    return [
        Attendee(
            AttendanceId(row["id"]),
            UserId(row["user_id"]),
            row["display_name"],
            UserKind(row["kind"]),
            AttendanceStatus(row["status"]),
            Source(row["source"]),
            row["answered_at"],
        )
        for row in rows
    ]


async def people_to_tell(reader: Reader, event_id: EventId, statuses: Sequence[AttendanceStatus]) -> list[UserId]:
    """Who answered so and can be told: people known only by their DID read nothing here."""
    rows = await reader.fetch(
        """
        select a.user_id from attendances a join users u on u.id = a.user_id
         where a.event_id = :event_id and a.status in :wanted and u.kind = 'person' order by a.user_id
        """,
        event_id=event_id,
        wanted=[status.value for status in statuses],
    )
    return [UserId(row["user_id"]) for row in rows]


async def people_of_dates(
    reader: Reader, event_ids: Sequence[EventId], statuses: Sequence[AttendanceStatus]
) -> list[tuple[UserId, EventId]]:
    """``people_to_tell`` of several events: who, and about which of them; the earliest event first."""
    if not event_ids:
        return []
    rows = await reader.fetch(
        """
        select a.user_id, a.event_id from attendances a join users u on u.id = a.user_id join events e on e.id = a.event_id
         where a.event_id in :events and a.status in :wanted and u.kind = 'person' order by e.starts_at, e.id, a.user_id
        """,
        events=list(event_ids),
        wanted=[status.value for status in statuses],
    )
    return [(UserId(row["user_id"]), EventId(row["event_id"])) for row in rows]


async def counts(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, Counts]:
    """Counts of several events in one statement; people known only by their DID are counted like everybody."""
    found = dict.fromkeys(event_ids, NOBODY)
    if not found:
        return found
    rows = await reader.fetch(
        f"""
        select event_id,
               sum(case when status in ('attending', 'attended') then shown else 0 end) as going,
               sum(case when status = 'interested' then shown else 0 end) as interested,
               sum(case when status = 'waitlisted' then shown else 0 end) as waitlisted,
               sum(case when status = 'pending' then shown else 0 end) as unconfirmed,
               sum(case when status in ('attending', 'attended') then 1 else 0 end) as seats
          from (select a.event_id, a.status, case when {_IS_HIDDEN} then 0 else 1 end as shown
                  from attendances a where a.event_id in :wanted) as counted
         group by event_id order by event_id
        """,
        wanted=list(found),
    )
    for row in rows:
        found[EventId(row["event_id"])] = Counts(
            int(row["going"]),
            int(row["interested"]),
            int(row["waitlisted"]),
            int(row["unconfirmed"]),
            int(row["seats"]),
        )
    return found


async def of_user(reader: Reader, user_id: UserId, event_ids: Sequence[EventId]) -> dict[EventId, Attendance]:
    """One person's answers to several events."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"select {COLUMNS} from attendances where user_id = :user_id and event_id in :wanted order by event_id",
        user_id=user_id,
        wanted=list(event_ids),
    )
    return {EventId(row["event_id"]): attendance_of(row) for row in rows}
