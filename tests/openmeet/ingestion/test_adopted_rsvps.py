"""A person's RSVP after their records about an event changed in other apps: the version that is adopted, and the records
that are set aside; on both engines.
"""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceStatus, RsvpReply, RsvpSource
from openmeet.domain.events import record_changes
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records import links, seen, seen_rsvps
from openmeet.network.records.collections import EVENT
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState
from openmeet.network.records.versions import version_of
from openmeet.outbox import publication_queries
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.ingestion.network import deletion_of, did, rsvp, rsvp_value
from tests.openmeet.ingestion.own_groups_and_series import set_published_and_location
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import event_by, person

TEA_URI = f"at://{did(1)}/{EVENT}/tea"
WRITTEN_AT = "2026-02-01T00:00:00Z"
OWN = rsvp(2, "own", 2, TEA_URI, "going", createdAt=WRITTEN_AT)


async def published_reply(db: Database) -> AttendanceId:
    """Ben is going to the tea. He answered on this site, which has written his record."""
    async with db.transaction() as tx:
        tea = await event_by(tx, await person(tx, "Ana"))
        await record_changes.store_record_uri(tx, tea.id, uri=TEA_URI, cid="c", did=did(1))
        ben = Caller(await identities.connect(tx, did(2), handle="ben.example", pds_url="https://pds.example"), "Ben")
        mine = await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
        record = rsvp_value(TEA_URI, "going", createdAt=WRITTEN_AT)
        await set_published_and_location(tx, PublicationKind.RSVP, mine.id, ben, record, OWN.uri)
        await links.store_location(tx, PublicationKind.RSVP, mine.id, version_of(OWN))
    await apply_messages(db, OWN)
    return mine.id


async def rsvp_now(db: Database, attendance_id: AttendanceId) -> Attendance:
    async with db.reader() as reader:
        found = await attendance_queries.by_id(reader, attendance_id)
    assert found is not None
    return found


async def states_of(db: Database, *messages: RecordMessage) -> list[RecordState]:
    async with db.reader() as reader:
        found = await seen.find_many(reader, [one.uri for one in messages])
    return [found[one.uri].state for one in messages]


async def test_our_own_bytes_change_nothing(db: Database):
    mine = await published_reply(db)
    found = await rsvp_now(db, mine)
    assert (found.status, found.source, found.record_uri) == (AttendanceStatus.ATTENDING, RsvpSource.HERE, OWN.uri)


async def test_another_apps_version_of_our_record_is_adopted(db: Database):
    """It is the base of the next write, and nothing is left to send."""
    mine = await published_reply(db)
    theirs = rsvp(2, "own", 3, TEA_URI, "interested", createdAt=WRITTEN_AT)
    assert await apply_messages(db, theirs) == [IngestResult.APPLIED]
    assert await apply_messages(db, theirs) == [IngestResult.KNOWN]
    assert (await rsvp_now(db, mine)).status is AttendanceStatus.INTERESTED
    async with db.reader() as reader:
        publication = await publication_queries.find_by_uri(reader, OWN.uri)
    assert publication is not None
    assert (publication.state, publication.base_cid, publication.base_rev, publication.has_unsent_revision) == (
        PublicationState.PUBLISHED,
        theirs.cid,
        theirs.rev,
        False,
    )


async def test_another_record_takes_the_place_of_a_withdrawn_reply(db: Database):
    """Ben had an older RSVP from another app. In that app he deletes the record that this site wrote, so the older one
    counts, although he replied otherwise here.
    """
    mine = await published_reply(db)
    older = rsvp(2, "older", 3, TEA_URI, "notgoing", createdAt="2026-01-01T00:00:00Z")
    await apply_messages(db, older)
    assert (await rsvp_now(db, mine)).status is AttendanceStatus.ATTENDING
    await apply_messages(db, deletion_of(OWN, 4))
    found = await rsvp_now(db, mine)
    assert (found.status, found.source, found.record_uri) == (
        AttendanceStatus.DECLINED,
        RsvpSource.NETWORK,
        older.uri,
    )


async def test_a_withdrawn_reply_without_another_record_is_declined(db: Database):
    mine = await published_reply(db)
    await apply_messages(db, deletion_of(OWN, 4))
    found = await rsvp_now(db, mine)
    assert (found.status, found.record_uri) == (AttendanceStatus.DECLINED, None)


async def test_records_beyond_the_limit_are_set_aside_with_their_event(db: Database, monkeypatch: pytest.MonkeyPatch):
    """The greatest ones stay, whichever of the person's accounts wrote them. One that was set aside does not count, even
    if the others are deleted, until it is read again.
    """
    monkeypatch.setattr(seen_rsvps, "MAX_RSVPS_TO_EVENT", 2)
    mine = await published_reply(db)
    ben = (await rsvp_now(db, mine)).user_id
    async with db.transaction() as tx:
        await identities.link(tx, did(3), ben, handle="ben.second.example", pds_url="https://pds.example")
    oldest = rsvp(3, "oldest", 3, TEA_URI, "interested", createdAt="2026-01-01T00:00:00Z")
    newest = rsvp(3, "newest", 4, TEA_URI, "notgoing", createdAt="2026-02-02T00:00:00Z")
    await apply_messages(db, oldest)
    await apply_messages(db, newest)
    assert await states_of(db, newest, OWN, oldest) == [RecordState.MAPPED, RecordState.MAPPED, RecordState.RAW]
    async with db.reader() as reader:
        kept = await seen.find(reader, oldest.uri)
    assert kept is not None
    assert (kept.reason, kept.subject_uri) == (RecordReason.TOO_MANY_RSVPS(event=TEA_URI), None)
    await apply_messages(db, deletion_of(newest, 5), deletion_of(OWN, 5))
    found = await rsvp_now(db, mine)
    assert (found.status, found.record_uri) == (AttendanceStatus.DECLINED, None)
