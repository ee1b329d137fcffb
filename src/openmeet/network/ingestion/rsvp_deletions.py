"""Apply the deletion of an RSVP record: the person's next older RSVP becomes effective, or none.

An RSVP given here after the deletion stays. If a read found the deletion, only a later time than that of its commit is
known; ``late_change_times`` decides again once the commit is.
"""

from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rsvp_records
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, RsvpSource
from openmeet.domain.events.model import EventId
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.network.ingestion import apply_rsvp, record_proofs
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.local_rsvps import (
    DELETED_VALUE,
    RSVP_FIELD,
    UNPUBLISHED_STATUSES,
    decision_of,
    latest_possible_commit,
    merge_input_of,
    store_decision,
    version_written_at,
)
from openmeet.network.ingestion.three_way_merge import most_recent
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.seen import SeenRecord
from openmeet.network.records.seen_rsvps import EffectiveRsvp
from openmeet.network.records.versions import moment_of_rev
from openmeet.outbox import ingested_changes, publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason


@dataclass(frozen=True, slots=True)
class RsvpDeletion:
    """The deletion of an RSVP record, or its change into an RSVP to another event.

    ``rev``: of the commit that deleted it, or of the read that did not find it. ``previous_known_rev``: the last rev at
    which it is known to have existed; equal to ``rev`` if the commit was seen. ``about``: its author and event, if known.
    """

    did: Did
    uri: str
    rev: str
    previous_known_rev: str = ""
    about: PersonAndEvent | None = None
    is_verified: bool = True

    def may_be_earlier_than(self, answered_at: Instant, now: Instant) -> bool:
        """Whether a read found it, and its commit can be from before or after this time."""
        return self.previous_known_rev not in {"", self.rev} and answered_at > moment_of_rev(
            self.previous_known_rev, now
        )


def rsvp_deletion_of(message: RecordMessage, seen_record: SeenRecord | None, event_id: EventId | None) -> RsvpDeletion:
    """Return the deletion in a message about this record as last seen, which was an RSVP to this event."""
    known_before = "" if seen_record is None else seen_record.rev
    about = None
    if seen_record is not None and seen_record.subject_uri is not None and event_id is not None:
        about = PersonAndEvent(message.did, seen_record.subject_uri, event_id)
    return RsvpDeletion(
        message.did,
        message.uri,
        message.rev,
        previous_known_rev=known_before if message.is_read else message.rev,
        about=about,
        is_verified=message.is_verified,
    )


async def apply_deletion(tx: Transaction, deletion: RsvpDeletion) -> None:
    """End the RSVP of a deleted record: the person's next older RSVP, if any, becomes effective; otherwise they have
    declined.
    """
    publication = await publication_queries.find_by_uri(tx, deletion.uri)
    if publication is None:
        await _apply_to_record_of_others(tx, deletion)
    else:
        await _apply_to_own_record(tx, deletion, publication)


async def _apply_to_own_record(tx: Transaction, deletion: RsvpDeletion, publication: Publication) -> None:
    """Apply the deletion of a record that we write."""
    if publication.has_delete_in_flight:
        await _detach_record(tx, deletion.uri)
        return
    if publication.base_rev is not None and publication.base_rev >= deletion.rev:
        return  # the base was written after the deletion
    deleted_by = await latest_possible_commit(tx, deletion.did, deletion.rev, deletion.previous_known_rev)
    is_newer = publication.has_unsent_revision and publication.edited_at > moment_of_rev(deleted_by, tx.now)
    if publication.has_unsent_revision and (not is_newer or deleted_by != deletion.rev):
        await _store_deletion_decision(tx, deletion, publication, is_ours=is_newer)
    # Without a base, this is refused: as far as is known, no write of ours under this key has taken effect. Then no
    # attendance has the record, so the RSVP stays, and our write stays due.
    is_deleted = await ingested_changes.mark_deleted_elsewhere(
        tx,
        uri=deletion.uri,
        rev=deletion.rev,
        reason=PublicationReason.ANSWER_RECORD_DELETED,
        is_due_again=is_newer,
    )
    if is_newer:
        await _detach_record(tx, deletion.uri)
        return
    own = await attendance_queries.by_id(tx, AttendanceId(publication.subject_id))
    was_in_record = is_deleted and own is not None and own.status not in UNPUBLISHED_STATUSES
    await _apply_next(tx, deletion, is_reply_deleted=was_in_record)


async def _apply_to_record_of_others(tx: Transaction, deletion: RsvpDeletion) -> None:
    """Apply the deletion of a record that we do not write, or no longer."""
    if deletion.about is not None:
        person, next_rsvp = await apply_rsvp.rsvp_of(tx, deletion.did, deletion.about.subject_uri)
        rsvp = await attendance_queries.find(tx, deletion.about.event_id, person.user_id)
        if rsvp is not None and await _restore_overridden_reply(tx, deletion, rsvp, next_rsvp):
            return
    own = await attendance_queries.by_record_uri(tx, deletion.uri)
    is_given_here = own is not None and own.source is RsvpSource.HERE
    is_kept = own is not None and await _keep_reply_given_since(tx, deletion, own)
    await _apply_next(tx, deletion, is_reply_deleted=is_given_here and not is_kept)


