"""When a person gets access, their earlier answers from other apps count, including those that waited because the
person was not known.
"""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.attendance import host_decisions, invitations, queries, registration
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.registration import ForeignAnswers, RegistrationSettings
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import rsvps_awaiting_event
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import rsvp
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.ingestion.waiting_answers import (
    CLEO,
    HOST,
    HOSTS_TEA_URI,
    answer_status,
    connect_person,
    create_published_event,
)


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
        ana, cleo = await connect_person(tx, "Ana", HOST), await connect_person(tx, "Cleo", CLEO)
        group = await group_by(tx, ana, visibility="private")
        event = await create_published_event(tx, ana, group=group_of_event.of_event(group))
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI))
    assert await answer_status(db, event, cleo) is None
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await answer_status(db, event, cleo) is AttendanceStatus.ATTENDING
    async with db.transaction() as tx:
        await groups.leave(tx, cleo, group.slug)
    assert await run_waiting_answers(db) == []


async def test_joining_seats_people_at_members_only_events(db):
    """A waiting answer takes a place, or the end of the waitlist if there is none."""
    async with db.transaction() as tx:
        ana, cleo, dora = (
            await connect_person(tx, "Ana", HOST),
            await connect_person(tx, "Cleo", CLEO),
            await connect_person(tx, "Dora", 2),
        )
        group = await group_by(tx, ana, join_policy="open")
        event = await create_published_event(tx, ana, group=group_of_event.of_event(group), capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(is_members_only=True))
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI), rsvp(2, "a", 1, HOSTS_TEA_URI))
    assert await answer_status(db, event, cleo) is await answer_status(db, event, dora) is AttendanceStatus.PENDING
    for who in (cleo, dora):
        async with db.transaction() as tx:
            link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
            await administration.accept(tx, who, link.id)
        await run_waiting_answers(db)
    assert await answer_status(db, event, cleo) is AttendanceStatus.ATTENDING
    assert await answer_status(db, event, dora) is AttendanceStatus.WAITLISTED


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_co_hosts_need_no_approval(db, visibility):
    """Before, the private event was not open to them, and at the public one they waited for approval."""
    async with db.transaction() as tx:
        ana, cleo = await connect_person(tx, "Ana", HOST), await connect_person(tx, "Cleo", CLEO)
        event = await create_published_event(tx, ana, visibility=visibility)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI))
    assert await answer_status(db, event, cleo) is (AttendanceStatus.PENDING if visibility == "public" else None)
    async with db.transaction() as tx:
        one = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, one.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await answer_status(db, event, cleo) is AttendanceStatus.ATTENDING
    await apply_messages(db, rsvp(CLEO, "a", 2, HOSTS_TEA_URI, "interested"), rsvp(CLEO, "a", 3, HOSTS_TEA_URI))
    assert await answer_status(db, event, cleo) is AttendanceStatus.ATTENDING


async def test_an_invitation_by_address_changes_no_answer(db):
    """A place given because of the invited address would reveal who owns it. The host decides about the person's
    existing answer in the list.
    """
    async with db.transaction() as tx:
        ana, cleo = await connect_person(tx, "Ana", HOST), await connect_person(tx, "Cleo", CLEO)
        event = await create_published_event(tx, ana, capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI))
    assert await answer_status(db, event, cleo) is AttendanceStatus.PENDING
    async with db.transaction() as tx:
        await invitations.invite(tx, ana, event.slug, "cleo@example.org")
    assert await answer_status(db, event, cleo) is AttendanceStatus.PENDING
    async with db.transaction() as tx:
        mine = await queries.find(tx, event.id, cleo.user_id)
        await host_decisions.approve(tx, ana, event.slug, [mine.id])
    assert await answer_status(db, event, cleo) is AttendanceStatus.ATTENDING


async def test_joining_a_group_does_not_replace_approval(db):
    """Joining a group changes nothing at an event where the host approves every answer."""
    async with db.transaction() as tx:
        ana, cleo = await connect_person(tx, "Ana", HOST), await connect_person(tx, "Cleo", CLEO)
        group = await group_by(tx, ana)
        event = await create_published_event(tx, ana)
        await registration.put(
            tx, event.id, RegistrationSettings(needs_approval=True, foreign_answers=ForeignAnswers.APPROVE)
        )
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI))
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await answer_status(db, event, cleo) is AttendanceStatus.PENDING
