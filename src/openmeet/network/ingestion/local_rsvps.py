"""RSVPs given here that differ from the person's effective record: which of the two counts. The later one does.

The decision is stored if both changed. If a read found their version, only a later time than that of its commit is
known; ``late_change_times`` decides again once the commit is.
"""

from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import rules as attendance_rules
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RsvpSource
from openmeet.domain.events.model import RecordOrigin
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.network.ingestion.three_way_merge import MergeInput, most_recent
from openmeet.network.records import repository_state
from openmeet.network.records.rsvp import ParsedRsvp, read_rsvp, written_at
from openmeet.network.records.seen import SeenRecord
from openmeet.network.records.versions import moment_of_rev, version_seen
from openmeet.outbox import ingested_changes, publications
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind

# Stored in decisions about merges: the field, and their value if they deleted the record.
RSVP_FIELD: Final = "answer"
DELETED_VALUE: Final = "deleted"

# Statuses that are never published but can be the person's latest RSVP.
UNPUBLISHED_STATUSES: Final = {AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED}


def read_of(effective: SeenRecord) -> ParsedRsvp:
    """Return the content of an effective record."""
    return read_rsvp(effective.collection, cbor.decode(effective.body or b""), rkey=effective.rkey)


async def settle_with_record(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord
) -> MergeSide:
    """Decide between the RSVP given here and the effective record, and return which one counts.

    The decision is stored if both changed. The publication follows it: the side that lost is not sent any more, or is
    overwritten in the repository. If the record counts, the caller makes it the person's RSVP.
    """
    is_own_record = effective.uri == publication.uri
    if is_own_record and effective.cid in {publication.base_cid, publication.chosen_cid}:
        # These are our own bytes, but the local status may be more specific. If the status came from another record
        # that is no longer effective, ours becomes effective again.
        is_from_other_record = attendance.source is RsvpSource.NETWORK and attendance.record_uri != effective.uri
        return MergeSide.THEIRS if is_from_other_record and not publication.has_unsent_revision else MergeSide.OURS
    if attendance.status is AttendanceStatus.INVITED and attendance.record_uri is None and not is_own_record:
        # An invitation comes from the host, however new it is. The person's own RSVP is only in the record.
        if publication.has_unsent_revision:
            await ingested_changes.abandon_revision(tx, publication)
        return MergeSide.THEIRS
    replied_status = attendance_rules.record_status_of(attendance.status)
    differs = attendance.source is RsvpSource.HERE and read_of(effective).status is not replied_status
    if publication.has_unsent_revision or (differs and attendance.status in UNPUBLISHED_STATUSES):
        return await _settle_unsent(tx, publication, attendance, effective)
    if is_own_record:
        await _accept_as_base(tx, effective)
        return MergeSide.THEIRS
    return await _settle_published(tx, publication, attendance, effective) if differs else MergeSide.THEIRS


async def _settle_unsent(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord
) -> MergeSide:
    """``settle_with_record`` for an RSVP given here that was never published."""
    theirs_at = await version_written_at(tx, effective)
    side = most_recent(merge_input_of(publication, publication.edited_at, theirs_at, effective.cid or ""))
    await store_decision(tx, publication, attendance.status.value, effective, side)
    if effective.uri == publication.uri and (side is MergeSide.THEIRS or not publication.has_unsent_revision):
        await _accept_as_base(tx, effective)
    elif side is MergeSide.THEIRS:
        await ingested_changes.abandon_revision(tx, publication)
    return side


async def _settle_published(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord
) -> MergeSide:
    """``settle_with_record`` for an RSVP given here that is already published, and another app's record that arrives only
    now.

    Compares the time at which the person answered, so a later change by a host does not count. If ours is newer, it is
    published in that record; otherwise other apps, and everybody who reads the repository, would show an outdated RSVP.
    """
    ours_at = attendance.answered_at
    side = most_recent(
        merge_input_of(publication, ours_at, await version_written_at(tx, effective), effective.cid or "")
    )
    if side is MergeSide.OURS or _earliest(tx, effective) < ours_at:
        # The time of a version that is known only from a read may turn out to be earlier.
        await store_decision(tx, publication, attendance.status.value, effective, side)
    if side is MergeSide.OURS:
        await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[attendance.id])
    return side


async def _accept_as_base(tx: Transaction, effective: SeenRecord) -> None:
    """Make the content that another app has written into our own record the base of the publication."""
    version = version_seen(effective)
    if version is not None:
        await ingested_changes.accept_foreign_version(tx, version)


def merge_input_of(publication: Publication, ours_at: Instant, theirs_at: Instant, theirs_cid: str = "") -> MergeInput:
    """Return the input for merging two RSVPs by time."""
    return MergeInput(
        origin=RecordOrigin.HERE,
        ours_at=ours_at,
        theirs_at=theirs_at,
        ours_cid=publication.chosen_cid or "",
        theirs_cid=theirs_cid,
    )


async def version_written_at(tx: Transaction, rsvp: SeenRecord) -> Instant:
    """Return when this version of the RSVP was written, not when it was last found. A read that finds an unchanged
    record does not make it newer.
    """
    written = written_at(rsvp.precedence)
    rev = await latest_possible_commit(
        tx, parse_did(rsvp.did), rsvp.version_rev, rsvp.previous_known_rev, written=written
    )
    latest = moment_of_rev(rev, tx.now)
    return written if _earliest(tx, rsvp) < written <= latest else latest


def _earliest(tx: Transaction, rsvp: SeenRecord) -> Instant:
    """Return the earliest possible time of this version. If its commit was seen, that is the commit's time."""
    return moment_of_rev(rsvp.previous_known_rev, tx.now) if rsvp.previous_known_rev else Instant(0)


async def latest_possible_commit(
    tx: Transaction, did: Did, rev: str, previous_known_rev: str, *, written: int = 0
) -> str:
    """Return the latest commit that can have written or deleted a version.

    That is ``rev`` or, if a read found the version (``SeenRecord.previous_known_rev``), the first commit known to
    follow a gap. A commit before the time ``written`` is ruled out.
    """
    if previous_known_rev == rev:
        return rev
    bounds = [one for one in await repository_state.missed_revs(tx, did) if previous_known_rev < one < rev]
    return next((one for one in bounds if written <= moment_of_rev(one, tx.now)), rev)


async def store_decision(
    tx: Transaction, publication: Publication, ours: str, effective: SeenRecord, side: MergeSide
) -> None:
    """Store which of the two counts: the RSVP given here, with status ``ours``, or the effective record."""
    await merge_decisions.store(
        tx,
        uri=effective.uri,
        theirs_rev=effective.version_rev,
        ours_revision=publication.revision,
        decisions=(decision_of(ours, read_of(effective).status.value, side),),
        previous_known_rev=effective.previous_known_rev,
    )


def decision_of(ours: str, theirs: str, side: MergeSide) -> FieldDecision:
    """Return the decision between two statuses, as stored."""
    return FieldDecision(RSVP_FIELD, "", ours, theirs, MergeReason.LATEST_ANSWER, side)
