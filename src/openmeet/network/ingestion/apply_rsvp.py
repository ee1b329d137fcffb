"""Apply a new version of an RSVP record: derive a person's effective RSVP to an event from the existing records.

One person may have several records for one event. The effective one is a function of those that exist, so the order of
arrival does not matter, and deleting one makes the next one effective. An RSVP given here is compared with the
effective record by time (``most_recent``).

An unsigned record overrides neither a signed one nor an RSVP given here. If it would do so with a signature, the
author's repository is asked for a proof; the signed record then counts like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rsvp_records, rsvp_records_in_bulk
from openmeet.domain.attendance import rules as attendance_rules
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceId,
    AttendanceStatus,
    RecordedRsvp,
    RsvpRecordStatus,
    RsvpSource,
)
from openmeet.domain.events.model import EventId, RecordOrigin
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import record_proofs, restored_records
from openmeet.network.ingestion.three_way_merge import MergeInput, most_recent
from openmeet.network.records import repository_state, seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import ParsedRsvp, read_rsvp, written_at
from openmeet.network.records.seen import SeenRecord
from openmeet.network.records.seen_rsvps import EffectiveRsvp
from openmeet.network.records.versions import moment_of_rev, version_seen
from openmeet.outbox import publication_echoes, publication_queries, publications
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason


async def derive(
    tx: Transaction,
    *,
    did: Did,
    subject_uri: str,
    event_id: EventId,
    parsed_with_cid: tuple[str, ParsedRsvp] | None = None,
) -> None:
    """Make the person's attendance match their records about this event. Does nothing if there are none.

    ``parsed_with_cid`` is a record that was just parsed, with its CID. It is usually the effective one and then does
    not have to be parsed again.
    """
    person, rsvp = await rsvp_of(tx, did, subject_uri)
    if rsvp is None:
        return
    user_id, effective = person.user_id, rsvp.record
    await _note_others(tx, [rsvp])
    if not person.is_shadow:
        # Nothing is published for a person who never signed in here, so nothing can conflict with their record.
        attendance = await attendance_queries.find(tx, event_id, user_id)
        if not effective.is_verified and attendance is not None and _is_reply_given_here(attendance):
            await record_proofs.enqueue(tx, [effective.uri])
            return
        publication = (
            None if attendance is None else await publication_queries.find(tx, PublicationKind.RSVP, attendance.id)
        )
        if (
            publication is not None
            and attendance is not None
            and not await record_overrides_rsvp(tx, publication, attendance, effective)
        ):
            return
    record_status = _status_in_record(effective, parsed_with_cid)
    await _apply(
        tx, did, subject_uri, RecordedRsvp(event_id, user_id, effective.uri, record_status, effective.first_seen_at)
    )
    if not person.is_shadow:
        await restored_records.attach_rsvp(tx, effective, user_id)


async def adopt_effective(tx: Transaction, *, did: Did, subject_uri: str, event_id: EventId) -> None:
    """Make the effective record the person's RSVP, even if a different RSVP was given here."""
    person, rsvp = await rsvp_of(tx, did, subject_uri)
    if rsvp is not None:
        record = rsvp.record
        recorded = RecordedRsvp(event_id, person.user_id, record.uri, read_of(record).status, record.first_seen_at)
        await _apply(tx, did, subject_uri, recorded)


def _is_reply_given_here(attendance: Attendance) -> bool:
    """Whether the person has answered on this site. An invitation is not an answer."""
    return attendance.source is RsvpSource.HERE and attendance.status is not AttendanceStatus.INVITED


async def _note_others(tx: Transaction, rsvps: Sequence[EffectiveRsvp]) -> None:
    """Enqueue proofs of the unsigned records that would override these RSVPs if they were signed, and set the records
    aside that are too many.
    """
    await seen_rsvps.set_aside(tx, [uri for one in rsvps for uri in one.excess_uris])
    await record_proofs.enqueue(tx, [one.unproven_uri for one in rsvps if one.unproven_uri is not None])


