"""When a person gets access, their earlier answers from other apps count, including those that waited because the
person was not known.
"""

import pytest

from groundwork.database.transaction import Database
from openmeet.domain.account_merge import actions as account_claims
from openmeet.domain.attendance import host_decisions, invitations, queries, registration
from openmeet.domain.attendance.model import Attendance, AttendanceStatus, PendingFor
from openmeet.domain.attendance.registration import ForeignRsvpPolicy, RegistrationSettings
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.groups.queries import role_in
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.users.model import UserId
from openmeet.network.ingestion import rsvps_awaiting_event
from openmeet.outbox.kinds import JobKind
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.group_and_series_messages import acceptance_message, group_flags_on, membership_message
from tests.openmeet.ingestion.network import did, rsvp
from tests.openmeet.ingestion.own_groups_and_series import OWN_GROUP_URI, create_published_group
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.ingestion.waiting_answers import (
    CLEO,
    HOST,
    HOSTS_TEA_URI,
    answer_status,
    connect_person,
    create_published_event,
)

__all__ = ["group_flags_on"]

# A person whom this site knows only by their DID.
STRANGER = 2


async def run_waiting_answers(db: Database) -> list[UserId]:
    """Run the queued jobs, as the publisher does. Returns the people whom they were for."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where kind = :kind and state = 'due' order by subject",
            kind=JobKind.GAINED_ACCESS,
        )
    for row in rows:
        await rsvps_awaiting_event.reevaluate_awaiting_rsvps(db, UserId(row["subject"]))
    async with db.transaction() as tx:
        await tx.execute("delete from outbox_jobs where kind = :kind", kind=JobKind.GAINED_ACCESS)
    return [UserId(row["subject"]) for row in rows]


async def test_joining_a_group_counts_answers_to_its_private_events(db):
    async with db.transaction() as tx:
        ana, cleo = await connect_person(tx, "Ana", HOST), await connect_person(tx, "Cleo", CLEO)
        group = await group_by(tx, ana, visibility="private")
        event = await create_published_event(tx, ana, group=group_of_event.as_group_of_event(group))
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
        event = await create_published_event(tx, ana, group=group_of_event.as_group_of_event(group), capacity="1")
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
            tx, event.id, RegistrationSettings(needs_approval=True, foreign_answers=ForeignRsvpPolicy.APPROVE)
        )
    await apply_messages(db, rsvp(CLEO, "a", 1, HOSTS_TEA_URI))
    async with db.transaction() as tx:
        link = await administration.invite_by_link(tx, ana, group.slug, uses=1)
        await administration.accept(tx, cleo, link.id)
    assert await run_waiting_answers(db) == [cleo.user_id]
    assert await answer_status(db, event, cleo) is AttendanceStatus.PENDING


async def rsvp_of_stranger(db: Database, event: Event) -> Attendance:
    async with db.reader() as reader:
        identity = await identity_queries.find(reader, did(STRANGER))
        assert identity is not None
        found = await queries.find(reader, event.id, identity.user_id)
    assert found is not None
    return found


async def pending_answer_of_stranger(
    db: Database, policy: ForeignRsvpPolicy, *, is_event_of_group: bool
) -> tuple[Group, Event]:
    """A group, and an event with a limit that a person without a local account has answered in another app."""
    _, group, _ = await create_published_group(db)
    async with db.transaction() as tx:
        host = await connect_person(tx, "Dora", HOST)
        of_group = group_of_event.as_group_of_event(group) if is_event_of_group else None
        event = await create_published_event(tx, host, group=of_group, capacity="1")
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=policy))
    await apply_messages(db, rsvp(STRANGER, "a", 1, HOSTS_TEA_URI))
    return group, event


async def admit_stranger(db: Database, group: Group) -> None:
    """Both sides of the membership are records that other apps wrote."""
    await apply_messages(
        db,
        membership_message(2, author=STRANGER, uri=OWN_GROUP_URI),
        acceptance_message(3, member=STRANGER, uri=OWN_GROUP_URI),
    )
    (admitted,) = await run_waiting_answers(db)
    async with db.reader() as reader:
        assert await role_in(reader, group.id, admitted) is GroupRole.MEMBER


POLICIES_THAT_WITHHOLD_SEATS = [
    (ForeignRsvpPolicy.UNCONFIRMED, PendingFor.UNCONFIRMED),
    (ForeignRsvpPolicy.APPROVE, PendingFor.APPROVAL),
]


@pytest.mark.usefixtures("group_flags_on")
@pytest.mark.parametrize(("policy", "why"), POLICIES_THAT_WITHHOLD_SEATS)
async def test_another_group_cannot_seat_strangers(db, policy, why):
    """A group that admits a person without a local account does not decide for the hosts of other events, not even
    after such a host changed the policy, which applies to later answers only. Once the person signs in, they get the
    seat.
    """
    group, event = await pending_answer_of_stranger(db, policy, is_event_of_group=False)
    before = await rsvp_of_stranger(db, event)
    assert (before.status, before.pending_for) == (AttendanceStatus.PENDING, why)
    await admit_stranger(db, group)
    assert await rsvp_of_stranger(db, event) == before
    async with db.transaction() as tx:
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=ForeignRsvpPolicy.COUNT))
    await rsvps_awaiting_event.reevaluate_awaiting_rsvps(db, before.user_id)
    assert await rsvp_of_stranger(db, event) == before
    async with db.transaction() as tx:
        await registration.put(tx, event.id, RegistrationSettings(foreign_answers=policy))
        await account_claims.sign_in_with_did(tx, did(STRANGER), handle="eve.example", pds_url="https://pds.example")
    assert await run_waiting_answers(db) == [before.user_id]
    assert (await rsvp_of_stranger(db, event)).status is AttendanceStatus.ATTENDING


@pytest.mark.usefixtures("group_flags_on")
@pytest.mark.parametrize(("policy", "why"), POLICIES_THAT_WITHHOLD_SEATS)
async def test_the_group_of_the_event_seats_its_new_members(db, policy, why):
    group, event = await pending_answer_of_stranger(db, policy, is_event_of_group=True)
    assert (await rsvp_of_stranger(db, event)).pending_for is why
    await admit_stranger(db, group)
    assert (await rsvp_of_stranger(db, event)).status is AttendanceStatus.ATTENDING
