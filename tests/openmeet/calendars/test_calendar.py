"""A person's own calendar: its entries, overlaps, and subscribed calendars; on both engines."""

import asyncio
from datetime import date
from urllib.parse import quote

import icalendar
import pytest
import recurring_ical_events

from groundwork.clock import DAY, HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, NotFound, Refused, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC
from groundwork.sealing import Sealer
from groundwork.workers.limits import JobLimits
from groundwork.workers.pool import PoolLimits, WorkerPool
from groundwork.workers.quota import person as by_person
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.calendars import queries, subscriptions, tasks
from openmeet.domain.calendars.entries import all_of, conflicts
from openmeet.domain.calendars.fetch import CalendarFetcher, checked_url
from openmeet.domain.calendars.model import (
    LONGEST_PAUSE,
    MAX_COSTLY_FAILURES,
    MAX_FAILURES,
    REFRESH_EVERY,
    ROLL_BEFORE,
    EntryKind,
    ExcludedEvent,
    FeedFailure,
    FeedHealth,
    Span,
    SubscribedCalendar,
)
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, drafts
from openmeet.domain.events.content import Content
from openmeet.domain.series import actions as series_actions
from openmeet.domain.users.model import Caller
from openmeet.recurrence.wall_time import local_of
from openmeet.web.calendar import feed
from openmeet.web.calendar_layout import view
from tests.databases import MakeDatabase
from tests.groundwork.workers import jobs
from tests.openmeet.calendars.calendar_server import BOMB_CALENDAR, CHOIR_CALENDAR, CalendarServer, elsewhere, fetcher
from tests.openmeet.series.practice import dates, weekly
from tests.openmeet.site_under_test import CODE_KEY, details, event_by, person
from tests.worker_pool import POOL, WORKERS

__all__ = ["elsewhere", "fetcher"]


START, END = Instant(1_772_366_400_000_000), Instant(1_772_366_400_000_000 + 300 * DAY)


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def titles(db: Database, who: Caller) -> list[tuple[EntryKind, str]]:
    async with db.reader() as reader:
        return [(one.kind, one.title) for one in await all_of(reader, who.user_id, START, END)]


async def add(db: Database, who: Caller, fetcher: CalendarFetcher, url: str, name: str = "") -> tuple[object, bool]:
    async with db.reader() as reader:
        now = reader.now
    offered = await subscriptions.preview_address(fetcher, WORKERS, url, now, "Europe/Berlin")
    async with db.transaction() as tx:
        return await subscriptions.subscribe(tx, CODE_KEY, who.user_id, offered, name, fetcher)


async def mine(db: Database, who: Caller) -> SubscribedCalendar:
    async with db.reader() as reader:
        (found,) = await queries.of_person(reader, who.user_id)
    return found


async def people(tx: Transaction) -> tuple[Caller, Caller]:
    return await person(tx, "Ana"), await person(tx, "Ben")


async def test_a_calendar_shows_the_persons_own_events(db: Database) -> None:
    """A person's calendar has the events that they host, go to or wait for, but no declined or deleted ones."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        tea = await event_by(tx, ana, title="Tea", starts="2026-07-04T18:00", ends="2026-07-04T20:00")
        full = await event_by(tx, ana, title="Full", capacity="1", starts="2026-07-05T18:00", ends="2026-07-05T20:00")
        gone = await event_by(tx, ana, title="Gone")
        off = await event_by(tx, ana, title="Off", starts="2026-07-06T18:00", ends="2026-07-06T20:00")
        await attendance.answer(tx, ana, full.slug, RsvpReply.GOING)
        for event in (tea, full, gone):
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, off.slug, RsvpReply.DECLINED)
        await events.delete(tx, ana, gone.slug)
        await events.cancel(tx, ana, tea.slug, "Rain")
    assert await titles(db, ben) == [(EntryKind.GOING, "Tea"), (EntryKind.WAITING, "Full")]
    assert await titles(db, ana) == [
        (EntryKind.HOSTING, "Tea"),
        (EntryKind.HOSTING, "Full"),
        (EntryKind.HOSTING, "Off"),
    ]
    async with db.reader() as reader:
        tea_entry = (await all_of(reader, ben.user_id, START, END))[0]
    assert (tea_entry.is_cancelled, tea_entry.is_busy) == (True, False)


async def test_co_hosts_find_the_event_in_their_calendar_and_feed(db: Database) -> None:
    """As soon as they accept, also if they do not answer, and until they stop hosting it."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        tea = await event_by(tx, ana, title="Tea", place_audience="attendees", visibility="private")
        invitation = await co_hosts.invite(tx, ana, tea.slug, "ben@example.org")
    assert await titles(db, ben) == []
    async with db.transaction() as tx:
        await co_hosts.accept(tx, ben, invitation.id)
    assert await titles(db, ben) == [(EntryKind.HOSTING, "Tea")]
    async with db.reader() as reader:
        (entry,) = await all_of(reader, ben.user_id, START, END)
        assert entry.place == "Town library, Berlin"
        assert b"SUMMARY:Tea" in await feed.file_of(reader, ben.user_id, name="", public_url="https://m.example")
    async with db.transaction() as tx:
        await attendance.answer(tx, ben, tea.slug, RsvpReply.INTERESTED)
    assert await titles(db, ben) == [(EntryKind.HOSTING, "Tea")]
    async with db.transaction() as tx:
        await co_hosts.leave(tx, ben, tea.slug)
    assert await titles(db, ben) == [(EntryKind.INTERESTED, "Tea")]


