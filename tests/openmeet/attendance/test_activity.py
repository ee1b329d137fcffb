"""What hosts learn about answers to their events: changes since yesterday, answers per day, and regular guests."""

import re
from datetime import date

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database
from openmeet.domain.attendance import (
    actions,
    activity,
    event_hosting,
    host_decisions,
    invitations,
    queries,
    rsvp_records,
)
from openmeet.domain.attendance.activity import PastAttendance, RecentChanges
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus, RecordedRsvp, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.tasks import end_expired_offers
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.recurrence import wall_time
from openmeet.web.attendance import numbers_pages, view
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, details, event_by, person, signed_in, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def test_changes_compare_the_earlier_answer_with_the_current_one(db: Database, clock: HandClock) -> None:
    """People who changed their answer meanwhile count once, with their current answer. People on the waitlist count as
    having answered.
    """
    async with db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
        ben, cleo, dana = [await person(tx, name) for name in ("Ben", "Cleo", "Dana")]
        for one in (ben, cleo):
            await actions.answer(tx, one, event.slug, RsvpReply.GOING)
    clock.turn(DAY)
    start = clock.now()
    clock.turn(MINUTE)
    for caller, reply in (
        (ben, RsvpReply.DECLINED),
        (cleo, RsvpReply.DECLINED),
        (cleo, RsvpReply.INTERESTED),
        (dana, RsvpReply.INTERESTED),
        (dana, RsvpReply.GOING),
    ):
        async with db.transaction() as tx:
            await actions.answer(tx, caller, event.slug, reply)
        clock.turn(MINUTE)
    async with db.reader() as reader:
        assert await activity.recent_changes(reader, [event.id], start) == RecentChanges(answered=1, cannot_come=1)
        assert await activity.recent_changes(reader, [event.id], Instant(0)) == RecentChanges(answered=2, cannot_come=1)
        assert await activity.recent_changes(reader, [event.id], clock.now()) == RecentChanges()
        assert await activity.recent_changes(reader, [], start) == RecentChanges()


async def test_each_person_has_one_first_answer(db: Database, clock: HandClock) -> None:
    """Somebody whose offer expired is "invited" again, and going then is not their first answer. To check somebody in who
    never answered is no answer of theirs.
    """
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        assert event.starts_at is not None
        for one in (cleo, ben):
            await actions.answer(tx, one, event.slug, RsvpReply.GOING)
    clock.turn(HOUR)
    async with db.transaction() as tx:
        await actions.answer(tx, cleo, event.slug, RsvpReply.DECLINED)
    clock.turn(event.starts_at - HOUR - clock.now())
    await end_expired_offers(db)
    start = clock.now()
    async with db.transaction() as tx:
        before = await queries.find(tx, event.id, ben.user_id)
        assert before is not None
        assert before.status is AttendanceStatus.INVITED
        await event_hosting.revise(tx, ana, event.slug, details(capacity="2"))
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
        await invitations.invite(tx, ana, event.slug, "dana@example.org")
        [dana] = await tx.fetch("select id from attendances where event_id = :id and status = 'invited'", id=event.id)
        await host_decisions.check_in(tx, ana, event.slug, AttendanceId(dana["id"]))
    async with db.reader() as reader:
        assert sum((await activity.count_first_rsvps(reader, event.id, Instant(0))).values()) == 2
        assert await activity.count_first_rsvps(reader, event.id, start) == {}
        assert await activity.recent_changes(reader, [event.id], start) == RecentChanges()
        assert await activity.recent_changes(reader, [event.id], Instant(0)) == RecentChanges(answered=1, cannot_come=1)


