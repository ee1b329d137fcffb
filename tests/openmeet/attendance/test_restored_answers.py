"""Replies given on this site that a record replaced are restored; on both engines."""

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions, queries, registration, rsvp_records
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, group_of_event
from openmeet.domain.groups import administration
from openmeet.domain.safety import actions as safety
from openmeet.domain.users.queries import by_id as user_by_id
from openmeet.outbox import publication_status, publications
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.site_under_test import details, event_by, person

GOING = RsvpReply.GOING
ATTENDING, DECLINED = AttendanceStatus.ATTENDING, AttendanceStatus.DECLINED


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def people(tx, count):
    return [await person(tx, f"Person {number}") for number in range(count)]


async def status(reader, event, who):
    return (await queries.find(reader, event.id, who.user_id)).status


async def revision_of_record(reader, attendance):
    found = await publication_status.statuses(reader, publications.PublicationKind.RSVP, [attendance.id])
    return found[attendance.id].revision


async def restored(tx, event, who, answered_at):
    """Replace the answer given on this site by a record that says no, then restore it. Return the status."""
    mine = await queries.find(tx, event.id, who.user_id)
    await apply_network_answer(tx, event, who.user_id, RsvpRecordStatus.NOT_GOING)
    await rsvp_records.restore_reply(tx, mine.id, mine.status, answered_at=answered_at)
    return await status(tx, event, who)


async def test_a_restored_answer_of_a_member_needs_no_approval(db):
    """If a member of an event for members answers on this site, the answer does not need the approval that answers from
    other apps need.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben")
        event = await events.create(tx, ana, details(), group=group_of_event.as_group_of_event(group))
        await registration.put(tx, event.id, RegistrationSettings(is_members_only=True))
        await actions.answer(tx, ben, event.slug, GOING)
        assert await restored(tx, event, ben, tx.now) is ATTENDING


async def test_an_answer_given_before_the_deadline_is_restored_after_it(db, clock):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=24))
        answered_at = (await actions.answer(tx, ben, event.slug, GOING)).answered_at
    clock.turn(event.starts_at - clock.now() - HOUR)
    async with db.transaction() as tx:
        assert await restored(tx, event, ben, answered_at) is ATTENDING


async def test_a_restored_answer_of_a_co_host_needs_no_approval(db):
    async with db.transaction() as tx:
        ana, ben = await people(tx, 2)
        event = await event_by(tx, ana)
        await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
        invited = await co_hosts.invite(tx, ana, event.slug, (await user_by_id(tx, ben.user_id)).email)
        await co_hosts.accept(tx, ben, invited.id)
        await actions.answer(tx, ben, event.slug, GOING)
        assert await restored(tx, event, ben, tx.now) is ATTENDING


@pytest.mark.parametrize("way", ["blocked by the host", "banned from the group"])
async def test_somebody_who_is_unwelcome_by_now_gets_no_place_back(db, way):
    """Nothing is said in their name: their record stays as it is."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        ben = await add_member(tx, group, ana, "Ben")
        event = await events.create(tx, ana, details(), group=group_of_event.as_group_of_event(group))
        mine = await actions.answer(tx, ben, event.slug, GOING)
        revision = await revision_of_record(tx, mine)
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.NOT_GOING)
        if way == "blocked by the host":
            await safety.block(tx, ana, ben.user_id)
        else:
            await administration.ban(tx, ana, group.slug, ben.user_id)
        await rsvp_records.restore_reply(tx, mine.id, ATTENDING, answered_at=tx.now)
        assert await status(tx, event, ben) is DECLINED
        assert await revision_of_record(tx, mine) == revision


async def test_a_former_member_gets_no_place_back_at_an_event_for_members(db):
    """Neither by their earlier answer nor by a later record. No record may say that they are going."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, visibility="private")
        ben = await add_member(tx, group, ana, "Ben")
        event = await events.create(tx, ana, details(), group=group_of_event.as_group_of_event(group))
        mine = await actions.answer(tx, ben, event.slug, GOING)
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.NOT_GOING)
        await administration.remove(tx, ana, group.slug, ben.user_id)
        restored_revision = await rsvp_records.restore_reply(tx, mine.id, ATTENDING, answered_at=tx.now)
        assert await status(tx, event, ben) is DECLINED
        assert await revision_of_record(tx, mine) == restored_revision
        await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.GOING)
        assert await status(tx, event, ben) is DECLINED
