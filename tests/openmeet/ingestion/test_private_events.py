"""Anybody can write a record, so an RSVP from the network gives its author no access to an event (invariant 3)."""

import pytest

from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import group_of_event, record_changes
from openmeet.domain.events.model import Event, GroupOfEvent
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion.fetch import fetch_subject
from openmeet.network.records import seen
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.ingestion.network import HERE, did, rsvp
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import Site, details, person, signed_in, site_on
from tests.simulation.oracle import EVENT

HOST, CLEO, LATE = 9, 1, 2
URI = f"at://{did(HOST)}/{EVENT}/tea"
WORDS = ("going", "interested", "notgoing", "unheardof")


async def known(tx, name, number):
    """A person who has signed in on this site and has a DID."""
    caller = await person(tx, name)
    await identity_queries.insert(
        tx, did(number), caller.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
    )
    return caller


async def private_event(tx, host, *, group: GroupOfEvent | None = None, visibility="private") -> Event:
    """A private event with more content than its public record."""
    typed = details(visibility=visibility, description="Bring the papers.", venue_name="The cellar")
    event = await events.create(tx, host, typed, group=group)
    await record_changes.store_record_uri(tx, event.id, uri=URI, cid="c", did=did(HOST))
    return event


async def rows(db: Database, event: Event) -> int:
    async with db.reader() as reader:
        found = await reader.fetch("select id from attendances where event_id = :id", id=event.id)
    return len(found)


async def asked(site: Site, user_id: UserId, method: str, path: str, body: dict[str, str] | None = None) -> int:
    """The status code of a request by the API client of this person."""
    async with site.db.transaction() as tx:
        session = await open_session(tx, user_id, SessionTransport.API)
    async with site.browser() as program:
        answered = await program.request(method, path, json=body, headers={"Authorization": f"Bearer {session.token}"})
    return answered.status_code


async def run_fetch_jobs(db: Database) -> None:
    """Run the queued jobs, as the publisher does. The event is known on this site, so no network is needed."""
    async with db.reader() as reader:
        queued = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind and state = 'due'", kind=JobKind.FETCH_SUBJECT
        )
    for job in queued:
        assert await fetch_subject(db, None, HERE, parse_at_uri(job["subject"]))  # type: ignore[arg-type]


@pytest.mark.parametrize("word", WORDS)
async def test_a_record_gives_nobody_access(db, clock, word):
    """The record arrives in a separate message or in a batch with other people's, before or after its author is known
    on this site.
    """
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        event = await private_event(tx, ana)
    await apply_messages(db, rsvp(CLEO, "a", 1, URI, word))
    await apply_messages(db, rsvp(LATE, "a", 1, URI, word))
    await apply_messages(db, *(rsvp(number, "b", 2, URI, word) for number in (CLEO, LATE, 3, 4)))
    assert await rows(db, event) == 0
    async with db.transaction() as tx:
        (late,) = await identity_queries.of_person_with(tx, did(LATE))
        awaiting = await seen.find(tx, f"at://{did(CLEO)}/community.lexicon.calendar.rsvp/b")
    assert awaiting is not None
    assert (awaiting.state, awaiting.reason) == (RecordState.AWAITS_EVENT, RecordReason.PRIVATE_EVENT())
    for user_id in (cleo.user_id, late.user_id):
        assert await asked(site, user_id, "GET", f"/api/events/{event.slug}") == 404
        assert await asked(site, user_id, "GET", f"/api/events/{event.slug}/attendances") == 404
        assert await asked(site, user_id, "PUT", f"/api/events/{event.slug}/answer", {"reply": "going"}) == 404
        async with signed_in(site, user_id) as browser:
            assert (await browser.get(f"/events/{event.slug}")).status_code == 404


async def test_only_members_can_answer_their_groups_private_events(db):
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        group = await group_by(tx, ana, name="Club", visibility="private")
        bo = await add_member(tx, group, ana, "Bo")
        await identity_queries.insert(
            tx, did(3), bo.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
        event = await private_event(tx, ana, group=group_of_event.as_group_of_event(group))
    await apply_messages(db, rsvp(CLEO, "a", 1, URI), rsvp(3, "a", 1, URI))
    async with db.reader() as reader:
        assert await attendance_queries.find(reader, event.id, cleo.user_id) is None
        inside = await attendance_queries.find(reader, event.id, bo.user_id)
    assert inside is not None
    assert inside.status is AttendanceStatus.ATTENDING


async def test_waiting_answers_count_when_the_event_becomes_public(db):
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        event = await private_event(tx, ana)
    await apply_messages(db, rsvp(CLEO, "a", 1, URI), rsvp(LATE, "a", 1, URI))
    async with db.transaction() as tx:
        await invitations.invite(tx, ana, event.slug, "cleo@example.org")
    await run_fetch_jobs(db)
    async with db.reader() as reader:
        invited = await attendance_queries.find(reader, event.id, cleo.user_id)
    assert invited is not None
    assert invited.status is AttendanceStatus.ATTENDING
    assert await rows(db, event) == 1, "the other one was not invited"
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs")
        await event_hosting.revise(tx, ana, event.slug, details(visibility="public"))
    await run_fetch_jobs(db)
    assert await rows(db, event) == 2


async def test_people_who_answered_while_it_was_public_stay(db, clock):
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, cleo, bo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO), await known(tx, "Bo", 3)
        event = await private_event(tx, ana, visibility="public")
        await attendance.answer(tx, bo, event.slug, RsvpReply.GOING)
    await apply_messages(db, rsvp(CLEO, "a", 1, URI))
    async with db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(visibility="private"))
    await apply_messages(db, rsvp(CLEO, "a", 2, URI, "interested"), rsvp(4, "a", 1, URI))
    async with db.reader() as reader:
        mine = await attendance_queries.find(reader, event.id, cleo.user_id)
    assert mine is not None
    assert mine.status is AttendanceStatus.INTERESTED
    assert await rows(db, event) == 2
    for one in (cleo, bo):
        assert await asked(site, one.user_id, "GET", f"/api/events/{event.slug}") == 200
