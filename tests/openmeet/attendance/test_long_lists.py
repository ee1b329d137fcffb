"""Lists and counts of an event with very many RSVPs: a page costs the same at any length, and its content does not
change.
"""

import contextlib
import csv
import io
import random
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest

from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, Reader, Row, Transaction
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import attendee_list, host_list, queries, rsvp_list
from openmeet.domain.attendance.attendee_summary import CACHE_SECONDS, CACHED_FROM, counts_shown
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import ATTENDEE_STATUSES, AttendanceId, AttendanceStatus
from openmeet.domain.attendance.rsvp_list import RsvpListCursor, RsvpListEntry
from openmeet.domain.events.model import Event
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.web.attendance import attendees_csv
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on
from tests.openmeet.statement_counter import StatementCounter

S = AttendanceStatus
PAGE = 7


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    return await make_database("openmeet", clock=clock)


async def answered(tx: Transaction, name: str, statuses: list[AttendanceStatus], *, first: int = 1) -> Event:
    """Create an event with one answer for each of these statuses, several of them at the same moment. ``first`` is the
    waitlist number of the first answer, if it waits.
    """
    event = await event_by(tx, await person(tx, f"Ana {name}"))
    rows = [
        {
            "id": new_id(tx.now),
            "user": new_id(tx.now),
            "name": f"Guest {at}",
            "status": status.value,
            "number": at + first - 1 if status is S.WAITLISTED else None,
            "at": tx.now + at // 3,
            "now": tx.now,
            "event_id": event.id,
        }
        for at, status in enumerate(statuses, 1)
    ]
    await tx.execute_many(
        "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
        " values (:user, 'person', :name, :user || '@example.org', '', null, 1, :now, :now)",
        [{key: row[key] for key in ("user", "name", "now")} for row in rows],
    )
    await tx.execute_many(
        "insert into attendances (id, event_id, user_id, status, waitlist_number, source, revision, created_at, "
        "answered_at) values (:id, :event_id, :user, :status, :number, 'here', 1, :now, :at)",
        [{key: one for key, one in row.items() if key != "name"} for row in rows],
    )
    return event


async def listed(reader: Reader, event: Event, limit: int, after: RsvpListCursor | None = None, **more: object):
    return await attendee_list.attendees(reader, event.id, list(S), limit=limit, after=after, for_hosts=True, **more)


def after_last(page: list[RsvpListEntry]) -> RsvpListCursor | None:
    return rsvp_list.parse_cursor(rsvp_list.format_cursor(page[-1]))


@pytest.mark.parametrize("seed", range(3))
async def test_the_pages_together_are_the_whole_list_in_order(db: Database, seed: int):
    """Attendees come first, by time of answer, then the waitlist by number. Nobody is missing or listed twice, also in
    the list of the hosts.
    """
    chosen = random.Random(seed)
    async with db.transaction() as tx:
        # People whom a host puts first on the waitlist get the numbers 0, -1 and so on.
        event = await answered(tx, f"{seed}", [chosen.choice(list(S)) for _ in range(60)], first=-20)
        whole = await listed(tx, event, 100)
        key = [(one.status is S.WAITLISTED, one.waitlist_number, one.answered_at, one.attendance_id) for one in whole]
        assert len(whole) == 60
        assert key == sorted(key)
        assert await host_list.entries(tx, event.id, HostListFilter(list(S)), None, 100) == whole
        positions = await host_list.positions(tx, event.id, None, 100)
        assert [one.cursor.attendance_id for one in positions] == [one.attendance_id for one in whole]
        assert [
            one.attendance_id
            for one in await host_list.entries(tx, event.id, HostListFilter(list(S)), after_last(whole[:30]), 100)
        ] == [one.attendance_id for one in whole[30:]]
        paged = await listed(tx, event, PAGE)
        while more := await listed(tx, event, PAGE, after_last(paged)):
            paged += more
        assert paged == whole


async def test_pages_join_if_waitlist_numbers_are_not_positive(db: Database):
    """People whom a host restores go before the first on the waitlist, so they get the numbers 0, -1 and so on."""
    async with db.transaction() as tx:
        event = await answered(tx, "restored", [S.ATTENDING, S.WAITLISTED, S.ATTENDING, S.WAITLISTED] * 10, first=-19)
        whole = await listed(tx, event, 100)
        paged = await listed(tx, event, 1)
        while more := await listed(tx, event, 1, after_last(paged)):
            paged += more
    assert (len(whole), paged) == (40, whole)


async def test_a_cursor_may_contain_a_negative_waitlist_number(db: Database):
    async with db.transaction() as tx:
        event = await answered(tx, "ahead", [S.WAITLISTED], first=-1)
        (ahead,) = await listed(tx, event, 1)
    assert ahead.waitlist_number == -1
    assert rsvp_list.parse_cursor(rsvp_list.format_cursor(ahead)) == RsvpListCursor(
        -1, ahead.answered_at, ahead.attendance_id
    )


async def test_a_page_reads_only_its_own_rows(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
):
    """The number of rows that the statements return depends on the page size and not on the number of answers. In an
    earlier version every page read all of them.
    """
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        small = await answered(tx, "small", [S.ATTENDING] * 40)
        large = await answered(tx, "large", [S.ATTENDING] * 700)
    rows: dict[str, int] = {}
    async with db.reader() as reader:
        fetch = type(reader).fetch

    site = site_on(db, clock)
    for event in (small, large):
        rows[event.slug] = 0
        slug = event.slug

        async def counted(self: Reader, sql: str, /, **parameters: object) -> Sequence[Row]:
            found: Sequence[Row] = await fetch(self, sql, **parameters)
            rows[slug] += len(found)  # noqa: B023  # each is asked before the next one is made
            return found

        monkeypatch.setattr(type(reader), "fetch", counted)
        async with site.browser() as browser:
            assert (await browser.get(f"/events/{event.slug}")).status_code == 200
    assert rows[large.slug] == rows[small.slug]