async def test_a_place_for_attendees_is_hidden_from_others(db: Database) -> None:
    """A person who is only interested sees the town instead of the address."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        event = await event_by(tx, ana, place_audience="attendees")
        await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
    async with db.reader() as reader:
        assert [one.place for one in await all_of(reader, ben.user_id, START, END)] == ["Berlin"]
        assert [one.place for one in await all_of(reader, ana.user_id, START, END)] == ["Town library, Berlin"]


async def test_overlapping_events_are_conflicts(db: Database) -> None:
    """Adjacent events, events of interest, other all-day events and the event itself are not conflicts."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        tea = await event_by(tx, ana, title="Tea", starts="2026-07-04T18:00", ends="2026-07-04T20:00")
        talk = await event_by(tx, ana, title="Talk", starts="2026-07-04T19:00", ends="2026-07-04T21:00")
        await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, talk.slug, RsvpReply.INTERESTED)
        starts = tea.starts_at
        assert starts is not None
        spans = [
            Span(Instant(starts - HOUR), starts),
            Span(Instant(starts - HOUR), Instant(starts + MINUTE)),
            Span(Instant(starts + 2 * HOUR), Instant(starts + 3 * HOUR)),
            Span(Instant(starts + 900 * DAY), Instant(starts + 900 * DAY)),
        ]
        found = await conflicts(tx, ben.user_id, spans)
        assert [[one.title for one in each] for each in found] == [[], ["Tea"], [], []]
        itself = await conflicts(tx, ben.user_id, spans[1:2], exclude=ExcludedEvent(tea.id, tea.title, tea.starts_at))
    assert itself == [[]]


async def test_a_copy_in_a_subscribed_calendar_is_not_a_conflict(db: Database) -> None:
    async with db.transaction() as tx:
        ana, _ = await people(tx)
        practice = await event_by(
            tx,
            ana,
            title="Choir practice",
            starts="2026-03-07T18:00",
            ends="2026-03-07T20:00",
            time_zone="Europe/Berlin",
        )
        offered = await subscriptions.preview_file(WORKERS, CHOIR_CALENDAR.format(extra="").encode(), tx.now, "UTC")
        await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", None)
        assert practice.starts_at is not None
        at = [Span(practice.starts_at, Instant(practice.starts_at + HOUR))]
        for itself, left in (
            (ExcludedEvent(practice.id, practice.title, practice.starts_at), []),
            (ExcludedEvent(practice.id, "Chess", practice.starts_at), ["Choir practice"]),
        ):
            found = await conflicts(tx, ana.user_id, at, exclude=itself)
            assert [[one.title for one in each] for each in found] == [left]
    async with db.reader() as reader:
        entries = await all_of(reader, ana.user_id, START, END)
    assert [entry.title for entry in entries if entry.starts_at == practice.starts_at] == ["Choir practice"] * 2
    assert view.overlaps_on(date(2026, 3, 7), "Europe/Berlin", entries, 5) == []


