"""Apply a new version of an RSVP record: derive a person's effective RSVP to an event from the existing records.

One person may have several records for one event. The effective one is a function of those that exist, so the order of
arrival does not matter, and deleting one makes the next one effective (``rsvp_deletions``). An RSVP given here is
compared with the effective record by time (``local_rsvps``).

An unsigned record overrides neither a signed one nor an RSVP given here. If it would do so with a signature, the
author's repository is asked for a proof; the signed record then counts like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance import rsvp_records, rsvp_records_in_bulk
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, RecordedRsvp, RsvpSource
from openmeet.domain.events.model import EventId
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import Identity, IdentityKind
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import record_proofs, restored_records
from openmeet.network.ingestion.local_rsvps import read_of, settle_with_record
from openmeet.network.records import seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import ParsedRsvp
from openmeet.network.records.seen import SeenRecord
from openmeet.network.records.seen_rsvps import EffectiveRsvp
from openmeet.outbox import publication_queries
from openmeet.outbox.publications import PublicationKind


@dataclass(frozen=True, slots=True)
class PersonAndEvent:
    """A person, by one of their DIDs, and an event, by its record and its id, with a changed RSVP record.

    ``parsed_with_cid`` is a record that was just parsed, with its CID. It is usually the effective one and then does
    not have to be parsed again.
    """

    did: Did
    subject_uri: str
    event_id: EventId
    parsed_with_cid: tuple[str, ParsedRsvp] | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """The key in ``seen_rsvps.effective_by_pair``."""
        return self.subject_uri, self.did

    def recorded(self, user_id: UserId, effective: SeenRecord) -> RecordedRsvp:
        """Return the RSVP in this person's effective record."""
        parsed_cid, parsed_rsvp = self.parsed_with_cid or (None, None)
        if parsed_rsvp is None or parsed_cid != effective.cid:
            parsed_rsvp = read_of(effective)
        return RecordedRsvp(self.event_id, user_id, effective.uri, parsed_rsvp.status, effective.first_seen_at)


@dataclass(frozen=True, slots=True)
class RecordAuthor:
    """Author of records. ``is_shadow``: nobody has signed in here with any of their DIDs."""

    user_id: UserId
    is_shadow: bool


async def update_attendance(tx: Transaction, one: PersonAndEvent) -> bool:
    """Make the person's attendance match their records about this event. Returns False if there are none."""
    person, rsvp = await rsvp_of(tx, one.did, one.subject_uri)
    if rsvp is None:
        return False
    await _request_proofs_and_set_aside(tx, [rsvp])
    # Nothing is published for a person who never signed in here, so nothing can conflict with their record.
    if (
        not person.is_shadow
        and await _settle_local_rsvp(tx, one.event_id, person.user_id, rsvp.record) is MergeSide.OURS
    ):
        return True
    await _adopt(tx, one, person, rsvp.record)
    return True


async def adopt_effective(tx: Transaction, one: PersonAndEvent) -> bool:
    """Make the effective record the person's RSVP, even if a different RSVP was given here. Returns False if there is
    none.
    """
    person, rsvp = await rsvp_of(tx, one.did, one.subject_uri)
    if rsvp is None:
        return False
    await _request_proofs_and_set_aside(tx, [rsvp])
    await _adopt(tx, one, person, rsvp.record)
    return True


async def _adopt(tx: Transaction, one: PersonAndEvent, person: RecordAuthor, effective: SeenRecord) -> None:
    """Make the effective record the person's RSVP, and attach it if we wrote it before a restore."""
    await _apply(tx, one, one.recorded(person.user_id, effective))
    if not person.is_shadow:
        await restored_records.attach_rsvp(tx, effective, person.user_id)


async def _settle_local_rsvp(tx: Transaction, event_id: EventId, user_id: UserId, effective: SeenRecord) -> MergeSide:
    """Return whether the person's RSVP on this site counts, or the effective record. An unsigned record waits for its
    proof, so it does not count yet.
    """
    attendance = await attendance_queries.find(tx, event_id, user_id)
    if attendance is None:
        return MergeSide.THEIRS
    if not effective.is_verified and _is_reply_given_here(attendance):
        await record_proofs.enqueue(tx, [effective.uri])
        return MergeSide.OURS
    publication = await publication_queries.find(tx, PublicationKind.RSVP, attendance.id)
    return MergeSide.THEIRS if publication is None else await settle_with_record(tx, publication, attendance, effective)


def _is_reply_given_here(attendance: Attendance) -> bool:
    """Whether the person has answered on this site. An invitation is not an answer."""
    return attendance.source is RsvpSource.HERE and attendance.status is not AttendanceStatus.INVITED


async def _request_proofs_and_set_aside(tx: Transaction, rsvps: Sequence[EffectiveRsvp]) -> None:
    """Enqueue proofs of the unsigned records that would override these RSVPs if they were signed, and set the records
    aside that are too many.
    """
    for one in rsvps:
        await seen_rsvps.set_aside(tx, one)
    await record_proofs.enqueue(tx, [one.unproven_uri for one in rsvps if one.unproven_uri is not None])


async def update_attendances(tx: Transaction, people_and_events: Sequence[PersonAndEvent]) -> None:
    """Like ``update_attendance``, for several people and events. People with a single DID who never signed in here are
    processed in bulk, all others one by one.

    Each pair of person and event must occur only once.
    """
    user_ids = await _people_for_bulk(tx, {one.did for one in people_and_events})
    in_bulk = [one for one in people_and_events if one.did in user_ids]
    effective = await seen_rsvps.effective_by_pair(tx, [one.pair for one in in_bulk], sorted(RSVPS))
    recorded_rsvps = {
        one.pair: one.recorded(user_ids[one.did], effective[one.pair].record)
        for one in in_bulk
        if one.pair in effective
    }
    await _request_proofs_and_set_aside(tx, [*effective.values()])
    unprocessed = await rsvp_records_in_bulk.apply_in_bulk(tx, list(recorded_rsvps.values()))
    for one in people_and_events:
        if one.did not in user_ids:
            await update_attendance(tx, one)
        elif one.pair in recorded_rsvps and recorded_rsvps[one.pair].key in unprocessed:
            await _apply(tx, one, recorded_rsvps[one.pair])


async def _people_for_bulk(tx: Transaction, dids: set[Did]) -> dict[str, UserId]:
    """Return, by DID, the people with a single DID who never signed in here. Unknown ones are created."""
    people = await identity_queries.of_people_with(tx, dids)
    new = await identity_actions.authors_for_dids(tx, dids - people.keys())
    return {did: user_id for did, (user_id, _) in new.items()} | {
        did: person_identities[0].user_id
        for did, person_identities in people.items()
        if is_known_by_one_did(person_identities)
    }


def is_known_by_one_did(identities_of_one: Sequence[Identity]) -> bool:
    """Whether somebody has only one DID, and nobody has signed in with it."""
    return len(identities_of_one) == 1 and identities_of_one[0].kind is IdentityKind.SHADOW


async def _apply(tx: Transaction, one: PersonAndEvent, recorded: RecordedRsvp) -> None:
    """Make the effective record the person's RSVP, or leave it pending until the event is visible to them."""
    saved = await rsvp_records.apply_from_network(tx, recorded)
    if saved is None:
        dids = [identity.did for identity in await identity_queries.of_person_with(tx, one.did)] or [one.did]
        await seen_rsvps.make_person_await(
            tx,
            subject_uri=one.subject_uri,
            dids=dids,
            collections=sorted(RSVPS),
            reason=RecordReason.PRIVATE_EVENT,
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
