"""Hosts see an invited address that has not answered as before when its owner is shut out or departs; on both engines."""

import pytest

from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Database, Reader
from openmeet.domain.attendance import actions, history, host_list, invitations, queries, reevaluation
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import AttendanceStatus, HistoryEntry, RsvpReply
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.events.actions import create
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import administration
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.safety import actions as safety
from openmeet.domain.series import standing_rsvps
from openmeet.domain.users.model import UserId
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import details, person


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def host_view(reader: Reader, event_id: EventId, user_id: UserId) -> tuple[RsvpListEntry, list[HistoryEntry]]:
    """What hosts see of somebody's RSVP: the entry of the list, and its history."""
    listed = await host_list.entries(reader, event_id, HostListFilter(list(AttendanceStatus)), None, 9)
    (entry,) = [one for one in listed if one.user_id == user_id]
    return entry, await history.of_rsvp(reader, entry.attendance_id, ALL_ROWS)


@pytest.mark.parametrize("way", ["blocked by the host", "blocked by a moderator", "banned from the group", "departed"])
async def test_hosts_see_no_change_before_the_first_answer(db: Database, clock: HandClock, way: str) -> None:
    """The RSVP of somebody who has answered ends."""
    async with db.transaction() as tx:
        ana, ben, cleo, mo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Mo")]
        group = await group_by(tx, ana)
        event = await create(tx, ana, details(), group=as_group_of_event(group))
        for address in ("ben@example.org", "cleo@example.org"):
            await invitations.invite(tx, ana, event.slug, address)
        await actions.answer(tx, cleo, event.slug, RsvpReply.INTERESTED)
        before = await host_view(tx, event.id, ben.user_id)
    clock.turn(HOUR)
    for one in (ben, cleo):
        async with db.transaction() as tx:
            match way:
                case "blocked by the host":
                    await safety.block(tx, ana, one.user_id)
                case "blocked by a moderator":
                    subject = Subject(ModeratedKind.PERSON, one.user_id)
                    await moderation.decide(tx, mo, subject, SubjectVisibility.HIDDEN, "")
                    await reevaluation.end_rsvp_of_unwelcome(tx, event.id, one.user_id)
                case "banned from the group":
                    await administration.ban(tx, ana, group.slug, one.user_id)
                case _:
                    await reevaluation.end_rsvp_of_departed(tx, event.id, one.user_id)
        if way == "banned from the group":
            await standing_rsvps.end_rsvps(db, one.user_id)
    async with db.reader() as reader:
        assert await host_view(reader, event.id, ben.user_id) == before
        answered = await queries.find(reader, event.id, cleo.user_id)
        assert answered is not None
        assert answered.status is AttendanceStatus.DECLINED