async def test_a_subscribed_calendar_is_private_and_unique(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher
) -> None:
    """Only its owner sees a subscribed calendar. Subscribing twice adds it once, and its URL is stored encrypted."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
    _, is_new = await add(db, ana, fetcher, elsewhere.url)
    _, is_new_again = await add(db, ana, fetcher, elsewhere.url)
    assert (is_new, is_new_again) == (True, False)
    found = await mine(db, ana)
    assert (found.name, found.host, found.dates, found.health) == ("Choir", "127.0.0.1", 5, FeedHealth.FRESH)
    assert len(await titles(db, ana)) == 5
    assert await titles(db, ben) == []
    async with db.reader() as reader:
        rows = await reader.fetch("select * from subscribed_calendars")
    assert not any("secret-7f3a" in str(row[name]) for row in rows for name in row.keys())  # noqa: SIM118
    async with db.reader() as reader:
        choir = (await all_of(reader, ana.user_id, START, END))[1]
        clash = await conflicts(reader, ana.user_id, [Span(choir.starts_at, choir.ends_at)])
    assert [one.title for one in clash[0]] == ["Choir practice"]
    async with db.transaction() as tx:
        await subscriptions.edit(tx, ana.user_id, found.id, name="Singing", is_busy=False)
        assert await conflicts(tx, ana.user_id, [Span(choir.starts_at, choir.ends_at)]) == [[]]
        with pytest.raises(NotFound):
            await subscriptions.remove(tx, ben.user_id, found.id)
        await subscriptions.remove(tx, ana.user_id, found.id)
    assert await titles(db, ana) == []


async def test_a_calendar_is_fetched_again_with_its_entity_tag(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    """A calendar is not fetched before it is due. Only a changed response updates the dates."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    await add(db, ana, fetcher, elsewhere.url)
    assert await tasks.refresh_due(db, fetcher, POOL, "UTC") == 0
    assert elsewhere.asked == [None]
    clock.turn(REFRESH_EVERY + HOUR)
    assert await tasks.refresh_due(db, fetcher, POOL, "UTC") == 0
    assert elsewhere.asked[1] is not None
    elsewhere.body = CHOIR_CALENDAR.format(extra="in the new hall")
    clock.turn(REFRESH_EVERY + HOUR)
    assert await asyncio.gather(*(tasks.refresh_due(db, fetcher, POOL, "UTC") for _ in range(2))) in ([1, 0], [0, 1])
    assert (EntryKind.SUBSCRIBED, "Choir practice in the new hall") in await titles(db, ana)


async def test_failures_back_off_and_keep_the_dates(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    await add(db, ana, fetcher, elsewhere.url)
    for number, breaks in enumerate(({"status": 500}, {"status": 200, "body": "<html>"}), 1):
        for name, value in breaks.items():  # type: ignore[attr-defined]  # JSON
            setattr(elsewhere, name, value)
        clock.turn(REFRESH_EVERY * 2**number)
        await tasks.refresh_due(db, fetcher, POOL, "UTC")
        found = await mine(db, ana)
        assert (found.health, found.failures, found.dates) == (FeedHealth.FAILING, number, 5)
        assert found.problem
        assert found.next_fetch_at is not None
        assert found.next_fetch_at - clock.now() >= REFRESH_EVERY * 2 ** (number - 1)
    elsewhere.status = 410
    clock.turn(8 * DAY)
    await tasks.refresh_due(db, fetcher, POOL, "UTC")
    assert (await mine(db, ana)).health is FeedHealth.GIVEN_UP
    assert len(await titles(db, ana)) == 5
    assert MAX_FAILURES > 3


async def test_dates_move_on_with_the_clock(db: Database, fetcher: CalendarFetcher, clock: HandClock) -> None:
    """A calendar uploaded as a file is never fetched again, but next year it shows next year's dates."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        now = tx.now
    yearly = CHOIR_CALENDAR.format(extra="").replace("WEEKLY;COUNT=4", "YEARLY")
    offered = await subscriptions.preview_file(WORKERS, yearly.encode(), now, "UTC")
    async with db.transaction() as tx:
        await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", None)
    clock.turn(800 * DAY)
    assert await tasks.roll(db, POOL, "UTC") == 1
    async with db.reader() as reader:
        ahead = await all_of(reader, ana.user_id, clock.now(), Instant(clock.now() + 366 * DAY))
    assert [one.title for one in ahead] == ["Choir practice"]
    assert await tasks.roll(db, POOL, "UTC") == 0


async def test_only_public_addresses_are_fetched(db: Database, elsewhere: CalendarServer) -> None:
    """On a public site a URL inside the network is refused before any request is sent (invariant 7)."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    http = HttpClient(PUBLIC)
    try:
        with pytest.raises((RemoteFailed, InvalidInput, Refused)):
            await add(db, ana, CalendarFetcher(http, Sealer([bytes(32)])), elsewhere.url)
    finally:
        await http.close()
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "choir.ics",
        "ftp://a.example/b.ics",
        "https://",
        "https://u:p@a.example/b",
        "http://[",
        "https://a.example/my calendar.ics",
        "https://a.example/b\r\nHost: b.example",
        "https://a.example/b\nc",
        "https://a.example/b\tc",
        "https://a.example/b\x00",
        "https://a.example/b\N{NO-BREAK SPACE}c",
        "https://a.example\N{ZERO WIDTH SPACE}/b",
    ],
)
def test_invalid_urls_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        checked_url(text)