@dataclass(frozen=True, slots=True)
class PersonAndEvent:
    """A person and an event with a changed record. The fields have the same meaning as in ``derive``."""

    did: Did
    subject_uri: str
    event_id: EventId
    parsed_with_cid: tuple[str, ParsedRsvp] | None = None


async def derive_each(tx: Transaction, people_and_events: Sequence[PersonAndEvent]) -> None:
    """Like ``derive``, for several people and events. People with a single DID who never signed in here are processed
    in bulk, all others one by one.

    Each pair of person and event must occur only once.
    """
    people = await identity_queries.of_people_with(tx, {one.did for one in people_and_events})
    met = await identity_actions.authors_for_dids(tx, {one.did for one in people_and_events} - people.keys())
    strangers = {did: user_id for did, (user_id, _) in met.items()} | {
        did: person_identities[0].user_id
        for did, person_identities in people.items()
        if is_known_by_one_did(person_identities)
    }
    pairs = [(one.subject_uri, one.did) for one in people_and_events if one.did in strangers]
    effective = await seen_rsvps.effective_by_pair(tx, pairs, sorted(RSVPS))
    recorded_rsvps: dict[int, RecordedRsvp] = {}
    for index, one in enumerate(people_and_events):
        rsvp = effective.get((one.subject_uri, one.did))
        if one.did in strangers and rsvp is not None:
            record_status = _status_in_record(rsvp.record, one.parsed_with_cid)
            recorded_rsvps[index] = RecordedRsvp(
                one.event_id, strangers[one.did], rsvp.record.uri, record_status, rsvp.record.first_seen_at
            )
    await _note_others(tx, [*effective.values()])
    unprocessed = await rsvp_records_in_bulk.apply_in_bulk(tx, list(recorded_rsvps.values()))
    for index, one in enumerate(people_and_events):
        if one.did not in strangers:
            await derive(
                tx,
                did=one.did,
                subject_uri=one.subject_uri,
                event_id=one.event_id,
                parsed_with_cid=one.parsed_with_cid,
            )
        elif index in recorded_rsvps and recorded_rsvps[index].key in unprocessed:
            await _apply(tx, one.did, one.subject_uri, recorded_rsvps[index])


def is_known_by_one_did(identities_of_one: Sequence[Identity]) -> bool:
    """Whether somebody has only one DID, and nobody has signed in with it."""
    return len(identities_of_one) == 1 and identities_of_one[0].kind is IdentityKind.SHADOW


async def _apply(tx: Transaction, did: Did, subject_uri: str, recorded: RecordedRsvp) -> None:
    """Make the effective record the person's RSVP, or leave it pending until the event is visible to them."""
    saved = await rsvp_records.apply_from_network(tx, recorded)
    if saved is None:
        dids = [identity.did for identity in await identity_queries.of_person_with(tx, did)] or [did]
        await seen_rsvps.make_person_await(
            tx, subject_uri=subject_uri, dids=dids, collections=sorted(RSVPS), reason=RecordReason.PRIVATE_EVENT
        )


async def withdraw(
    tx: Transaction,
    *,
    uri: str,
    did: Did,
    rev: str,
    subject_uri: str | None,
    event_id: EventId | None,
    after_rev: str = "",
    is_verified: bool = True,
) -> None:
    """Withdraw the RSVP of a deleted record. The person's next older RSVP, if any, becomes effective."""
    publication = await publication_queries.find_by_uri(tx, uri)
    if publication is not None and publication.has_delete_in_flight:
        recorded_attendance = await attendance_queries.by_record_uri(tx, uri)
        if recorded_attendance is not None:
            await rsvp_records.forget_record(tx, recorded_attendance.id)
        return
    if publication is not None and publication.base_rev is not None and publication.base_rev >= rev:
        return  # the base was written after the deletion
    if publication is not None:
        # The latest change counts: an RSVP given here after the deletion stays and is written again.
        deleted_by = await latest_possible_commit(tx, did, rev, after_rev)
        is_newer = publication.has_unsent_revision and publication.edited_at > moment_of_rev(deleted_by, tx.now)
        if publication.has_unsent_revision and (not is_newer or deleted_by != rev):
            await store_deletion_decision(
                tx, publication, uri, rev, after_rev, MergeSide.OURS if is_newer else MergeSide.THEIRS
            )
        reason = PublicationReason.ANSWER_RECORD_DELETED
        await publication_echoes.mark_deleted_elsewhere(tx, uri=uri, rev=rev, reason=reason, is_due_again=is_newer)
        if is_newer:
            recorded_attendance = await attendance_queries.by_record_uri(tx, uri)
            if recorded_attendance is not None:
                await rsvp_records.forget_record(tx, recorded_attendance.id)
            return
    if subject_uri is not None and event_id is not None:
        person, remaining = await rsvp_of(tx, did, subject_uri)
        if publication is None and await _is_latest_again(tx, uri, event_id, person.user_id, remaining):
            return
        if remaining is not None:
            await derive(tx, did=did, subject_uri=subject_uri, event_id=event_id)
            return
    if publication is None and await _was_given_after_deletion(
        tx, did=did, uri=uri, rev=rev, after_rev=after_rev, is_verified=is_verified
    ):
        return
    await rsvp_records.apply_deletion_from_network(tx, record_uri=uri)


