"""When a person gets access, their earlier answers from other apps count, including those that waited because the
person was not known.
"""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import host_decisions, invitations, queries, registration
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, group_of_event, record_changes
from openmeet.domain.events.model import Event, GroupOfEvent
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.ingestion import rsvps_awaiting_event
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import did, rsvp
from tests.openmeet.ingestion.view import take
from tests.openmeet.site_under_test import details, person
from tests.simulation.oracle import EVENT

HOST, CLEO = 9, 1
URI = f"at://{did(HOST)}/{EVENT}/tea"


async def known(tx, name: str, number: int) -> Caller:
    """A person who has signed in on this site and has a DID."""
    caller = await person(tx, name)
    await identity_queries.insert(
        tx, did(number), caller.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
    )
    return caller


async def published(tx, host: Caller, *, group: GroupOfEvent | None = None, **more: str) -> Event:
    event = await events.create(tx, host, details(**more), group=group)
    await record_changes.note_record(tx, event.id, uri=URI, cid="c", did=did(HOST))
    return event


async def status(db: Database, event: Event, who: Caller) -> AttendanceStatus | None:
    async with db.reader() as reader:
        found = await attendance_queries.find(reader, event.id, who.user_id)
    return None if found is None else found.status


async def run_waiting_answers(db: Database) -> list[UserId]:
    """Run the queued jobs, as the publisher does. Returns the people whom they were for."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind and state = 'due' order by subject",
            kind=JobKind.WAITING_ANSWERS,
        )
    for row in rows:
        await rsvps_awaiting_event.recheck(db, UserId(row["subject"]))
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs where kind = :kind", kind=JobKind.WAITING_ANSWERS)
    return [UserId(row["subject"]) for row in rows]


async def test_joining_a_group_counts_answers_to_its_private_events(db):
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        group = await group_by(tx, ana, visibility="private")
        event = await published(tx, ana, group=group_of_event.of_event(group))
    await take(db, rsvp(CLEO, "a", 1, URI))
    assert await status(db, event, cleo) is None
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await status(db, event, cleo) is AttendanceStatus.ATTENDING
    async with db.transaction() as tx:
        await groups.leave(tx, cleo, group.slug)
    assert await run_waiting_answers(db) == []


async def test_joining_seats_people_at_members_only_events(db):
    """A waiting answer takes a place, or the end of the waitlist if there is none."""
    async with db.transaction() as tx:
        ana, cleo, dora = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO), await known(tx, "Dora", 2)
        group = await group_by(tx, ana, join_policy="open")
        event = await published(tx, ana, group=group_of_event.of_event(group), capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(is_members_only=True))
    await take(db, rsvp(CLEO, "a", 1, URI), rsvp(2, "a", 1, URI))
    assert await status(db, event, cleo) is await status(db, event, dora) is AttendanceStatus.PENDING
    for who in (cleo, dora):
        async with db.transaction() as tx:
            link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
            await administration.accept(tx, who, link.id)
        await run_waiting_answers(db)
    assert await status(db, event, cleo) is AttendanceStatus.ATTENDING
    assert await status(db, event, dora) is AttendanceStatus.WAITLISTED


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_co_hosts_need_no_approval(db, visibility):
    """Before, the private event was not open to them, and at the public one they waited for approval."""
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        event = await published(tx, ana, visibility=visibility)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await take(db, rsvp(CLEO, "a", 1, URI))
    assert await status(db, event, cleo) is (AttendanceStatus.PENDING if visibility == "public" else None)
    async with db.transaction() as tx:
        one = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, one.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await status(db, event, cleo) is AttendanceStatus.ATTENDING
    await take(db, rsvp(CLEO, "a", 2, URI, "interested"), rsvp(CLEO, "a", 3, URI))
    assert await status(db, event, cleo) is AttendanceStatus.ATTENDING


async def test_an_invitation_by_address_changes_no_answer(db):
    """A place given because of the invited address would reveal who owns it. The host decides about the person's
    existing answer in the list.
    """
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        event = await published(tx, ana, capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await take(db, rsvp(CLEO, "a", 1, URI))
    assert await status(db, event, cleo) is AttendanceStatus.PENDING
    async with db.transaction() as tx:
        await invitations.invite(tx, ana, event.slug, "cleo@example.org")
    assert await status(db, event, cleo) is AttendanceStatus.PENDING
    async with db.transaction() as tx:
        mine = await queries.find(tx, event.id, cleo.user_id)
        await host_decisions.approve(tx, ana, event.slug, [mine.id])
    assert await status(db, event, cleo) is AttendanceStatus.ATTENDING


async def test_joining_a_group_does_not_replace_approval(db):
    """Joining a group changes nothing at an event where the host approves every answer."""
    async with db.transaction() as tx:
        ana, cleo = await known(tx, "Ana", HOST), await known(tx, "Cleo", CLEO)
        group = await group_by(tx, ana)
        event = await published(tx, ana)
        await registration.put(
            tx, event.id, RegistrationSettings(needs_approval=True, foreign_answers=ForeignAnswers.APPROVE)
        )
    await take(db, rsvp(CLEO, "a", 1, URI))
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await status(db, event, cleo) is AttendanceStatus.PENDING