def test_webcal_means_https() -> None:
    assert checked_url(" webcal://a.example/b.ics ") == "https://a.example/b.ics"


async def test_waitlisted_events_are_tentative_in_the_feed(db: Database) -> None:
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        full = await event_by(tx, ana, title="Full", capacity="1")
        await attendance.answer(tx, ana, full.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, full.slug, RsvpReply.GOING)
        status = []
        for who in (ben, ana):
            file = await feed.file_of(tx, who.user_id, name="", public_url="https://m.example")
            status += [line for line in file.decode().splitlines() if line.startswith("STATUS")]
    assert status == ["STATUS:TENTATIVE", "STATUS:CONFIRMED"]


async def test_drafts_come_into_the_feed_when_they_are_published(db: Database) -> None:
    """Until then only the calendar page shows them, to their host."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        draft = await events.create(tx, ana, details(title="Tea"), is_draft=True)
        assert b"VEVENT" not in await feed.file_of(tx, ana.user_id, name="", public_url="https://m.example")
        await drafts.publish(tx, ana, draft.slug, details(title="Tea"))
        file = await feed.file_of(tx, ana.user_id, name="", public_url="https://m.example")
    assert b"SUMMARY:Tea" in file
    assert b"STATUS:CONFIRMED" in file


async def test_one_date_of_a_series_is_a_single_event_in_the_feed(db: Database) -> None:
    """A person going to one date of a series gets just that date in the feed, as a calendar program reads it: no rule,
    no other dates.
    """
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        start = local_of(Instant(tx.now + 7 * DAY), "Europe/Berlin").replace(tzinfo=None, microsecond=0)
        timing = weekly("FREQ=WEEKLY", start)
        series = await series_actions.create(tx, ana, Content("Practice"), timing)
        one = (await dates(tx, series))[2]
        await attendance.answer(tx, ben, one.slug, RsvpReply.GOING)
        file = await feed.file_of(tx, ben.user_id, name="Ben", public_url="https://m.example")
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(file)).between((2020, 1, 1), (2040, 1, 1))
    assert [entry["DTSTART"].dt.timestamp() * 1_000_000 for entry in found] == [one.starts_at]
    assert b"RRULE:FREQ=WEEKLY" not in file


async def test_urls_in_the_feed_are_ascii(db: Database) -> None:
    """URL is a URI (RFC 5545, section 3.8.4.6), so it is ASCII whatever characters the title has."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="お茶の時間")
        assert not event.slug.isascii()
        file = await feed.file_of(tx, ana.user_id, name="", public_url="https://m.example")
    unfolded = file.replace(b"\r\n ", b"").decode()
    assert f"\r\nURL:https://m.example/events/{quote(event.slug)}\r\n" in unfolded


async def test_the_feed_has_a_secret_address_that_can_be_changed(db: Database) -> None:
    """The feed shows events that the person hosts or goes to, without join links. Only the hash of its token is stored."""
    async with db.transaction() as tx:
        ana, ben = await people(tx)
        event = await event_by(tx, ana, title="Tea", online_url="https://talk.example/room")
        maybe = await event_by(tx, ana, title="Perhaps")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await attendance.answer(tx, ben, maybe.slug, RsvpReply.INTERESTED)
        first = await feed.open_feed(tx, CODE_KEY, ben.user_id)
        assert await feed.open_feed(tx, CODE_KEY, ben.user_id) == first
        assert await feed.owner_of(tx, first) == ben.user_id
        file = await feed.file_of(tx, ben.user_id, name="Ben", public_url="https://m.example")
        assert file == await feed.file_of(tx, ben.user_id, name="Ben", public_url="https://m.example")
        assert b"SUMMARY:Tea" in file
        assert b"Perhaps" not in file
        assert b"talk.example" not in file
        second = await feed.renew_feed(tx, CODE_KEY, ben.user_id)
        assert await feed.owner_of(tx, first) is None
        assert await feed.owner_of(tx, second) == ben.user_id
        await feed.close_feed(tx, ben.user_id)
        assert await feed.owner_of(tx, second) is None
        rows = await tx.fetch("select * from calendar_feeds")
    assert second not in str([dict(row) for row in rows])