async def _is_latest_again(
    tx: Transaction, uri: str, event_id: EventId, user_id: UserId, remaining: EffectiveRsvp | None
) -> bool:
    """Whether an RSVP given here, which was overridden by the now deleted record before it was published, is the latest
    again.

    Their own record still contains the earlier RSVP, so it is not used: the RSVP given here becomes effective again and
    is published. A later record of another app still overrides it, and takes the place of the deleted one.
    """
    own_attendance = await attendance_queries.find(tx, event_id, user_id)
    publication = (
        None if own_attendance is None else await publication_queries.find(tx, PublicationKind.RSVP, own_attendance.id)
    )
    if own_attendance is None or publication is None or publication.has_unsent_revision:
        return False
    overridden_value = await merge_decisions.overridden_local_value(
        tx, uri=uri, field=RSVP_FIELD, ours_revision=publication.revision, besides=DELETED_VALUE
    )
    if overridden_value is None:
        return False
    if remaining is not None and not remaining.record.is_verified:
        await record_proofs.enqueue(tx, [remaining.record.uri])
    elif remaining is not None and remaining.record.uri != publication.uri:
        effective = remaining.record
        facts = facts_of(publication, publication.edited_at, await _replied_at(tx, effective), effective.cid or "")
        if most_recent(facts) is MergeSide.THEIRS:
            await _store_decision(tx, publication, overridden_value, effective, read_of(effective), MergeSide.THEIRS)
            return False
    if own_attendance.record_uri == uri:
        await rsvp_records.forget_record(tx, own_attendance.id)
    await rsvp_records.restore_reply(
        tx, own_attendance.id, AttendanceStatus(overridden_value), answered_at=publication.edited_at
    )
    return True


async def _was_given_after_deletion(
    tx: Transaction, *, did: Did, uri: str, rev: str, after_rev: str, is_verified: bool
) -> bool:
    """Whether an RSVP was given here after the deletion of a record that we no longer write to. Such an RSVP stays.

    An RSVP given here also stays if the deletion is unsigned: then nobody has signed that the record ever existed.
    """
    own_attendance = await attendance_queries.by_record_uri(tx, uri)
    if own_attendance is None or own_attendance.source is not RsvpSource.HERE:
        return False
    if not is_verified:
        await rsvp_records.forget_record(tx, own_attendance.id)
        return True
    deleted_by = await latest_possible_commit(tx, did, rev, after_rev)
    is_newer = own_attendance.answered_at > moment_of_rev(deleted_by, tx.now)
    publication = await publication_queries.find(tx, PublicationKind.RSVP, own_attendance.id)
    if (
        publication is not None
        and after_rev not in {"", rev}
        and own_attendance.answered_at > moment_of_rev(after_rev, tx.now)
    ):
        # A read shows only a later time. If the commit of the deletion arrives, it reveals the exact one.
        await store_deletion_decision(
            tx, publication, uri, rev, after_rev, MergeSide.OURS if is_newer else MergeSide.THEIRS
        )
    if is_newer:
        await rsvp_records.forget_record(tx, own_attendance.id)
    return is_newer


