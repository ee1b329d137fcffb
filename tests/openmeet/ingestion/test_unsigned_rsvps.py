"""An unsigned RSVP record overrides neither a signed one under another key nor an RSVP given on this site; the author's
repository is asked for a proof.
"""

from dataclasses import replace

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import leased_publications
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.ingestion.network import deletion_of, did, event, rsvp
from tests.openmeet.ingestion.seats import TWO_PLACES_URI, answer_statuses, create_event_with_two_places
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"
EARLIER, LATER = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def unsigned(message: RecordMessage) -> RecordMessage:
    return replace(message, is_verified=False)


async def requested_proofs(db: Database) -> list[str]:
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind order by subject", kind=JobKind.PROVE_RECORD.value
        )
    return [row["subject"] for row in rows]


async def reply_of(db: Database, number: int) -> str | None:
    return (await view_of(db)).answers.get((did(number), TEA))


async def test_an_unsigned_rsvp_under_a_new_key_frees_no_seat(db: Database):
    """Three people answer an event with two places from another app. A forged "not going" under a new key moves nobody
    up, until the repository proves it.
    """
    await create_event_with_two_places(db)
    for number in range(3):
        await apply_messages(db, rsvp(number, "aa", number, TWO_PLACES_URI, createdAt=EARLIER))
    before = await answer_statuses(db)
    assert sorted(before.values()) == ["attending", "attending", "waitlisted"]
    forged = rsvp(0, "zz", 9, TWO_PLACES_URI, "notgoing", createdAt=LATER)
    await apply_messages(db, unsigned(forged))
    assert await answer_statuses(db) == before
    assert await requested_proofs(db) == [forged.uri]
    # The repository has the record after all.
    assert await apply_messages(db, replace(forged, is_read=True)) == [IngestResult.KNOWN]
    assert sorted((await answer_statuses(db)).values()) == ["attending", "declined", "offered"]


async def test_a_signed_rsvp_overrides_an_unsigned_one_that_came_first(db: Database):
    """This holds if the unsigned RSVP arrived before the signed one, and if both arrived before their event."""
    signed, forged = (
        rsvp(2, "aa", 2, TEA, "going", createdAt=EARLIER),
        rsvp(2, "bb", 9, TEA, "notgoing", createdAt=LATER),
    )
    await apply_messages(db, event(1, "tea", 1), unsigned(forged))
    assert await reply_of(db, 2) == "notgoing"
    await apply_messages(db, signed)
    assert await reply_of(db, 2) == "going"
    walk = event(1, "walk", 1)
    early, also_early = rsvp(3, "aa", 2, walk.uri, createdAt=EARLIER), rsvp(3, "bb", 9, walk.uri, "notgoing")
    await apply_messages(db, unsigned(also_early), early)
    await apply_messages(db, walk)
    assert (await view_of(db)).answers[did(3), walk.uri] == "going"
    assert await requested_proofs(db) == [forged.uri]


async def test_a_disproved_rsvp_changes_nothing(db: Database):
    signed, forged = (
        rsvp(2, "aa", 2, TEA, "going", createdAt=EARLIER),
        rsvp(2, "bb", 9, TEA, "notgoing", createdAt=LATER),
    )
    await apply_messages(db, event(1, "tea", 1), signed)
    await apply_messages(db, unsigned(forged))
    await apply_messages(db, replace(deletion_of(forged, 10), is_read=True))
    assert await reply_of(db, 2) == "going"
    await apply_messages(db, deletion_of(signed, 11))
    assert await reply_of(db, 2) is None


async def test_unsigned_rsvps_count_if_there_are_no_others(db: Database):
    """A site that only listens to Jetstream never sees a signature. The newest of several RSVPs counts."""
    await apply_messages(db, unsigned(event(1, "tea", 1)), unsigned(rsvp(2, "aa", 2, TEA, createdAt=EARLIER)))
    assert await reply_of(db, 2) == "going"
    newer = rsvp(2, "bb", 3, TEA, "notgoing", createdAt=LATER)
    await apply_messages(db, unsigned(newer))
    assert await reply_of(db, 2) == "notgoing"
    await apply_messages(db, unsigned(deletion_of(newer, 4)))
    assert await reply_of(db, 2) == "going"
    assert await requested_proofs(db) == []


async def test_an_unsigned_rsvp_does_not_override_one_given_here(db: Database):
    """Not even in two steps, with a record of the same status that is deleted afterwards. A signed record does."""
    made, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], made.slug, RsvpReply.GOING)
    forged = rsvp(0, "aa", 3700, TWO_PLACES_URI, "notgoing", createdAt=LATER)
    await apply_messages(db, unsigned(forged))
    assert (await answer_statuses(db))[people[0].user_id] == "attending"
    same = rsvp(0, "bb", 3701, TWO_PLACES_URI, "going", createdAt=LATER)
    await apply_messages(db, unsigned(same))
    await apply_messages(db, unsigned(deletion_of(same, 3702)))
    assert (await answer_statuses(db))[people[0].user_id] == "attending"
    assert await requested_proofs(db) == sorted([forged.uri, same.uri])
    await apply_messages(db, forged)
    assert (await answer_statuses(db))[people[0].user_id] == "declined"


