"""Searching names in which zero-width non-joiners are written or left out, as in Persian. On both engines."""

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_list
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.chat import people, room_list
from openmeet.domain.chat.room_list import RoomFilter
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import membership_queries
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.search import search
from openmeet.domain.search.search import SearchQuery
from tests.databases import MakeDatabase
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, person

JOINED, PLAIN = "علی\u200cرضا", "علیرضا"


@pytest.mark.parametrize("typed", [JOINED, PLAIN])
async def test_people_groups_and_events_are_found_either_way(make_database: MakeDatabase, typed: str) -> None:
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for name in (JOINED, PLAIN):
            event = await event_by(tx, ana, title=name)
            await groups.create(tx, ana, GroupDetails(name, "Europe/Berlin"))
        for number, name in enumerate((JOINED, PLAIN, "Ben")):
            await attendance.answer(tx, await person(tx, f"{name} {number}"), event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        wanted = HostListFilter(tuple(AttendanceStatus), typed)
        assert len(await host_list.entries(tx, event.id, wanted, None, 9)) == 2
        assert len((await people.members(tx, room, ana.user_id, words=typed)).people) == 2
        assert len(await room_list.my_rooms(tx, ana.user_id, RoomFilter(words=typed), limit=9)) == 1
        assert len(await membership_queries.listed(tx, [typed], None, after=None, limit=9)) == 2
        assert len(await search.coming(tx, SearchQuery(words=(typed,)), None, 9)) == 2
