"""Answers that arrive from the network, also of many people who are known only by a DID."""

from groundwork.clock import Instant
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import rsvp_records
from openmeet.domain.attendance.model import RecordedRsvp, RsvpRecordStatus

ANSWER_URI = "at://did:plc:abc/community.lexicon.calendar.rsvp/3k"


async def apply_network_answer(tx, event, user_id, answer, *, uri=ANSWER_URI):
    return await rsvp_records.apply_from_network(
        tx,
        RecordedRsvp(event_id=event.id, user_id=user_id, record_uri=uri, status=answer, first_seen_at=Instant(tx.now)),
    )


async def insert_strangers(tx, count):
    """Insert people who are known only by a DID, in one statement, and return their ids."""
    ids = [new_id(tx.now) for _ in range(count)]
    await tx.execute_many(
        "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
        " values (:id, 'shadow', '', null, '', null, 1, 0, 0)",
        [{"id": one} for one in ids],
    )
    return ids


async def apply_answers_of(tx, event, ids, answer=RsvpRecordStatus.GOING):
    for one in ids:
        await rsvp_records.apply_from_network(
            tx,
            RecordedRsvp(event_id=event.id, user_id=one, record_uri=f"at://{one}", status=answer, first_seen_at=tx.now),
        )