async def test_an_unsigned_rsvp_does_not_replace_a_deleted_one(db: Database, clock: HandClock):
    """A signed record overrode the RSVP given here and is deleted. The RSVP given here counts again, not an unsigned
    record.
    """
    made, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], made.slug, RsvpReply.GOING)
    clock.turn(2 * MINUTE)
    signed = rsvp(0, "aa", 3650, TWO_PLACES_URI, "notgoing", createdAt=EARLIER)
    forged = rsvp(0, "bb", 3660, TWO_PLACES_URI, "notgoing", createdAt=LATER)
    await apply_messages(db, signed)
    assert (await answer_statuses(db))[people[0].user_id] == "declined"
    await apply_messages(db, unsigned(forged))
    await apply_messages(db, deletion_of(signed, 3670))
    assert (await answer_statuses(db))[people[0].user_id] == "attending"
    assert await requested_proofs(db) == [forged.uri]


async def test_an_unsigned_deletion_does_not_withdraw_an_rsvp_given_here(db: Database):
    """An unsigned record counted because there was no other RSVP. The person then answers on this site, and the record is
    reported as deleted.
    """
    made, people = await create_event_with_two_places(db)
    record = rsvp(0, "aa", 1, TWO_PLACES_URI, "interested")
    await apply_messages(db, unsigned(record))
    assert (await answer_statuses(db))[people[0].user_id] == "interested"
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], made.slug, RsvpReply.GOING)
    await apply_messages(db, unsigned(deletion_of(record, 3700)))
    assert (await answer_statuses(db))[people[0].user_id] == "attending"


async def publish_reply(db: Database, record: RecordMessage) -> None:
    """The reply given here is sent as this record, which then comes back through the stream."""
    async with db.transaction() as tx:
        leased = await leased_publications.lease_due(tx, limit=10, seconds=60)
        (held,) = [one for one in leased if one.kind is PublicationKind.RSVP]
        sent = InFlightWrite(record.uri, record.cid or "", None)
        await leased_publications.store_before_sending(tx, held, sent, did=record.did, body=record.body or b"")
    assert await apply_messages(db, record) == [IngestResult.OWN_WRITE]


@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
async def test_a_reply_does_not_outlive_its_deleted_record(db: Database, clock: HandClock, is_signed: bool):
    """Somebody deletes the record of the reply that they gave here. An older RSVP of theirs counts then, although it is
    older or unsigned, and none once that is deleted too.
    """
    made, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], made.slug, RsvpReply.GOING)
    own = rsvp(0, "own", 3600, TWO_PLACES_URI, "going", createdAt=LATER)
    await publish_reply(db, own)
    older = rsvp(0, "aa", 3500, TWO_PLACES_URI, "interested", createdAt=EARLIER)
    older = older if is_signed else unsigned(older)
    await apply_messages(db, older)
    assert (await answer_statuses(db))[people[0].user_id] == "attending"
    clock.turn(2 * MINUTE)
    await apply_messages(db, deletion_of(own, 3660))
    assert (await answer_statuses(db))[people[0].user_id] == "interested"
    await apply_messages(db, replace(deletion_of(older, 3670), is_verified=is_signed))
    assert (await answer_statuses(db))[people[0].user_id] == "declined"


async def test_the_next_rsvp_after_a_deleted_record_may_need_a_proof(db: Database, clock: HandClock):
    """Between the deleted record of the reply given here and the person's signed RSVP is an unsigned one. It counts as
    soon as the repository proves it.
    """
    made, people = await create_event_with_two_places(db)
    async with db.transaction() as tx:
        await attendance.answer(tx, people[0], made.slug, RsvpReply.GOING)
    own = rsvp(0, "own", 3600, TWO_PLACES_URI, "going", createdAt=LATER)
    await publish_reply(db, own)
    signed = rsvp(0, "aa", 3500, TWO_PLACES_URI, "interested", createdAt=EARLIER)
    forged = rsvp(0, "bb", 3510, TWO_PLACES_URI, "notgoing", createdAt="2026-01-15T00:00:00Z")
    await apply_messages(db, signed)
    await apply_messages(db, unsigned(forged))
    assert await requested_proofs(db) == []
    clock.turn(2 * MINUTE)
    await apply_messages(db, deletion_of(own, 3660))
    assert (await answer_statuses(db))[people[0].user_id] == "interested"
    assert await requested_proofs(db) == [forged.uri]
    await apply_messages(db, replace(forged, is_read=True))
    assert (await answer_statuses(db))[people[0].user_id] == "declined"