@dataclass(frozen=True, slots=True)
class RecordAuthor:
    """Author of records. ``is_shadow``: nobody has signed in here with any of their DIDs."""

    user_id: UserId
    is_shadow: bool


def _status_in_record(effective: SeenRecord, parsed_with_cid: tuple[str, ParsedRsvp] | None) -> RsvpRecordStatus:
    return (
        parsed_with_cid[1].status
        if parsed_with_cid is not None and parsed_with_cid[0] == effective.cid
        else read_of(effective).status
    )


async def rsvp_of(tx: Transaction, did: Did, subject_uri: str) -> tuple[RecordAuthor, EffectiveRsvp | None]:
    """Return the person, and the effective one of the RSVPs under all their DIDs."""
    identities_of_person = await identity_queries.of_person_with(tx, did)
    user_id = (
        identities_of_person[0].user_id if identities_of_person else await identity_actions.person_for_did(tx, did)
    )
    person = RecordAuthor(user_id, all(identity.kind is IdentityKind.SHADOW for identity in identities_of_person))
    dids = [identity.did for identity in identities_of_person] or [did]
    return person, await seen_rsvps.effective_rsvp(tx, subject_uri=subject_uri, dids=dids, collections=sorted(RSVPS))


# Stored in decisions about merges: the field, and their value if they deleted the record.
RSVP_FIELD: Final = "answer"
DELETED_VALUE: Final = "deleted"

# Statuses that are never published but can be the person's latest RSVP.
UNPUBLISHED_STATUSES: Final = {AttendanceStatus.PENDING, AttendanceStatus.WAITLISTED}


def read_of(effective: SeenRecord) -> ParsedRsvp:
    """Return the content of an effective record."""
    return read_rsvp(effective.collection, cbor.decode(effective.body or b""), rkey=effective.rkey)


async def record_overrides_rsvp(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord
) -> bool:
    """Whether the effective record overrides the RSVP given here. The decision is stored if both changed."""
    is_own_record = effective.uri == publication.uri
    if is_own_record and effective.cid in {publication.base_cid, publication.chosen_cid}:
        # These are our own bytes, but the local status may be more specific. If the status came from another record
        # that is no longer effective, ours becomes effective again.
        is_anothers = attendance.source is RsvpSource.NETWORK and attendance.record_uri != effective.uri
        return is_anothers and not publication.has_unsent_revision
    if attendance.status is AttendanceStatus.INVITED and attendance.record_uri is None and not is_own_record:
        # An invitation comes from the host, however new it is. The person's own RSVP is only in the record.
        if publication.has_unsent_revision:
            await publication_echoes.abandon_revision(tx, publication)
        return True
    parsed_rsvp = read_of(effective)
    differs = attendance.source is RsvpSource.HERE and parsed_rsvp.status is not attendance_rules.replied_status_of(
        attendance.status
    )
    if publication.has_unsent_revision or (differs and attendance.status in UNPUBLISHED_STATUSES):
        return await _record_overrides_unsent_rsvp(tx, publication, attendance, effective, parsed_rsvp)
    if is_own_record:
        await _adopt(tx, effective)
        return True
    return not (differs and await _is_newer_than_record(tx, publication, attendance, effective, parsed_rsvp))


async def _record_overrides_unsent_rsvp(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord, parsed_rsvp: ParsedRsvp
) -> bool:
    """Like ``record_overrides_rsvp``, for an RSVP that was never published."""
    replied_at = await _replied_at(tx, effective)
    side = most_recent(facts_of(publication, publication.edited_at, replied_at, effective.cid or ""))
    await _store_decision(tx, publication, attendance.status.value, effective, parsed_rsvp, side)
    if effective.uri == publication.uri and (side is MergeSide.THEIRS or not publication.has_unsent_revision):
        await _adopt(tx, effective)
    elif side is MergeSide.THEIRS:
        await publication_echoes.abandon_revision(tx, publication)
    return side is MergeSide.THEIRS