async def _apply_next(tx: Transaction, deletion: RsvpDeletion, *, is_reply_deleted: bool) -> None:
    """Make the person's next RSVP effective, or decline the one of the deleted record if there is none.

    ``is_reply_deleted``: the reply given here was in the deleted record, so it no longer counts and is not compared with
    the next RSVP.
    """
    apply_next = apply_rsvp.adopt_effective if is_reply_deleted else apply_rsvp.update_attendance
    if deletion.about is None or not await apply_next(tx, deletion.about):
        await rsvp_records.apply_deletion_from_network(tx, record_uri=deletion.uri)


async def _restore_overridden_reply(
    tx: Transaction, deletion: RsvpDeletion, own: Attendance, next_rsvp: EffectiveRsvp | None
) -> bool:
    """Restore an RSVP given here that the now deleted record overrode before it was published, if it is the latest
    again. Returns whether it is.

    Their own record still contains the earlier RSVP, so it is not used: the RSVP given here becomes effective again and
    is published. A later record of another app still overrides it, and takes the place of the deleted one.
    """
    publication = await publication_queries.find(tx, PublicationKind.RSVP, own.id)
    if publication is None or publication.has_unsent_revision:
        return False
    overridden_value = await merge_decisions.overridden_local_value(
        tx, uri=deletion.uri, field=RSVP_FIELD, ours_revision=publication.revision, besides=DELETED_VALUE
    )
    if overridden_value is None:
        return False
    if next_rsvp is not None:
        side = await _settle_with_next_record(tx, publication, overridden_value, next_rsvp.record)
        if side is MergeSide.THEIRS:
            return False
    if own.record_uri == deletion.uri:
        await rsvp_records.forget_record(tx, own.id)
    await rsvp_records.restore_reply(tx, own.id, AttendanceStatus(overridden_value), answered_at=publication.edited_at)
    return True


async def _settle_with_next_record(
    tx: Transaction, publication: Publication, ours: str, record: SeenRecord
) -> MergeSide:
    """Decide between the RSVP given here (``ours``) and another record, and return which one counts. The decision is
    stored if the record does. An unsigned record waits for its proof, so it does not count yet.
    """
    if not record.is_verified:
        await record_proofs.enqueue(tx, [record.uri])
        return MergeSide.OURS
    if record.uri == publication.uri:
        return MergeSide.OURS
    theirs_at = await version_written_at(tx, record)
    side = most_recent(merge_input_of(publication, publication.edited_at, theirs_at, record.cid or ""))
    if side is MergeSide.THEIRS:
        await store_decision(tx, publication, ours, record, side)
    return side


async def _keep_reply_given_since(tx: Transaction, deletion: RsvpDeletion, own: Attendance) -> bool:
    """Detach the deleted record from its RSVP if the person has replied here since. Returns whether they have.

    An RSVP given here also stays if the deletion is unsigned: then nobody has signed that the record ever existed.
    """
    if own.source is not RsvpSource.HERE:
        return False
    if not deletion.is_verified:
        await rsvp_records.forget_record(tx, own.id)
        return True
    deleted_by = await latest_possible_commit(tx, deletion.did, deletion.rev, deletion.previous_known_rev)
    is_newer = own.answered_at > moment_of_rev(deleted_by, tx.now)
    publication = await publication_queries.find(tx, PublicationKind.RSVP, own.id)
    if publication is not None and deletion.may_be_earlier_than(own.answered_at, tx.now):
        # If the commit of the deletion arrives, it reveals the exact time.
        await _store_deletion_decision(tx, deletion, publication, is_ours=is_newer)
    if is_newer:
        await rsvp_records.forget_record(tx, own.id)
    return is_newer


async def _detach_record(tx: Transaction, uri: str) -> None:
    """Detach a deleted record from the RSVP that has it, if any."""
    own = await attendance_queries.by_record_uri(tx, uri)
    if own is not None:
        await rsvp_records.forget_record(tx, own.id)


async def _store_deletion_decision(
    tx: Transaction, deletion: RsvpDeletion, publication: Publication, *, is_ours: bool
) -> None:
    """Store which of the two counts: the RSVP given here, or the deletion of its record."""
    attendance = await attendance_queries.by_id(tx, AttendanceId(publication.subject_id))
    if attendance is None:
        return
    side = MergeSide.OURS if is_ours else MergeSide.THEIRS
    await merge_decisions.store(
        tx,
        uri=deletion.uri,
        theirs_rev=deletion.rev,
        ours_revision=publication.revision,
        decisions=(decision_of(attendance.status.value, DELETED_VALUE, side),),
        previous_known_rev=deletion.previous_known_rev,
    )
