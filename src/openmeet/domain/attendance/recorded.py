"""Answers that stand as records in people's own repositories: what the network knows of who comes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, PendingFor
from openmeet.domain.attendance.queries import COLUMNS, IS_HIDDEN, attendance_of
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId

# Answers with a place, and those that ask for none, or are foreign. Who waits is counted: that somebody got no place is theirs and
# the host's to know.
TOLD = (
    AttendanceStatus.ATTENDING,
    AttendanceStatus.ATTENDED,
    AttendanceStatus.INTERESTED,
    AttendanceStatus.PENDING,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer and its record."""

    id: AttendanceId
    user_id: UserId
    record_uri: str
    status: AttendanceStatus
    answered_at: Instant


async def recorded(
    reader: Reader, event_id: EventId, after: tuple[Instant, str] | None, limit: int
) -> Sequence[Recorded]:
    """In the order of answers, behind ``after`` (when answered, id).

    Without those that only hosts see: private ones, those whom the host has not let in yet, words that we do not know; and
    without those of accounts that are not active or blocked.
    """
    behind = "" if after is None else "and (a.answered_at, a.id) > (cast(:after_at as bigint), :after_id)"
    values: dict[str, object] = {} if after is None else {"after_at": after[0], "after_id": after[1]}
    rows = await reader.fetch(
        f"""
        select a.id, a.user_id, a.record_uri, a.status, a.answered_at from attendances a
         where a.event_id = :event_id and a.record_uri is not null and a.is_private = 0 and a.status in :told
           and coalesce(a.pending_for, '') not in :kept and not {IS_HIDDEN} {behind}
         order by a.answered_at, a.id limit :limit
        """,
        event_id=event_id,
        told=[status.value for status in TOLD],
        kept=[PendingFor.APPROVAL.value, PendingFor.UNCLEAR.value],
        limit=limit,
        **values,
    )
    return [
        Recorded(
            AttendanceId(row["id"]),
            UserId(row["user_id"]),
            row["record_uri"],
            AttendanceStatus(row["status"]),
            Instant(row["answered_at"]),
        )
        for row in rows
    ]


async def of_records(reader: Reader, uris: Collection[str]) -> dict[str, Attendance]:
    """The answers whose records these are, by uri."""
    if not uris:
        return {}
    rows = await reader.fetch(f"select {COLUMNS} from attendances where record_uri in :uris", uris=sorted(uris))
    return {row["record_uri"]: attendance_of(row) for row in rows}
