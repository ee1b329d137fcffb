"""The demo town is written completely, and only into an empty database."""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.databases import SqliteFiles

from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.attendance import actions as attendance_actions
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as event_actions
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.photos.access import event_with_photos
from openmeet.domain.photos.model import PhotoAccess
from openmeet.domain.search.my_event_lists import MyEvents, my_events
from openmeet.domain.search.search import SearchQuery, coming
from programs.demo.fill import WEEKS, address_of, fill
from programs.demo.past import PAST
from programs.demo.town import CLUBS, GATHERINGS, PEOPLE, ZONE


async def _counts(db: Database) -> dict[str, int]:
    async with db.reader() as reader:
        found = {}
        for table in ("users", "groups", "event_series", "events", "attendances", "chat_messages"):
            (row,) = await reader.fetch(f"select count(*) as number from {table}")
            found[table] = row["number"]
        return found


def test_everybody_in_the_demo_town_has_a_unique_address() -> None:
    assert len({address_of(name) for name in PEOPLE}) == len(PEOPLE)
    assert all(address_of(name).isascii() for name in PEOPLE)


async def test_the_town_is_written_once(make_sqlite: SqliteFiles, clock: HandClock) -> None:
    """The town is written once; a second run writes nothing. The coming weeks have events with answers."""
    db = await make_sqlite("openmeet", clock=clock)
    assert await fill(db, number_of_events=12)
    counts = await _counts(db)
    assert counts["groups"] == counts["event_series"] == len(CLUBS)
    assert counts["events"] > 12
    assert counts["attendances"] > 12
    assert counts["chat_messages"] > len(CLUBS)
    async with db.reader() as reader:
        rows = await reader.fetch("select distinct status from attendances")
        # Somebody who declined can be invited as a guest, because an invitation does not reveal whose address it is.
        (people,) = await reader.fetch("select count(*) as number from users where kind = 'person'")
    assert people["number"] == len(PEOPLE)
    assert {"attending", "pending", "invited", "interested", "declined"} <= {row["status"] for row in rows}
    # Neither language is rare, and a group writes in that of its events.
    async with db.reader() as reader:
        titles = await reader.fetch("select distinct title from events")
    languages = {one.title: one.language for gathering in GATHERINGS for one in gathering.happenings()}
    shares = Counter(languages[row["title"]] for row in titles)
    assert min(shares["en"], shares["de"]) > sum(shares.values()) / 3
    async with db.reader() as reader:
        regulars = await reader.fetch(
            """
            select e.series_id, count(*) as number from attendances a join events e on e.id = a.event_id
             where e.series_id is not null group by e.series_id
            """
        )
        assert [row["number"] > 11 for row in regulars] == [True] * len(CLUBS)
        (cancelled,) = await reader.fetch("select count(*) as number from events where status = 'cancelled'")
        over = await reader.fetch("select title from events where starts_at < :now", now=reader.now)
        # The first e-mail that its people get is the sign-in code.
        assert await reader.fetch("select subject from outbox_jobs where kind = 'mail'") == []
    assert {row["title"] for row in over} == {one.title for one in PAST}
    assert cancelled["number"] == 1
    assert not await fill(db, number_of_events=12)
    assert await _counts(db) == counts


async def test_events_that_are_over_look_as_if_they_had_happened(make_sqlite: SqliteFiles, clock: HandClock) -> None:
    """Nobody reads of them as news or sees them in lists of coming events. Eva was checked in at one, and may see its
    photos, because she had a place when it began.
    """
    db = await make_sqlite("openmeet", clock=clock)
    await fill(db, number_of_events=12)
    async with db.reader() as reader:
        (eva,) = await reader.fetch("select id from users where email = :address", address=address_of(PEOPLE[0]))
        rows = await reader.fetch(
            "select e.slug, e.created_at, a.status, a.answered_at from attendances a join events e on e.id = a.event_id"
            " where a.user_id = :eva and e.ends_at < :now order by e.starts_at desc",
            eva=eva["id"],
            now=reader.now,
        )
        assert [row["status"] for row in rows] == [AttendanceStatus.ATTENDED, "attending", "interested", "declined"]
        assert all(row["created_at"] < row["answered_at"] < reader.now - DAY for row in rows)
        event, access = await event_with_photos(reader, rows[0]["slug"], eva["id"])
        assert (event.title, access) == (PAST[0].title, PhotoAccess.ATTENDEE)
        past = await my_events(reader, eva["id"], MyEvents.PAST, None, 50)
        went = {RsvpReply.GOING, RsvpReply.INTERESTED}
        assert [one.title for one in past] == [one.title for one in PAST if one.reply in went or one.host == PEOPLE[0]]
        listed = [
            *await coming(reader, SearchQuery(), None, 500),
            *await my_events(reader, eva["id"], MyEvents.UPCOMING, None, 500),
        ]
    assert not any(one.is_over(clock.now()) for one in listed)