async def _is_newer_than_record(
    tx: Transaction, publication: Publication, attendance: Attendance, effective: SeenRecord, parsed_rsvp: ParsedRsvp
) -> bool:
    """Whether the RSVP given here, which is already published, is newer than another app's record that arrives only
    now.

    Compares the time at which the person answered, so a later change by a host does not count. If ours is newer, it is
    published in that record; otherwise other apps, and everybody who reads the repository, would show an outdated RSVP.
    """
    ours_at = attendance.answered_at
    side = most_recent(facts_of(publication, ours_at, await _replied_at(tx, effective), effective.cid or ""))
    if side is MergeSide.OURS or _earliest(tx, effective) < ours_at:
        # The time of a version that is known only from a read may turn out to be earlier.
        await _store_decision(tx, publication, attendance.status.value, effective, parsed_rsvp, side)
    if side is MergeSide.OURS:
        await publications.recheck(tx, kind=PublicationKind.RSVP, subject_ids=[attendance.id])
    return side is MergeSide.OURS


async def _adopt(tx: Transaction, effective: SeenRecord) -> None:
    """Adopt the content that another app has written into our own record."""
    version = version_seen(effective)
    if version is not None:
        await publication_echoes.accept_foreign_version(tx, version)


def facts_of(publication: Publication, ours_at: Instant, theirs_at: Instant, theirs_cid: str = "") -> MergeInput:
    """Return the input for merging two RSVPs by time."""
    return MergeInput(
        origin=RecordOrigin.HERE,
        ours_at=ours_at,
        theirs_at=theirs_at,
        ours_cid=publication.chosen_cid or "",
        theirs_cid=theirs_cid,
    )


async def _replied_at(tx: Transaction, rsvp: SeenRecord) -> Instant:
    """Return when the RSVP was written, not when it was last found. A read that finds an unchanged record does not make
    it newer.
    """
    written = written_at(rsvp.precedence)
    rev = await latest_possible_commit(tx, parse_did(rsvp.did), rsvp.said_rev, rsvp.after_rev, written=written)
    latest = moment_of_rev(rev, tx.now)
    return written if _earliest(tx, rsvp) < written <= latest else latest


def _earliest(tx: Transaction, rsvp: SeenRecord) -> Instant:
    """Return the earliest possible time of this version. If its commit was seen, that is the commit's time."""
    return moment_of_rev(rsvp.after_rev, tx.now) if rsvp.after_rev else Instant(0)


async def latest_possible_commit(tx: Transaction, did: Did, rev: str, after_rev: str, *, written: int = 0) -> str:
    """Return the latest commit that can have written or deleted a version.

    That is ``rev`` or, if a read found the version (``SeenRecord.after_rev``), the first commit known to follow a gap.
    A commit before the time ``written`` is ruled out.
    """
    if after_rev == rev:
        return rev
    bounds = [one for one in await repository_state.missed_revs(tx, did) if after_rev < one < rev]
    return next((one for one in bounds if written <= moment_of_rev(one, tx.now)), rev)


async def _store_decision(
    tx: Transaction,
    publication: Publication,
    ours: str,
    effective: SeenRecord,
    parsed_rsvp: ParsedRsvp,
    side: MergeSide,
) -> None:
    await merge_decisions.store(
        tx,
        uri=effective.uri,
        theirs_rev=effective.said_rev,
        ours_revision=publication.revision,
        decisions=(FieldDecision(RSVP_FIELD, "", ours, parsed_rsvp.status.value, MergeReason.LATEST_ANSWER, side),),
        after_rev=effective.after_rev,
    )


async def store_deletion_decision(
    tx: Transaction, publication: Publication, uri: str, rev: str, after_rev: str, side: MergeSide
) -> None:
    """Store whether the RSVP given here is overridden by the deletion of its record."""
    attendance = await attendance_queries.by_id(tx, AttendanceId(publication.subject_id))
    if attendance is None:
        return
    await merge_decisions.store(
        tx,
        uri=uri,
        theirs_rev=rev,
        ours_revision=publication.revision,
        decisions=(
            FieldDecision(RSVP_FIELD, "", attendance.status.value, DELETED_VALUE, MergeReason.LATEST_ANSWER, side),
        ),
        after_rev=after_rev,
    )
