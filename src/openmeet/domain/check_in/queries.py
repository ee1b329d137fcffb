"""What the door asks about answers."""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events.model import EventId


@dataclass(frozen=True, slots=True)
class DoorCounts:
    """People who are there, and who are expected in all."""

    there: int
    expected: int


async def candidates(reader: Reader, event_id: EventId, tail: str) -> list[AttendanceId]:
    """Answers to an event whose identifiers end so."""
    rows = await reader.fetch(
        "select id from attendances where event_id = :event_id and substr(id, 32) = :tail order by id",
        event_id=event_id,
        tail=tail,
    )
    return [AttendanceId(row["id"]) for row in rows]


async def counts(reader: Reader, event_id: EventId) -> DoorCounts:
    row = await reader.fetch_one(
        """
        select cast(coalesce(sum(case when status = 'attended' then party else 0 end), 0) as bigint) as there,
               cast(coalesce(sum(party), 0) as bigint) as expected
          from attendances where event_id = :event_id and status in ('attending', 'attended')
        """,
        event_id=event_id,
    )
    return DoorCounts(int(row["there"]), int(row["expected"])) if row else DoorCounts(0, 0)


async def there_since(reader: Reader, attendance_id: AttendanceId) -> Instant | None:
    """When whoever is checked in was so; None for others."""
    row = await reader.fetch_one(
        """
        select max(c.changed_at) as since
          from attendances a join attendance_changes c on c.attendance_id = a.id and c.after_status = 'attended'
         where a.id = :id and a.status = 'attended'
        """,
        id=attendance_id,
    )
    return None if row is None or row["since"] is None else Instant(row["since"])