async def past_event(db: Database, clock: HandClock, host: Caller, guests: list[Caller], there: list[Caller]) -> Event:
    """Create an event that is over by now, with these people going and some of them checked in."""
    async with db.transaction() as tx:
        event = await event_by(tx, host, starts="2026-03-01T18:00", ends="2026-03-01T20:00")
        await tx.execute(
            "update events set starts_at = :at, ends_at = :end where id = :id",
            at=clock.now() + HOUR,
            end=clock.now() + 2 * HOUR,
            id=event.id,
        )
        saved = {one: await actions.answer(tx, one, event.slug, RsvpReply.GOING) for one in guests}
        for one in there:
            await host_decisions.check_in(tx, host, event.slug, saved[one].id)
    clock.turn(DAY)
    return event


async def test_regulars_are_those_of_the_latest_five_past_events(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, ben, cleo, dana = [await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dana")]
        other = await person(tx, "Emil")
    # An event too long ago to count, and an event of another host.
    await past_event(db, clock, ana, [cleo], [])
    await past_event(db, clock, other, [cleo, dana], [])
    for guests in ([ben, cleo, dana], [ben, cleo], [ben], [ben, cleo], []):
        await past_event(db, clock, ana, guests, guests)
    async with db.reader() as reader:
        found = await activity.past_attendance(reader, ana.user_id)
        # Nobody was checked in at the last event, so the attendance at that event is unknown.
        assert found == {
            ben.user_id: PastAttendance(events=5, had_check_in=False, came=4, said_yes=4),
            cleo.user_id: PastAttendance(events=5, had_check_in=False, came=3, said_yes=3),
        }
        asked = await activity.past_attendance(reader, ana.user_id, people=[dana.user_id, other.user_id])
        assert asked == {dana.user_id: PastAttendance(events=5, had_check_in=False, came=1, said_yes=1)}
        assert await activity.past_attendance(reader, ana.user_id, people=[]) == {}
        assert await activity.past_attendance(reader, ben.user_id) == {}


async def test_a_newcomer_never_said_yes_to_an_event_of_this_host(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
    people = [ben.user_id, cleo.user_id]
    async with db.reader() as reader:
        # Everybody is new to somebody who has hosted nothing yet.
        assert await activity.new_to_host(reader, ana.user_id, people) == set()
    for guests in ([ben], [], [], [], [], []):
        await past_event(db, clock, ana, guests, [])
    async with db.reader() as reader:
        assert await activity.new_to_host(reader, ana.user_id, people) == {cleo.user_id}
        assert await activity.new_to_host(reader, ben.user_id, people) == set()


async def test_an_event_without_an_end_is_past_an_hour_after_its_start(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        event = await event_by(tx, ana, starts="2026-07-04T18:00", ends="")
        assert event.starts_at is not None
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    clock.turn(event.starts_at + HOUR - 1 - clock.now())
    async with db.reader() as reader:
        assert await activity.past_attendance(reader, ana.user_id, people=[ben.user_id]) == {}
    clock.turn(1)
    async with db.reader() as reader:
        assert set(await activity.past_attendance(reader, ana.user_id, people=[ben.user_id])) == {ben.user_id}


async def test_an_invited_address_without_an_answer_is_not_a_past_guest(db: Database, clock: HandClock) -> None:
    """A person who was invited by address and never answered is not listed, because otherwise a host could learn who
    owns an address.
    """
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    event = await past_event(db, clock, ana, [ben], [ben])
    async with db.transaction() as tx:
        await tx.execute("update attendances set invited_as = 'ben@example.org' where event_id = :id", id=event.id)
        await tx.execute("update attendance_history set after_status = 'attended' where event_id = :id", id=event.id)
    async with db.reader() as reader:
        assert await activity.past_attendance(reader, ana.user_id, people=[ben.user_id]) == {}


@pytest.mark.parametrize("is_rejected", [False, True])
async def test_the_statistics_page_does_not_tell_which_regular_owns_an_invited_address(
    db: Database, clock: HandClock, is_rejected: bool
) -> None:
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    for _ in range(5):
        await past_event(db, clock, ana, [ben], [ben])
    async with db.transaction() as tx:
        event = await event_by(tx, ana)
    async with signed_in(site, ana.user_id) as host:
        path = f"/events/{event.slug}/numbers"
        before = (await host.get(path)).text
        assert "hasn’t answered yet" in before
        async with db.transaction() as tx:
            rsvp = await invitations.invite(tx, ana, event.slug, "ben@example.org")
            if is_rejected:
                await host_decisions.reject(tx, ana, event.slug, [rsvp.id])
        assert regulars_in((await host.get(path)).text) == regulars_in(before)


async def test_the_statistics_page_calls_an_unclear_answer_unclear(db: Database, clock: HandClock) -> None:
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
    for _ in range(5):
        await past_event(db, clock, ana, [ben], [ben])
    async with db.transaction() as tx:
        event = await event_by(tx, ana)
        uri = f"at://did:plc:ben/community.lexicon.calendar.rsvp/{event.id}"
        record = RecordedRsvp(
            event_id=event.id,
            user_id=ben.user_id,
            record_uri=uri,
            status=RsvpRecordStatus.UNCLEAR,
            first_seen_at=tx.now,
        )
        await rsvp_records.apply_from_network(tx, record)
    async with signed_in(site, ana.user_id) as host:
        shown = (await host.get(f"/events/{event.slug}/numbers")).text
    assert "· unclear answer" in regulars_in(shown)


def regulars_in(page: str) -> str:
    return page.partition("Came to ")[2].partition("</li>")[0]


def test_the_text_claims_only_what_is_known() -> None:
    for past, words in (
        (PastAttendance(5, had_check_in=True, came=4, said_yes=5), "Came to 4 of your last 5 events"),
        (PastAttendance(5, had_check_in=False, came=4, said_yes=5), "Said yes to 5 of your last 5 events"),
        (PastAttendance(1, had_check_in=True, came=1, said_yes=1), "Came to your last event"),
        (PastAttendance(3, had_check_in=True, came=0, said_yes=3), ""),
        (None, ""),
    ):
        assert view.past_attendance_words(past) == words


def test_days_are_those_of_the_event_s_zone() -> None:
    """Days are counted in the event's zone: a quarter past midnight in Kathmandu (UTC+5:45) belongs to the new day."""
    midnight = wall_time.midnight(date(2026, 3, 2), "Asia/Kathmandu")  # pure
    found = numbers_pages._count_by_day({midnight: 2, Instant(midnight - 15 * MINUTE): 1}, "Asia/Kathmandu")
    assert found == {date(2026, 3, 1): 1, date(2026, 3, 2): 2}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def test_the_statistics_page_is_for_hosts_and_has_a_table(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    clock.turn(2 * DAY)
    async with site.db.transaction() as tx:
        await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await actions.answer(tx, await person(tx, "Dana"), event.slug, RsvpReply.INTERESTED)
    path = f"/events/{event.slug}/numbers"
    async with signed_in(site, ana.user_id) as host, signed_in(site, ben.user_id) as guest, site.browser() as anybody:
        shown = (await host.get(path)).text
        assert "<strong>2</strong><span>new answers</span>" in shown
        assert re.findall(r'<th scope="row">(.*?)</th><td>(\d+)</td>', shown) == [
            ("Sun 1 Mar", "1"),
            ("Tue 3 Mar", "2"),
        ]
        assert 'aria-label="3 answers from Wed 25 Feb to Tue 3 Mar, the most on Tue 3 Mar."' in shown
        assert shown.partition("<figure")[2].partition("</figure>")[0].count("<rect") == 2
        assert "Since yesterday: 2 new answers" in visible_text((await host.get(f"/events/{event.slug}")).text)
        assert "<strong>2</strong><span>new answers</span>" in (await host.get("/my/events?which=hosting")).text
        assert (await guest.get(path)).status_code == 403
        assert (await anybody.get(path)).headers["location"].startswith("/sign-in")
