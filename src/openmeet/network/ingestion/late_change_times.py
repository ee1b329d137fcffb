"""Decide RSVPs again when the time of a remote change becomes known. A read shows only when the change was found.

An RSVP given here may be later than the change and earlier than the read. In that case it is the latest after all,
becomes effective again and is enqueued. The commit that made the change reveals its time. If no event announces the
change itself (an older copy of the repository was imported, or commits were lost), the first later commit counts as the
one that made the change, because the change cannot be later than that. If an announced commit made the change, that
commit also arrives, and the decision then follows from its time.
"""

from collections.abc import Iterable, Mapping

from at_protocol.syntax.did import Did
from at_protocol.syntax.tid import Tid
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rsvp_records
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus
from openmeet.domain.events import event_records
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import EarlierDecision, MergeSide
from openmeet.network.ingestion import apply_rsvp
from openmeet.network.ingestion.apply_rsvp import PersonAndEvent
from openmeet.network.ingestion.local_rsvps import DELETED_VALUE, RSVP_FIELD, merge_input_of
from openmeet.network.ingestion.three_way_merge import most_recent
from openmeet.network.records import seen
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.rsvp import written_at
from openmeet.network.records.seen import SeenRecord
from openmeet.network.records.versions import moment_of_rev
from openmeet.outbox import ingested_changes, publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState


async def reconsider_with(tx: Transaction, message: RecordMessage, seen_record: SeenRecord | None) -> None:
    """Decide again about an RSVP: a read found its change before, and only now has the commit arrived that made the change
    and tells its time. An unsigned message could claim any time.
    """
    if message.is_read or not message.is_verified or seen_record is None:
        return
    if seen_record.cid != message.cid or seen_record.rev <= message.rev:
        return
    decision = await merge_decisions.of_commit(tx, uri=message.uri, field=RSVP_FIELD, rev=message.rev)
    if decision is not None:
        await _reconsider(tx, message.did, decision, seen_record, message.rev)


async def lock_missed(tx: Transaction, missed: Iterable[tuple[Did, Tid]]) -> dict[str, SeenRecord]:
    """Lock and return the RSVPs that ``reconsider_missed`` may decide again, by URI. All of them are locked before
    their events, as in batches.

    Call it in a transaction that has locked nothing but repositories.
    """
    decisions = [
        one
        for did, rev in sorted(missed)
        for one in await merge_decisions.with_unknown_time(tx, did, field=RSVP_FIELD, rev=rev)
    ]
    uris = sorted({one.uri for one in decisions})
    await seen.lock_records(tx, uris)
    seen_records = await seen.find_many(tx, uris)
    await seen.lock_records(tx, {one.subject_uri for one in seen_records.values() if one.subject_uri is not None})
    return seen_records


async def reconsider_missed(
    tx: Transaction, missed: Iterable[tuple[Did, Tid]], locked: Mapping[str, SeenRecord]
) -> None:
    """Decide again about RSVPs whose changes no stream announced. ``missed`` has a later commit of each repository, which
    counts as the one that made the changes. ``locked`` is the result of ``lock_missed``.
    """
    for did, rev in sorted(missed):
        for decision in await merge_decisions.with_unknown_time(tx, did, field=RSVP_FIELD, rev=rev):
            seen_record = locked.get(decision.uri)
            if seen_record is None or seen_record.subject_uri is None:
                continue
            if seen_record.version_rev != decision.theirs_rev:
                continue  # another version, or its deletion, has been seen since and is decided for itself
            # A version that claims to be newer was written by another commit, which has not arrived yet.
            if seen_record.cid is None or written_at(seen_record.precedence) <= moment_of_rev(rev, tx.now):
                await _reconsider(tx, did, decision, seen_record, rev)


async def _reconsider(tx: Transaction, did: Did, decision: EarlierDecision, seen_record: SeenRecord, rev: str) -> None:
    event_id = None if seen_record.subject_uri is None else await event_records.id_with(tx, seen_record.subject_uri)
    if event_id is None or seen_record.subject_uri is None:
        return
    about = PersonAndEvent(did, seen_record.subject_uri, event_id)
    person, _ = await apply_rsvp.rsvp_of(tx, did, about.subject_uri)
    own_attendance = await attendance_queries.find(tx, event_id, person.user_id)
    publication = (
        None if own_attendance is None else await publication_queries.find(tx, PublicationKind.RSVP, own_attendance.id)
    )
    if own_attendance is None or publication is None or publication.revision != decision.ours_revision:
        return  # another RSVP has been given here since
    side = most_recent(merge_input_of(publication, publication.edited_at, moment_of_rev(rev, tx.now)))
    if side is decision.result:
        return
    if side is MergeSide.OURS:
        revision = await rsvp_records.restore_reply(
            tx, own_attendance.id, AttendanceStatus(decision.ours), answered_at=publication.edited_at
        )
        await merge_decisions.replace_result(tx, decision, field=RSVP_FIELD, result=side, ours_revision=revision)
    elif await _undo_result(tx, decision, about, publication):
        await merge_decisions.replace_result(
            tx, decision, field=RSVP_FIELD, result=side, ours_revision=decision.ours_revision
        )


async def _undo_result(
    tx: Transaction, decision: EarlierDecision, about: PersonAndEvent, publication: Publication
) -> bool:
    """Let the change count after all, because it turned out to be later than the RSVP given here. Returns False if that
    RSVP is being sent to the repository already.
    """
    is_deleted = decision.theirs == DELETED_VALUE
    if publication.state is PublicationState.SENDING or (is_deleted and publication.uri is not None):
        return False
    await ingested_changes.abandon_revision(tx, publication)
    if is_deleted:
        await rsvp_records.apply_late_deletion(tx, AttendanceId(publication.subject_id))
    else:
        await apply_rsvp.adopt_effective(tx, about)
    return True