async def test_only_counts_of_large_events_are_cached(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        crowd = await answered(tx, "crowd", [S.ATTENDING] * CACHED_FROM)
        few = await answered(tx, "few", [S.ATTENDING] * 3)
        first = await counts_shown(tx, [crowd.id, few.id])
    assert (first[crowd.id].going, first[few.id].going) == (CACHED_FROM, 3)
    async with db.transaction() as tx:
        await tx.execute(
            "update attendances set status = 'declined' where event_id in (:one, :two)", one=crowd.id, two=few.id
        )
        counting = StatementCounter(tx)
        second = await counts_shown(counting, [crowd.id, few.id])
        assert (second[crowd.id].going, second[few.id].going) == (CACHED_FROM, 0)
        await counts_shown(counting, [crowd.id])
        assert counting.statements == 1, "the attendees were counted again"
    clock.turn(CACHE_SECONDS * SECOND)
    async with db.reader() as reader:
        assert (await counts_shown(reader, [crowd.id]))[crowd.id].going == 0


async def test_any_answer_by_another_person_is_found(db: Database):
    async with db.transaction() as tx:
        event = await answered(tx, "one", [S.DECLINED])
        nobody = await answered(tx, "none", [])
        (mine,) = await listed(tx, event, 9)
        assert await queries.has_rsvps(tx, event.id)
        assert not await queries.has_rsvps(tx, event.id, except_id=mine.attendance_id)
        assert await queries.has_rsvps(tx, event.id, except_id=AttendanceId("another"))
        assert not await queries.has_rsvps(tx, nobody.id)


def test_every_shown_status_is_a_valid_sql_identifier():
    assert all(status.value.isalpha() for status in (*S, *ATTENDEE_STATUSES))


async def test_the_table_has_everybody_however_long_the_list_is(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file and the JSON have every answer once, those who wait last and in their order, with all earlier questions."""
    monkeypatch.setattr(attendees_csv, "_ROWS_PER_PAGE", PAGE)
    monkeypatch.setattr(attendees_csv, "_IDS_PER_PAGE", PAGE)
    statuses = [S.WAITLISTED, S.ATTENDING, S.INTERESTED, S.DECLINED] * PAGE
    async with db.transaction() as tx:
        event = await answered(tx, "of many", statuses)
        await tx.execute(
            'update attendances set replies = \'{"q1": "yes"}\', reply_words = \'{"q1": "Do you sing?"}\''
            " where user_id in (select id from users where display_name = 'Guest 26')"
        )
        session = await open_session(tx, event.author_id, SessionTransport.API)
    async with signed_in(site_on(db, clock), event.author_id) as host:
        file = await host.get(f"/events/{event.slug}/attendees.csv", headers={"accept-language": "de"})
        table = await host.get(
            f"/api/events/{event.slug}/attendances/table", headers={"authorization": f"Bearer {session.token}"}
        )
    head, *rows = csv.reader(io.StringIO(table.json()["csv"]))
    waiting = [f"Guest {at}" for at, status in enumerate(statuses, 1) if status is S.WAITLISTED]
    assert len({row[0] for row in rows}) == len(rows) == len(statuses)
    assert [row[0] for row in rows[-len(waiting) :]] == waiting
    assert (head[-1], [row[0] for row in rows if row[-1] == "yes"]) == ("Do you sing?", ["Guest 26"])
    head_in_german, *rows_in_german = csv.reader(io.StringIO(file.text))
    assert (head_in_german[1], rows_in_german[-1][1]) == ("Antwort", "auf der Warteliste")
    assert [row[0] for row in rows_in_german] == [row[0] for row in rows]


class PagedDatabase:
    """A database whose readers note the most rows that one statement read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.most_rows = 0

    @contextlib.asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        async with self._db.reader() as reader:
            yield PagedReader(reader, self)


class PagedReader:
    def __init__(self, reader: Reader, noted: PagedDatabase) -> None:
        self._reader, self._noted = reader, noted
        self.now, self.engine, self.fetch_one = reader.now, reader.engine, reader.fetch_one

    async def fetch(self, sql: str, /, **parameters: object) -> Sequence[Row]:
        rows = await self._reader.fetch(sql, **parameters)
        self._noted.most_rows = max(self._noted.most_rows, len(rows))
        return rows


async def test_the_file_is_read_in_pages_and_has_people_who_move_meanwhile_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No statement reads more than a page. People who get or lose a place while the file is read are in it once."""
    monkeypatch.setattr(attendees_csv, "_ROWS_PER_PAGE", PAGE)
    monkeypatch.setattr(attendees_csv, "_IDS_PER_PAGE", PAGE)
    async with db.transaction() as tx:
        event = await answered(tx, "of many", [S.ATTENDING, S.WAITLISTED] * PAGE * 2)
    paged = PagedDatabase(db)
    parts = attendees_csv.csv_parts(cast("Database", paged), event)
    read = [await anext(parts), await anext(parts)]
    async with db.transaction() as tx:
        place = "update attendances set status = 'attending', waitlist_number = null where status = 'waitlisted'"
        wait = "update attendances set status = 'waitlisted', waitlist_number = 99"
        await tx.execute(f"{place} and event_id = :event_id", event_id=event.id)
        await tx.execute(f"{wait} where user_id = (select id from users where display_name = 'Guest 1')")
    read += [part async for part in parts]
    _, *rows = csv.reader(io.StringIO("".join(read)))
    assert len({row[0] for row in rows}) == len(rows) == PAGE * 4
    assert paged.most_rows == PAGE
