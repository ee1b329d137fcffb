"""Lock order of a record and its row: the event's row first, then the publication.

Edits by users lock the event and then enqueue. Storing a publication's outcome must use the same order, or the two
would deadlock on PostgreSQL and one of them would be rolled back.
"""

from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceId
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import GroupId, MemberId
from openmeet.domain.groups.record_queries import group_of_superseded
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.outbox import superseded_records
from openmeet.outbox.publications import PublicationKind


async def lock_row_of(tx: Transaction, kind: PublicationKind, subject_id: str) -> None:
    """Lock the event, series or group of a publication, or the event of an RSVP."""
    if kind is PublicationKind.EVENT:
        await event_queries.lock_for_update(tx, EventId(subject_id))
        return
    if kind in {PublicationKind.FORMER_EVENT, PublicationKind.FORMER_SERIES}:
        superseded = await superseded_records.find(tx, subject_id)
        if superseded is not None:
            await lock_row_of(tx, superseded.kind, superseded.subject_id)
        return
    if kind is PublicationKind.SERIES:
        await series_queries.lock(tx, SeriesId(subject_id))
        return
    if kind in {
        PublicationKind.GROUP,
        PublicationKind.FORMER_GROUP,
        PublicationKind.MEMBERSHIP,
        PublicationKind.ACCEPTANCE,
    }:
        group_id = await _group_of(tx, kind, subject_id)
        if group_id is not None:
            await group_queries.lock(tx, group_id)
        return
    if kind is PublicationKind.GROUP_EVENT:
        await event_queries.lock_for_update(tx, EventId(subject_id))
        return
    attendance = await attendance_queries.by_id(tx, AttendanceId(subject_id))
    if attendance is not None:
        await event_queries.lock_for_update(tx, attendance.event_id)


async def _group_of(tx: Transaction, kind: PublicationKind, subject_id: str) -> GroupId | None:
    if kind is PublicationKind.GROUP:
        return GroupId(subject_id)
    if kind is PublicationKind.FORMER_GROUP:
        return await group_of_superseded(tx, subject_id)
    membership = (await members_by_ids(tx, [subject_id])).get(MemberId(subject_id))
    return None if membership is None else membership.group_id