async def test_an_expensive_calendar_is_suspended_until_its_owner_retries(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    """The calendar keeps its dates, shows the reason, and is retried less and less often until the retries stop. A
    successful retry by its owner restores it.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    await add(db, ana, fetcher, elsewhere.url)
    elsewhere.body = BOMB_CALENDAR
    strict = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=0.1)))
    try:
        for number in range(1, MAX_COSTLY_FAILURES + 1):
            clock.turn(LONGEST_PAUSE + HOUR)
            assert await tasks.refresh_due(db, fetcher, strict, "UTC") == 0
            found = await mine(db, ana)
            assert (found.failures, found.reason, found.dates) == (number, FeedFailure.TOO_MUCH_WORK, 5)
        asked = len(elsewhere.asked)
        clock.turn(100 * DAY)
        await tasks.refresh_due(db, fetcher, strict, "UTC")
        assert (await mine(db, ana)).health is FeedHealth.GIVEN_UP
        assert len(elsewhere.asked) == asked
    finally:
        await strict.close()
    elsewhere.body = CHOIR_CALENDAR.format(extra="smaller")
    async with db.reader() as reader:
        address = await queries.address(reader, ana.user_id, found.id)
    assert address is not None
    assert await tasks.refresh(db, fetcher, WORKERS, address, "UTC")
    found = await mine(db, ana)
    assert (found.health, found.reason, found.failures) == (FeedHealth.FRESH, None, 0)
    assert found.next_fetch_at is not None


async def test_a_used_up_allowance_does_not_suspend_the_calendar(
    db: Database, elsewhere: CalendarServer, fetcher: CalendarFetcher, clock: HandClock
) -> None:
    """When the owner's processing allowance is used up, the calendar is retried soon, without an error message."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    await add(db, ana, fetcher, elsewhere.url)
    elsewhere.body = CHOIR_CALENDAR.format(extra="changed")
    clock.turn(REFRESH_EVERY + HOUR)
    narrow = WorkerPool(PoolLimits(cpu_seconds_per_person=0.000_001))
    try:
        await narrow.run(jobs.pid, holders=[by_person(ana.user_id)])
        assert await tasks.refresh_due(db, fetcher, narrow, "UTC") == 0
    finally:
        await narrow.close()
    found = await mine(db, ana)
    assert (found.health, found.reason, found.failures) == (FeedHealth.FRESH, None, 0)
    clock.turn(HOUR)
    assert await tasks.refresh_due(db, fetcher, POOL, "UTC") == 1


async def test_dates_that_cannot_be_recomputed_stay(db: Database, fetcher: CalendarFetcher, clock: HandClock) -> None:
    """If dates cannot be recomputed, the old ones stay. The owner is notified, and not every round tries again."""
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        now = tx.now
    offered = await subscriptions.preview_file(WORKERS, CHOIR_CALENDAR.format(extra="").encode(), now, "UTC")
    async with db.transaction() as tx:
        made, _ = await subscriptions.subscribe(tx, CODE_KEY, ana.user_id, offered, "", None)
        await tx.execute(
            "update subscribed_calendars set content = :content where id = :id",
            content=BOMB_CALENDAR.encode(),
            id=made.id,
        )
    clock.turn(70 * DAY)
    strict = WorkerPool(PoolLimits(job=JobLimits(cpu_seconds=0.1)))
    try:
        assert await tasks.roll(db, strict, "UTC") == 0
        found = await mine(db, ana)
        assert (found.health, found.reason, found.dates) == (FeedHealth.FILE, FeedFailure.TOO_MUCH_WORK, made.dates)
        async with db.reader() as reader:
            assert await queries.running_out(reader, Instant(clock.now() + ROLL_BEFORE), 10) == []
    finally:
        await strict.close()