async def test_each_action_has_its_own_transaction(
    make_sqlite: SqliteFiles, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction is rolled back after two seconds, which on a busy machine is enough for a few actions only."""
    transactions: list[Transaction] = []

    async def record(act: Callable[..., Awaitable[Any]], tx: Transaction, *arguments: Any) -> Any:
        transactions.append(tx)
        return await act(tx, *arguments)

    monkeypatch.setattr(event_actions, "create", partial(record, event_actions.create))
    monkeypatch.setattr(group_actions, "join", partial(record, group_actions.join))
    monkeypatch.setattr(attendance_actions, "answer", partial(record, attendance_actions.answer))
    await fill(await make_sqlite("openmeet", clock=clock), number_of_events=8)
    assert len(transactions) > len(PEOPLE)
    assert len({id(tx) for tx in transactions}) == len(transactions)


async def test_messages_of_a_chat_are_minutes_apart_on_earlier_days(make_sqlite: SqliteFiles, clock: HandClock) -> None:
    """In the daytime of the town, before now, and in every town at the same times."""
    times = []
    for _ in range(2):
        db = await make_sqlite("openmeet", clock=clock)
        await fill(db, number_of_events=6)
        async with db.reader() as reader:
            rows = await reader.fetch("select room_id, said_at from chat_messages order by room_id, number")
        times.append(sorted(row["said_at"] for row in rows))
        by_room = [[row["said_at"] for row in of_room] for _, of_room in groupby(rows, key=itemgetter("room_id"))]
        assert all(of_room == sorted(set(of_room)) for of_room in by_room)
        assert all(MINUTE < of_room[-1] - of_room[0] < DAY for of_room in by_room)
        assert max(times[-1]) < clock.now()
        assert {datetime.fromtimestamp(at / 1e6, ZoneInfo(ZONE)).hour for at in times[-1]} <= set(range(9, 24))
        assert len({at // DAY for at in times[-1]}) > 2
    assert times[0] == times[1]


async def test_the_whole_town_has_300_events_in_six_weeks(make_sqlite: SqliteFiles, clock: HandClock) -> None:
    """Single events and dates of series together, on most days, and some of them are full."""
    db = await make_sqlite("openmeet", clock=clock)
    await fill(db)
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select starts_at from events where starts_at > :now and starts_at < :until and deleted_at is null",
            now=reader.now,
            until=reader.now + WEEKS * 7 * DAY,
        )
        statuses = await reader.fetch("select status, count(*) as number from attendances group by status")
    assert len(rows) >= 300
    assert len({row["starts_at"] // DAY for row in rows}) > WEEKS * 7 * 0.9
    numbers = {row["status"]: row["number"] for row in statuses}
    assert numbers["waitlisted"] > 0
    assert numbers["attending"] > 1000


async def test_the_same_day_gives_the_same_town(make_sqlite: SqliteFiles, clock: HandClock) -> None:
    towns = []
    for _ in range(2):
        db = await make_sqlite("openmeet", clock=clock)
        await fill(db, number_of_events=12)
        async with db.reader() as reader:
            events = await reader.fetch("select title, starts_at, description from events order by starts_at, title")
            answers = await reader.fetch(
                "select u.display_name, e.title, e.starts_at, a.status from attendances a"
                " join users u on u.id = a.user_id join events e on e.id = a.event_id order by 1, 3, 2"
            )
        towns.append(([tuple(row) for row in events], [tuple(row) for row in answers]))
    assert towns[0] == towns[1]
