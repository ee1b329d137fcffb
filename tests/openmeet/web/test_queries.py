"""Lists on both engines: their order, cursors and items."""

from datetime import date, timedelta

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.notifications.queries import newest
from openmeet.domain.search import my_event_lists, search
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.search.search import SearchQuery
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK, PARTY_URI
from tests.openmeet.site_under_test import event_by, person


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def all_of(reader, wanted, *, limit=2):
    seen, after = [], None
    while page := await search.coming(reader, wanted, after, limit):
        seen += page
        after = my_event_lists.unpack(my_event_lists.pack(search.position_in(wanted, page[-1])))
    return [event.title for event in seen]


async def test_every_coming_event_is_listed_once_soonest_first(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in (3, 1, 2, 2, 2):
            await event_by(tx, ana, title=f"On day {number}", starts=f"2026-07-0{number}T18:00", ends="")
        assert await all_of(tx, SearchQuery()) == ["On day 1", "On day 2", "On day 2", "On day 2", "On day 3"]


async def test_words_and_days_narrow_the_list(db):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="100% Jazz_night", starts="2026-07-01T18:00", ends="")
        await event_by(tx, ana, title="Chess", starts="2026-07-02T18:00", ends="", venue_name="JAZZ CAFÉ")
        assert await all_of(tx, SearchQuery(("jazz",))) == ["100% Jazz_night", "Chess"]
        assert await all_of(tx, SearchQuery(("jazz", "café"))) == ["Chess"]
        assert await all_of(tx, SearchQuery(("100%",))) == ["100% Jazz_night"]
        assert await all_of(tx, SearchQuery(("!",))) == []
        assert await all_of(tx, SearchQuery(first=date(2026, 7, 1), last=date(2026, 7, 1))) == ["100% Jazz_night"]


@pytest.mark.parametrize(
    ("starts", "zone"),
    [
        ("2026-12-06T00:00", "Europe/Berlin"),
        ("2026-12-06T23:59:59", "America/Los_Angeles"),
        ("2026-12-06T00:30", "Pacific/Kiritimati"),
        ("2026-12-06T23:30", "Etc/GMT+12"),
    ],
)
async def test_an_event_is_found_on_the_day_in_its_heading(db, starts, zone):
    """Days are those in the event's time zone, however far it is from UTC."""
    day = date(2026, 12, 6)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, starts=starts, ends="", time_zone=zone)
        assert await all_of(tx, SearchQuery(first=day, last=day)) == ["Board games"]
        assert await all_of(tx, SearchQuery(last=day - timedelta(days=1))) == []
        assert await all_of(tx, SearchQuery(first=day + timedelta(days=1))) == []


@pytest.mark.parametrize("word", ["zurich", "ZÜRICH", "Zu\u0308rich", "orsted", "strasse"])
async def test_case_and_accents_do_not_matter(db, word):
    async with db.transaction() as tx:
        await event_by(tx, await person(tx, "Ana"), title="Ørsted in Zürich", venue_name="Straße 1")
        assert await all_of(tx, SearchQuery((word,))) == ["Ørsted in Zürich"]


async def test_past_deleted_undated_and_private_events_are_not_coming(db, clock):
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, visibility="unlisted")
        await event_by(tx, ana, visibility="private")
        deleted = await event_by(tx, ana)
        await events.delete(tx, ana, deleted.slug)
        await record_changes.apply_from_network(
            tx, uri=PARTY_URI, cid="c", author_id=ana.user_id, event=PARTY_FROM_NETWORK
        )
        assert await all_of(tx, SearchQuery()) == ["Party"]
        await record_changes.apply_deletion(tx, uri=PARTY_URI)
        assert await all_of(tx, SearchQuery()) == []
        await event_by(tx, ana, title="Last")
    clock.turn(365 * DAY)
    async with db.reader() as reader:
        assert await all_of(reader, SearchQuery()) == []


async def test_my_lists_page_by_page(db, clock):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        for number in (1, 2, 3):
            event = await event_by(tx, ana, title=f"On day {number}", starts=f"2026-07-0{number}T18:00", ends="")
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)

    async def titles(reader, which):
        seen, after = [], None
        while page := await my_event_lists.my_events(reader, ben.user_id, which, after, 2):
            seen += page
            after = my_event_lists.position_of(page[-1])
        return [event.title for event in seen]

    async with db.reader() as reader:
        assert await titles(reader, MyEvents.GOING) == ["On day 1", "On day 2", "On day 3"]
        assert await titles(reader, MyEvents.HOSTING) == await titles(reader, MyEvents.WAITING) == []
        assert await titles(reader, MyEvents.UPCOMING) == ["On day 1", "On day 2", "On day 3"]
        counts = await my_event_lists.my_event_counts(reader, ben.user_id)
        assert {which: count for which, count in counts.items() if count} == {MyEvents.UPCOMING: 3, MyEvents.GOING: 3}
    clock.turn(365 * DAY)
    async with db.reader() as reader:
        assert await titles(reader, MyEvents.PAST) == ["On day 3", "On day 2", "On day 1"]
        counts = await my_event_lists.my_event_counts(reader, ben.user_id)
        assert {which: count for which, count in counts.items() if count} == {MyEvents.PAST: 3}


async def test_events_of_notifications_are_read_in_one_statement(db):
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        (news,) = await newest(tx, ana.user_id, 10)
        assert await my_event_lists.events_by_ids(tx, [news.subject_id, news.subject_id]) == {event.id: event}
        assert await my_event_lists.events_by_ids(tx, []) == {}
